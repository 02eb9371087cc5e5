/**
 * Alerting of all tenants: opens each one's log on first use and keeps a bad configuration of one from touching any
 * other, or from replacing that tenant's own last good one.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { PostableAlert } from '../model/alert.ts';
import type { TenantId } from '../model/tenant.ts';
import { type AlertingConfig, parseAlertingConfig } from './config.ts';
import type { ConfigPorts } from './config-ports.ts';
import type { Decision } from './history.ts';
import type { SendPorts } from './notify/channel.ts';
import type { TemplatesFactory } from './notify/template-data.ts';
import { openStateLog } from './state-log.ts';
import { type AcceptResult, TenantAlerting } from './tenant-alerting.ts';

/** What a tenant runs that has no configuration: alerts are kept and shown, nobody is told. */
export const EMPTY_CONFIG = 'route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n';

export interface AlertingServiceOptions {
  /** Folder for the state; each tenant has one below it. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly externalURL: string;
  readonly templates: TemplatesFactory;
  /** Senders for a tenant: those of tenants pass the address guard, those of the operator's own files need not. */
  readonly ports: (tenant: TenantId, trusted: boolean) => SendPorts;
  /** The configuration a tenant starts with. */
  readonly initial: (tenant: TenantId) => Promise<TenantConfig | undefined>;
  /** Default true; false is strict parity with Alertmanager. */
  readonly orphanResolve?: boolean;
  readonly onDecision?: (tenant: TenantId, decision: Decision) => void;
}

export interface TenantConfig {
  readonly yaml: string;
  /** From the operator's own files: may name files of the server and reach internal addresses. */
  readonly readFiles?: ConfigPorts['readFiles'];
  /** May reach internal addresses; default: whether files may be named. */
  readonly trusted?: boolean;
}

export class AlertingService {
  readonly #options: AlertingServiceOptions;
  readonly #tenants = new Map<TenantId, Promise<TenantAlerting>>();
  readonly #trusted = new Map<TenantId, boolean>();
  readonly #problems = new Map<TenantId, string>();
  #closed = false;

  constructor(options: AlertingServiceOptions) {
    this.#options = options;
  }

  /** The alerting of `tenant`, opened on first use. Throws `storage`. */
  tenant(tenant: TenantId): Promise<TenantAlerting> {
    if (this.#closed) throw new VigieError('unavailable', 'alerting is shutting down');
    let found = this.#tenants.get(tenant);
    if (!found) {
      found = this.#open(tenant);
      this.#tenants.set(tenant, found);
      // a failed opening is tried again by the next caller
      found.catch(() => this.#tenants.delete(tenant));
    }
    return found;
  }

  async #open(tenant: TenantId): Promise<TenantAlerting> {
    const { clock, logger, folder } = this.#options;
    const initial = await this.#options.initial(tenant);
    let config: AlertingConfig;
    try {
      config = this.check(initial ?? { yaml: EMPTY_CONFIG });
    } catch (error) {
      // alerts are still taken and kept; they are told once the configuration is right
      this.#problems.set(tenant, (error as Error).message);
      logger.error('the alerting configuration of a tenant does not load', { tenant, error: (error as Error).message });
      config = this.check({ yaml: EMPTY_CONFIG });
    }
    this.#trusted.set(tenant, initial?.trusted ?? initial?.readFiles !== undefined);
    const state = await openStateLog(path.join(folder, tenant, 'state.log'), clock);
    if (state.cutBytes > 0) logger.warn('cut a torn end off the alerting state', { tenant, bytes: state.cutBytes });
    const send = (): SendPorts => this.#options.ports(tenant, this.#trusted.get(tenant) ?? false);
    return new TenantAlerting({
      config,
      state,
      clock,
      logger,
      ports: { http: (r) => send().http(r), mail: (m) => send().mail(m) },
      externalURL: this.#options.externalURL,
      orphanResolve: this.#options.orphanResolve ?? true,
      onDecision: (d) => this.#options.onDecision?.(tenant, d),
    });
  }

  /** Reads and checks a configuration without using it. Throws `bad_config`. */
  check(config: TenantConfig): AlertingConfig {
    return parseAlertingConfig(config.yaml, {
      templates: this.#options.templates,
      ...(config.readFiles ? { readFiles: config.readFiles } : {}),
    });
  }

  /** Replaces a tenant's configuration; a bad one leaves the old one running. Throws `bad_config`. */
  async configure(tenant: TenantId, config: TenantConfig): Promise<void> {
    const checked = this.check(config);
    const alerting = await this.tenant(tenant);
    this.#trusted.set(tenant, config.trusted ?? config.readFiles !== undefined);
    this.#problems.delete(tenant);
    await alerting.reload(checked);
  }

  /** Why the tenant's configuration at start did not load; undefined when it did. */
  problem(tenant: TenantId): string | undefined {
    return this.#problems.get(tenant);
  }

  async accept(tenant: TenantId, alerts: readonly PostableAlert[]): Promise<AcceptResult> {
    return (await this.tenant(tenant)).accept(alerts);
  }

  /** Ends a tenant's alerting and removes its state from the disk. */
  async remove(tenant: TenantId): Promise<void> {
    const found = this.#tenants.get(tenant);
    this.#tenants.delete(tenant);
    this.#trusted.delete(tenant);
    this.#problems.delete(tenant);
    if (found) await (await found).close();
    await rm(path.join(this.#options.folder, tenant), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#tenants.values()].map(async (t) => (await t).close()));
  }
}
