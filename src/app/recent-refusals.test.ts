import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { tenantId } from '../model/tenant.ts';
import type { MetricsWriter, WriteResult } from '../store/metrics.ts';
import { RecentRefusals } from './recent-refusals.ts';

const A = tenantId('a');
const B = tenantId('b');

function writerOf(rejected: WriteResult['rejected']): MetricsWriter {
  const result = { samplesAccepted: 1, histogramsAccepted: 0, exemplarsAccepted: 0, rejected, examples: [] };
  return { append: async () => result, appendSamples: async () => result };
}

describe('RecentRefusals', () => {
  it('adds up by reason and by tenant, and passes the answer on', async () => {
    const refusals = new RecentRefusals(new FakeClock());
    const late = refusals.wrap(A, writerOf({ too_old: 3, out_of_order: 1 }));
    expect((await late.appendSamples([])).rejected).toEqual({ too_old: 3, out_of_order: 1 });
    await late.appendSamples([]);
    await refusals.wrap(B, writerOf({ rate_quota: 7 })).appendSamples([]);
    await refusals.wrap(B, writerOf({})).appendSamples([]);
    expect(refusals.of(A)).toEqual({ too_old: 6, out_of_order: 2 });
    expect(refusals.of(B)).toEqual({ rate_quota: 7 });
    refusals.forget(A);
    expect(refusals.of(A)).toEqual({});
  });

  it('forgets after an hour', async () => {
    const clock = new FakeClock();
    const refusals = new RecentRefusals(clock);
    const writer = refusals.wrap(A, writerOf({ too_old: 1 }));
    await writer.appendSamples([]);
    await clock.advance(30 * 60_000);
    await writer.appendSamples([]);
    expect(refusals.of(A)).toEqual({ too_old: 2 });
    await clock.advance(31 * 60_000);
    expect(refusals.of(A)).toEqual({ too_old: 1 });
    await clock.advance(60 * 60_000);
    expect(refusals.of(A)).toEqual({});
  });
});
