/** Loads the wanted packs of a catalogue folder; a broken pack is reported and left out, the others load. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../lib/errors.ts';
import { type PackOverride, type ParsedFiles, type RenderedPack, renderPack } from './pack.ts';

export interface Catalogue {
  readonly packs: readonly RenderedPack[];
  readonly problems: readonly { readonly pack: string; readonly message: string }[];
}

/** Names of all packs in a folder, sorted. */
export function packNames(folder: string): readonly string[] {
  return readdirSync(path.join(folder, 'packs'))
    .filter((f) => f.endsWith('.yaml'))
    .map((f) => f.slice(0, -'.yaml'.length))
    .sort();
}

export function loadCatalogue(
  folder: string,
  wanted: readonly string[],
  overrides: Readonly<Record<string, PackOverride>> = {},
  parsed?: ParsedFiles,
): Catalogue {
  const packs: RenderedPack[] = [];
  const problems: { pack: string; message: string }[] = [];
  const known = packNames(folder);
  for (const name of Object.keys(overrides))
    if (!known.includes(name))
      problems.push({ pack: name, message: `no such pack; the catalogue has ${known.join(', ')}` });
  for (const pack of wanted) {
    if (overrides[pack]?.enabled === false) continue;
    try {
      packs.push(renderPack(folder, pack, overrides[pack], parsed));
    } catch (error) {
      problems.push({ pack, message: messageOf(error) });
    }
  }
  return { packs, problems };
}
