/**
 * The write-ahead log: segments of checksummed records, written in groups without blocking the event loop. Each segment
 * explains itself: tenants and series stand in it before their first sample, so a segment can be dropped or lost without
 * touching the meaning of others. Layout: docs/formats/wal.md. It does not know what records mean (records.ts does).
 */
import { close, closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync, write } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';

export const WAL_MAGIC = 0x314c4156; // "VAL1"
export const RECORD_HEADER_BYTES = 16;
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;
/** A new segment begins past this; a segment whose series take much room may grow to four times that room. */
const SEGMENT_BYTES = 256 * 1024 * 1024;
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
  /** Called when a segment begins: all numbers of tenants and series are void. */
  readonly onSegment: (segment: number) => void;
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
  #definitionBytes = 0;
  #buffer = Buffer.allocUnsafeSlow(1 << 20);
  #words = new Uint32Array(this.#buffer.buffer);
  #spare = Buffer.allocUnsafeSlow(1 << 20);
  #used = 0;
  #record = 0;
  #waiters: Waiter[] = [];
  #flushing: Promise<void> | undefined;
  #dirty = false;
  #timer: Timer | undefined;
  #closed = false;
  #rollWanted = false;
  /** No segment could be opened; the next write tries again. */
  #broken = false;
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
    if (definition) this.#definitionBytes += length + RECORD_HEADER_BYTES;
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

  /** Begins a new segment after what waits now; appends go on meanwhile. */
  async roll(): Promise<void> {
    this.#rollWanted = true;
    while (this.#rollWanted) await this.flush();
  }

  async sync(): Promise<void> {
    await this.flush();
    await this.#fdatasync();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#broken) {
      this.#closed = true;
      return;
    }
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
      if (this.#broken) {
        this.#reopen();
        const error = new VigieError(
          'storage',
          `the metrics log in ${this.#o.folder} cannot be written; the next request tries again`,
        );
        for (const w of waiters) w.reject(error);
        continue;
      }
      const bytes = this.#buffer;
      const used = this.#used;
      this.#buffer = this.#spare;
      this.#words = new Uint32Array(this.#buffer.buffer);
      this.#used = 0;
      const full = this.#rollWanted || this.#position > Math.max(SEGMENT_BYTES, 4 * this.#definitionBytes);
      const old = this.#fd;
      // what is appended from here on belongs to the next segment, so its definitions start anew
      if (full) this.#reopen();
      this.#rollWanted = false;
      try {
        await writeAll(old, bytes, used);
        this.bytesWritten += used;
        this.#dirty = true;
        if (full) {
          await new Promise<void>((resolve, reject) => fdatasync(old, (e) => (e ? reject(e) : resolve())));
          close(old, () => {});
        } else if (this.#o.sync === 'always') await this.#fdatasync();
        for (const w of waiters) w.resolve();
      } catch (cause) {
        const error = new VigieError(
          'storage',
          `cannot write to the metrics log in ${this.#o.folder}: ${messageOf(cause)}`,
          { cause },
        );
        this.#o.logger.error(error.message);
        for (const w of waiters) w.reject(error);
        // a torn record may stand at the end of that segment: nothing may follow it
        if (!full) {
          close(old, () => {});
          this.#used = 0;
          for (const w of this.#waiters.splice(0)) w.reject(error);
          this.#reopen();
        }
      } finally {
        this.#spare = bytes;
      }
    }
  }

  #reopen(): void {
    try {
      this.#open();
      this.#broken = false;
    } catch (error) {
      this.#broken = true;
      this.#used = 0;
      this.#o.logger.error(messageOf(error));
    }
  }

  async #fdatasync(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    const fd = this.#fd;
    await new Promise<void>((resolve, reject) =>
      fdatasync(fd, (e) => {
        // a rolled segment was synced before it was closed
        if (e && fd === this.#fd)
          reject(new VigieError('storage', `cannot sync the metrics log: ${e.message}`, { cause: e }));
        else resolve();
      }),
    );
  }

  #arm(): void {
    this.#timer = this.#o.clock.setTimer(() => {
      this.#fdatasync()
        .catch((error: unknown) => this.#o.logger.error(messageOf(error)))
        .finally(() => {
          if (!this.#closed) this.#arm();
        });
    }, this.#o.syncIntervalMs);
  }

  #open(): void {
    const file = path.join(this.#o.folder, segmentName(this.segment + 1));
    try {
      this.#fd = openSync(file, 'wx', 0o600);
      const folder = openSync(this.#o.folder, 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    } catch (cause) {
      throw new VigieError('storage', `cannot create ${file}: ${messageOf(cause)}`, { cause });
    }
    this.segment++;
    this.#position = 0;
    this.#definitionBytes = 0;
    this.#used = 0;
    this.begin(WAL_MAGIC, 1);
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

async function writeAll(fd: number, bytes: Buffer, length: number): Promise<void> {
  let at = 0;
  while (at < length) {
    at += await new Promise<number>((resolve, reject) =>
      write(fd, bytes, at, length - at, null, (e, n) => (e ? reject(e) : resolve(n))),
    );
  }
}

/** For tests and repair: makes one file durable. */
export function syncFile(file: string): void {
  const fd = openSync(file, 'r+');
  try {
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
