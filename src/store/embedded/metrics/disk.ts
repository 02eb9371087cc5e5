/**
 * The calls by which the metrics store changes files, as a port: tests pass one that fails (disk full, input/output
 * errors) at a chosen call. Reading needs no port, damage is planted in files.
 */
import { close, fdatasync, ftruncate, openSync, write } from 'node:fs';

export interface Disk {
  /** Creates or truncates a file (`w`) or creates a new one (`wx`); answers the descriptor. */
  open(file: string, flags: 'w' | 'wx'): number;
  /** Bytes written, at least one. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  sync(fd: number): Promise<void>;
  truncate(fd: number, length: number): Promise<void>;
  close(fd: number): Promise<void>;
}

export const realDisk: Disk = {
  open: (file, flags) => openSync(file, flags, 0o600),
  write: (fd, bytes, offset, length, position) =>
    new Promise((resolve, reject) =>
      write(fd, bytes, offset, length, position, (e, n) => (e ? reject(e) : resolve(n))),
    ),
  sync: (fd) => new Promise((resolve, reject) => fdatasync(fd, (e) => (e ? reject(e) : resolve()))),
  truncate: (fd, length) => new Promise((resolve, reject) => ftruncate(fd, length, (e) => (e ? reject(e) : resolve()))),
  close: (fd) => new Promise((resolve, reject) => close(fd, (e) => (e ? reject(e) : resolve()))),
};

/** Writes all of `bytes[0, length)` at `position`, however many calls it takes. */
export async function writeAll(
  disk: Disk,
  fd: number,
  bytes: Uint8Array,
  length: number,
  position: number,
): Promise<void> {
  for (let at = 0; at < length; ) at += await disk.write(fd, bytes, at, length - at, position + at);
}
