/**
 * Serves the console's built files from a folder, read into memory once: compressed ahead, with strong caching for
 * hashed names and the application's page for every other path. Serves nothing outside that folder by construction.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { HttpAnswer, HttpRequest } from './route.ts';

/** Everything together; a build that outgrows this is a mistake. */
const FOLDER_BYTES_MAX = 64 * 1024 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
};

/** The page may run its own scripts and talk to its own origin, nothing else. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

interface File {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
  readonly immutable: boolean;
  compressed: Buffer | undefined;
}

/** What the build compressed ahead, unless the file was changed since by hand. */
function built(file: string, body: Buffer): Buffer | undefined {
  if (!existsSync(`${file}.br`)) return undefined;
  const compressed = readFileSync(`${file}.br`);
  try {
    return brotliDecompressSync(compressed, { maxOutputLength: body.length + 1 }).equals(body) ? compressed : undefined;
  } catch {
    return undefined;
  }
}

/** Answers for GET paths from `folder`; undefined when the folder does not exist. */
export function staticFiles(
  folder: string,
): ((path: string, headers: HttpRequest['headers']) => Promise<HttpAnswer | undefined>) | undefined {
  if (!existsSync(path.join(folder, 'index.html'))) return undefined;
  const files = new Map<string, File>();
  let total = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const full = path.join(entry.parentPath, entry.name);
    const type = TYPES[path.extname(entry.name)];
    if (!type) continue;
    const body = readFileSync(full);
    total += body.length;
    if (total > FOLDER_BYTES_MAX) throw new Error(`BUG: ${folder} holds more than ${FOLDER_BYTES_MAX} bytes`);
    const url = `/${path.relative(folder, full).split(path.sep).join('/')}`;
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    files.set(url, { type, body, etag, immutable: url.startsWith('/assets/'), compressed: built(full, body) });
  }
  const page = files.get('/index.html')!;
  return async (url, headers) => {
    const file = files.get(url) ?? (path.extname(url) === '' ? page : undefined);
    if (!file) return undefined;
    const base: Record<string, string> = {
      'content-type': file.type,
      etag: file.etag,
      'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      vary: 'accept-encoding',
    };
    if (file === page) base['content-security-policy'] = CONTENT_SECURITY_POLICY;
    if (headers['if-none-match'] === file.etag) return { status: 304, headers: base };
    const brotli =
      String(headers['accept-encoding'] ?? '').includes('br') &&
      file.body.length > 1_024 &&
      !/^(image\/png|font)/.test(file.type);
    if (!brotli) return { headers: base, body: file.body };
    file.compressed ??= brotliCompressSync(file.body, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } });
    return { headers: { ...base, 'content-encoding': 'br' }, body: file.compressed };
  };
}
