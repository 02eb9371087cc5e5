/**
 * The console in Debian's Chromium against the real program: first useful paint beside the page of Debian's Prometheus,
 * CPU of 60 live panels of 10 series, a chart of 100,000 points under the pointer, 10,000 alerts scrolled.
 * Usage: node bench/console.ts [paint|panels|chart|alerts ...] (default all). Needs the built console and Chromium.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { RemoteWriteEncoder } from '../src/demo/remote-write-client.ts';
import { Labels } from '../src/model/labels.ts';
import { findPeer, freePort, httpReady, start, temporaryFolder } from '../test/support/peers.ts';
import { startVigie, type VigieProcess } from '../test/support/vigie.ts';

const wanted = new Set(process.argv.slice(2));
const asked = (what: string): boolean => wanted.size === 0 || wanted.has(what);
const TICKS_PER_SECOND = 100;
const STEP_MS = 5_000;
const LONG_TASK_MS = 50;
const PAINT_RUNS = 7;
const PANELS = 60;
const SERIES_PER_PANEL = 10;
const MEASURE_MS = 30_000;
/** 600 points each: what the console asks for over 100 minutes. */
const CHART_SERIES = 170;
const CHART_POINTS = 600;
const CHART_STEP_MS = 10_000;
const ALERTS = 10_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const median = (list: number[]): number => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const server = await chromium.launchServer({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
});
const browser = await chromium.connect(server.wsEndpoint());
const vigie = await startVigie();
try {
  say(`${browser.version()}, load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`);
  await seed(vigie);
  if (asked('paint')) await paint(browser, vigie);
  if (asked('panels')) await panels(browser, vigie);
  if (asked('chart')) await chart(browser, vigie);
  if (asked('alerts')) await alerts(browser, vigie);
} finally {
  await vigie[Symbol.asyncDispose]();
  await browser.close();
  await server.close();
}

interface Feed {
  readonly encoder: RemoteWriteEncoder;
  readonly count: number;
}
function feed(name: string, labels: readonly Readonly<Record<string, string>>[]): Feed {
  const all = labels.map((l) => Labels.from({ __name__: name, ...l }));
  return { encoder: new RemoteWriteEncoder(all), count: all.length };
}
async function send(v: VigieProcess, f: Feed, times: readonly number[]): Promise<void> {
  const rows = times.map((t) => Float64Array.from({ length: f.count }, (_, i) => Math.sin(t / 60_000 + i) * 10 + i));
  const answer = await v.fetch('/api/v1/write', {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body: new Uint8Array(f.encoder.encode(times, rows)),
  });
  if (!answer.ok) throw new Error(`remote write: ${answer.status} ${await answer.text()}`);
}

function panelFeed(): Feed {
  const two = (n: number): string => String(n).padStart(2, '0');
  return feed(
    'bench_panel',
    Array.from({ length: PANELS * SERIES_PER_PANEL }, (_, i) => ({
      panel: two(Math.floor(i / SERIES_PER_PANEL)),
      series: two(i % SERIES_PER_PANEL),
    })),
  );
}
/** An hour of both benches' series. */
async function seed(v: VigieProcess): Promise<void> {
  const now = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  const lines = feed(
    'bench_chart',
    Array.from({ length: CHART_SERIES }, (_, i) => ({ series: String(i).padStart(3, '0') })),
  );
  for (let from = CHART_POINTS; from > 0; from -= 60)
    await send(
      v,
      lines,
      Array.from({ length: 60 }, (_, i) => now - (from - i) * CHART_STEP_MS),
    );
  await send(
    v,
    panelFeed(),
    Array.from({ length: 60 }, (_, i) => now - (60 - i) * STEP_MS),
  );
}

