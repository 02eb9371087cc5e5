/** Local accounts and browser sessions: argon2id passwords, random session ids hashed at rest, a CSRF token each. */
import { argon2, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { Role } from './context.ts';

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
  readonly #documents: DocumentStore;
  readonly #clock: Clock;
  readonly #users = new Map<string, StoredUser>();
  readonly #sessions = new Map<string, Session>();
  readonly #failures = new Map<string, { count: number; sinceMs: number }>();

  private constructor(documents: DocumentStore, clock: Clock) {
    this.#documents = documents;
    this.#clock = clock;
  }

  static async open(documents: DocumentStore, clock: Clock): Promise<Accounts> {
    const accounts = new Accounts(documents, clock);
    let after: string | undefined;
    do {
      const page = await accounts.#userDocuments().list(after === undefined ? {} : { after });
      for (const d of page.items) accounts.#users.set(d.id, d.body);
      after = page.next;
    } while (after !== undefined);
    do {
      const page = await accounts.#sessionDocuments().list(after === undefined ? {} : { after });
      for (const d of page.items) {
        if (d.body.expiresAtMs > clock.now()) accounts.#sessions.set(d.id, d.body);
        else await accounts.#sessionDocuments().delete(d.id);
      }
      after = page.next;
    } while (after !== undefined);
    return accounts;
  }

  users(): readonly User[] {
    return [...this.#users.values()].map(publicUser).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  user(name: string): User | undefined {
    const stored = this.#users.get(name);
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
    const existing = this.#users.get(input.name);
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
    await this.#userDocuments().put(user.name, user);
    this.#users.set(user.name, user);
    if (user.disabled || input.password !== undefined)
      await this.endSessions((s) => s.subject.kind === 'user' && s.subject.name === user.name);
    return publicUser(user);
  }

  async removeUser(name: string): Promise<boolean> {
    const existed = this.#users.delete(name);
    await this.#userDocuments().delete(name);
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
    const user = this.#users.get(name);
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
    await this.#sessionDocuments().put(session.id, session, 'absent');
    this.#sessions.set(session.id, session);
    return { cookie, csrf, session };
  }

  /** The live session of a cookie; its idle time starts anew. */
  session(cookie: string): Session | undefined {
    const session = this.#sessions.get(sha256(cookie));
    const now = this.#clock.now();
    if (!session || session.expiresAtMs <= now) return undefined;
    // written at most every tenth of the idle time
    if (session.expiresAtMs - now < SESSION_IDLE_MS * 0.9) {
      const extended = {
        ...session,
        expiresAtMs: Math.min(now + SESSION_IDLE_MS, session.createdAtMs + SESSION_MS_MAX),
      };
      this.#sessions.set(session.id, extended);
      this.#sessionDocuments()
        .put(session.id, extended)
        .catch(() => {});
    }
    return session;
  }

  csrfMatches(session: Session, token: string): boolean {
    return timingSafeEqual(Buffer.from(sha256(token)), Buffer.from(session.csrfHash));
  }

  /** A fresh CSRF token for a page that was reloaded and lost the old one. */
  async renewCsrf(session: Session): Promise<string> {
    const csrf = randomBytes(32).toString('base64url');
    const changed = { ...session, csrfHash: sha256(csrf) };
    await this.#sessionDocuments().put(session.id, changed);
    this.#sessions.set(session.id, changed);
    return csrf;
  }

  async endSessions(which: (session: Session) => boolean): Promise<number> {
    let ended = 0;
    for (const session of [...this.#sessions.values()]) {
      if (!which(session)) continue;
      this.#sessions.delete(session.id);
      await this.#sessionDocuments().delete(session.id);
      ended++;
    }
    return ended;
  }

  async forgetTenant(tenant: TenantId): Promise<void> {
    for (const user of this.#users.values()) {
      if (user.grants === 'all' || user.grants[tenant] === undefined) continue;
      const { [tenant]: _gone, ...grants } = user.grants;
      const changed = { ...user, grants };
      await this.#userDocuments().put(user.name, changed);
      this.#users.set(user.name, changed);
    }
  }

  async #sweep(): Promise<void> {
    const now = this.#clock.now();
    await this.endSessions((s) => s.expiresAtMs <= now);
    if (this.#sessions.size >= SESSIONS_MAX) throw new VigieError('quota', `at most ${SESSIONS_MAX} sessions`);
  }

  #userDocuments() {
    return this.#documents.collection<StoredUser>(PLATFORM_TENANT, USERS);
  }

  #sessionDocuments() {
    return this.#documents.collection<Session>(PLATFORM_TENANT, SESSIONS);
  }
}

async function hashPassword(password: string, salt: string): Promise<string> {
  const derived = await derive('argon2id', { ...ARGON2, message: password, nonce: Buffer.from(salt, 'hex') });
  return Buffer.from(derived as Uint8Array).toString('hex');
}

function publicUser({ salt: _salt, passwordHash: _hash, ...user }: StoredUser): User {
  return user;
}
