/**
 * The two text formats, byte by byte: Prometheus text 0.0.4 and OpenMetrics 1.0 (strict spaces, exemplars, UNIT, EOF).
 * It accepts and refuses what Prometheus' scraper does, which is what targets in the field are tested against; rules of
 * the OpenMetrics specification that Prometheus does not enforce (grouping, order) are not enforced here either.
 */
import { VigieError } from '../../lib/errors.ts';
import type { ScrapedExemplar } from '../../model/exposition.ts';
import type { MetricMetadata, MetricType } from '../../model/sample.ts';
import { ExpositionColumns } from './columns.ts';
import { numberOk, parseNumber } from './number.ts';
import { decodeUtf8, parseSeriesKey } from './series-key.ts';
import { FORGOTTEN, type RawSeriesMemory } from './series-memory.ts';

/** HELP, TYPE and UNIT lines in one exposition. */
export const METADATA_LINES_MAX = 1_000_000;
const NAME = new Uint8Array(256);
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:') NAME[c.charCodeAt(0)] = 1;
for (const c of '0123456789') NAME[c.charCodeAt(0)] = 2;
const COLON = 58;

const TYPES: ReadonlyMap<string, MetricType> = new Map([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['histogram', 'histogram'],
  ['summary', 'summary'],
  ['untyped', 'unknown'],
]);
const OPENMETRICS_TYPES: ReadonlyMap<string, MetricType> = new Map([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['histogram', 'histogram'],
  ['gaugehistogram', 'gaugehistogram'],
  ['summary', 'summary'],
  ['info', 'info'],
  ['stateset', 'stateset'],
  ['unknown', 'unknown'],
]);

interface MetadataLine {
  readonly keyword: 'HELP' | 'TYPE' | 'UNIT';
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly textStart: number;
  readonly textEnd: number;
}

export class TextParser {
  readonly columns = new ExpositionColumns();
  exemplars: ScrapedExemplar[] = [];
  metadataHash = 0;
  #metadata: MetadataLine[] = [];
  #b: Uint8Array = new Uint8Array(0);
  #i = 0;
  #openMetrics = false;
  #type: MetricType = 'unknown';

