/**
 * `vigie backtest`: when would these alerting rules have fired? Over the history of a running Vigie (or anything with
 * Prometheus' query API), or over a file of samples; alone, or as a comparison of two versions of the rules.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { createExpositionParser } from '../ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../ingest/exposition/series-memory.ts';
import { VigieError } from '../lib/errors.ts';
import { formatDuration, parseDuration } from '../model/duration.ts';
import { Labels } from '../model/labels.ts';
import type { Sample, SeriesColumns } from '../model/sample.ts';
import { parseNumber } from '../promql/literal.ts';
import {
  type BacktestPorts,
  type BacktestRange,
  type BacktestResult,
  backtest,
  diffBacktests,
  type RuleDiff,
} from '../rules/backtest.ts';
import { parseRuleFile, type RuleGroupSpec } from '../rules/rule-file.ts';
import type { Episode, SimulationSummary } from '../rules/simulate.ts';
import { MemorySamples } from '../rules/testing/memory-samples.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { table } from './table.ts';
import { testPorts } from './test-rules.ts';

interface Flags extends ServerFlags {
  against?: string[];
  input?: string;
  start?: string;
  end?: string;
  step: string;
  alert?: string[];
  flapWindow: string;
  episodes: string;
  json?: boolean;
}

const DAY_MS = 86_400_000;

export function addBacktest(program: Command, context: CommandContext): void {
  withServerFlags(program.command('backtest'))
    .description('say when alerting rules would have fired over past data')
    .argument('<rules...>', 'rule files')
    .option('--against <files...>', 'rule files of the version to compare with')
    .option(
      '--input <file>',
      'samples to run over instead of a server: OpenMetrics text, or JSON of /api/v1/query_range or /api/v1/export',
    )
    .option('--start <time>', 'RFC 3339 or Unix seconds (default: a day before the end; of a file: its first sample)')
    .option('--end <time>', 'RFC 3339 or Unix seconds (default: now; of a file: its last sample)')
    .option('--step <duration>', 'evaluation interval of groups that name none', '1m')
    .option('--alert <names...>', 'only these alerts')
    .option('--flap-window <duration>', 'an alert that fires again so soon after its end flaps', '30m')
    .option('--episodes <n>', 'episodes listed per rule', '10')
    .option('--json', 'print everything as JSON')
    .action(async (files: string[], flags: Flags) => {
      const data = flags.input === undefined ? serverData(flags, context) : fileData(flags.input);
      const range = rangeOf(flags, data);
      const wanted = flags.alert === undefined ? undefined : new Set(flags.alert);
      const run = (names: readonly string[]): Promise<BacktestResult[]> =>
        backtest(load(names), range, data.ports(), (rule) => wanted?.has(rule.name) ?? true);
      const after = await run(files);
      if (flags.against === undefined) print(context, flags, range, after, undefined);
      else print(context, flags, range, after, diffBacktests(await run(flags.against), after));
    });
}

function load(names: readonly string[]): RuleGroupSpec[] {
  const engine = testPorts().engine(60_000);
  return names.flatMap((name) => [
    ...parseRuleFile(name, readFileSync(name, 'utf8'), { parse: (t) => engine.parse(t) }).groups,
  ]);
}

interface Data {
  /** Fresh for each run: recorded series of one must not be seen by another. */
  ports(): BacktestPorts;
  readonly startMs: number;
  readonly endMs: number;
}

function rangeOf(flags: Flags, data: Data): BacktestRange {
  const time = (text: string): number => {
    const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
    if (Number.isNaN(ms))
      throw new VigieError('bad_data', `got ${JSON.stringify(text)}, want RFC 3339 or Unix seconds`);
    return Math.round(ms);
  };
  const endMs = flags.end === undefined ? data.endMs : time(flags.end);
  const startMs =
    flags.start === undefined
      ? Math.max(data.startMs, flags.input === undefined ? endMs - DAY_MS : data.startMs)
      : time(flags.start);
  const stepMs = parseDuration(flags.step);
  if (stepMs <= 0 || endMs < startMs)
    throw new VigieError('bad_data', 'want a step above 0 and an end that is not before the start');
  return { startMs, endMs, stepMs, flapWindowMs: parseDuration(flags.flapWindow) };
}

interface MatrixAnswer {
  readonly data: { readonly result: readonly { metric: Record<string, string>; values?: [number, string][] }[] };
}

function serverData(flags: Flags, context: CommandContext): Data {
  const client = new VigieClient(flags, context);
  return {
    startMs: 0,
    endMs: Date.now(),
    ports: () => ({
      query: async (expr, { startMs, endMs, stepMs }) => {
        const parameters = new URLSearchParams({
          query: expr,
          start: String(startMs / 1000),
          end: String(endMs / 1000),
          step: String(stepMs / 1000),
        });
        return (await client.request<MatrixAnswer>('GET', `/api/v1/query_range?${parameters}`)).data.result.map(
          columns,
        );
      },
    }),
  };
}

function columns(s: {
  readonly metric: Record<string, string>;
  readonly values?: readonly [number, string][];
}): SeriesColumns {
  const values = s.values ?? [];
  return {
    labels: Labels.from(s.metric),
    length: values.length,
    timestamps: Float64Array.from(values, ([t]) => Math.round(t * 1000)),
    values: Float64Array.from(values, ([, v]) => number(v)),
  };
}

function number(text: string): number {
  const parsed = parseNumber(text.replace(/^[+-]/, ''));
  if (!parsed) throw new VigieError('bad_data', `not a number: ${text.slice(0, 40)}`);
  return text.startsWith('-') ? -parsed.value : parsed.value;
}

