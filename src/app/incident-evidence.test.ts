import { describe, expect, it } from 'vitest';
import { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import { evidenceOf, type QueryMatrix } from './incident-evidence.ts';

const MINUTE = 60_000;
const SINCE = 1_000 * MINUTE;

function series(labels: Record<string, string>, value: (minute: number) => number): SeriesColumns {
  const timestamps = Float64Array.from({ length: 131 }, (_, i) => SINCE + (i - 120) * MINUTE);
  return {
    labels: Labels.from(labels),
    length: timestamps.length,
    timestamps,
    values: timestamps.map((_, i) => value(i - 120)),
  };
}
const answering =
  (answers: Record<string, SeriesColumns[]>): QueryMatrix =>
  async (expr) =>
    Object.entries(answers).find(([part]) => expr.includes(part))?.[1] ?? [];

describe('evidenceOf', () => {
  it('names what left its usual level, by how much and since when', async () => {
    const query = answering({
      'histogram_quantile(0.95, sum by (service': [
        series({ service: 'planner' }, (m) => (m < 2 ? 0.2 + 0.002 * (m % 3) : 0.9)),
        series({ service: 'media' }, (m) => 0.3 + 0.002 * (m % 3)),
      ],
    });
    const found = await evidenceOf(query, SINCE, SINCE + 10 * MINUTE);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ component: 'service:planner', after: 0.9, sinceMs: SINCE + 2 * MINUTE });
    expect(found[0]!.z).toBeGreaterThan(10);
  });

  it('says nothing of too little history, of gaps, of failing queries and of ripples on a flat line', async () => {
    const failing: QueryMatrix = async () => {
      throw new Error('no');
    };
    expect(await evidenceOf(failing, SINCE, SINCE)).toEqual([]);
    const short = answering({
      'sum by (service) (rate(http_requests_total[5m]))': [series({ service: 'a' }, (m) => (m < -10 ? Number.NaN : 5))],
    });
    expect(await evidenceOf(short, SINCE, SINCE)).toEqual([]);
    const flat = answering({ node_memory: [series({ instance: 'n' }, (m) => (m < 0 ? 0.5 : 0.51))] });
    expect(await evidenceOf(flat, SINCE, SINCE)).toEqual([]);
    const zero = answering({ pg_stat: [series({ instance: 'db' }, (m) => (m < 0 ? 0 : 3))] });
    expect((await evidenceOf(zero, SINCE, SINCE))[0]?.z).toBe(1_000);
  });
});
