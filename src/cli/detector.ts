/**
 * `vigie detector`: check files of detectors, see those of a running Vigie, and replay them over stored history before
 * they may page anybody: precision, recall, lead time, false alerts per week. A file that is not deployed yet can be
 * tried against the history of any server with Prometheus' query API.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import type { BacktestAnswer, DetectorItem, DetectorsAnswer } from '../http/contract/intelligence.ts';
import { backtest } from '../intelligence/backtest.ts';
import { judgeBacktest, planBacktest } from '../intelligence/backtests.ts';
import { type DetectorConfig, parseDetectorFile } from '../intelligence/config.ts';
import { fitOne } from '../intelligence/fit.ts';
import { fitHere } from '../intelligence/fit-pool.ts';
import type { BacktestReport } from '../intelligence/fit-protocol.ts';
import { ModelHost } from '../intelligence/models/model-host.ts';
import { shapeOf } from '../intelligence/models/model-shape.ts';
import { withModel } from '../intelligence/models/with-model.ts';
import { systemClock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import { formatDuration, parseDuration } from '../model/duration.ts';
import { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { table } from './table.ts';

interface BacktestFlags extends ServerFlags {
  file?: string;
  length?: string;
  end?: string;
  json?: boolean;
}

export function addDetector(program: Command, context: CommandContext): void {
  const detector = program.command('detector').description('check, list and back-test detectors and forecasts');
  detector
    .command('check')
    .description('check files of detectors')
    .argument('<files...>', 'YAML files')
    .action(async (files: string[]) => {
      for (const file of files) {
        const configs = parseDetectorFile(read(file), file);
        await using models = modelsBeside(file, context);
        for (const c of configs) {
          if (!('model' in c) || !c.model) continue;
          const info = await models.info(FILE_TENANT, c.model.file);
          shapeOf(c.model, info);
          context.stdout.write(`${c.name}: ${c.model.file} fits, ${info.bytes} bytes, sha256 ${info.sha256}\n`);
        }
        context.stdout.write(`${file}: ${configs.length} detectors, all well\n`);
      }
    });
  withServerFlags(detector.command('list'))
    .description('detectors of a running Vigie with their records')
    .option('--json', 'print the answer of the API as it is')
    .action(async (flags: ServerFlags & { json?: boolean }) => {
      const answer = await new VigieClient(flags, context).request<DetectorsAnswer>('GET', '/vigie/v1/detectors');
      context.stdout.write(flags.json ? `${JSON.stringify(answer, undefined, 2)}\n` : listing(answer.detectors));
    });
  withServerFlags(detector.command('backtest'))
    .description('replay detectors over stored history; on the server this decides whether they may alert')
    .argument('[names...]', 'detectors (default: all)')
    .option(
      '--file <file>',
      'try these declarations instead of those deployed; only the history is read from the server',
    )
    .option('--length <duration>', 'history to look at (default: twice the warm-up)')
    .option('--end <time>', 'with --file: end of the history, RFC 3339 or Unix seconds (default: now)')
    .option('--json', 'print everything as JSON')
    .action(async (names: string[], flags: BacktestFlags) => {
      const client = new VigieClient(flags, context);
      const lengthMs = flags.length === undefined ? undefined : parseDuration(flags.length);
      const results =
        flags.file === undefined
          ? await onServer(client, names, lengthMs)
          : await fromFile(client, context, flags.file, names, { lengthMs, endMs: timeOf(flags.end) });
      context.stdout.write(flags.json ? `${JSON.stringify(results, undefined, 2)}\n` : report(results));
      if (results.some((r) => !r.result.passed)) context.exitCode = 1;
    });
}

/** What a file declares belongs to no tenant yet. */
const FILE_TENANT = 'file' as TenantId;

interface Tested {
  readonly name: string;
  readonly kind: string;
  readonly result: BacktestAnswer;
}

async function onServer(
  client: VigieClient,
  names: readonly string[],
  lengthMs: number | undefined,
): Promise<Tested[]> {
  const { detectors } = await client.request<DetectorsAnswer>('GET', '/vigie/v1/detectors');
  const out: Tested[] = [];
  for (const d of pick(detectors, names))
    out.push({
      name: d.name,
      kind: d.kind,
      result: await client.request<BacktestAnswer>(
        'POST',
        `/vigie/v1/detectors/${encodeURIComponent(d.name)}/backtest`,
        lengthMs === undefined ? {} : { seconds: lengthMs / 1000 },
      ),
    });
  return out;
}

/** As where they run: a folder `models` beside the file of declarations. */
function modelsBeside(file: string, context: CommandContext): ModelHost {
  return new ModelHost({
    folderOf: () => path.join(path.dirname(path.resolve(file)), 'models'),
    runtime: context.env['VIGIE_ONNXRUNTIME'],
    clock: systemClock,
  });
}

