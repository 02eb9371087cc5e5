/**
 * The write-ahead log: segments of checksummed records, written in groups without blocking the event loop. Each segment
 * explains itself: tenants and series stand in it before their first sample, so a segment can be dropped or lost without
 * touching the meaning of others. Layout: docs/formats/wal.md. It does not know what records mean (records.ts does).
 */
import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import { type Disk, writeAll } from './disk.ts';

export const WAL_MAGIC = 0x314c4156; // "VAL1"
/** 2: series in groups, sealed chunks, late samples in records of their own. */
export const WAL_VERSION = 2;
export const RECORD_HEADER_BYTES = 16;
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;
/** A new segment begins past this; a segment whose series take much room may grow to four times that room. */
const SEGMENT_BYTES = 48 * 1024 * 1024;
/** Records waiting for the disk; more are refused with `unavailable`. */
export const PENDING_BYTES_MAX = 256 * 1024 * 1024;

export const segmentName = (number: number): string => `${String(number).padStart(8, '0')}.wal`;

export interface WalOptions {
  readonly folder: string;
  readonly firstSegment: number;
  readonly sync: 'interval' | 'always';
  readonly syncIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk: Disk;
  /** Default 48 MiB. */
  readonly segmentBytes?: number;
  /** Called when a segment begins: all numbers of tenants and series are void. */
  readonly onSegment: (segment: number) => void;
}

/** The end of a finished segment that could not be written yet. */
interface Tail {
  readonly fd: number;
  readonly bytes: Buffer;
  readonly used: number;
  readonly at: number;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Wal {
  readonly #o: WalOptions;
  segment: number;
  #fd = -1;
  /** Bytes of this segment, written or waiting. */
  #position = 0;
  /** Bytes of this segment that are written. */
  #written = 0;
  #tail: Tail | undefined;
  #definitionBytes = 0;
  #buffer = Buffer.allocUnsafeSlow(1 << 20);
  #words = new Uint32Array(this.#buffer.buffer);
  #spare = Buffer.allocUnsafeSlow(1 << 20);
  #used = 0;
  #record = 0;
  /** Definitions of this segment that still stand in it once: their copies go out with the group after the next. */
  #again: Buffer[] = [];
  #waiters: Waiter[] = [];
  #flushing: Promise<void> | undefined;
  #dirty = false;
  #timer: Timer | undefined;
  #closed = false;
  #rollWanted = false;
  bytesWritten = 0;

  constructor(options: WalOptions) {
    this.#o = options;
    this.segment = options.firstSegment - 1;
    this.#open();
    this.#arm();
  }

  /** Where the next record will stand: all records so far are before it. */
  get position(): { readonly segment: number; readonly offset: number } {
    return { segment: this.segment, offset: this.#position };
  }

  get pendingBytes(): number {
    return this.#used;
  }

  /** Bytes of the record that is open. */
  get recordBytes(): number {
    return this.#used - this.#record;
  }

  /** Starts a record; follow with `word`/`bytes`, then `end`. */
  begin(type: number, tenant: number): void {
    this.#room(RECORD_HEADER_BYTES);
    this.#record = this.#used;
    const w = this.#used >>> 2;
    this.#words[w + 2] = type;
    this.#words[w + 3] = tenant;
    this.#used += RECORD_HEADER_BYTES;
  }

  /** Makes room for `bytes` more and answers the words to write to, from `wordAt` on. */
  reserve(bytes: number): void {
    this.#room(bytes);
  }

  word(v: number): void {
    this.#words[this.#used >>> 2] = v;
    this.#used += 4;
  }

  /** A sample in the open record of floats: number, offset, and the bits at `at`. */
  sample(id: number, offsetMs: number, bits: Uint32Array, at: number): void {
    if (this.#used + 24 > this.#buffer.length) this.#room(16);
    const words = this.#words;
    const w = this.#used >>> 2;
    words[w] = id;
    words[w + 1] = offsetMs;
    words[w + 2] = bits[at]!;
    words[w + 3] = bits[at + 1]!;
    this.#used += 16;
  }

  /** Length in bytes, then the bytes, padded to a multiple of four. */
  bytes(b: Uint8Array): void {
    this.#room(b.length + 8);
    this.word(b.length);
    this.#buffer.set(b, this.#used);
    const end = this.#used + b.length;
    const padded = (end + 3) & ~3;
    this.#buffer.fill(0, end, padded);
    this.#used = padded;
  }

  end(definition = false): void {
    const length = this.#used - this.#record - RECORD_HEADER_BYTES;
    const w = this.#record >>> 2;
    this.#words[w] = length;
    this.#words[w + 1] = crc32(this.#buffer.subarray(this.#record + 8, this.#used));
    this.#position += length + RECORD_HEADER_BYTES;
    if (!definition) return;
    this.#definitionBytes += 2 * (length + RECORD_HEADER_BYTES);
    this.#again.push(Buffer.from(this.#buffer.subarray(this.#record, this.#used)));
  }

  /** Resolves once everything so far is written (and synced, with `always`). Throws `storage`. */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#kick();
    });
  }

