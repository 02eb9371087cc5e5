/** How alerts reach people: the tenants' routing with its senders, and other Alertmanagers beside or instead of it. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { AlertingService, EMPTY_CONFIG, type TenantConfig } from '../alerting/alerting-service.ts';
import type { ConfigPorts } from '../alerting/config-ports.ts';
import type { AlertForwarder, ForwardTarget } from '../alerting/forwarder.ts';
import type { Decision } from '../alerting/history.ts';
import type { HttpSend } from '../alerting/notify/channel.ts';
import { createHttpSend } from '../alerting/notify/http-send.ts';
import { createMailSend } from '../alerting/notify/smtp.ts';
import { goTemplates } from '../alerting/notify/templates.ts';
import type { AddressGuard } from '../lib/address-guard.ts';
import type { Clock } from '../lib/clock.ts';
import { isVigieError, messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { PostableAlert } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import type { TenantId } from '../model/tenant.ts';
import type { Options } from './options.ts';
import type { EffectiveConfig } from './tenant-config.ts';

export interface RoutingInput {
  readonly folder: string;
  readonly options: Options;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  readonly guard: AddressGuard;
  readonly externalUrl: string;
  readonly forwarder: AlertForwarder;
  readonly onDecision: (tenant: TenantId, decision: Decision) => void;
}

export class Routing {
  readonly service: AlertingService;
  /** To addresses that others name: internal ones are refused. */
  readonly guardedHttp: HttpSend;
  readonly #input: RoutingInput;
  readonly #wanted = new Map<TenantId, TenantConfig>();

  constructor(input: RoutingInput) {
    this.#input = input;
    const { clock, logger, metrics } = input;
    const trusted = { http: createHttpSend(undefined), mail: createMailSend(undefined) };
    const guarded = { http: createHttpSend(input.guard), mail: createMailSend(input.guard) };
    this.guardedHttp = guarded.http;
    const decisions = metrics.counter(
      'vigie_notification_decisions_total',
      'What became of notifications: sent, failed, silenced, inhibited, muted_by_time, not_needed.',
      ['tenant', 'verdict'],
    );
    this.service = new AlertingService({
      folder: input.folder,
      clock,
      logger,
      externalURL: input.externalUrl,
      templates: goTemplates,
      ports: (_tenant, isTrusted) => (isTrusted ? trusted : guarded),
      initial: async (tenant) => this.#wanted.get(tenant),
      onDecision: (tenant, decision) => {
        decisions.labels(tenant, decision.verdict).inc();
        input.onDecision(tenant, decision);
      },
    });
  }

  /** Throws `bad_config`, with the file where it is one. */
  check(config: EffectiveConfig): void {
    try {
      this.service.check(tenantConfig(config));
    } catch (cause) {
      const file = config.alertmanager?.file;
      if (file === undefined || !isVigieError(cause, 'bad_config') || cause.message.includes(file)) throw cause;
      const place = cause.message.replace(/^line (\d+): /, '$1: ');
      throw new VigieError('bad_config', `${file}:${place === cause.message ? ' ' : ''}${place}`, { cause });
    }
  }

  async apply(tenant: TenantId, config: EffectiveConfig): Promise<void> {
    const next = tenantConfig(config);
    this.#wanted.set(tenant, next);
    // a tenant without routing is opened when its first alert comes
    if (config.alertmanager || this.#configured.has(tenant)) await this.service.configure(tenant, next);
    if (config.alertmanager) this.#configured.add(tenant);
    else this.#configured.delete(tenant);
  }
  readonly #configured = new Set<TenantId>();

  /** What reading a configuration of the tenant needs: a proposed one may name no file of the server. */
  portsFor(tenant: TenantId, proposed: boolean): ConfigPorts {
    const readFiles = proposed ? undefined : this.#wanted.get(tenant)?.readFiles;
    return { templates: goTemplates, ...(readFiles ? { readFiles } : {}) };
  }

  /** Ends the tenant's routing and removes its state. */
  async remove(tenant: TenantId): Promise<void> {
    this.#wanted.delete(tenant);
    this.#configured.delete(tenant);
    await this.service.remove(tenant);
  }

  /** Alerts of rules: to other Alertmanagers where an address is set, and to the tenant's own routing unless that is replaced. */
  notify(tenant: TenantId, alerts: readonly PostableAlert[]): void {
    const { forwarder, options, logger } = this.#input;
    if (forwarder.urls.length > 0)
      forwarder.push(tenant === options.tenant ? alerts : alerts.map((a) => withTenant(a, tenant)));
    if (options.alertmanager_url !== undefined) return;
    this.service.accept(tenant, alerts).then(
      (result) => {
        for (const problem of result.problems) logger.warn('an alert of a rule was refused', { tenant, problem });
      },
      (error: unknown) => logger.error('alerts of rules could not be taken', { tenant, error: messageOf(error) }),
    );
  }
}

