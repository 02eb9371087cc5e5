import { describe, expect, it } from 'vitest';
import type { CheckedRule } from './finding.ts';
import { checkLive, episodes, type LivePorts } from './live.ts';

describe('episodes', () => {
  it.each<[string, number[][], number, [number, number, number]]>([
    ['none', [], 0, [0, 0, 0]],
    ['one point fires without for', [[60]], 0, [1, 60, 0]],
    ['a gap makes two', [[0, 60, 240, 300]], 0, [2, 240, 0]],
    [
      'shorter than for is only pending',
      [
        [0, 60],
        [0, 60, 120, 180],
      ],
      120,
      [1, 120, 1],
    ],
  ])('%s', (_n, series, forS, [fired, firingS, onlyPending]) =>
    expect(episodes(series, 60, forS)).toEqual({ fired, firingS, onlyPending }),
  );
});

describe('live checks', () => {
  const rule = (name: string, expr: string, kind: CheckedRule['kind'] = 'alert'): CheckedRule => ({
    where: name,
    file: 'f',
    group: 'g',
    name,
    kind,
    expr,
    forMs: 60_000,
    labels: {},
    annotations: {},
    intervalMs: 0,
  });
  const ports: LivePorts = {
    metricNames: async () => ['up', 'x_total'],
    labelNames: async (m) => (m === 'up' ? ['__name__', 'job'] : ['__name__', 'tenant_id']),
    range: async (expr) =>
      expr.includes('x_total') ? Array.from({ length: 60 }, (_, i) => [i * 600, i * 600 + 60]) : [],
    cost: async (expr) => ({ samples: expr.includes('x_total') ? 2_000_000 : 1, ms: 1 }),
  };
  it('tell what is missing, what is noisy and what is dear', async () => {
    const report = await checkLive(
      [
        rule('Good', 'up{job="a"} == 0'),
        rule('Gone', 'nothing > 1'),
        rule('Label', 'up{pod="a"} == 0'),
        rule('Noisy', 'x_total > 1'),
        rule('a:b', 'sum(up)', 'record'),
        rule('Reads', 'a:b > 1'),
      ],
      [{ where: 'panel', expr: '{__name__=~"y_.*"}' }],
      ports,
      { endS: 86_400, windowS: 86_400, stepS: 60 },
    );
    expect(report.findings.map((f) => `${f.kind} ${f.where}`)).toEqual([
      'no-such-metric Gone',
      'no-such-label Label',
      'noisy-alert Noisy',
      'dear-query Noisy',
      'no-such-metric panel',
    ]);
    expect(report.alerts.find((a) => a.name === 'Noisy')).toMatchObject({ fired: 60, samples: 2_000_000 });
  });
});
