/**
 * Bytes per sample on disk of what a real node_exporter says: its answers are recorded first, and every program gets the
 * same ones. Usage: node bench/disk.ts record FILE [minutes] [seconds between scrapes], then node bench/disk.ts FILE
 */
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { createGzip, gunzipSync } from 'node:zlib';
import { createExpositionParser } from '../src/ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../src/ingest/exposition/series-memory.ts';
import { encodeWriteRequest } from '../src/store/wire/remote-write.ts';
import { snappyCompress } from '../src/store/wire/snappy.ts';
import { findPeer, freePort, httpReady, start, temporaryFolder } from '../test/support/peers.ts';
import { closeConnections, contenders, diskBytes, run, write } from './contenders.ts';

const [first = '', second = '', minutes = '30', seconds = '1'] = process.argv.slice(2);
const MARK = '# scraped at ';

async function record(file: string): Promise<void> {
  const binary = findPeer('prometheus-node-exporter');
  if (!binary) throw new Error('no prometheus-node-exporter on this machine');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/metrics`;
  await using _exporter = await start(binary, {
    args: [`--web.listen-address=127.0.0.1:${port}`],
    ready: httpReady(url),
  });
  const out = createGzip();
  const done = once(out.pipe(createWriteStream(file)), 'finish');
  const total = Math.round((Number(minutes) * 60) / Number(seconds));
  const begunMs = Math.ceil(Date.now() / 1000) * 1000;
  for (let i = 0; i < total; i++) {
    const atMs = begunMs + i * Number(seconds) * 1000;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, atMs - Date.now())));
    out.write(`${MARK}${atMs}\n${await (await fetch(url)).text()}`);
    if (i % 60 === 59) console.log(`${i + 1} of ${total} scrapes`);
  }
  out.end();
  await done;
}

async function compare(file: string): Promise<void> {
  const memory = new RawSeriesMemory();
  const parser = createExpositionParser();
  const bodies: Uint8Array[] = [];
  const series = new Set<number>();
  let samples = 0;
  const text = gunzipSync(readFileSync(file)).toString();
  for (const part of text.split(MARK).slice(1)) {
    const end = part.indexOf('\n');
    const timestampMs = Number(part.slice(0, end));
    const e = parser.parse(Buffer.from(part.slice(end + 1)), 'PrometheusText', memory);
    const columns = Array.from({ length: e.count }, (_, i) => ({
      labels: memory.labels(e.ids[i]!),
      length: 1,
      timestamps: Float64Array.of(timestampMs),
      values: Float64Array.of(e.values[i]!),
    }));
    for (let i = 0; i < e.count; i++) series.add(e.ids[i]!);
    samples += e.count;
    bodies.push(snappyCompress(encodeWriteRequest(columns)));
  }
  console.log(`${series.size} series, ${samples} samples, ${bodies.length} scrapes`);
  let own = 0;
  for (const c of contenders()) {
    using folder = temporaryFolder('vigie-disk-');
    await using r = await run(c, folder.path);
    for (const body of bodies) await write(r.port, body);
    const bytes = (await diskBytes(c, r, folder.path, { samples, series: series.size })) / samples;
    own ||= bytes;
    console.log(`${c.name}: ${bytes.toFixed(2)} bytes per sample (Vigie ${(own / bytes).toFixed(2)} of it)`);
  }
  closeConnections();
}

await (first === 'record' ? record(second) : compare(first));
