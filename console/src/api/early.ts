/** Answers that public/early.js asked for while the application was on its way; each is taken once, then asked anew. */
import type { OverviewAnswer } from '../../../src/http/contract/overview.ts';
import type { SessionAnswer } from '../../../src/http/contract/session.ts';

interface Early {
  session?: Promise<SessionAnswer | undefined> | undefined;
  overview?: Promise<{ readonly tenant: string; readonly answer: OverviewAnswer | undefined } | undefined> | undefined;
}
const early: Early = (globalThis as { vigieEarly?: Early }).vigieEarly ?? {};

export async function earlySession(): Promise<SessionAnswer | undefined> {
  const { session } = early;
  early.session = undefined;
  return session;
}

/** Undefined when it was not asked for, failed, or is of another tenant. */
export async function earlyOverview(tenant: string): Promise<OverviewAnswer | undefined> {
  const { overview } = early;
  early.overview = undefined;
  const found = await overview;
  return found?.tenant === tenant ? found.answer : undefined;
}
