/**
 * The cache on Redis, shared by replicas. A restart of Redis is survived: commands wait for the connection for a while
 * and subscriptions come back. Time is Redis' own, so that replicas need not agree on theirs.
 */
import type { Clock } from '../../../lib/clock.ts';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { TenantId } from '../../../model/tenant.ts';
import type { Cache, Lease } from '../../cache.ts';

const PREFIX = 'vigie:';
const VALUE_BYTES_MAX = 1024 * 1024;
/** Commands that may wait for a lost connection; more are refused at once. */
const QUEUE_MAX = 10_000;
const RECONNECT_MS_MAX = 2_000;
/** How long one command may take, reconnecting included. */
const COMMAND_MS_MAX = 15_000;
const SCAN_COUNT = 1_000;
/** Buckets are forgotten once they must be full again, at the latest after this long. */
const BUCKET_TTL_MS_MAX = 86_400_000;

const TAKE = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local s = redis.call('HMGET', KEYS[1], 'n', 't')
local tokens, at = tonumber(s[1]) or burst, tonumber(s[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) / 1000 * rate)
local ok = 0
if tokens >= cost then tokens = tokens - cost; ok = 1 end
redis.call('HSET', KEYS[1], 'n', string.format('%.17g', tokens), 't', now)
local ttl = tonumber(ARGV[4])
if rate > 0 then ttl = math.min(ttl, math.ceil(burst / rate * 1000) + 1000) end
redis.call('PEXPIRE', KEYS[1], ttl)
if ok == 1 then return 0 end
if cost > burst or rate <= 0 then return -1 end
return math.ceil((cost - tokens) / rate * 1000)`;
const ACQUIRE = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local t = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2])) or 0
local f = math.max(last + 1, t[1] * 1000000 + t[2])
redis.call('SET', KEYS[2], string.format('%d', f))
redis.call('SET', KEYS[1], string.format('%d', f), 'PX', ARGV[1])
return f`;
const RENEW = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

type Client = Awaited<ReturnType<typeof connect>>;

async function connect(url: string, logger: Logger) {
  // loaded only when asked for: embedded runs never pay for it
  const { createClient } = await import('redis');
  const client = createClient({
    url,
    commandsQueueMaxLength: QUEUE_MAX,
    socket: {
      connectTimeout: 5_000,
      reconnectStrategy: (tries) => Math.min(RECONNECT_MS_MAX, 50 * 2 ** Math.min(tries, 10)),
    },
  });
  client.on('error', (error) => logger.debug('Redis connection', { error: messageOf(error) }));
  await client.connect();
  return client;
}

export interface RedisCacheOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class RedisCache implements Cache {
  readonly #client: Client;
  readonly #subscriber: Client;
  readonly #clock: Clock;

  private constructor(client: Client, subscriber: Client, clock: Clock) {
    this.#client = client;
    this.#subscriber = subscriber;
    this.#clock = clock;
  }

  /** Throws `unavailable` when Redis does not answer within 15 s. */
  static async open(options: RedisCacheOptions): Promise<RedisCache> {
    const client = await bounded(options.clock, connect(options.url, options.logger));
    const subscriber = await bounded(options.clock, connect(options.url, options.logger));
    return new RedisCache(client, subscriber, options.clock);
  }

  async get(tenant: TenantId, key: string): Promise<string | undefined> {
    return (await this.#run(() => this.#client.get(valueKey(tenant, key)))) ?? undefined;
  }

  async set(tenant: TenantId, key: string, value: string, ttlMs: number): Promise<void> {
    if (Buffer.byteLength(value) > VALUE_BYTES_MAX)
      throw new VigieError('too_large', `a cached value has more than ${VALUE_BYTES_MAX} bytes`);
    if (ttlMs <= 0) return this.delete(tenant, key);
    await this.#run(() =>
      this.#client.sendCommand(['SET', valueKey(tenant, key), value, 'PX', String(Math.ceil(ttlMs))]),
    );
  }

  async delete(tenant: TenantId, key: string): Promise<void> {
    await this.#run(() => this.#client.del(valueKey(tenant, key)));
  }

