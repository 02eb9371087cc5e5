/** Local accounts and browser sessions: argon2id passwords, random session ids hashed at rest, a CSRF token each. */
import { argon2, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { Role } from './context.ts';
import { DocumentMirror } from './document-mirror.ts';

export const USERS: CollectionSpec = { name: 'users' };
export const SESSIONS: CollectionSpec = { name: 'sessions', indexed: ['expiresAtMs'] };
export const SESSION_IDLE_MS = 12 * 3_600_000;
export const SESSION_MS_MAX = 7 * 86_400_000;
export const SESSIONS_MAX = 50_000;
const PASSWORD_LENGTH_MIN = 12;
const PASSWORD_LENGTH_MAX = 512;
/** Failed sign-ins per name within the window before further ones are refused unseen. */
const FAILURES_MAX = 10;
const FAILURE_WINDOW_MS = 15 * 60_000;
const FAILURE_NAMES_MAX = 10_000;
/** OWASP's recommendation for argon2id. */
const ARGON2 = { parallelism: 1, tagLength: 32, memory: 19_456, passes: 2 } as const;

export interface User {
  readonly name: string;
  readonly displayName: string;
  readonly grants: 'all' | Readonly<Record<string, Role>>;
  readonly disabled: boolean;
  readonly createdAtMs: number;
}
interface StoredUser extends User {
  readonly salt: string;
  readonly passwordHash: string;
}

export interface Session {
  /** Hash of the cookie's value; safe to log. */
  readonly id: string;
  /** Who signed in: a user, or the key that was traded for the session. */
  readonly subject: { readonly kind: 'user'; readonly name: string } | { readonly kind: 'key'; readonly id: string };
  readonly csrfHash: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

const derive = promisify(argon2);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export class Accounts {
  readonly #clock: Clock;
  /** The copies that answer; for shared-copies.ts. */
  readonly userMirror: DocumentMirror<StoredUser>;
  readonly sessionMirror: DocumentMirror<Session>;
  readonly #failures = new Map<string, { count: number; sinceMs: number }>();

  private constructor(documents: DocumentStore, clock: Clock) {
    this.#clock = clock;
    this.userMirror = new DocumentMirror(USERS.name, () => documents.collection<StoredUser>(PLATFORM_TENANT, USERS));
    this.sessionMirror = new DocumentMirror(SESSIONS.name, () =>
      documents.collection<Session>(PLATFORM_TENANT, SESSIONS),
    );
  }

  static async open(documents: DocumentStore, clock: Clock): Promise<Accounts> {
    const accounts = new Accounts(documents, clock);
    await accounts.refresh();
    await accounts.endSessions((s) => s.expiresAtMs <= clock.now());
    return accounts;
  }

  /** Reads users and sessions again, for what other processes changed. */
  async refresh(): Promise<void> {
    await Promise.all([this.userMirror.refresh(), this.sessionMirror.refresh()]);
  }

  users(): readonly User[] {
    return [...this.userMirror.values()].map(publicUser).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  user(name: string): User | undefined {
    const stored = this.userMirror.get(name);
    return stored && publicUser(stored);
  }

  /** Creates or changes a user; without `password` the old one stays. Throws `bad_data`. */
  async putUser(input: {
    name: string;
    displayName?: string;
    password?: string;
    grants?: User['grants'];
    disabled?: boolean;
  }): Promise<User> {
    if (!/^[a-zA-Z0-9._@+-]{1,128}$/.test(input.name))
      throw new VigieError('bad_data', 'user name: want 1 to 128 of a-z A-Z 0-9 . _ @ + -');
    const stored = await this.userMirror.reload(input.name);
    const existing = stored?.body;
    if (!existing && input.password === undefined) throw new VigieError('bad_data', 'a new user needs a password');
    let { salt, passwordHash } = existing ?? { salt: '', passwordHash: '' };
    if (input.password !== undefined) {
      if (input.password.length < PASSWORD_LENGTH_MIN || input.password.length > PASSWORD_LENGTH_MAX)
        throw new VigieError('bad_data', `password: want ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters`);
      salt = randomBytes(16).toString('hex');
      passwordHash = await hashPassword(input.password, salt);
    }
    const user: StoredUser = {
      name: input.name,
      displayName: input.displayName ?? existing?.displayName ?? input.name,
      grants: input.grants ?? existing?.grants ?? {},
      disabled: input.disabled ?? existing?.disabled ?? false,
      createdAtMs: existing?.createdAtMs ?? this.#clock.now(),
      salt,
      passwordHash,
    };
    await this.userMirror.put(user.name, user, stored ? stored.version : 'absent');
    if (user.disabled || input.password !== undefined)
      await this.endSessions((s) => s.subject.kind === 'user' && s.subject.name === user.name);
    return publicUser(user);
  }

  async removeUser(name: string): Promise<boolean> {
    const existed = await this.userMirror.remove(name);
    await this.endSessions((s) => s.subject.kind === 'user' && s.subject.name === name);
    return existed;
  }

  /** The user, or undefined; takes the same time for unknown names. Throws `quota` after too many failures. */
  async checkPassword(name: string, password: string): Promise<User | undefined> {
    const now = this.#clock.now();
    const failure = this.#failures.get(name);
    if (failure && now - failure.sinceMs < FAILURE_WINDOW_MS && failure.count >= FAILURES_MAX) {
      throw new VigieError('quota', 'too many failed sign-ins for this name; try again later', {
        details: { retryAfterMs: failure.sinceMs + FAILURE_WINDOW_MS - now },
      });
    }
    const user = this.userMirror.get(name);
    const derived = await hashPassword(password.slice(0, PASSWORD_LENGTH_MAX), user?.salt ?? '00'.repeat(16));
    const same = timingSafeEqual(Buffer.from(derived), Buffer.from(user?.passwordHash ?? '0'.repeat(64)));
    if (same && user && !user.disabled) {
      this.#failures.delete(name);
      return publicUser(user);
    }
    if (this.#failures.size >= FAILURE_NAMES_MAX) this.#failures.delete(this.#failures.keys().next().value!);
    this.#failures.set(
      name,
      failure && now - failure.sinceMs < FAILURE_WINDOW_MS
        ? { ...failure, count: failure.count + 1 }
        : { count: 1, sinceMs: now },
    );
    return undefined;
  }

  /** A new session; the cookie value and the CSRF token are told only here. */
  async openSession(
    subject: Session['subject'],
  ): Promise<{ readonly cookie: string; readonly csrf: string; readonly session: Session }> {
    await this.#sweep();
    const cookie = randomBytes(32).toString('base64url');
    const csrf = randomBytes(32).toString('base64url');
    const now = this.#clock.now();
    const session: Session = {
      id: sha256(cookie),
      subject,
      csrfHash: sha256(csrf),
      createdAtMs: now,
      expiresAtMs: now + SESSION_IDLE_MS,
    };
    await this.sessionMirror.put(session.id, session, 'absent');
    return { cookie, csrf, session };
  }

  /** The live session of a cookie; its idle time starts anew. */
  session(cookie: string): Session | undefined {
    const session = this.sessionMirror.get(sha256(cookie));
    const now = this.#clock.now();
    if (!session || session.expiresAtMs <= now) return undefined;
    // written at most every tenth of the idle time
    if (session.expiresAtMs - now < SESSION_IDLE_MS * 0.9) {
      const extended = {
        ...session,
        expiresAtMs: Math.min(now + SESSION_IDLE_MS, session.createdAtMs + SESSION_MS_MAX),
      };
      // never brings back a session that ended elsewhere meanwhile
      this.sessionMirror.touch(session.id, extended);
    }
    return session;
  }

  csrfMatches(session: Session, token: string): boolean {
    return timingSafeEqual(Buffer.from(sha256(token)), Buffer.from(session.csrfHash));
  }

  /** A fresh CSRF token for a page that was reloaded and lost the old one. */
  async renewCsrf(session: Session): Promise<string> {
    const csrf = randomBytes(32).toString('base64url');
    const changed = await this.sessionMirror.change(session.id, (s) => ({ ...s, csrfHash: sha256(csrf) }));
    if (!changed) throw new VigieError('unauthenticated', 'the session has ended; sign in again');
    return csrf;
  }

  async endSessions(which: (session: Session) => boolean): Promise<number> {
    let ended = 0;
    for (const session of this.sessionMirror.values()) {
      if (!which(session)) continue;
      await this.sessionMirror.remove(session.id);
      ended++;
    }
    return ended;
  }

  async forgetTenant(tenant: TenantId): Promise<void> {
    for (const { name } of this.userMirror.values())
      await this.userMirror.change(name, (user) => {
        if (user.grants === 'all' || user.grants[tenant] === undefined) return undefined;
        const { [tenant]: _gone, ...grants } = user.grants;
        return { ...user, grants };
      });
  }

  async #sweep(): Promise<void> {
    const now = this.#clock.now();
    await this.endSessions((s) => s.expiresAtMs <= now);
    if (this.sessionMirror.size >= SESSIONS_MAX) throw new VigieError('quota', `at most ${SESSIONS_MAX} sessions`);
  }
}

async function hashPassword(password: string, salt: string): Promise<string> {
  const derived = await derive('argon2id', { ...ARGON2, message: password, nonce: Buffer.from(salt, 'hex') });
  return Buffer.from(derived as Uint8Array).toString('hex');
}

function publicUser({ salt: _salt, passwordHash: _hash, ...user }: StoredUser): User {
  return user;
}
