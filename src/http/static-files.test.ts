import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { staticFiles } from './static-files.ts';

describe('staticFiles', () => {
  it('serves files, the page for application paths, and nothing else', async () => {
    using folder = temporaryFolder();
    const root = path.join(folder.path, 'public');
    mkdirSync(path.join(root, 'assets'), { recursive: true });
    writeFileSync(path.join(folder.path, 'secret.txt'), 'secret');
    writeFileSync(path.join(root, 'index.html'), '<html>page</html>');
    writeFileSync(path.join(root, 'assets/a-1.js'), 'x'.repeat(5_000));
    const serve = staticFiles(root)!;
    const script = await serve('/assets/a-1.js', { 'accept-encoding': 'gzip, br' });
    expect(script?.headers).toMatchObject({
      'content-encoding': 'br',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect(brotliDecompressSync(script!.body as Buffer).toString()).toBe('x'.repeat(5_000));
    const page = await serve('/alerts/42', {});
    expect(String(page!.body)).toContain('page');
    expect(page!.headers!['content-security-policy']).toContain("default-src 'self'");
    expect(await serve('/', { 'if-none-match': page!.headers!['etag']! })).toMatchObject({ status: 304 });
    for (const outside of ['/../secret.txt', '/assets/../../secret.txt', '/missing.js'])
      expect(await serve(outside, {})).toBeUndefined();
  });

  it('is absent when nothing was built', () => {
    using folder = temporaryFolder();
    expect(staticFiles(folder.path)).toBeUndefined();
  });
});