function fileData(file: string): Data {
  const samples = readSamples(file);
  if (samples.length === 0) throw new VigieError('bad_data', `${file} holds no samples with time stamps`);
  let startMs = Number.POSITIVE_INFINITY;
  let endMs = Number.NEGATIVE_INFINITY;
  for (const s of samples) {
    startMs = Math.min(startMs, s.timestampMs);
    endMs = Math.max(endMs, s.timestampMs);
  }
  return {
    startMs,
    endMs,
    ports: () => {
      const ports = testPorts();
      const memory = new MemorySamples(ports.compileMatcher);
      for (const s of samples) memory.add(s);
      const engine = ports.engine(60_000);
      return {
        query: async (expr, range) => {
          const { value } = await engine.range(memory, expr, range);
          return value.type === 'matrix' ? value.series : [];
        },
        record: (recorded) => {
          for (const s of recorded) memory.add(s);
        },
      };
    },
  };
}

/** Samples of a file by time. */
function readSamples(file: string): Sample[] {
  const body = readFileSync(file);
  const out =
    path.extname(file) === '.json' || body[0] === 0x7b ? fromJson(file, body.toString('utf8')) : fromOpenMetrics(body);
  return out.sort((a, b) => a.timestampMs - b.timestampMs);
}

function fromOpenMetrics(body: Uint8Array): Sample[] {
  const memory = new RawSeriesMemory();
  const parsed = createExpositionParser().parse(body, 'OpenMetricsText', memory);
  const labels: (Labels | undefined)[] = [];
  const out: Sample[] = [];
  for (let i = 0; i < parsed.count; i++) {
    const timestampMs = parsed.timestamps[i]!;
    if (Number.isNaN(timestampMs)) continue;
    const id = parsed.ids[i]!;
    labels[id] ??= memory.labels(id);
    out.push({ labels: labels[id], timestampMs: Math.round(timestampMs), value: parsed.values[i]! });
  }
  return out;
}

interface ExportLine {
  readonly metric: Record<string, string>;
  /** Pairs as Prometheus has them, or values beside `timestamps` in ms as VictoriaMetrics exports them. */
  readonly values: readonly (number | string | null | [number, string])[];
  readonly timestamps?: readonly number[];
}

function fromJson(file: string, text: string): Sample[] {
  let series: readonly ExportLine[];
  try {
    const whole = JSON.parse(text) as { data?: { result?: ExportLine[] } } & Partial<ExportLine>;
    series = whole.data?.result ?? (whole.metric ? [whole as ExportLine] : []);
  } catch {
    series = text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line, i) => {
        try {
          return JSON.parse(line) as ExportLine;
        } catch (cause) {
          throw new VigieError('bad_data', `${file}:${i + 1}: neither JSON nor one JSON object a line`, { cause });
        }
      });
  }
  const out: Sample[] = [];
  for (const s of series) {
    const labels = Labels.from(s.metric);
    s.values.forEach((v, i) => {
      if (Array.isArray(v)) out.push({ labels, timestampMs: Math.round(v[0] * 1000), value: number(v[1]) });
      else if (v !== null && s.timestamps?.[i] !== undefined)
        out.push({ labels, timestampMs: s.timestamps[i], value: typeof v === 'number' ? v : number(v) });
    });
  }
  return out;
}

function print(
  context: CommandContext,
  flags: Flags,
  range: BacktestRange,
  results: readonly BacktestResult[],
  diffs: readonly RuleDiff[] | undefined,
): void {
  if (flags.json) {
    context.stdout.write(`${JSON.stringify({ range, rules: results, ...(diffs && { diff: diffs }) }, undefined, 2)}\n`);
    return;
  }
  const time = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
  context.stdout.write(`From ${time(range.startMs)} to ${time(range.endMs)}\n\n`);
  context.stdout.write(
    table(
      ['group', 'alert', 'severity', 'fired', 'pending only', 'firing for', 'longest', 'flaps'],
      results.map((r) => [
        r.group,
        r.rule,
        r.severity,
        String(r.summary.fired),
        String(r.summary.pendingOnly),
        formatDuration(r.summary.firingMs),
        formatDuration(r.summary.longestMs),
        String(r.summary.flaps),
      ]),
    ),
  );
  const most = Number(flags.episodes);
  const line = (e: Episode): string =>
    `  ${time(e.firedAtMs!)} to ${e.endedAtMs === undefined ? 'the end' : time(e.endedAtMs)}  ${e.labels.without('alertname').toString()}  peak ${e.peak}\n`;
  const list = (title: string, episodes: readonly Episode[]): void => {
    if (episodes.length === 0) return;
    context.stdout.write(`\n${title}\n`);
    for (const e of episodes.slice(0, most)) context.stdout.write(line(e));
    if (episodes.length > most) context.stdout.write(`  and ${episodes.length - most} more\n`);
  };
  if (!diffs) {
    for (const r of results)
      list(
        r.rule,
        r.simulation.episodes.filter((e) => e.firedAtMs !== undefined),
      );
    return;
  }
  const count = (s: SimulationSummary | undefined): string => (s ? String(s.fired) : 'no such alert');
  for (const d of diffs) {
    if (d.added.length + d.removed.length + d.changed.length === 0) continue;
    context.stdout.write(`\n${d.rule}: fired ${count(d.before)} -> ${count(d.after)}\n`);
    list(' only in the new version:', d.added);
    list(' only in the old version:', d.removed);
    list(
      ' with other times, as in the new version:',
      d.changed.map((c) => c.after),
    );
  }
  if (diffs.every((d) => d.added.length + d.removed.length + d.changed.length === 0))
    context.stdout.write('\nBoth versions fire at the same times.\n');
}
