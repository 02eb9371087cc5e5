/** A slow link must not wait: all JavaScript that the first page fetches until its figures are there, compressed as the server does. */
import { brotliCompressSync, constants } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { chromiumMissing, launch, openPage } from './support/browser.ts';
import { startFakeServer } from './support/fake-server.ts';

const BYTES_MAX = 250_000;
/** The quality that src/http/static-files.ts compresses with. */
const AS_SERVED = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

describe.skipIf(chromiumMissing)('the first page', () => {
  it(`needs less than ${BYTES_MAX / 1_000} kB of compressed JavaScript`, async () => {
    await using server = await startFakeServer();
    const browser = await launch();
    try {
      const { page } = await openPage(browser, 'about:blank');
      const scripts: Promise<readonly [string, number]>[] = [];
      page.on('response', (r) => {
        if (/\.js$/.test(new URL(r.url()).pathname))
          scripts.push(
            r.body().then((body) => [new URL(r.url()).pathname, brotliCompressSync(body, AS_SERVED).length] as const),
          );
      });
      await page.goto(server.url);
      await page.locator('.tile-value').first().waitFor();
      await page.getByRole('application').first().waitFor();
      const sizes = await Promise.all(scripts);
      const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
      // the editor and the dialogs are not among them, the chart is: else this would measure an empty page
      expect(sizes.length).toBeGreaterThan(3);
      expect(total, sizes.map(([name, bytes]) => `${name} ${bytes}`).join('\n')).toBeLessThan(BYTES_MAX);
      expect(total).toBeGreaterThan(100_000);
    } finally {
      await browser.close();
    }
  });
});
