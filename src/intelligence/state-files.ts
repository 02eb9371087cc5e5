/** Learned state as files, `<folder>/<tenant>/<detector>.<piece>.state`: written beside and renamed, so that one is always whole. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { StatePort } from './ports.ts';

export class StateFiles implements StatePort {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async load(tenant: TenantId, key: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#file(tenant, key));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new VigieError('storage', `detector state cannot be read: ${messageOf(cause)}`, { cause });
    }
  }

  async save(tenant: TenantId, key: string, state: Uint8Array): Promise<void> {
    const file = this.#file(tenant, key);
    try {
      await mkdir(path.dirname(file), { recursive: true });
      const handle = await open(`${file}.tmp`, 'w');
      try {
        await handle.writeFile(state);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(`${file}.tmp`, file);
    } catch (cause) {
      throw new VigieError('storage', `detector state cannot be written: ${messageOf(cause)}`, { cause });
    }
  }

  async remove(tenant: TenantId, key: string): Promise<void> {
    await rm(this.#file(tenant, key), { force: true });
  }

  async removeTenant(tenant: TenantId): Promise<void> {
    await rm(path.dirname(this.#file(tenant, '')), { recursive: true, force: true });
  }

  /** Tenant ids are from a safe alphabet; the encoding is for the few that file systems dislike. */
  #file(tenant: TenantId, key: string): string {
    return path.join(this.#folder, encodeURIComponent(tenant), `${encodeURIComponent(key)}.state`);
  }
}
