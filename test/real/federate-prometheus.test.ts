/** /federate of the running server beside the real Prometheus 3.5: equal bytes for what every kind of reader accepts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { Labels } from '../../src/model/labels.ts';
import { type SeriesColumns, setStale } from '../../src/model/sample.ts';
import { type Peer, startPrometheus } from '../promql/prometheus-peer.ts';
import { remoteWriteBody } from '../promql/remote-write.ts';
import { peerMissing, temporaryFolder } from '../support/peers.ts';
import { startVigie, type VigieProcess } from '../support/vigie.ts';

const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
const ACCEPTED = [
  '',
  '*/*',
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
  'text/plain;version=1.0.0;escaping=allow-utf-8',
  'text/plain;version=0.0.4;escaping=dots',
  'text/plain;version=0.0.4;escaping=values',
  PROTOBUF,
  `${PROTOBUF};escaping=allow-utf-8`,
];
const SELECTORS = [
  ['a_total'],
  ['a_total', '{i="1"}', 'a_total'],
  ['{__name__=~".+"}'],
  ['{"http.dots"}', 'nh'],
  ['nothing'],
];

describe.skipIf(peerMissing('prometheus', 'sid'))('/federate beside Prometheus 3.5', () => {
  const folder = temporaryFolder();
  let peer: Peer;
  let vigie: VigieProcess;
  beforeAll(async () => {
    peer = await startPrometheus(folder.path, 'sid');
    vigie = await startVigie({ args: ['--enable-feature', 'native-histograms'] });
    const now = Date.now() - 5_000;
    const series = (
      labels: Record<string, string>,
      values: readonly (number | 'stale')[],
      h?: NativeHistogram,
    ): SeriesColumns => {
      const column = new Float64Array(values.length);
      values.forEach((v, i) => {
        if (v === 'stale') setStale(column, i);
        else column[i] = v;
      });
      return {
        labels: Labels.from(labels),
        length: values.length,
        timestamps: Float64Array.from(values, (_, i) => now - (values.length - 1 - i) * 1_000),
        values: column,
        ...(h && { histograms: values.map(() => h) }),
      };
    };
    const h: NativeHistogram = {
      schema: 1,
      zeroThreshold: 0.001,
      zeroCount: 2,
      count: 12,
      sum: 5.5,
      positiveSpans: [
        { offset: -1, length: 1 },
        { offset: 3, length: 1 },
      ],
      positiveBuckets: [3, 4],
      negativeSpans: [{ offset: 0, length: 1 }],
      negativeBuckets: [3],
      counterResetHint: 'unknown',
    };
    const list = [
      series({ __name__: 'a_total', i: '1', instance: 'x' }, [1, 2, 3]),
      series({ __name__: 'a_total', i: '2' }, [1, Number.NaN]),
      series({ __name__: 'a_total', i: '3' }, [1, 'stale']),
      series({ __name__: 'b', text: 'quote"back\\slash\nline', é: 'ü' }, [Number.POSITIVE_INFINITY]),
      series({ __name__: 'http.dots', 'a b': 'c', '1': 'one', under_score: 'u' }, [1e-9]),
      series({ __name__: 'nh', i: '1' }, [0, 0], h),
      series({ __name__: 'nh', i: '2' }, [0], { ...h, schema: 0, counterResetHint: 'gauge' }),
    ].sort((x, y) => Labels.compare(x.labels, y.labels));
    for (const url of [peer.url, `${vigie.url}/t/f`]) {
      const response = await fetch(`${url}/api/v1/write`, {
        method: 'POST',
        headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
        body: new Uint8Array(remoteWriteBody(list)),
      });
      expect(response.status, await response.text()).toBe(204);
    }
  }, 60_000);
  afterAll(async () => {
    await vigie?.[Symbol.asyncDispose]();
    await peer?.started.stop('SIGKILL');
    folder[Symbol.dispose]();
  });

  it.each(ACCEPTED)('Accept: %s', async (accept) => {
    let bytes = 0;
    for (const selectors of SELECTORS) {
      const query = selectors.map((s) => `match[]=${encodeURIComponent(s)}`).join('&');
      const [theirs, ours] = await Promise.all(
        [peer.url, `${vigie.url}/t/f`].map(async (url) => {
          const r = await fetch(`${url}/federate?${query}`, { headers: accept === '' ? {} : { accept } });
          expect(r.status).toBe(200);
          return {
            type: r.headers.get('content-type'),
            body: Buffer.from(await r.arrayBuffer()).toString(accept.startsWith(PROTOBUF) ? 'hex' : 'utf8'),
          };
        }),
      );
      expect(ours, query).toEqual(theirs);
      bytes += theirs!.body.length;
    }
    expect(bytes).toBeGreaterThan(300);
  });
});
