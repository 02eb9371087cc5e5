/**
 * Notices that the server serves a newer console than the one that runs here: after a reconnection, or when code (which
 * is fetched page by page) is gone. The next page is then opened from the new version; a part of this page that cannot
 * be shown any more loads the page anew, at the same address, once. What stands in a form is not thrown away otherwise.
 */
const TRIED = 'vigie-reloaded-for';
/** Between two looks: a stream that breaks again and again must not fetch the page each time. */
const LOOK_MS_MIN = 5_000;

export interface VersionPorts {
  /** Names the console's build that the server serves now; undefined when it cannot be reached. */
  served(): Promise<string | undefined>;
  /** The build that runs here. */
  readonly running: string;
  remembered(): string | undefined;
  remember(build: string): void;
  reload(href?: string): void;
  now(): number;
}

export class NewVersion {
  readonly #ports: VersionPorts;
  #waiting = false;
  #lookedMs = Number.NEGATIVE_INFINITY;
  readonly #listeners = new Set<() => void>();

  constructor(ports: VersionPorts) {
    this.#ports = ports;
  }

  /** A new version is served: the next page comes from it. */
  get waiting(): boolean {
    return this.#waiting;
  }
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What was to be shown could not be fetched. True when the page is loaded anew; false when that would not help. */
  async missing(): Promise<boolean> {
    const served = await this.#ports.served();
    // the same build, or one that was reloaded for already: something else is wrong, and the page says what
    if (served === undefined || served === this.#ports.running || this.#ports.remembered() === served) return false;
    this.#ports.remember(served);
    this.#ports.reload();
    return true;
  }

  /** The stream is back after it was lost, or code was missing ahead of its use: the server may be another one now. */
  async look(): Promise<void> {
    const now = this.#ports.now();
    if (this.#waiting || now - this.#lookedMs < LOOK_MS_MIN) return;
    this.#lookedMs = now;
    const served = await this.#ports.served();
    if (served === undefined || served === this.#ports.running) return;
    this.#waiting = true;
    for (const l of this.#listeners) l();
  }

  /** Before another page is opened; true when it is loaded from the new version instead. */
  leave(href: string): boolean {
    if (!this.#waiting) return false;
    this.#ports.reload(href);
    return true;
  }
}

/** As Chromium, Firefox and Safari say that a module could not be fetched. */
export const isMissingCode = (error: unknown): boolean =>
  error instanceof Error &&
  /dynamically imported module|Importing a module script failed|preload CSS/i.test(error.message);

/** The build is named by the address of its first script, which holds a hash of all that it imports. */
export const buildIn = (html: string): string | undefined => /\/assets\/[\w-]+\.js/.exec(html)?.[0];

export function browserPorts(): VersionPorts {
  return {
    running: buildIn(document.documentElement.outerHTML) ?? '',
    async served() {
      try {
        const answer = await fetch('/', { cache: 'no-store', headers: { accept: 'text/html' } });
        return answer.ok ? buildIn(await answer.text()) : undefined;
      } catch {
        return undefined;
      }
    },
    remembered: () => session((s) => s.getItem(TRIED) ?? undefined),
    remember: (build) => void session((s) => s.setItem(TRIED, build)),
    reload: (href) => (href === undefined ? location.reload() : location.assign(href)),
    now: () => Date.now(),
  };
}

function session<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(sessionStorage);
  } catch {
    return undefined; // storage is blocked
  }
}
