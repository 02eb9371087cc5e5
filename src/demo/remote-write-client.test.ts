import fc from 'fast-check';
import protobuf from 'protobufjs';
// @ts-expect-error the package carries no types
import SnappyJS from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { Labels } from '../model/labels.ts';
import { RemoteWriteEncoder, snappyLiterals } from './remote-write-client.ts';

/** The message as prompb/remote.proto of Prometheus 2 declares it; read by an independent library. */
const WRITE_REQUEST = protobuf
  .parse(
    `syntax = "proto3"; message WriteRequest { repeated TimeSeries timeseries = 1; } message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; } message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }`,
  )
  .root.lookupType('WriteRequest');

interface Decoded {
  readonly timeseries: readonly {
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    readonly samples: readonly { readonly value: number; readonly timestamp: string }[];
  }[];
}
const decode = (body: Buffer): Decoded =>
  WRITE_REQUEST.toObject(WRITE_REQUEST.decode(new Uint8Array(SnappyJS.uncompress(body))), {
    longs: String,
    defaults: true,
  }) as Decoded;

const labelSet = fc
  .dictionary(
    fc.stringMatching(/^[a-z_]{1,8}$/),
    fc.string({ unit: 'grapheme', maxLength: 20 }).filter((v) => v !== ''),
    {
      minKeys: 1,
      maxKeys: 6,
    },
  )
  .map((l) => Labels.from(l));

describe('RemoteWriteEncoder', () => {
  it('writes what an independent decoder reads, for any labels, times and values', () => {
    fc.assert(
      fc.property(
        fc.array(labelSet, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(2 ** 52), { minLength: 1, maxLength: 5 }),
        fc.array(fc.double(), { minLength: 25, maxLength: 25 }),
        (labels, times, values) => {
          const rows = times.map((_, i) => Float64Array.from(labels, (_l, s) => values[i * 5 + s]!));
          const encoder = new RemoteWriteEncoder(labels);
          encoder.encode([1], [new Float64Array(labels.length)]); // a second request must not see the first
          const found = decode(encoder.encode(times, rows));
          expect(found.timeseries.map((t) => Object.fromEntries(t.labels.map((l) => [l.name, l.value])))).toEqual(
            labels.map((l) => l.toObject()),
          );
          found.timeseries.forEach((t, s) => {
            expect(t.samples.map((x) => x.timestamp)).toEqual(times.map(String));
            expect(t.samples.map((x) => x.value)).toEqual(rows.map((r) => r[s]!));
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('grows past its first buffer', () => {
    const labels = Array.from({ length: 300 }, (_, i) => Labels.from({ __name__: 'm', i: String(i) }));
    const times = Array.from({ length: 60 }, (_, i) => 1.7e12 + i * 1000);
    const rows = times.map((t) => Float64Array.from(labels, (_, s) => t + s));
    const found = decode(new RemoteWriteEncoder(labels).encode(times, rows));
    expect(found.timeseries).toHaveLength(300);
    expect(found.timeseries[299]!.samples.at(-1)).toEqual({ value: 1.7e12 + 59_000 + 299, timestamp: '1700000059000' });
  });
});

describe('snappyLiterals', () => {
  it.each([0, 1, 60, 65_535, 65_536, 65_537, 200_000])('%d bytes', (size) => {
    const plain = Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251);
    expect(Buffer.from(SnappyJS.uncompress(snappyLiterals(plain)))).toEqual(Buffer.from(plain));
  });
});
