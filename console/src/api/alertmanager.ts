/** Alertmanager's API v2 on our own origin. */
import { request } from './client.ts';

export interface GettableAlert {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  readonly generatorURL?: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly status: {
    readonly state: 'active' | 'suppressed' | 'unprocessed';
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
  };
}
export interface SilenceMatcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual?: boolean;
}
export interface Silence {
  readonly id: string;
  readonly matchers: readonly SilenceMatcher[];
  readonly startsAt: string;
  readonly endsAt: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly status: { readonly state: 'active' | 'pending' | 'expired' };
}

export const alerts = (tenant: string): Promise<readonly GettableAlert[]> => request(tenant, '/api/v2/alerts');
export const silences = (tenant: string): Promise<readonly Silence[]> => request(tenant, '/api/v2/silences');
export const expireSilence = (tenant: string, id: string): Promise<void> =>
  request(tenant, `/api/v2/silence/${encodeURIComponent(id)}`, { method: 'DELETE' });
export const createSilence = (
  tenant: string,
  silence: Omit<Silence, 'id' | 'status'>,
): Promise<{ readonly silenceID: string }> => request(tenant, '/api/v2/silences', { json: silence });

export function matcherText(m: SilenceMatcher): string {
  const negated = m.isEqual === false;
  const operator = m.isRegex ? (negated ? '!~' : '=~') : negated ? '!=' : '=';
  return `${m.name}${operator}${JSON.stringify(m.value)}`;
}