/** When the selector is first on the page, and the first contentful paint, in milliseconds after navigation began. */
async function firstPaint(
  b: Browser,
  url: string,
  selector: string,
): Promise<{ useful: number; contentful: number; cpuMs: number }> {
  const before = cpuByProcess(server.process().pid!);
  const context = await b.newContext({ bypassCSP: true, viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.addInitScript({
    content: `const look = () => {
      if (document.querySelector(${JSON.stringify(selector)})) window.useful = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);`,
  });
  await page.goto(url);
  await page.waitForFunction('window.useful !== undefined', undefined, { timeout: 30_000 });
  const found = await page.evaluate<{ useful: number; contentful: number }>(
    `({ useful: window.useful, contentful: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN })`,
  );
  const cpuMs = 1_000 * [...cpuSince(before).values()].reduce((sum, seconds) => sum + seconds, 0);
  await context.close();
  return { ...found, cpuMs };
}
async function paint(b: Browser, v: VigieProcess): Promise<void> {
  const binary = findPeer('prometheus');
  using folder = temporaryFolder('vigie-bench-console-');
  const port = await freePort();
  writeFileSync(path.join(folder.path, 'p.yml'), '');
  const peer = binary
    ? await start(binary, {
        args: [
          `--config.file=${folder.path}/p.yml`,
          `--storage.tsdb.path=${folder.path}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
        ],
        cwd: folder.path,
        ready: httpReady(`http://127.0.0.1:${port}/-/ready`),
      })
    : undefined;
  try {
    const pages = [
      // figures are there, not only the frame
      { name: 'Vigie, overview with figures', url: `${v.url}/`, selector: '.tile-value' },
      ...(peer
        ? [
            {
              name: "Debian's Prometheus, classic graph page with its input",
              url: `http://127.0.0.1:${port}/classic/graph`,
              selector: 'textarea',
            },
          ]
        : []),
    ];
    const times = pages.map(() => ({ useful: [] as number[], contentful: [] as number[], cpuMs: [] as number[] }));
    // one after the other in each round, so that a busy moment meets both; the first round warms the servers
    for (let round = 0; round <= PAINT_RUNS; round++)
      for (const [i, p] of pages.entries()) {
        const t = await firstPaint(b, p.url, p.selector);
        if (round === 0) continue;
        times[i]!.useful.push(t.useful);
        times[i]!.contentful.push(t.contentful);
        times[i]!.cpuMs.push(t.cpuMs);
      }
    for (const [i, p] of pages.entries()) {
      const { useful, contentful, cpuMs } = times[i]!;
      say(
        `paint: ${p.name}: first useful paint ${median(useful).toFixed(0)} ms (${Math.min(...useful).toFixed(0)}-${Math.max(...useful).toFixed(0)}), first contentful ${median(contentful).toFixed(0)} ms, ${median(cpuMs).toFixed(0)} ms of CPU in all of Chromium, median of ${PAINT_RUNS}, empty cache`,
      );
    }
  } finally {
    await peer?.stop();
  }
}

/** CPU seconds of a process and of each that it started, by process, with its kind of Chromium process. */
function cpuByProcess(root: number): Map<number, { readonly kind: string; readonly seconds: number }> {
  const parents = new Map<number, number>();
  const used = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      parents.set(Number(name), Number(fields[1]));
      used.set(Number(name), (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND);
    } catch {
      // it ended meanwhile
    }
  }
  const out = new Map<number, { kind: string; seconds: number }>();
  for (const [pid, seconds] of used) {
    let up: number | undefined = pid;
    for (let depth = 0; up !== undefined && up !== root && depth < 12; depth++) up = parents.get(up);
    if (up !== root) continue;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      out.set(pid, { kind: /--type=(\w+)/.exec(command)?.[1] ?? 'browser', seconds });
    } catch {
      // as above
    }
  }
  return out;
}
/** What was used since `before`, by kind; a process that has ended meanwhile is left out. */
function cpuSince(before: ReturnType<typeof cpuByProcess>): Map<string, number> {
  const out = new Map<string, number>();
  for (const [pid, { kind, seconds }] of cpuByProcess(server.process().pid!))
    out.set(kind, (out.get(kind) ?? 0) + seconds - (before.get(pid)?.seconds ?? 0));
  return out;
}

async function panels(b: Browser, v: VigieProcess): Promise<void> {
  const dashboard = {
    title: 'sixty panels',
    schemaVersion: 42,
    time: { from: 'now-5m', to: 'now' },
    panels: Array.from({ length: PANELS }, (_, i) => ({
      id: i + 1,
      type: 'timeseries',
      title: `Panel ${i + 1}`,
      gridPos: { x: (i % 6) * 4, y: Math.floor(i / 6) * 5, w: 4, h: 5 },
      targets: [{ refId: 'A', expr: `bench_panel{panel="${String(i).padStart(2, '0')}"}`, legendFormat: '{{series}}' }],
    })),
  };
  await v.json('/vigie/v1/dashboards/bench-sixty', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ dashboard, baseVersion: 0 }),
  });
  const context = await b.newContext({ bypassCSP: true, viewport: { width: 2560, height: 2_300 } });
  const page = await context.newPage();
  const live = panelFeed();
  let writing = true;
  const writer = (async () => {
    while (writing) {
      await send(v, live, [Date.now()]);
      await pause(STEP_MS);
    }
  })();
  let answers = 0;
  page.on('response', (r) => void (r.url().includes('/query') && answers++));
  await page.goto(`${v.url}/dashboards/bench-sixty`);
  await page.waitForFunction(`document.querySelectorAll('.dash canvas').length === ${PANELS}`, undefined, {
    timeout: 60_000,
  });
  await pause(10_000);
  answers = 0;
  const newest = (): Promise<string[]> =>
    page.evaluate<string[]>(`[...document.querySelectorAll('.dash .legend')].map((l) => l.innerText)`);
  const shownBefore = await newest();
  const before = cpuByProcess(server.process().pid!);
  await pause(MEASURE_MS);
  const used = cpuSince(before);
  const shownAfter = await newest();
  const advanced = shownAfter.filter((text, i) => text !== shownBefore[i]).length;
  const share = (kind: string): number => (100 * (used.get(kind) ?? 0)) / (MEASURE_MS / 1_000);
  const kinds = [...used.keys()].map((k) => `${k} ${share(k).toFixed(1)} %`).join(', ');
  const total = [...used.keys()].reduce((sum, k) => sum + share(k), 0);
  say(
    `panels: ${PANELS} panels of ${SERIES_PER_PANEL} series, ${advanced} of them advanced, ${((answers / (MEASURE_MS / 1_000) / PANELS) * (STEP_MS / 1_000)).toFixed(2)} answers a panel every 5 s: renderer ${share('renderer').toFixed(1)} % of one core, all of Chromium ${total.toFixed(1)} % (${kinds})`,
  );
  writing = false;
  await context.close();
  await writer;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}
