import { describe, expect, it } from 'vitest';
import { answerChangepoints } from './change-points.ts';
import { createDetectHandler } from './detect.ts';
import { answerDrift } from './drift.ts';
import { answerForecast } from './forecast.ts';
import { type LineHandler, serveLines } from './lines.ts';

async function session(
  handler: LineHandler,
  chunks: readonly (string | Uint8Array)[],
): Promise<{ out: unknown[]; err: string }> {
  let out = '';
  let err = '';
  const code = await serveLines(
    {
      stdin: (async function* () {
        yield* chunks;
      })(),
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
    },
    handler,
  );
  expect(code).toBe(0);
  return {
    out: out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as unknown),
    err,
  };
}

describe('line protocol', () => {
  it('answers points in order and leaves open and close unanswered', async () => {
    const { out } = await session(createDetectHandler(), [
      '{"op":"open","series":"a","dims":1,"step":60}\n{"op":"open","series":"b","dims":2,"step":60}\n{"op":"point","ser',
      'ies":"a","t":0,"v":[1]}\n{"op":"point","series":"b","t":0,"v":[1,null],"train":true}\n{"op":"close","series":"a"}\n',
      '{"op":"point","series":"a","t":60,"v":[1]}',
    ]);
    expect(out).toEqual([
      { series: 'a', t: 0, score: 0, alertScore: 0, alert: false, change: false },
      { series: 'b', t: 0, score: expect.any(Number), alertScore: 0, alert: false, change: false },
      { id: 'a', error: expect.stringContaining('not open') },
    ]);
  });

  it('keeps a character that is split over two chunks', async () => {
    const bytes = new TextEncoder().encode('{"op":"changepoints","id":"é","values":[]}\n');
    const { out } = await session(answerChangepoints, [bytes.slice(0, 28), bytes.slice(28)]);
    expect(out).toEqual([{ id: 'é', changes: [] }]);
  });

  it.each([
    ['not json', 'not JSON'],
    ['[1]', 'must be an object'],
    ['{"op":"forecast","id":"x","values":[],"horizon":3}', 'at least one number'],
    ['{"op":"forecast","id":"x","values":[1],"horizon":0}', '"horizon"'],
    ['{"op":"forecast","id":"x","values":[1],"horizon":3,"levels":["2"]}', 'between 0 and 1'],
    ['{"op":"other","id":"x"}', 'unknown "op"'],
  ])('refuses %s and goes on', async (line, message) => {
    const good = '{"op":"forecast","id":"y","step":60,"values":[1,2],"horizon":1,"levels":[]}';
    const { out, err } = await session(answerForecast, [`${line}\n${good}\n`]);
    expect(out).toHaveLength(2);
    expect(out[0]).toMatchObject({ error: expect.stringContaining(message) });
    expect(out[1]).toMatchObject({ id: 'y', mean: [expect.any(Number)] });
    expect(err).toContain(message);
  });

  it('forecasts a daily pattern with the asked levels and a crossing', async () => {
    const values = Array.from({ length: 500 }, (_, i) => 100 + 20 * Math.sin((2 * Math.PI * i) / 24));
    const request = {
      op: 'forecast',
      id: 'q',
      step: 3600,
      t0: 0,
      values,
      horizon: 24,
      levels: ['0.95', '0.5'],
      threshold: 115,
      within: 24,
    };
    const { out } = await session(answerForecast, [JSON.stringify(request)]);
    const answer = out[0] as {
      mean: number[];
      lower: Record<string, number[]>;
      upper: Record<string, number[]>;
      crosses: boolean;
    };
    for (const [h, m] of answer.mean.entries())
      expect(m).toBeCloseTo(100 + 20 * Math.sin((2 * Math.PI * (500 + h)) / 24), 0);
    expect(Object.keys(answer.lower)).toEqual(['0.95', '0.5']);
    expect(answer.upper['0.95']).toHaveLength(24);
    expect(answer.crosses).toBe(true);
  });

  it('says where a model began to fail', async () => {
    const handler = createDetectHandler();
    handler({ op: 'open', series: 'e', dims: 1, step: 1 });
    let changed = -1;
    for (let i = 0; i < 800 && changed < 0; i++) {
      const wrong = i < 500 ? i % 10 === 0 : i % 2 === 0;
      const a = handler({ op: 'point', series: 'e', t: i, v: [wrong ? 1 : 0] }) as { change: false | { back: number } };
      if (a.change) {
        changed = i;
        expect(i - a.change.back).toBeGreaterThan(470);
      }
    }
    expect(changed).toBeGreaterThan(500);
    expect(changed).toBeLessThan(580);
  });

  it('finds a broken relation between features that look alike alone', () => {
    const row = (i: number, sign: number): number[] => {
      const x = Math.sin(i * 12.9898) * 43758.5453;
      const u = x - Math.floor(x);
      const y = Math.sin(i * 78.233 + 1) * 12543.123;
      const e = (y - Math.floor(y)) * 0.2;
      return [u, sign > 0 ? u + e : 1.2 - u - e];
    };
    const rows = (from: number, sign: number): number[][] => Array.from({ length: 300 }, (_, i) => row(from + i, sign));
    expect(answerDrift({ op: 'drift', id: 1, reference: rows(0, 1), current: rows(300, -1) })).toMatchObject({
      drift: true,
    });
    expect(answerDrift({ op: 'drift', id: 1, reference: rows(0, 1), current: rows(300, 1) })).toMatchObject({
      drift: false,
    });
  });
});
