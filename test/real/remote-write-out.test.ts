/** Remote write out against real receivers, one of which is killed in between: every sample arrives, values and all. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { relabelRegex } from '../../src/app/regex-ports.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { SelfMetrics } from '../../src/lib/self-metrics.ts';
import { Labels } from '../../src/model/labels.ts';
import { parseRemoteWrite } from '../../src/remote-write-out/config.ts';
import { RemoteWriteOut } from '../../src/remote-write-out/remote-write-out.ts';
import { compileRelabel } from '../../src/scrape/relabel.ts';
import type { MetricsWriter, WriteResult } from '../../src/store/metrics.ts';
import { findPeer, freePort, httpReady, peerMissing, type Started, start, temporaryFolder } from '../support/peers.ts';

const ok: WriteResult = { samplesAccepted: 0, histogramsAccepted: 0, exemplarsAccepted: 0, rejected: {}, examples: [] };
const inner: MetricsWriter = { append: async () => ok, appendSamples: async () => ok };

describe.each([
  ['2.42', undefined],
  ['3.5', 'sid'],
] as const)('Prometheus %s', (_, suite) => {
  it.skipIf(peerMissing('prometheus', suite))(
    'receives all of it through its own death',
    { timeout: 60_000 },
    async () => {
      using folder = temporaryFolder();
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      writeFileSync(path.join(folder.path, 'p.yml'), '');
      const run = (): Promise<Started> =>
        start(findPeer('prometheus', suite)!, {
          args: [
            `--config.file=${folder.path}/p.yml`,
            `--storage.tsdb.path=${folder.path}/data`,
            `--web.listen-address=127.0.0.1:${port}`,
            '--web.enable-remote-write-receiver',
          ],
          ready: httpReady(`${url}/-/ready`),
        });
      const out = new RemoteWriteOut({
        targets: parseRemoteWrite(
          [
            {
              url: `${url}/api/v1/write`,
              name: 'real',
              write_relabel_configs: [{ source_labels: ['i'], regex: '1.', action: 'drop' }],
              queue_config: { max_samples_per_send: 50, batch_send_deadline: '100ms', max_backoff: '200ms' },
            },
          ],
          'p.yml',
        ),
        externalLabels: Labels.from({ cluster: 'c' }),
        compileRelabel: (rules) => compileRelabel(rules, relabelRegex),
        clock: systemClock,
        logger: silentLogger,
        metrics: new SelfMetrics(),
        userAgent: 'test',
      });
      const writer = out.wrap(inner);
      const t0 = Math.floor(Date.now() / 1000) * 1000 - 300_000;
      const write = async (from: number, to: number): Promise<void> => {
        for (let round = from; round < to; round++) {
          await writer.appendSamples(
            Array.from({ length: 20 }, (_, i) => ({
              labels: Labels.from({ __name__: 'm', i: String(i) }),
              timestampMs: t0 + round * 1000,
              value: round * 20 + i,
            })),
          );
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      };
      let receiver = await run();
      await write(0, 60);
      await receiver.stop('SIGKILL');
      await write(60, 140);
      expect(out.targets[0]!.pending).toBeGreaterThan(500);
      receiver = await run();
      await write(140, 200);
      for (let i = 0; i < 200 && out.targets[0]!.pending > 0; i++) await new Promise((r) => setTimeout(r, 100));
      await out.close();
      const query = new URLSearchParams({ query: '{cluster="c"}[10m]', time: String((t0 + 200_000) / 1000) });
      const { data } = (await (await fetch(`${url}/api/v1/query?${query}`)).json()) as {
        data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
      };
      await receiver.stop();
      expect(data.result).toHaveLength(10);
      let samples = 0;
      for (const { metric, values } of data.result) {
        expect(Number(metric['i'])).toBeLessThan(10);
        for (const [t, v] of values) expect(Number(v)).toBe(((t * 1000 - t0) / 1000) * 20 + Number(metric['i']));
        samples += values.length;
      }
      expect(samples).toBe(10 * 200);
    },
  );
});
