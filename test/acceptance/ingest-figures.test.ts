/** What the first page says about refused samples, and the cardinality view about labels, counted truly and per tenant. */
import { describe, expect, it } from 'vitest';
import { startVigie, type VigieProcess } from '../support/vigie.ts';

const SECOND_NS = 1_000_000_000n;

interface Point {
  readonly atMs: number;
  readonly value: number;
  readonly attributes?: Readonly<Record<string, string>>;
}
const send = (vigie: VigieProcess, tenant: string, name: string, points: readonly Point[]): Promise<Response> =>
  vigie.fetch('/v1/metrics', {
    method: 'POST',
    tenant,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                {
                  name,
                  gauge: {
                    dataPoints: points.map((p) => ({
                      timeUnixNano: String((BigInt(p.atMs) * SECOND_NS) / 1_000n),
                      asDouble: p.value,
                      attributes: Object.entries(p.attributes ?? {}).map(([key, stringValue]) => ({
                        key,
                        value: { stringValue },
                      })),
                    })),
                  },
                },
              ],
            },
          ],
        },
      ],
    }),
  });

interface Overview {
  readonly ingest: { readonly refused: Readonly<Record<string, number>> };
}
interface Cardinality {
  readonly activeSeries: number;
  readonly byLabel: readonly { readonly name: string; readonly values: number; readonly series: number }[];
}

describe('figures of ingest', () => {
  it('count what was refused and what carries a label, of the tenant that asks only', async () => {
    await using vigie = await startVigie();
    const now = Date.now();
    expect((await vigie.json<Overview>('/vigie/v1/overview', { tenant: 'acme' })).ingest.refused).toEqual({});
    await send(vigie, 'acme', 'pressure', [
      { atMs: now, value: 1, attributes: { room: 'a', side: 'left' } },
      { atMs: now, value: 2, attributes: { room: 'b' } },
      { atMs: now, value: 3, attributes: { room: 'c', side: 'left' } },
    ]);
    // the same time with another value, twice, and one of years ago
    await send(vigie, 'acme', 'pressure', [{ atMs: now, value: 9, attributes: { room: 'a', side: 'left' } }]);
    await send(vigie, 'acme', 'pressure', [{ atMs: now, value: 8, attributes: { room: 'b' } }]);
    await send(vigie, 'acme', 'pressure', [{ atMs: now - 400 * 86_400_000, value: 9, attributes: { room: 'd' } }]);
    await send(vigie, 'other', 'pressure', [{ atMs: now, value: 1 }]);

    const { ingest } = await vigie.json<Overview>('/vigie/v1/overview', { tenant: 'acme' });
    expect(ingest.refused).toEqual({ duplicate_timestamp: 2, too_old: 1 });
    expect((await vigie.json<Overview>('/vigie/v1/overview', { tenant: 'other' })).ingest.refused).toEqual({});

    const cardinality = await vigie.json<Cardinality>('/vigie/v1/cardinality', { tenant: 'acme' });
    const of = (name: string) => cardinality.byLabel.find((l) => l.name === name);
    expect(of('room')).toEqual({ name: 'room', values: 3, series: 3 });
    expect(of('side')).toEqual({ name: 'side', values: 1, series: 2 });
    const other = await vigie.json<Cardinality>('/vigie/v1/cardinality', { tenant: 'other' });
    expect(other.byLabel.find((l) => l.name === 'room')).toBeUndefined();
  }, 60_000);
});