async function fromFile(
  client: VigieClient,
  context: CommandContext,
  file: string,
  names: readonly string[],
  options: { readonly lengthMs: number | undefined; readonly endMs: number },
): Promise<Tested[]> {
  const configs: readonly DetectorConfig[] = parseDetectorFile(read(file), file);
  const out: Tested[] = [];
  await using models = modelsBeside(file, context);
  for (const config of pick(configs, names)) {
    const plain = {
      queryRange: rangeQuery(client),
      queryInstant: async () => [],
      fit: fitHere(fitOne, backtest),
      models,
    };
    const ports =
      config.kind === 'forecast' || config.kind === 'anomaly' ? withModel(plain, FILE_TENANT, config) : plain;
    const plan = await planBacktest(ports, FILE_TENANT, config, {
      endMs: options.endMs,
      ...(options.lengthMs === undefined ? {} : { lengthMs: options.lengthMs }),
    });
    const found = await ports.fit.backtest(plan.request);
    out.push({
      name: config.name,
      kind: config.kind,
      result: answerOf(found, judgeBacktest(config, found), options.endMs),
    });
  }
  return out;
}

function pick<T extends { readonly name: string }>(all: readonly T[], names: readonly string[]): readonly T[] {
  for (const name of names)
    if (!all.some((d) => d.name === name))
      throw new VigieError(
        'not_found',
        `no detector ${JSON.stringify(name)}; there are ${all.map((d) => d.name).join(', ') || 'none'}`,
      );
  return names.length === 0 ? all : all.filter((d) => names.includes(d.name));
}

interface MatrixAnswer {
  readonly data: { readonly result: readonly { metric: Record<string, string>; values?: [number, string][] }[] };
}

function rangeQuery(client: VigieClient) {
  return async (
    _tenant: TenantId,
    expr: string,
    range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
  ): Promise<SeriesColumns[]> => {
    const parameters = new URLSearchParams({
      query: expr,
      start: String(range.startMs / 1000),
      end: String(range.endMs / 1000),
      step: String(range.stepMs / 1000),
    });
    const { data } = await client.request<MatrixAnswer>('GET', `/api/v1/query_range?${parameters}`);
    return data.result.map(({ metric, values = [] }) => ({
      labels: Labels.from(metric),
      length: values.length,
      timestamps: Float64Array.from(values, ([t]) => Math.round(t * 1000)),
      values: Float64Array.from(values, ([, v]) => numberOf(v)),
    }));
  };
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}

function answerOf(r: BacktestReport, verdict: { passed: boolean; why: string }, atMs: number): BacktestAnswer {
  const finite = (x: number | undefined): number | null => (x !== undefined && Number.isFinite(x) ? x : null);
  const { series, seriesSkipped, weeks, announced, hits, falseAlerts, events, misses, forecasts, judged } = r;
  return {
    atMs,
    ...verdict,
    series,
    seriesSkipped,
    weeks,
    announced,
    hits,
    falseAlerts,
    events,
    misses,
    forecasts,
    judged,
    precision: finite(r.precision),
    recall: finite(r.recall),
    leadSeconds: finite(r.leadSeconds),
    falseAlertsPerWeek: finite(r.falseAlertsPerWeek),
    coverage95: finite(r.coverage95),
    mase: finite(r.mase),
  };
}

const ratio = (x: number | null): string => (x === null ? '-' : `${Math.round(100 * x)} %`);
const time = (seconds: number | null): string =>
  seconds === null ? '-' : formatDuration(Math.round(seconds / 60) * 60_000);

function report(results: readonly Tested[]): string {
  if (results.length === 0) return 'no detectors\n';
  const rows = results.map(({ name, kind, result: r }) => [
    name,
    kind,
    r.passed ? 'passed' : 'not passed',
    String(r.announced),
    String(r.hits),
    String(r.falseAlerts),
    String(r.misses),
    ratio(r.precision),
    ratio(r.recall),
    time(r.leadSeconds),
    r.falseAlertsPerWeek === null ? '-' : r.falseAlertsPerWeek.toFixed(2),
    ratio(r.coverage95),
    r.weeks.toFixed(1),
  ]);
  const head = [
    'detector',
    'kind',
    'verdict',
    'announced',
    'hits',
    'false',
    'missed',
    'precision',
    'recall',
    'lead',
    'false/week',
    '95 % held',
    'series-weeks',
  ];
  const why = results.filter((r) => !r.result.passed).map((r) => `${r.name}: ${r.result.why}\n`);
  return `${table(head, rows)}${why.join('')}`;
}

function listing(detectors: readonly DetectorItem[]): string {
  if (detectors.length === 0) return 'no detectors\n';
  return table(
    ['detector', 'kind', 'state', 'series', 'armed', 'precision', 'recall', 'lead', 'because'],
    detectors.map((d) => [
      d.name,
      d.kind,
      d.phase,
      String(Object.values(d.series).reduce((a, b) => a + b, 0)),
      d.armed ? 'yes' : 'no',
      ratio(d.record.precision),
      ratio(d.record.recall),
      time(d.record.leadSeconds),
      d.error || d.unarmedWhy,
    ]),
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VigieError('bad_config', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}

function timeOf(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(ms))
    throw new VigieError('bad_data', `--end: got ${JSON.stringify(text)}, want RFC 3339 or Unix seconds`);
  return Math.round(ms);
}
