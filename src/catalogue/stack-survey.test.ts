import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCatalogue } from './load.ts';
import { compareAlerts, surveyPacks } from './stack-survey.ts';

const { packs } = loadCatalogue(path.resolve(import.meta.dirname, '../../templates'), ['host', 'redis']);

describe('a survey of a running stack', () => {
  it('finds packs by their metrics, and rules by expression, name and metrics', () => {
    const needs = packs.find((p) => p.manifest.pack === 'redis')!.manifest.needs.metrics;
    const found = surveyPacks(
      packs,
      [
        { kind: 'alert', name: 'TheirRedisDown', expr: 'redis_up==  0' },
        { kind: 'alert', name: 'RedisReplicaCutOff', expr: 'redis_master_link_up < 1' },
        { kind: 'alert', name: 'Evictions', expr: 'rate(redis_evicted_keys_total[1h]) > 1' },
        { kind: 'alert', name: 'Unreadable', expr: 'sum(' },
      ],
      new Set([...needs, 'node_load1']),
    );
    expect(found.map((f) => [f.pack, f.metricsFound === f.metricsNeeded])).toEqual([
      ['redis', true],
      ['host', false],
    ]);
    expect(found[0]!.same).toEqual([
      { rule: 'RedisDown', as: 'TheirRedisDown', by: 'expression' },
      { rule: 'RedisEvictsKeys', as: 'Evictions', by: 'metrics' },
      { rule: 'RedisReplicaCutOff', as: 'RedisReplicaCutOff', by: 'name' },
    ]);
    expect(found[0]!.adds).toContain('RedisMemoryHigh');
  });
  it('compares what fires', () => {
    const alert = (labels: Record<string, string>, state = 'firing') => ({ labels, state });
    expect(
      compareAlerts(
        [alert({ alertname: 'A', job: 'j' }), alert({ alertname: 'B' }), alert({ alertname: 'C' }, 'pending')],
        [alert({ job: 'j', alertname: 'A', source: 'vigie' }), alert({ alertname: 'D' })],
        ['source'],
      ),
    ).toEqual({ both: 1, onlyThere: ['alertname="B"'], onlyHere: ['alertname="D"'] });
  });
});