  /** Fills `columns`, `exemplars` and `metadataHash`. Throws `bad_data`. */
  parse(body: Uint8Array, openMetrics: boolean, memory: RawSeriesMemory): void {
    this.#b = body;
    this.#i = 0;
    this.#openMetrics = openMetrics;
    this.#type = 'unknown';
    this.columns.count = 0;
    this.exemplars = [];
    this.#metadata = [];
    this.metadataHash = 0;
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const n = body.length;
    let previous = FORGOTTEN;
    let ended = false;
    while (this.#i < n) {
      const c = body[this.#i]!;
      if (!openMetrics) {
        if (c === 10 || c === 32 || c === 9) {
          this.#i++;
          continue;
        }
        if (c === 0) break; // the original ends here too
      }
      if (c === 35) {
        if (openMetrics ? this.#openMetricsComment() : this.#textComment()) {
          ended = true;
          break;
        }
        continue;
      }
      const start = this.#i;
      let id = memory.guess(previous, view, start);
      if (id !== FORGOTTEN) {
        const after = start + memory.rawLength(id);
        // `name` followed by ` {` would be another series
        if (body[after] === 32 && body[after + 1] !== 123 && body[after + 1] !== 32 && body[after + 1] !== 9) {
          this.#i = after;
        } else id = FORGOTTEN;
      }
      if (id === FORGOTTEN) {
        const end = this.#series();
        id = memory.find(body, start, end, this.#type);
        memory.follow(previous, id);
      }
      previous = id;
      if (openMetrics) this.#openMetricsRest(id);
      else this.#textRest(id);
    }
    if (openMetrics && !ended) throw this.#error('the body ends without the line "# EOF"');
  }

  /** Decodes the metadata of the last parse; its body must still be unchanged. */
  metadata(): readonly MetricMetadata[] {
    const byName = new Map<string, { type: MetricType; help: string; unit: string }>();
    for (const line of this.#metadata) {
      const name = decodeUtf8(this.#b.subarray(line.nameStart, line.nameEnd), 'a metric name').replace(
        /\\(["\\])/g,
        '$1',
      );
      const text = decodeUtf8(this.#b.subarray(line.textStart, line.textEnd), 'metadata');
      let entry = byName.get(name);
      if (!entry) byName.set(name, (entry = { type: 'unknown', help: '', unit: '' }));
      if (line.keyword === 'TYPE') entry.type = this.#types.get(text) ?? 'unknown';
      else if (line.keyword === 'UNIT') entry.unit = text;
      else
        entry.help = text.replace(this.#openMetrics ? /\\(["\\n])/g : /\\([\\n])/g, (_, c: string) =>
          c === 'n' ? '\n' : c,
        );
    }
    return [...byName].map(([metric, e]) => ({ metric, ...e }));
  }

  get #types(): ReadonlyMap<string, MetricType> {
    return this.#openMetrics ? OPENMETRICS_TYPES : TYPES;
  }

  /** From `#` to after the line end. Only metadata lines must be well-formed; other comments are free text. */
  #textComment(): boolean {
    const b = this.#b;
    let i = this.#i + 1;
    const spaceFrom = i;
    while (b[i] === 32 || b[i] === 9) i++;
    const keyword = i > spaceFrom ? keywordAt(b, i) : undefined;
    if (!keyword || keyword === 'UNIT' || (b[i + 4] !== 32 && b[i + 4] !== 9)) {
      this.#i = lineEnd(b, i) + 1;
      return false;
    }
    i += 4;
    while (b[i] === 32 || b[i] === 9) i++;
    this.#i = i;
    const [nameStart, nameEnd] = this.#metadataName(keyword);
    i = this.#i;
    while (b[i] === 32 || b[i] === 9) i++;
    const end = lineEnd(b, i);
    this.#keepMetadata({ keyword, nameStart, nameEnd, textStart: i, textEnd: end });
    this.#i = end + 1;
    return false;
  }

  /** True after `# EOF`. In OpenMetrics every `#` line must be HELP, TYPE, UNIT or EOF. */
  #openMetricsComment(): boolean {
    const b = this.#b;
    const i = this.#i;
    if (b[i + 1] !== 32) throw this.#error('wanted "# HELP", "# TYPE", "# UNIT" or "# EOF"');
    if (b[i + 2] === 69 && b[i + 3] === 79 && b[i + 4] === 70 && (i + 5 === b.length || b[i + 5] === 10)) {
      if (i + 6 < b.length) {
        this.#i = i + 6;
        throw this.#error('data after the line "# EOF"');
      }
      return true;
    }
    const keyword = keywordAt(b, i + 2);
    if (!keyword || b[i + 6] !== 32) throw this.#error('wanted "# HELP", "# TYPE", "# UNIT" or "# EOF"');
    this.#i = i + 7;
    const [nameStart, nameEnd] = this.#metadataName(keyword);
    if (b[this.#i] !== 32) throw this.#error(`wanted one space and a text after the name in ${keyword}`);
    const textStart = this.#i + 1;
    const end = lineEnd(b, textStart);
    if (end >= b.length) throw this.#error('the body ends without the line "# EOF"');
    const line = { keyword, nameStart, nameEnd, textStart, textEnd: end };
    if (keyword === 'UNIT' && end > textStart) {
      const unit = decodeUtf8(b.subarray(textStart, end), 'a unit');
      const name = decodeUtf8(b.subarray(nameStart, nameEnd), 'a metric name');
      if (!name.endsWith(`_${unit}`))
        throw this.#error(`unit ${JSON.stringify(unit)} is not a suffix of metric ${JSON.stringify(name)}`);
    }
    this.#keepMetadata(line);
    this.#i = end + 1;
    return false;
  }

  #metadataName(keyword: string): readonly [number, number] {
    const b = this.#b;
    const start = this.#i;
    if (b[start] === 34) {
      const end = this.#quotedEnd(start, false);
      this.#i = end + 1;
      return [start + 1, end];
    }
    if (NAME[b[start] ?? 0] !== 1) throw this.#error(`wanted a metric name after ${keyword}`);
    let i = start + 1;
    while (NAME[b[i] ?? 0]! > 0) i++;
    // a name must end at white space, or at the line end
    if (i < b.length && b[i] !== 32 && b[i] !== 10 && (this.#openMetrics || b[i] !== 9)) {
      this.#i = i;
      throw this.#error(`invalid character in the metric name after ${keyword}`);
    }
    this.#i = i;
    return [start, i];
  }

  #keepMetadata(line: MetadataLine): void {
    const b = this.#b;
    if (line.keyword === 'TYPE') {
      const text = Buffer.from(
        b.buffer,
        b.byteOffset + line.textStart,
        Math.min(32, line.textEnd - line.textStart),
      ).toString('latin1');
      const type = this.#types.get(text);
      if (!type)
        throw this.#error(`invalid metric type ${JSON.stringify(text)}; want ${[...this.#types.keys()].join(', ')}`);
      this.#type = type;
    }
    if (this.#metadata.length >= METADATA_LINES_MAX)
      throw this.#error(`more than ${METADATA_LINES_MAX} metadata lines`);
    this.#metadata.push(line);
    let h = this.metadataHash ^ line.keyword.charCodeAt(0);
    for (let i = line.nameStart; i < line.textEnd; i++) h = Math.imul(h ^ b[i]!, 0x01000193);
    this.metadataHash = h;
  }

  /** Checks a series from the current byte on and leaves the cursor behind it; answers where its key ends. */
  #series(): number {
    const b = this.#b;
    let i = this.#i;
    let named = false;
    if (NAME[b[i]!] === 1) {
      named = true;
      while (NAME[b[i] ?? 0]! > 0) i++;
    } else if (b[i] !== 123) throw this.#error('wanted a metric name');
    let end = i;
    if (!this.#openMetrics) while (b[i] === 32 || b[i] === 9) i++;
    if (b[i] === 123) {
      this.#i = i + 1;
      named = this.#labels(named, true);
      if (!named) throw this.#error('the series has no metric name');
      end = this.#i;
    } else this.#i = end;
    return end;
  }

  /** After `{`, through `}`. Answers whether a metric name is known now. */
  #labels(named: boolean, series: boolean): boolean {
    const b = this.#b;
    for (;;) {
      this.#space();
      const c = b[this.#i];
      if (c === 125) {
        this.#i++;
        return named;
      }
      if (c === 34) {
        const start = this.#i;
        const end = this.#quotedEnd(start, false);
        decodeUtf8(b.subarray(start + 1, end), 'a quoted name');
        this.#i = end + 1;
        this.#space();
        if (series && (b[this.#i] === 44 || b[this.#i] === 125)) {
          if (named) throw this.#error('the metric name is given twice');
          named = true;
          if (b[this.#i] === 44) this.#i++;
          continue;
        }
      } else if (c !== undefined && NAME[c] === 1 && c !== COLON) {
        let i = this.#i + 1;
        while (NAME[b[i] ?? 0]! > 0 && b[i] !== COLON) i++;
        this.#i = i;
        this.#space();
      } else throw this.#error('wanted a label name or "}"');
      if (b[this.#i] !== 61) throw this.#error('wanted "=" after the label name');
      this.#i++;
      this.#space();
      if (b[this.#i] !== 34) throw this.#error('wanted a quoted label value');
      const start = this.#i;
      const end = this.#quotedEnd(start, this.#openMetrics);
      for (let i = start + 1; i < end; i++)
        if (b[i]! >= 128) {
          decodeUtf8(b.subarray(start + 1, end), `line ${this.#line()}: a label value`);
          break;
        }
      this.#i = end + 1;
      this.#space();
      if (b[this.#i] === 44) this.#i++;
      // the text format lets the comma go, OpenMetrics does not
      else if (this.#openMetrics && b[this.#i] !== 125) throw this.#error('wanted "," or "}" after the label value');
    }
  }

  #space(): void {
    if (this.#openMetrics) return;
    while (this.#b[this.#i] === 32 || this.#b[this.#i] === 9) this.#i++;
  }

  /** Index of the closing quote. */
  #quotedEnd(start: number, oneLine: boolean): number {
    const b = this.#b;
    for (let i = start + 1; i < b.length; i++) {
      const c = b[i]!;
      if (c === 34) return i;
      if (c === 92) i++;
      else if (oneLine && c === 10) break;
    }
    throw this.#error('a quoted string does not end');
  }

  #textRest(id: number): void {
    const b = this.#b;
    const n = b.length;
    let i = this.#i;
    while (b[i] === 32 || b[i] === 9) i++;
    const start = i;
    while (i < n) {
      const c = b[i]!;
      if (c === 32 || c === 10 || c === 9 || c === 123) break;
      i++;
    }
    this.#i = start;
    if (i === start) throw this.#error('wanted a value after the series');
    const value = parseNumber(b, start, i);
    if (!numberOk) throw this.#error('the value is not a number');
    while (b[i] === 32 || b[i] === 9) i++;
    let timestamp = Number.NaN;
    if (i < n && b[i] !== 10) {
      const from = i;
      if (b[i] === 45) i++;
      const digits = i;
      while (i < n && b[i]! >= 48 && b[i]! <= 57) i++;
      this.#i = from;
      if (i === digits || i - digits > 16)
        throw this.#error('wanted a timestamp in whole milliseconds, or the line end');
      timestamp = parseNumber(b, from, i);
      while (b[i] === 32 || b[i] === 9) i++;
      this.#i = i;
      if (i < n && b[i] !== 10) throw this.#error('wanted the line end after the timestamp');
    }
    this.#i = i + 1;
    this.columns.push(id, value, timestamp);
  }

  #openMetricsRest(id: number): void {
    const value = this.#spacedNumber('a value after the series');
    let timestamp = Number.NaN;
    if (this.#b[this.#i] === 32 && this.#b[this.#i + 1] !== 35) timestamp = this.#seconds('timestamp');
    const sample = this.columns.push(id, value, timestamp);
    if (this.#b[this.#i] === 32) this.#exemplar(sample);
    if (this.#i >= this.#b.length) throw this.#error('the body ends without the line "# EOF"');
    if (this.#b[this.#i] !== 10) throw this.#error('wanted the line end');
    this.#i++;
  }

  #exemplar(sample: number): void {
    const b = this.#b;
    const i = this.#i;
    if (b[i + 1] !== 35 || b[i + 2] !== 32 || b[i + 3] !== 123)
      throw this.#error('wanted an exemplar " # {...} value"');
    this.#i = i + 4;
    this.#labels(true, false);
    const labels = parseSeriesKey(b, i + 3, this.#i, 'unknown');
    const value = this.#spacedNumber('a value after the exemplar');
    const timestampMs = b[this.#i] === 32 ? this.#seconds('exemplar timestamp') : undefined;
    this.exemplars.push(timestampMs === undefined ? { sample, labels, value } : { sample, labels, value, timestampMs });
  }

  #spacedNumber(wanted: string): number {
    const b = this.#b;
    if (b[this.#i] !== 32) throw this.#error(`wanted one space and ${wanted}`);
    const start = ++this.#i;
    let i = start;
    while (i < b.length && b[i] !== 32 && b[i] !== 10) i++;
    const v = parseNumber(b, start, i);
    if (i === start || !numberOk) throw this.#error(`wanted ${wanted}`);
    this.#i = i;
    return v;
  }

  /** Seconds with fraction, as whole milliseconds (cut, not rounded, as in Prometheus). */
  #seconds(what: string): number {
    const at = this.#i;
    const v = this.#spacedNumber(`a ${what} in seconds`);
    if (!Number.isFinite(v)) {
      this.#i = at;
      throw this.#error(`the ${what} is not finite`);
    }
    return Math.trunc(v * 1000);
  }

  #line(): number {
    let line = 1;
    for (let i = 0; i < this.#i && i < this.#b.length; i++) if (this.#b[i] === 10) line++;
    return line;
  }

  #error(message: string): VigieError {
    const got = this.#b.subarray(this.#i, Math.min(lineEnd(this.#b, this.#i), this.#i + 40));
    const text = Buffer.from(got.buffer, got.byteOffset, got.byteLength).toString('utf8');
    return new VigieError(
      'bad_data',
      `line ${this.#line()}: ${message}, got ${text === '' ? 'the line end' : JSON.stringify(text)}`,
    );
  }
}

function lineEnd(b: Uint8Array, from: number): number {
  const i = b.indexOf(10, from);
  return i < 0 ? b.length : i;
}

function keywordAt(b: Uint8Array, i: number): 'HELP' | 'TYPE' | 'UNIT' | undefined {
  const word = ((b[i] ?? 0) << 24) | ((b[i + 1] ?? 0) << 16) | ((b[i + 2] ?? 0) << 8) | (b[i + 3] ?? 0);
  if (word === 0x48454c50) return 'HELP';
  if (word === 0x54595045) return 'TYPE';
  return word === 0x554e4954 ? 'UNIT' : undefined;
}
