/**
 * Answers queries for one tenant from head and blocks. Short in-memory answers are synchronous; a block that overlaps the
 * range, or more series than a slice of the event loop allows, make the answer a promise. It runs no regular expression
 * itself.
 */
import { VigieError } from '../../../lib/errors.ts';
import { compareUtf8, type Labels } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';
import type { Exemplar, MetricMetadata, SeriesColumns } from '../../../model/sample.ts';
import type { CompileMatcher, MetricsReader, SelectHints, TimeRange } from '../../metrics.ts';
import { gatherLoaded, type LoadedSeries } from './block-reader.ts';
import type { Gather } from './gather.ts';
import type { Tenant } from './tenant.ts';

/** Series read before the thread is asked for. */
const PIECE_SERIES = 256;
/** A reading that cuts and removals made begin anew so often no longer gives way. */
const ATTEMPTS_MAX = 3;

export interface ReaderPorts {
  readonly gather: Gather;
  /** Asked between pieces of a long answer; a promise when the others should have their turn. */
  readonly pacer: () => () => Promise<void> | undefined;
  readonly compile: CompileMatcher;
  readonly onCorrupt: (message: string) => void;
  /** File names as a tenant may see them: within the store. */
  readonly shorten: (message: string) => string;
  /** Older samples are out of retention and not served; -Infinity for none. */
  readonly oldestMs: () => number;
}

export class TenantReader implements MetricsReader {
  /** Looked up at each query: a tenant that was deleted meanwhile must answer nothing. */
  readonly #find: () => Tenant;
  readonly #ports: ReaderPorts;

  constructor(find: () => Tenant, ports: ReaderPorts) {
    this.#find = find;
    this.#ports = ports;
  }