/** An Alertmanager that serves several tenants must be able to tell them apart. */
function withTenant(alert: PostableAlert, tenant: TenantId): PostableAlert {
  return alert.labels.get('tenant_id') === ''
    ? { ...alert, labels: Labels.from({ ...alert.labels.toObject(), tenant_id: tenant }) }
    : alert;
}

function tenantConfig(config: EffectiveConfig): TenantConfig {
  const routing = config.alertmanager;
  if (!routing) return { yaml: EMPTY_CONFIG };
  if (routing.trusted) {
    const base = routing.baseDir ?? '.';
    return {
      yaml: routing.yaml,
      readFiles: (pattern) => {
        const full = path.resolve(base, pattern);
        const names = /[*?[{]/.test(full) ? globSync(full).sort() : [full];
        return names.map((name) => {
          try {
            return { name, text: readFileSync(name, 'utf8') };
          } catch (cause) {
            throw new VigieError('bad_config', `cannot read ${name}: ${messageOf(cause)}`, { cause });
          }
        });
      },
    };
  }
  const templates = routing.templates ?? {};
  return {
    yaml: routing.yaml,
    trusted: false,
    // the only files such a configuration may name are the template files that came with it
    ...(Object.keys(templates).length > 0
      ? {
          readFiles: (pattern: string) => {
            const text = templates[pattern];
            if (text === undefined)
              throw new VigieError(
                'bad_config',
                `template file ${JSON.stringify(pattern)} did not come with the configuration; it brought ${Object.keys(templates).join(', ')}`,
              );
            return [{ name: pattern, text }];
          },
        }
      : {}),
  };
}

/** The `alerting` section of a Prometheus configuration file: static Alertmanagers. Throws `bad_config` for the rest. */
export function alertmanagersOf(section: unknown, where: string): readonly ForwardTarget[] {
  if (section === undefined || section === null) return [];
  const fail = (what: string): never => {
    throw new VigieError('bad_config', `${where}: alerting: ${what}`);
  };
  const { alertmanagers, ...rest } = section as Record<string, unknown>;
  for (const key of Object.keys(rest)) fail(`${key} is not supported here`);
  if (alertmanagers === undefined) return [];
  if (!Array.isArray(alertmanagers)) return fail('alertmanagers: want a list');
  return alertmanagers.flatMap((entry: Record<string, unknown>, i): ForwardTarget[] => {
    const {
      scheme = 'http',
      path_prefix = '',
      static_configs = [],
      basic_auth,
      authorization,
      tls_config,
      timeout,
      api_version,
      follow_redirects,
      enable_http2,
      ...others
    } = entry;
    for (const key of Object.keys(others)) fail(`alertmanagers[${i}].${key} is not supported here; use static_configs`);
    if (api_version !== undefined && api_version !== 'v2')
      fail(`alertmanagers[${i}].api_version: want v2, got ${String(api_version)}`);
    if (timeout !== undefined && timeout !== '10s')
      fail(`alertmanagers[${i}].timeout: an answer is waited for 10s; another time is not supported here`);
    if (enable_http2 === true) fail(`alertmanagers[${i}].enable_http2: HTTP/2 is not spoken here`);
    if (tls_config !== undefined && (tls_config as Record<string, unknown>)['insecure_skip_verify'] === undefined)
      fail(`alertmanagers[${i}].tls_config: only insecure_skip_verify is supported here`);
    const basic = basic_auth as { username?: string; password?: string } | undefined;
    const bearer = authorization as { type?: string; credentials?: string } | undefined;
    return (static_configs as { targets?: string[] }[]).flatMap((s) =>
      (s.targets ?? []).map((target) => ({
        url: `${String(scheme)}://${target}${String(path_prefix)}`,
        http: {
          followRedirects: follow_redirects !== false,
          ...(basic ? { basicAuth: { username: basic.username ?? '', password: basic.password ?? '' } } : {}),
          ...(bearer
            ? { authorization: { type: bearer.type ?? 'Bearer', credentials: bearer.credentials ?? '' } }
            : {}),
          ...(tls_config
            ? { tls: { insecureSkipVerify: (tls_config as Record<string, unknown>)['insecure_skip_verify'] === true } }
            : {}),
        },
      })),
    );
  });
}
