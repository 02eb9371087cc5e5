/** Routes, decisions and previews of our own API, by the types of its contract. */
import type {
  AlertingStatusAnswer,
  DeadLettersAnswer,
  DecisionsAnswer,
  ResendAnswer,
  RoutesAnswer,
  RouteTestAnswer,
  SilencePreviewAnswer,
  TemplatePreviewAnswer,
} from '../../../src/http/contract/routing.ts';
import { request } from './client.ts';

const BASE = '/vigie/v1';

export const routes = (tenant: string): Promise<RoutesAnswer> => request(tenant, `${BASE}/routes`);
export const alertingStatus = (tenant: string): Promise<AlertingStatusAnswer> =>
  request(tenant, `${BASE}/alerting/status`);
export const routeTest = (tenant: string, labels: Readonly<Record<string, string>>): Promise<RouteTestAnswer> =>
  request(tenant, `${BASE}/routes/test`, { method: 'POST', json: { labels } });
/** `about` narrows to one alert. */
export const decisions = (tenant: string, about: { fingerprint?: string; limit: number }): Promise<DecisionsAnswer> =>
  request(
    tenant,
    `${BASE}/notifications/decisions?${new URLSearchParams({
      limit: String(about.limit),
      ...(about.fingerprint ? { fingerprint: about.fingerprint } : {}),
    })}`,
  );
export const deadLetters = (tenant: string): Promise<DeadLettersAnswer> =>
  request(tenant, `${BASE}/notifications/dead-letters`);
export const resend = (tenant: string, id: string): Promise<ResendAnswer> =>
  request(tenant, `${BASE}/notifications/dead-letters/${encodeURIComponent(id)}/resend`, { method: 'POST', json: {} });
export const silencePreview = (tenant: string, matchers: readonly string[]): Promise<SilencePreviewAnswer> =>
  request(tenant, `${BASE}/silences/preview`, { method: 'POST', json: { matchers } });
export const templatePreview = (
  tenant: string,
  template: string,
  kind: 'text' | 'html',
): Promise<TemplatePreviewAnswer> =>
  request(tenant, `${BASE}/templates/preview`, { method: 'POST', json: { template, kind } });
