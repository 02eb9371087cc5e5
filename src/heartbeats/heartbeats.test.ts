import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { silentLogger } from '../lib/logger.ts';
import type { Sample } from '../model/sample.ts';
import { tenantId } from '../model/tenant.ts';
import { HeartbeatMonitors } from './heartbeat-monitors.ts';
import { OutgoingHeartbeat } from './outgoing-heartbeat.ts';

const a = tenantId('a');
const b = tenantId('b');

function monitors(documents = new MemoryDocuments()) {
  const clock = new FakeClock();
  const written: { tenant: string; samples: readonly Sample[] }[] = [];
  const make = () =>
    new HeartbeatMonitors({
      documents,
      writeSamples: async (tenant, samples) => void written.push({ tenant, samples }),
      clock,
      logger: silentLogger,
    });
  return { clock, written, make, documents };
}

describe('HeartbeatMonitors', () => {
  it('goes waiting, ok, late, failed, and survives a restart in each', async () => {
    const { clock, make } = monitors();
    let hb = make();
    await hb.start();
    const state = async () => {
      hb.stop();
      hb = make();
      await hb.start();
      return hb.list(a).map((m) => m.state);
    };
    await hb.put(a, { name: 'backup', intervalMs: 60_000, graceMs: 10_000 });
    expect(await state()).toEqual(['waiting']);
    await hb.ping(a, 'backup');
    expect(await state()).toEqual(['ok']);
    await clock.advance(70_001);
    expect(await state()).toEqual(['late']);
    await hb.ping(a, 'backup', 'failed');
    expect(await state()).toEqual(['failed']);
    hb.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('is late when never heard of within the first deadline', async () => {
    const { clock, make } = monitors();
    const hb = make();
    await hb.put(a, { name: 'cron', intervalMs: 60_000, graceMs: 0 });
    await clock.advance(60_001);
    expect(hb.list(a)[0]!.state).toBe('late');
  });

  it('exports series per tenant, and a tenant sees and pings only its own', async () => {
    const { written, make, clock } = monitors();
    const hb = make();
    await hb.start();
    await hb.put(a, { name: 'backup', intervalMs: 60_000 });
    await hb.put(b, { name: 'other', intervalMs: 60_000 });
    await expect(hb.ping(a, 'other')).rejects.toThrow(/no heartbeat monitor/);
    expect(hb.list(a).map((m) => m.name)).toEqual(['backup']);
    written.length = 0;
    await clock.advance(15_000);
    expect(written.map((w) => `${w.tenant}: ${w.samples.map((s) => s.labels.get('heartbeat')).join()}`)).toEqual([
      'a: backup',
      'b: other',
    ]);
    hb.stop();
  });

  it.each([
    [{ name: 'x y', intervalMs: 60_000 }, /name: want/],
    [{ name: 'x', intervalMs: 10 }, /interval: want at least 10 s, got 0.01 s/],
  ])('refuses %j', async (input, message) => {
    await expect(monitors().make().put(a, input)).rejects.toThrow(message);
  });
});

describe('OutgoingHeartbeat', () => {
  it('beats while healthy, withholds otherwise, and outlives failures', async () => {
    const clock = new FakeClock();
    let reason: string | undefined;
    const answers = [204, 500, new Error('refused')];
    const beat = new OutgoingHeartbeat({
      url: 'http://watcher.example',
      intervalMs: 60_000,
      post: async () => {
        const next = answers.shift() ?? 200;
        if (next instanceof Error) throw next;
        return next;
      },
      unhealthy: () => reason,
      clock,
      logger: silentLogger,
    });
    beat.start();
    await clock.advance(5_000 + 2 * 60_000);
    reason = 'no rule was evaluated for 2m';
    await clock.advance(60_000);
    reason = undefined;
    await clock.advance(60_000);
    expect([beat.sent, beat.failed, beat.withheld]).toEqual([2, 2, 1]);
    beat.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
