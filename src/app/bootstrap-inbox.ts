/**
 * The first platform-admin key while a server runs (in a container nothing else is practical): the command makes the
 * key and lays its hash into the data folder, the server takes it if there is no platform key yet. Whoever can write
 * there could as well stop the server and bootstrap offline; the key itself is never written anywhere.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { type Clock, sleep, type Timer } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { PLATFORM_TENANT } from '../model/tenant.ts';
import type { AuditInput } from '../security/audit/audit-log.ts';
import type { ApiKeys } from '../tenancy/api-keys.ts';

const FOLDER = 'bootstrap';
/** The server looks this often; the command gives up after a few looks, and an older offer is worth nothing. */
export const LOOK_MS = 1_000;
export const WAIT_MS_MAX = 10_000;
/** A refusal that its command did not fetch is forgotten after this long. */
const LEFT_MS_MAX = 60_000;
const OFFER_BYTES_MAX = 1_024;
const OFFERS_MAX = 10;

const offerSchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  atMs: z.number(),
});

/** Command's end. Answers the key. Throws `conflict` when there is a platform key, `unavailable` when nobody took it. */
export async function offerFirstKey(dataDir: string, clock: Clock): Promise<string> {
  const folder = path.join(path.resolve(dataDir), FOLDER);
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const hash = createHash('sha256').update(secret).digest('hex');
  const offer = path.join(folder, `${id}.offer`);
  const refused = path.join(folder, `${id}.refused`);
  try {
    const { uid, gid } = statSync(dataDir);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const made = lstatSync(folder);
    if (!made.isDirectory()) throw new Error('it is no folder');
    // root may ask for a server that runs as another user, and follows no link that this user may have laid
    const give = made.uid !== uid || process.getuid?.() !== uid;
    if (give) lchownSync(folder, uid, gid);
    const file = openSync(`${offer}.tmp`, 'wx', 0o600);
    try {
      writeFileSync(file, JSON.stringify({ id, hash, atMs: clock.now() }));
      if (give) fchownSync(file, uid, gid);
    } finally {
      closeSync(file);
    }
    renameSync(`${offer}.tmp`, offer);
  } catch (cause) {
    throw new VigieError('storage', `cannot write to ${folder}: ${messageOf(cause)}`, { cause });
  }
  for (let waitedMs = 0; waitedMs < WAIT_MS_MAX; waitedMs += 200) {
    await sleep(clock, 200);
    if (existsSync(refused)) {
      const why = readFileSync(refused, 'utf8');
      rmSync(refused, { force: true });
      throw new VigieError('conflict', why);
    }
    if (!existsSync(offer)) return `vg_${id}_${secret}`;
  }
  rmSync(offer, { force: true });
  throw new VigieError('unavailable', `the running server did not take the key within ${WAIT_MS_MAX / 1000} s`);
}

export interface BootstrapInboxOptions {
  readonly dataDir: string;
  readonly keys: ApiKeys;
  /** Resolves once the entry is durable. */
  readonly audit: (tenant: typeof PLATFORM_TENANT, entry: AuditInput) => Promise<unknown>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Server's end: looks for offers until stopped. */
export class BootstrapInbox {
  readonly #options: BootstrapInboxOptions;
  readonly #folder: string;
  #timer: Timer | undefined;

  constructor(options: BootstrapInboxOptions) {
    this.#options = options;
    this.#folder = path.join(options.dataDir, FOLDER);
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.look()
        .catch((error: unknown) =>
          this.#options.logger.warn('the bootstrap folder could not be read', { error: messageOf(error) }),
        )
        .finally(() => {
          if (this.#timer) this.#arm();
        });
    }, LOOK_MS);
  }

  /** One look. */
  async look(): Promise<void> {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder).slice(0, OFFERS_MAX)) {
      const file = path.join(this.#folder, name);
      if (name.endsWith('.offer')) await this.#take(file);
      // what a command left that ended early
      else if ((lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) < this.#options.clock.now() - LEFT_MS_MAX)
        rmSync(file, { force: true, recursive: true });
    }
  }

  async #take(file: string): Promise<void> {
    const { keys, audit, clock, logger } = this.#options;
    const refuse = (why: string): void => {
      writeFileSync(file.replace(/\.offer$/, '.refused'), why, { mode: 0o600 });
      rmSync(file, { force: true });
    };
    const stat = lstatSync(file);
    if (!stat.isFile() || stat.size > OFFER_BYTES_MAX) return rmSync(file, { force: true, recursive: true });
    const parsed = offerSchema.safeParse(jsonOf(readFileSync(file, 'utf8')));
    if (!parsed.success || Math.abs(clock.now() - parsed.data.atMs) > WAIT_MS_MAX * 2)
      return rmSync(file, { force: true });
    const existing = keys.list().find((k) => k.grants === 'all' && k.revokedAtMs === undefined);
    if (existing)
      return refuse(
        `a platform-admin key exists already (${existing.name}, id ${existing.id}); create further keys with it`,
      );
    const { id, hash } = parsed.data;
    const by = 'vigie tenant bootstrap';
    await audit(PLATFORM_TENANT, {
      actor: 'bootstrap',
      actorName: by,
      action: 'key.create',
      target: 'bootstrap',
      after: { role: 'platform_admin' },
      requestId: 'bootstrap',
    });
    await keys.mirror.put(
      id,
      { id, hash, name: 'bootstrap', grants: 'all', tenant: PLATFORM_TENANT, createdBy: by, createdAtMs: clock.now() },
      'absent',
    );
    rmSync(file, { force: true });
    logger.info('the first platform-admin key was made', { keyId: id });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
