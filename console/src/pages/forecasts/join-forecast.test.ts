import { expect, it } from 'vitest';
import type { ForecastItem } from '../../../../src/http/contract/intelligence.ts';
import { joinForecast } from './join-forecast.ts';

const item = (over: Partial<ForecastItem>): ForecastItem =>
  ({
    fitAtMs: 600_000,
    stepMs: 300_000,
    value: 0.4,
    threshold: { below: 0 },
    mean: [0.3, 0.1, -0.1, -0.5],
    lower: [0.2, 0, -0.3, -1],
    upper: [0.4, 0.2, 0.1, 0],
    ...over,
  }) as ForecastItem;
const history = [
  [300, 0.6],
  [600, 0.4],
] as const;

it('begins at the last measured point and ends a little beyond the limit, however far the forecast goes', () => {
  const joined = joinForecast(item({}), history);
  expect(joined.times).toEqual([300, 600, 900, 1200, 1500, 1800]);
  expect(joined.actual).toEqual([0.6, 0.4, null, null, null, null]);
  expect(joined.mean).toEqual([null, 0.4, 0.3, 0.1, -0.1, null]);
  expect(joined.lower).toEqual([null, 0.4, 0.2, 0, -0.15, -0.15]);
});

it('draws all of a forecast that has no limit', () => {
  const { threshold: _none, ...free } = item({});
  expect(joinForecast(free as ForecastItem, history).mean.at(-1)).toBe(-0.5);
});