  /** Throws when too much waits for the disk. */
  checkRoom(): void {
    if (this.#closed) throw new VigieError('unavailable', 'the metrics store is closed');
    if (this.#used > PENDING_BYTES_MAX)
      throw new VigieError(
        'unavailable',
        `${this.#used} bytes wait to be written to ${this.#o.folder}, limit ${PENDING_BYTES_MAX}`,
      );
  }

  /** Begins a new segment after what waits now; appends go on meanwhile. Throws `storage`. */
  async roll(): Promise<void> {
    const before = this.segment;
    this.#rollWanted = true;
    await this.flush();
    if (this.segment === before)
      throw new VigieError('storage', `cannot begin a new segment of the metrics log in ${this.#o.folder}`);
  }

  async sync(): Promise<void> {
    await this.flush();
    await this.#sync();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#timer?.cancel();
    try {
      await this.sync();
    } finally {
      this.#closed = true;
      closeSync(this.#fd);
    }
  }

  #kick(): void {
    this.#flushing ??= this.#loop().finally(() => {
      this.#flushing = undefined;
      if (this.#waiters.length > 0) this.#kick();
    });
  }

  async #loop(): Promise<void> {
    // appends of the same turn join the group
    await Promise.resolve();
    while (this.#waiters.length > 0) {
      const waiters = this.#waiters;
      this.#waiters = [];
      try {
        await this.#writeGroup();
        for (const w of waiters) w.resolve();
      } catch (cause) {
        const error = new VigieError(
          'storage',
          `cannot write to the metrics log in ${this.#o.folder}: ${messageOf(cause)}`,
          { cause },
        );
        this.#o.logger.error(error.message);
        for (const w of waiters) w.reject(error);
      }
    }
  }

  /**
   * Writes what waits. When that fails the bytes stay waiting and are written again at the same place by the next
   * group: what is in memory is in the log before anything after it is acknowledged.
   */
  async #writeGroup(): Promise<void> {
    const { disk } = this.#o;
    if (this.#tail) await this.#finish(this.#tail);
    const bytes = this.#buffer;
    const used = this.#used;
    const fd = this.#fd;
    const at = this.#written;
    this.#buffer = this.#spare;
    this.#words = new Uint32Array(this.#buffer.buffer);
    this.#used = 0;
    // what is appended from here on belongs to the next segment, so its definitions start anew
    const full =
      this.#rollWanted || this.#position > Math.max(this.#o.segmentBytes ?? SEGMENT_BYTES, 4 * this.#definitionBytes);
    this.#rollWanted = false;
    if (full && this.#next()) {
      this.#spare = Buffer.allocUnsafeSlow(1 << 20);
      this.#tail = { fd, bytes, used, at };
      await this.#finish(this.#tail);
      return;
    }
    this.#repeatDefinitions();
    try {
      await writeAll(disk, fd, bytes, used, at);
      this.#dirty = true;
      if (this.#o.sync === 'always') await this.#sync();
      this.#written = at + used;
      this.bytesWritten += used;
      this.#spare = bytes;
    } catch (error) {
      await disk.truncate(fd, at).catch(() => {});
      this.#putBack(bytes, used);
      throw error;
    }
  }

  /** Damage to one place of the log must not cost more than that place, so what others refer to stands in two. */
  #repeatDefinitions(): void {
    for (const record of this.#again) {
      this.#room(record.length);
      this.#buffer.set(record, this.#used);
      this.#used += record.length;
      this.#position += record.length;
    }
    this.#again = [];
  }

  async #finish(tail: Tail): Promise<void> {
    await writeAll(this.#o.disk, tail.fd, tail.bytes, tail.used, tail.at);
    await this.#o.disk.sync(tail.fd);
    this.bytesWritten += tail.used;
    this.#tail = undefined;
    await this.#o.disk.close(tail.fd).catch(() => {});
  }

  /** Joins bytes that could not be written with those that were appended meanwhile. */
  #putBack(bytes: Buffer<ArrayBuffer>, used: number): void {
    const later = this.#buffer;
    const laterUsed = this.#used;
    this.#buffer = bytes;
    this.#words = new Uint32Array(bytes.buffer);
    this.#used = used;
    this.#room(laterUsed);
    this.#buffer.set(later.subarray(0, laterUsed), used);
    this.#used = used + laterUsed;
    this.#spare = later;
  }

  async #sync(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    const fd = this.#fd;
    try {
      await this.#o.disk.sync(fd);
    } catch (cause) {
      // a rolled segment was synced before it was closed
      if (fd !== this.#fd) return;
      this.#dirty = true;
      throw new VigieError('storage', `cannot sync the metrics log: ${messageOf(cause)}`, { cause });
    }
  }

  #arm(): void {
    this.#timer = this.#o.clock.setTimer(() => {
      this.#sync()
        .catch((error: unknown) => this.#o.logger.error(messageOf(error)))
        .finally(() => {
          if (!this.#closed) this.#arm();
        });
    }, this.#o.syncIntervalMs);
  }

  /** False when no new segment can be opened: the old one goes on. */
  #next(): boolean {
    try {
      this.#open();
      return true;
    } catch (error) {
      this.#o.logger.error(messageOf(error));
      return false;
    }
  }

  #open(): void {
    const file = path.join(this.#o.folder, segmentName(this.segment + 1));
    let fd = -1;
    try {
      fd = this.#o.disk.open(file, 'wx');
      const folder = openSync(this.#o.folder, 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    } catch (cause) {
      if (fd >= 0) {
        closeSync(fd);
        rmSync(file, { force: true });
      }
      throw new VigieError('storage', `cannot create ${file}: ${messageOf(cause)}`, { cause });
    }
    this.#fd = fd;
    this.segment++;
    this.#position = 0;
    this.#written = 0;
    this.#definitionBytes = 0;
    this.#used = 0;
    this.#again = [];
    this.begin(WAL_MAGIC, WAL_VERSION);
    this.end();
    this.#o.onSegment(this.segment);
  }

  #room(bytes: number): void {
    const need = this.#used + bytes + 8;
    if (need <= this.#buffer.length) return;
    const buffer = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, (need + 3) & ~3));
    buffer.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = buffer;
    this.#words = new Uint32Array(buffer.buffer);
  }
}