  get #tenant(): Tenant {
    return this.#find();
  }

  select(
    matchers: readonly Matcher[],
    range: TimeRange,
    hints: SelectHints = {},
  ): readonly SeriesColumns[] | Promise<readonly SeriesColumns[]> {
    return this.#select(matchers, range, hints, 1);
  }

  #select(
    matchers: readonly Matcher[],
    range: TimeRange,
    hints: SelectHints,
    attempt: number,
  ): SeriesColumns[] | Promise<SeriesColumns[]> {
    const tenant = this.#tenant;
    const startMs = Math.max(range.startMs, this.#ports.oldestMs());
    for (const d of tenant.damage)
      if (d.startMs <= range.endMs && d.endMs >= startMs) hints.warn?.(this.#ports.shorten(d.message));
    const blocks = tenant.blocks.filter((b) => b.footer.startMs <= range.endMs && b.footer.endMs > startMs);
    const again = (): SeriesColumns[] | Promise<SeriesColumns[]> => this.#select(matchers, range, hints, attempt + 1);
    const finish = (loaded?: Map<string, LoadedSeries[]>): SeriesColumns[] | Promise<SeriesColumns[]> => {
      // the slice begins with the reading of memory: what blocks took was waiting for files
      const pause = attempt < ATTEMPTS_MAX ? this.#ports.pacer() : () => undefined;
      return this.#paced(this.#collect(matchers, startMs, range.endMs, hints, loaded), pause, hints, again);
    };
    if (blocks.length === 0) return finish();
    return this.#withBlocks(matchers, startMs, range.endMs, hints, blocks, finish);
  }

  /**
   * Runs a reading to its end, at once while its slice of the event loop lasts. A series keeps its ref, and what was in
   * memory stays there, only until a removal or a cut: one that fell into a pause makes the reading begin anew.
   */
  #paced(
    pieces: Generator<void, SeriesColumns[], void>,
    pause: () => Promise<void> | undefined,
    hints: SelectHints,
    again: () => SeriesColumns[] | Promise<SeriesColumns[]>,
  ): SeriesColumns[] | Promise<SeriesColumns[]> {
    const tenant = this.#tenant;
    const { blocks } = tenant;
    const { removals } = tenant.head.index;
    const step = (): SeriesColumns[] | Promise<SeriesColumns[]> => {
      for (;;) {
        const piece = pieces.next();
        if (piece.done) return piece.value;
        const turn = pause();
        if (turn)
          return turn.then(() => {
            hints.signal?.throwIfAborted();
            const same = this.#tenant === tenant && tenant.blocks === blocks && tenant.head.index.removals === removals;
            return same ? step() : again();
          });
      }
    };
    return step();
  }

  /** Reads the blocks, then calls `finish` in the turn in which it saw that no other block has come. */
  async #withBlocks(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    hints: SelectHints,
    blocks: Tenant['blocks'],
    finish: (loaded: Map<string, LoadedSeries[]>) => SeriesColumns[] | Promise<SeriesColumns[]>,
  ): Promise<SeriesColumns[]> {
    const loaded = new Map<string, LoadedSeries[]>();
    const seen = new Set(blocks);
    const pause = this.#ports.pacer();
    let series = 0;
    for (let fresh = blocks; fresh.length > 0; ) {
      await this.#eachBlock(fresh, hints, async (block) => {
        for (const s of await block.select(matchers, startMs, endMs, (m) => this.#corrupt(m, hints))) {
          const list = loaded.get(s.labels.key);
          if (list) list.push(s);
          else loaded.set(s.labels.key, [s]);
          if (++series % PIECE_SERIES === 0) await pause();
        }
        // what is read next begins a slice of its own
        await pause();
        const seriesMax = hints.seriesMax ?? Number.POSITIVE_INFINITY;
        if (loaded.size > seriesMax) throw tooManySeries(seriesMax);
      });
      // a window that was cut meanwhile has left memory for a block: what it held is read there, equal times count once
      fresh = this.#tenant.blocks.filter((b) => !seen.has(b) && b.footer.startMs <= endMs && b.footer.endMs > startMs);
      for (const b of fresh) seen.add(b);
    }
    return finish(loaded);
  }

  /** Block after block; a damaged one is left out and named. Merging and retention wait with removing the files. */
  async #eachBlock(
    blocks: Tenant['blocks'],
    hints: SelectHints,
    work: (block: Tenant['blocks'][number]) => Promise<void>,
  ): Promise<void> {
    for (const block of blocks) block.acquire();
    try {
      for (const block of blocks) {
        hints.signal?.throwIfAborted();
        try {
          await work(block);
        } catch (error) {
          if (!(error instanceof VigieError) || error.code !== 'corrupt') throw error;
          this.#corrupt(`${error.message}; the block is left out`, hints);
        }
      }
    } finally {
      for (const block of blocks) await block.release();
    }
  }

  /**
   * Series after series; yields between pieces. The gatherer is shared, so each piece takes its result out of it before.
   * Samples written during a pause are seen by the series that are read after it, as by a query that reads blocks.
   */
  *#collect(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    hints: SelectHints,
    loaded: Map<string, LoadedSeries[]> | undefined,
  ): Generator<void, SeriesColumns[], void> {
    const { head, deleted } = this.#tenant;
    const gather = this.#ports.gather;
    const refs = head.index.select(matchers);
    const seriesMax = hints.seriesMax ?? Number.POSITIVE_INFINITY;
    const samplesMax = hints.samplesMax ?? Number.POSITIVE_INFINITY;
    if (refs.length > seriesMax) throw tooManySeries(seriesMax);
    const corrupt = (message: string): void => this.#corrupt(message, hints);
    let samples = 0;
    let out: SeriesColumns[] | undefined;
    let inPiece = 0;
    // a newest sample may be a deleted one: then the one before it counts
    const begin = (): void => gather.begin(startMs, endMs, hints.lastOnly && deleted.size === 0);
    const finish = (labels: Labels): void => {
      gather.finish(labels, deleted.size > 0 ? deleted.get(labels.key) : undefined);
      inPiece++;
      if (samples + gather.samples > samplesMax)
        throw new VigieError(
          'query_limit',
          `the query loads more than ${samplesMax} samples; narrow it or raise the limit`,
        );
    };
    const take = (): SeriesColumns[] => {
      samples += gather.samples;
      inPiece = 0;
      const piece = gather.result();
      if (!out) return (out = piece);
      for (const s of piece) out.push(s);
      return out;
    };
    begin();
    for (const ref of refs) {
      if (inPiece === PIECE_SERIES) {
        take();
        yield;
        begin();
      }
      const labels = head.index.labels(ref);
      if (loaded) {
        const list = loaded.get(labels.key);
        if (list) {
          for (const l of list) gatherLoaded(l, gather, corrupt);
          loaded.delete(labels.key);
        }
      }
      head.gather(ref, startMs, endMs, gather);
      finish(labels);
    }
    if (refs.length + (loaded?.size ?? 0) > seriesMax) throw tooManySeries(seriesMax);
    for (const list of loaded?.values() ?? []) {
      if (inPiece === PIECE_SERIES) {
        take();
        yield;
        begin();
      }
      for (const l of list) gatherLoaded(l, gather, corrupt);
      finish(list[0]!.labels);
    }
    return take();
  }

  /** Exact to a chunk, from indexes alone; only series with deleted ranges are looked at sample by sample. */
  async series(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit = Number.POSITIVE_INFINITY,
  ): Promise<readonly Labels[]> {
    const tenant = this.#tenant;
    const { head, deleted } = tenant;
    const startMs = Math.max(range.startMs, this.#ports.oldestMs());
    const { endMs } = range;
    const blocks = tenant.blocks.filter((b) => b.footer.startMs <= endMs && b.footer.endMs > startMs);
    const found = new Map<string, Labels>();
    const sets = matcherSets.length === 0 ? [[]] : matcherSets;
    // memory first and at once: what leaves it for a block during the reading below is counted already
    for (const matchers of sets)
      for (const ref of head.index.select(matchers))
        if (head.hasData(ref, startMs, endMs)) found.set(head.index.labels(ref).key, head.index.labels(ref));
    for (const matchers of sets) {
      await this.#eachBlock(blocks, {}, async (block) => {
        for (const l of await block.labels(matchers, startMs, endMs)) found.set(l.key, l);
      });
    }
    const out: Labels[] = [];
    for (const [key, labels] of found) {
      if (out.length >= limit) break;
      if (deleted.has(key)) {
        const exact = [...labels].map(([name, value]): Matcher => ({ name, op: '=', value }));
        const selected = await this.select(exact, range);
        if (!selected.some((s) => s.labels.key === key)) continue;
      }
      out.push(labels);
    }
    return out;
  }

  async labelNames(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit?: number,
  ): Promise<readonly string[]> {
    const names = new Set<string>();
    for (const labels of await this.series(matcherSets, range)) for (const [name] of labels) names.add(name);
    return [...names].sort(compareUtf8).slice(0, limit);
  }

  async labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit?: number,
  ): Promise<readonly string[]> {
    const values = new Set<string>();
    for (const labels of await this.series(matcherSets, range)) {
      const value = labels.get(name);
      if (value !== '') values.add(value);
    }
    return [...values].sort(compareUtf8).slice(0, limit);
  }

  async metadata(metric?: string, limit?: number): Promise<readonly MetricMetadata[]> {
    const all = this.#tenant.metadata;
    if (metric !== undefined) return all.has(metric) ? [all.get(metric)!] : [];
    return [...all.values()].slice(0, limit);
  }

  async exemplars(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<readonly { readonly labels: Labels; readonly exemplars: readonly Exemplar[] }[]> {
    const sets = matcherSets.map((set) => set.map((m) => this.#ports.compile(m)));
    const out = new Map<string, { labels: Labels; exemplars: Exemplar[] }>();
    for (const { labels, exemplar } of this.#tenant.exemplars) {
      if (exemplar.timestampMs < range.startMs || exemplar.timestampMs > range.endMs) continue;
      if (!sets.some((set) => set.every((m) => m.matches(labels.get(m.name))))) continue;
      const entry = out.get(labels.key);
      if (entry) entry.exemplars.push(exemplar);
      else out.set(labels.key, { labels, exemplars: [exemplar] });
    }
    for (const e of out.values()) e.exemplars.sort((a, b) => a.timestampMs - b.timestampMs);
    return [...out.values()];
  }

  #corrupt(message: string, hints: SelectHints): void {
    this.#ports.onCorrupt(message);
    hints.warn?.(this.#ports.shorten(message));
  }
}

const tooManySeries = (max: number): VigieError =>
  new VigieError('query_limit', `the query selects more than ${max} series; narrow it or raise the limit`);
