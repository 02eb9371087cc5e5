/** Removes a tenant and everything it owns, step by step; a removal that was cut short is finished at the next start. */
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import type { RuleService } from '../rules/rule-service.ts';
import type { Cache } from '../store/cache.ts';
import type { DocumentStore } from '../store/documents.ts';
import type { MetricsStore } from '../store/metrics.ts';
import type { Accounts } from '../tenancy/accounts.ts';
import type { ApiKeys } from '../tenancy/api-keys.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';
import type { Routing } from './routing.ts';
import type { Telemetry } from './telemetry.ts';

export interface TenantRemovalInput {
  readonly directory: TenantDirectory;
  readonly store: MetricsStore;
  readonly documents: DocumentStore;
  readonly cache: Cache;
  readonly rules: RuleService;
  readonly routing: Routing;
  readonly telemetry: Telemetry;
  readonly detectors: { forget(tenant: TenantId): Promise<void> };
  readonly incidents: { forget(tenant: TenantId): Promise<void> };
  readonly keys: ApiKeys;
  readonly accounts: Accounts;
  /** Copies in memory. */
  readonly forget: readonly { forget(tenant: TenantId): void }[];
  readonly logger: Logger;
}

export class TenantRemoval {
  readonly #i: TenantRemovalInput;

  constructor(input: TenantRemovalInput) {
    this.#i = input;
  }

  /** Refuses the tenant everywhere at once, then removes what it owns. Throws `not_found`, `forbidden`. */
  async remove(tenant: TenantId): Promise<void> {
    const i = this.#i;
    await i.directory.markDeleting(tenant);
    await i.rules.remove(tenant);
    await i.incidents.forget(tenant);
    await i.detectors.forget(tenant);
    await i.telemetry.removeTenant(tenant);
    await i.routing.remove(tenant);
    await i.store.deleteTenant(tenant);
    await i.keys.forgetTenant(tenant);
    await i.accounts.forgetTenant(tenant);
    await i.cache.deleteTenant(tenant);
    await i.documents.deleteTenant(tenant);
    for (const f of i.forget) f.forget(tenant);
    await i.directory.remove(tenant);
    i.logger.info('a tenant was removed', { tenant });
  }

  async resume(): Promise<void> {
    for (const t of this.#i.directory.list()) {
      if (t.state !== 'deleting') continue;
      await this.remove(t.id).catch((error: unknown) =>
        this.#i.logger.error('a removal could not be finished; it is tried again at the next start', {
          tenant: t.id,
          error: messageOf(error),
        }),
      );
    }
  }
}
