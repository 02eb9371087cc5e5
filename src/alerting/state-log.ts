/**
 * The append-only log of one tenant's alerting state: records of `length u32, crc32 u32, JSON`, written before the
 * answer, synced every second. A torn tail is cut off at opening. Compaction writes the whole state to a new file and
 * renames it over the old one, so that one of both always is complete. It knows nothing of what the records mean.
 */
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';

/** Largest record; a longer one is a broken length. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024;
/** Written bytes are synced to the disk at most this much later. */
export const SYNC_AFTER_MS = 1_000;

export interface StateLog {
  /** Resolves once the records are written (they survive kill -9). Throws `storage`. */
  append(records: readonly unknown[]): Promise<void>;
  /**
   * Replaces everything by what `capture` gives. Records must be idempotent and in memory before they are appended:
   * one that arrives meanwhile may be both captured and appended. Throws `storage`.
   */
  rewrite(capture: () => Iterable<unknown>): Promise<void>;
  readonly sizeBytes: number;
  close(): Promise<void>;
}

export interface OpenedLog {
  readonly log: StateLog;
  readonly records: readonly unknown[];
  /** Bytes at the end that were no whole record and have been cut. */
  readonly cutBytes: number;
}

/** The bytes of many records, one after the other. */
export function encodeRecords(records: readonly unknown[]): Buffer {
  const texts = records.map((r) => JSON.stringify(r));
  let size = 0;
  for (const text of texts) size += 8 + Buffer.byteLength(text);
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const text of texts) {
    const length = out.write(text, at + 8);
    out.writeUInt32LE(length, at);
    out.writeUInt32LE(crc32(out.subarray(at + 8, at + 8 + length)), at + 4);
    at += 8 + length;
  }
  return out;
}

/** The whole records at the start of `bytes`, and how many bytes they take. */
export function decodeRecords(bytes: Buffer): { records: unknown[]; goodBytes: number } {
  const records: unknown[] = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    if (length > RECORD_BYTES_MAX || at + 8 + length > bytes.length) break;
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (crc32(body) !== bytes.readUInt32LE(at + 4)) break;
    records.push(JSON.parse(body.toString('utf8')));
    at += 8 + length;
  }
  return { records, goodBytes: at };
}

/** Opens or creates `file`. Throws `storage`. */
export async function openStateLog(file: string, clock: Clock): Promise<OpenedLog> {
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    const { records, goodBytes } = decodeRecords(bytes);
    const handle = await open(file, 'a');
    if (goodBytes < bytes.length) await handle.truncate(goodBytes);
    return { log: new FileStateLog(file, handle, goodBytes, clock), records, cutBytes: bytes.length - goodBytes };
  } catch (cause) {
    throw storageError(file, cause);
  }
}

const storageError = (file: string, cause: unknown): VigieError =>
  new VigieError('storage', `alerting state ${file}: ${messageOf(cause)}`, { cause });

class FileStateLog implements StateLog {
  sizeBytes: number;
  readonly #file: string;
  readonly #clock: Clock;
  #handle: FileHandle;
  #queue: Promise<void> = Promise.resolve();
  #waiting: { bytes: Buffer; done: () => void; failed: (error: unknown) => void }[] = [];
  #syncTimer: Timer | undefined;
  #closed = false;

  constructor(file: string, handle: FileHandle, sizeBytes: number, clock: Clock) {
    this.#file = file;
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
    this.#clock = clock;
  }

  append(records: readonly unknown[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    const bytes = encodeRecords(records);
    return new Promise((done, failed) => {
      this.#waiting.push({ bytes, done, failed });
      // one write takes everything that gathered while the last one ran
      if (this.#waiting.length === 1) this.#queue = this.#queue.then(() => this.#drain());
    });
  }

  async #drain(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const bytes = Buffer.concat(batch.map((w) => w.bytes));
    try {
      await this.#handle.appendFile(bytes);
      this.sizeBytes += bytes.length;
      for (const w of batch) w.done();
      this.#syncSoon();
    } catch (cause) {
      // a half-written record would hide every later one
      await this.#handle.truncate(this.sizeBytes).catch(() => {});
      for (const w of batch) w.failed(storageError(this.#file, cause));
    }
  }

  #syncSoon(): void {
    this.#syncTimer ??= this.#clock.setTimer(() => {
      this.#syncTimer = undefined;
      this.#queue = this.#queue.then(() => this.#handle.datasync()).catch(() => {});
    }, SYNC_AFTER_MS);
  }

  rewrite(capture: () => Iterable<unknown>): Promise<void> {
    const work = this.#queue.then(async () => {
      const bytes = encodeRecords([...capture()]);
      const temporary = `${this.#file}.tmp`;
      const fresh = await open(temporary, 'w');
      try {
        await fresh.writeFile(bytes);
        await fresh.datasync();
      } finally {
        await fresh.close();
      }
      await rename(temporary, this.#file);
      const folder = await open(path.dirname(this.#file), 'r');
      await folder.sync().catch(() => {});
      await folder.close();
      await this.#handle.close();
      this.#handle = await open(this.#file, 'a');
      this.sizeBytes = bytes.length;
    });
    this.#queue = work.catch(() => {});
    return work.catch((cause) => {
      throw storageError(this.#file, cause);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#syncTimer?.cancel();
    await this.#queue;
    await this.#handle.datasync().catch(() => {});
    await this.#handle.close();
  }
}

/** A log that keeps nothing: for rehearsals and route tests. */
export const memoryStateLog = (): StateLog => ({
  sizeBytes: 0,
  append: async () => {},
  rewrite: async () => {},
  close: async () => {},
});