  async take(
    tenant: TenantId,
    bucket: string,
    cost: number,
    limit: { readonly perSecond: number; readonly burst: number },
  ): Promise<{ readonly ok: boolean; readonly retryAfterMs: number }> {
    const waitMs = await this.#script(
      TAKE,
      [`${PREFIX}${tenant}/b/${bucket}`],
      [String(limit.perSecond), String(limit.burst), String(cost), String(BUCKET_TTL_MS_MAX)],
    );
    if (waitMs === 0) return { ok: true, retryAfterMs: 0 };
    return { ok: false, retryAfterMs: waitMs < 0 ? Number.MAX_SAFE_INTEGER : waitMs };
  }

  async acquireLease(name: string, _holder: string, ttlMs: number): Promise<Lease | undefined> {
    const key = `${PREFIX}/lease/${name}`;
    const ttl = String(Math.ceil(ttlMs));
    // starts from Redis' clock in µs: numbers keep growing even when Redis comes back empty
    const fencing = await this.#script(ACQUIRE, [key, `${PREFIX}/fencing/${name}`], [ttl]);
    if (fencing === 0) return undefined;
    return {
      fencing,
      renew: async () => (await this.#script(RENEW, [key], [String(fencing), ttl])) === 1,
      release: async () => void (await this.#script(RELEASE, [key], [String(fencing)])),
    };
  }

  async publish(tenant: TenantId, channel: string, message: string): Promise<void> {
    await this.#run(() => this.#client.publish(`${PREFIX}${tenant}/c/${channel}`, message));
  }

  async subscribe(
    tenant: TenantId,
    channel: string,
    onMessage: (message: string) => void,
  ): Promise<() => Promise<void>> {
    const full = `${PREFIX}${tenant}/c/${channel}`;
    const listener = (message: string): void => onMessage(message);
    await bounded(this.#clock, this.#subscriber.subscribe(full, listener));
    return () => bounded(this.#clock, this.#subscriber.unsubscribe(full, listener));
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    const pattern = `${PREFIX}${tenant.replace(/[*?[\]\\]/g, '\\$&')}/*`;
    let cursor = '0';
    do {
      const [next, keys] = (await this.#run(() =>
        this.#client.sendCommand(['SCAN', cursor, 'MATCH', pattern, 'COUNT', String(SCAN_COUNT)]),
      )) as unknown as [string, string[]];
      if (keys.length > 0) await this.#run(() => this.#client.sendCommand(['UNLINK', ...keys]));
      cursor = String(next);
    } while (cursor !== '0');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    this.#subscriber.destroy();
  }

  async #script(script: string, keys: readonly string[], args: readonly string[]): Promise<number> {
    return Number(await this.#run(() => this.#client.eval(script, { keys: [...keys], arguments: [...args] })));
  }

  /** Commands wait while the client reconnects; one that was under way when the connection broke is sent once more. */
  async #run<R>(command: () => Promise<R>): Promise<R> {
    return bounded(
      this.#clock,
      command().catch((error: unknown) => {
        if (!/socket|closed|ECONN|EPIPE|LOADING/i.test(messageOf(error))) throw error;
        return command();
      }),
    );
  }
}

const valueKey = (tenant: TenantId, key: string): string => `${PREFIX}${tenant}/v/${key}`;

/** The result of `work`, or `unavailable` when Redis does not answer in time. */
async function bounded<R>(clock: Clock, work: Promise<R>): Promise<R> {
  let cancel = (): void => {};
  const late = new Promise<never>((_, reject) => {
    const timer = clock.setTimer(
      () => reject(new VigieError('unavailable', `Redis does not answer within ${COMMAND_MS_MAX} ms`)),
      COMMAND_MS_MAX,
    );
    cancel = () => timer.cancel();
  });
  try {
    return await Promise.race([work, late]);
  } catch (cause) {
    throw cause instanceof VigieError ? cause : new VigieError('unavailable', `Redis: ${messageOf(cause)}`, { cause });
  } finally {
    cancel();
  }
}