/** Tasks of the page's main thread, from a Chromium trace of what `run` does. */
async function mainThreadTasks(b: Browser, page: Page, run: () => Promise<void>): Promise<TraceEvent[]> {
  await b.startTracing(page, {
    categories: ['toplevel', 'devtools.timeline', 'disabled-by-default-devtools.timeline'],
  });
  await run();
  const { traceEvents } = JSON.parse((await b.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const main = new Set(
    traceEvents
      .filter((e) => e.name === 'thread_name' && e.args?.name === 'CrRendererMain')
      .map((e) => `${e.pid}/${e.tid}`),
  );
  return traceEvents.filter(
    (e) => e.ph === 'X' && /RunTask$/.test(e.name) && main.has(`${e.pid}/${e.tid}`) && e.dur !== undefined,
  );
}
async function mainThreadCpu(b: Browser, page: Page, run: () => Promise<void>): Promise<number> {
  return (await mainThreadTasks(b, page, run)).reduce((sum, e) => sum + (e.tdur ?? e.dur!) / 1_000, 0);
}

interface LongTasks {
  readonly tasks: number;
  /** Milliseconds by the clock: a busy machine makes any task long. */
  readonly wall: readonly number[];
  /** Milliseconds of CPU: the task's own. */
  readonly cpu: readonly number[];
}
async function longTasks(b: Browser, page: Page, run: () => Promise<void>): Promise<LongTasks> {
  const tasks = await mainThreadTasks(b, page, run);
  const over = (of: (e: TraceEvent) => number): number[] =>
    tasks.map((e) => of(e) / 1_000).filter((ms) => ms > LONG_TASK_MS);
  return { tasks: tasks.length, wall: over((e) => e.dur!), cpu: over((e) => e.tdur ?? e.dur!) };
}

async function chart(b: Browser, v: VigieProcess): Promise<void> {
  const context = await b.newContext({ bypassCSP: true, viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  let points = 0;
  page.on('response', (r) => {
    if (r.url().includes('/query_range'))
      void r.json().then((a: { data: { result: { values: unknown[] }[] } }) => {
        points = a.data.result.reduce((sum, s) => sum + s.values.length, 0);
      });
  });
  await page.goto(`${v.url}/explore?q=bench_chart&from=now-100m&to=now&refresh=off`);
  await page.getByRole('application').waitFor({ timeout: 60_000 });
  await page.waitForFunction(`document.querySelectorAll('.legend tbody tr').length > 100`);
  await pause(2_000);
  /** From the event to the frame after it, in milliseconds, for each step. `act` is run in the page with `i` and `n`. */
  const measure = (n: number, act: string): Promise<number[]> =>
    page.evaluate<number[]>(`(async () => {
      const n = ${n};
      const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
      const times = [];
      for (let i = 0; i < n; i++) {
        await frame();
        const at = performance.now();
        ${act}
        await frame();
        times.push(performance.now() - at);
      }
      return times;
    })()`);
  const move = `const over = document.querySelector('.u-over');
    const box = over.getBoundingClientRect();
    over.dispatchEvent(new MouseEvent('mousemove', {
      clientX: box.left + (box.width * (i + 1)) / (n + 1), clientY: box.top + box.height / 2, bubbles: true }));`;
  await measure(5, move);
  const moves = await measure(60, move);
  let toggles: number[] = [];
  // the CPU of the page's own thread beside the clock: a busy machine makes every answer late
  const cpuMs = await mainThreadCpu(b, page, async () => {
    toggles = await measure(10, `document.querySelectorAll('.legend tbody button')[i].click();`);
  });
  const p95 = (list: number[]): number => list.sort((x, y) => x - y)[Math.floor(list.length * 0.95)]!;
  say(
    `chart: ${points} points: pointer to frame ${median(moves).toFixed(0)} ms (95th percentile ${p95(moves).toFixed(0)}, worst ${Math.max(...moves).toFixed(0)}); a series hidden in ${median(toggles).toFixed(0)} ms (worst ${Math.max(...toggles).toFixed(0)}), ${(cpuMs / 10).toFixed(0)} ms of them CPU of the page's thread`,
  );
  await context.close();
}

async function alerts(b: Browser, v: VigieProcess): Promise<void> {
  for (let from = 0; from < ALERTS; from += 1_000)
    await v.fetch('/api/v2/alerts', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(
        Array.from({ length: 1_000 }, (_, i) => ({
          labels: { alertname: 'BenchAlert', severity: 'warning', instance: `host-${from + i}`, job: 'bench' },
          annotations: { summary: `made by the bench ${from + i}` },
        })),
      ),
    });
  const context = await b.newContext({ bypassCSP: true, viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  await page.goto(`${v.url}/alerts?refresh=off`);
  await page.getByText(/1\d,\d{3} rows/).waitFor({ timeout: 60_000 });
  await page.getByText('BenchAlert').first().hover();
  await pause(3_000);
  const found = await longTasks(b, page, async () => {
    for (let i = 0; i < 80; i++) {
      await page.mouse.wheel(0, 1_200);
      await pause(40);
    }
  });
  const reached = await page.evaluate<number>(
    `document.querySelector('[role=region][tabindex="0"]')?.scrollTop ?? NaN`,
  );
  say(
    `alerts: ${ALERTS} in the list, scrolled to ${reached.toFixed(0)} px in 80 turns of the wheel: of ${found.tasks} tasks ${found.cpu.length} took over ${LONG_TASK_MS} ms of CPU${found.cpu.length ? ` (most ${Math.max(...found.cpu).toFixed(0)} ms)` : ''}, ${found.wall.length} over ${LONG_TASK_MS} ms by the clock${found.wall.length ? ` (most ${Math.max(...found.wall).toFixed(0)} ms)` : ''}`,
  );
  await context.close();
}
