import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { silentLogger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import type { AlertTransition } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import type { TenantId } from '../model/tenant.ts';
import { AlertHistory, QUEUE_MAX } from './alert-history.ts';

const transition = (tenant: string, atMs: number, rule = 'A'): AlertTransition => ({
  tenant,
  atMs,
  rule,
  group: 'g',
  fingerprint: '0011223344556677',
  labels: Labels.from({ alertname: rule }),
  annotations: Labels.EMPTY,
  from: 'pending',
  to: 'firing',
  value: Number.NaN,
  activeAtMs: atMs,
});
const A = 'a' as TenantId;
const B = 'b' as TenantId;
const all = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER, limit: 100 };

describe('AlertHistory', () => {
  it('lists newest first, by time, rule and tenant, and sweeps what is old', async () => {
    const clock = new FakeClock();
    const metrics = new SelfMetrics();
    const documents = new MemoryDocuments();
    await using history = new AlertHistory({ documents, clock, logger: silentLogger, metrics, retentionMs: 7_200_000 });
    const t0 = clock.now();
    for (let i = 0; i < 5; i++) history.record(transition('a', t0 + i * 1_000, i % 2 ? 'Odd' : 'Even'));
    history.record(transition('b', t0));
    await clock.advance(2_000);
    const found = await history.list(A, all);
    expect(found.map((t) => t.atMs - t0)).toEqual([4_000, 3_000, 2_000, 1_000, 0]);
    expect(found[0]).toMatchObject({
      rule: 'Even',
      labels: { alertname: 'Even' },
      value: 'NaN',
      from: 'pending',
      to: 'firing',
    });
    expect(await history.list(A, { ...all, rule: 'Odd' })).toHaveLength(2);
    expect(await history.list(A, { ...all, startMs: t0 + 2_000, endMs: t0 + 3_000 })).toHaveLength(2);
    expect(await history.list(A, { ...all, limit: 1 })).toHaveLength(1);
    expect(await history.list(B, all)).toHaveLength(1);
    await clock.advance(3 * 3_600_000);
    expect(await history.list(A, all)).toEqual([]);
  });

  it('is bounded: what does not fit is dropped and counted', async () => {
    const clock = new FakeClock();
    const metrics = new SelfMetrics();
    const history = new AlertHistory({
      documents: new MemoryDocuments(),
      clock,
      logger: silentLogger,
      metrics,
      retentionMs: 0,
    });
    for (let i = 0; i < QUEUE_MAX + 3; i++) history.record(transition('a', i));
    expect(metrics.expose()).toContain('vigie_alert_history_dropped_total 3');
  });
});
