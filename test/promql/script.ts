/**
 * A small script language for PromQL cases, so that they outlive the engine:
 *   load 1m            then indented `series value value ...` (`_` gap, `stale`, `a+bxN` sequence)
 *   eval instant at 5m QUERY    then indented `labels value` lines (any order), or `error TEXT`, or nothing
 *   eval range from 0 to 5m step 1m QUERY
 *   info TEXT / warn TEXT below an eval demand an annotation that contains TEXT
 *   clear
 */

import { parseDuration } from '../../src/model/duration.ts';
import { Labels } from '../../src/model/labels.ts';
import { setStale } from '../../src/model/sample.ts';
import type { QueryEngine, QueryResult } from '../../src/promql/engine.ts';
import { formatValue, parseNumber } from '../../src/promql/literal.ts';
import { parse } from '../../src/promql/parse.ts';
import type { MemorySource } from './memory-source.ts';

export interface Case {
  readonly line: number;
  readonly query: string;
  readonly run: () => Promise<void>;
}

function labelsOf(text: string): Labels {
  if (text === '{}') return Labels.EMPTY;
  const e = parse(text);
  if (e.kind !== 'selector') throw new Error(`not a series: ${text}`);
  return Labels.fromPairs(e.matchers.map((m) => [m.name, m.value]));
}

function values(text: string): (number | 'stale' | undefined)[] {
  const out: (number | 'stale' | undefined)[] = [];
  for (const word of text.trim().split(/\s+/)) {
    const m = /^(-?[\d.e]+)([+-][\d.]+)x(\d+)$/.exec(word);
    const gap = /^_x(\d+)$/.exec(word);
    if (gap) for (let i = 0; i < Number(gap[1]); i++) out.push(undefined);
    else if (m) for (let i = 0; i <= Number(m[3]); i++) out.push(Number(m[1]) + i * Number(m[2]));
    else out.push(word === '_' ? undefined : word === 'stale' ? 'stale' : parseNumber(word)!.value);
  }
  return out;
}

const cut = (line: string): [string, string] => {
  if (!/[{ ]/.test(line)) return ['', line];
  const end = line.startsWith('{') || line.includes('{') ? line.lastIndexOf('}') + 1 : line.indexOf(' ');
  return [line.slice(0, end), line.slice(end).trim()];
};

/** Executes a script against an engine; throws at the first case that fails, naming its line. Returns the queries run. */
export async function runScript(script: string, engine: QueryEngine, source: MemorySource): Promise<string[]> {
  const lines = script.split('\n');
  const queries: string[] = [];
  for (let i = 0; i < lines.length; ) {
    const at = i + 1;
    const line = lines[i++]!;
    if (line.trim() === '' || line.startsWith('#')) continue;
    const block: string[] = [];
    while (i < lines.length && /^\s+\S/.test(lines[i]!)) block.push(lines[i++]!.trim());
    if (line === 'clear') source.series.clear();
    else if (line.startsWith('load ')) load(parseDuration(line.slice(5).trim()), block, source);
    else queries.push(await evaluate(line, block, engine, source, at));
  }
  return queries;
}

function load(stepMs: number, block: readonly string[], source: MemorySource): void {
  for (const line of block) {
    const [series, rest] = cut(line);
    const list = values(rest);
    const timestamps: number[] = [];
    const kept: (number | 'stale')[] = [];
    list.forEach((v, k) => {
      if (v === undefined) return;
      timestamps.push(k * stepMs);
      kept.push(v);
    });
    const column = new Float64Array(kept.length);
    kept.forEach((v, k) => {
      if (v === 'stale') setStale(column, k);
      else column[k] = v;
    });
    source.set({
      labels: labelsOf(series),
      length: kept.length,
      timestamps: Float64Array.from(timestamps),
      values: column,
    });
  }
}

async function evaluate(
  line: string,
  block: readonly string[],
  engine: QueryEngine,
  source: MemorySource,
  at: number,
): Promise<string> {
  const instant = /^eval instant at (\S+) (.*)$/.exec(line);
  const range = /^eval range from (\S+) to (\S+) step (\S+) (.*)$/.exec(line);
  if (!instant && !range) throw new Error(`line ${at}: not understood: ${line}`);
  const query = instant ? instant[2]! : range![4]!;
  const fail = (what: string): never => {
    throw new Error(`line ${at}: ${query}: ${what}`);
  };
  let result: QueryResult;
  try {
    result = instant
      ? await engine.instant(source, query, parseDuration(instant[1]!))
      : await engine.range(source, query, {
          startMs: parseDuration(range![1]!),
          endMs: parseDuration(range![2]!),
          stepMs: parseDuration(range![3]!),
        });
  } catch (error) {
    const wanted = block.find((b) => b.startsWith('error '))?.slice(6);
    if (wanted === undefined || !(error as Error).message.includes(wanted))
      fail(`failed with ${(error as Error).message}`);
    return query;
  }
  if (block.some((b) => b.startsWith('error '))) fail('did not fail');
  for (const b of block) {
    if (b.startsWith('info ') && !result.infos.some((x) => x.includes(b.slice(5))))
      fail(`infos are ${JSON.stringify(result.infos)}`);
    if (b.startsWith('warn ') && !result.warnings.some((x) => x.includes(b.slice(5))))
      fail(`warnings are ${JSON.stringify(result.warnings)}`);
  }
  const wanted = block
    .filter((b) => !/^(?:info|warn) /.test(b))
    .map((b) => {
      const [series, rest] = cut(b);
      return series === ''
        ? b
        : `${labelsOf(series).toString()} ${values(rest)
            .map((v) => (v === undefined ? '_' : formatValue(v as number)))
            .join(' ')}`;
    });
  const got = texts(
    result,
    range
      ? { startMs: parseDuration(range[1]!), endMs: parseDuration(range[2]!), stepMs: parseDuration(range[3]!) }
      : undefined,
  );
  if (JSON.stringify([...wanted].sort()) !== JSON.stringify([...got].sort()))
    fail(`got\n  ${got.join('\n  ')}\nwanted\n  ${wanted.join('\n  ')}`);
  return query;
}

function texts(r: QueryResult, range: { startMs: number; endMs: number; stepMs: number } | undefined): string[] {
  const v = r.value;
  if (v.type === 'scalar') return [formatValue(v.value)];
  if (v.type === 'string') return [JSON.stringify(v.value)];
  if (v.type === 'vector') return v.samples.map((s) => `${s.labels.toString()} ${formatValue(s.value)}`);
  return v.series.map((s) => {
    if (!range) return `${s.labels.toString()} ${Array.from(s.values.subarray(0, s.length), formatValue).join(' ')}`;
    const out: string[] = [];
    let k = 0;
    for (let t = range.startMs; t <= range.endMs; t += range.stepMs)
      out.push(k < s.length && s.timestamps[k] === t ? formatValue(s.values[k++]!) : '_');
    return `${s.labels.toString()} ${out.join(' ')}`;
  });
}
