/**
 * How a tenant of Vigie is kept apart in a Prometheus: by a label that is put into every selector and onto every
 * written series, by a header (Mimir, Cortex, Thanos), or by giving the whole server to one tenant.
 */
import { VigieError } from '../../../lib/errors.ts';
import type { Labels } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';
import type { TenantId } from '../../../model/tenant.ts';

export type ExternalTenancy =
  | { readonly kind: 'label'; readonly label: string }
  | { readonly kind: 'header'; readonly header: string }
  | { readonly kind: 'single'; readonly tenant: TenantId };

export class TenantScope {
  readonly tenant: TenantId;
  readonly tenancy: ExternalTenancy;
  /** Put into every selector; empty when a header or the server itself separates tenants. */
  readonly matchers: readonly Matcher[];
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(tenancy: ExternalTenancy, tenant: TenantId) {
    this.tenant = tenant;
    this.tenancy = tenancy;
    this.matchers = tenancy.kind === 'label' ? [{ name: tenancy.label, op: '=', value: tenant }] : [];
    this.headers = tenancy.kind === 'header' ? { [tenancy.header]: tenant } : {};
  }

  /** False for every tenant but the one that a single-tenant server belongs to: they have nothing there. */
  get served(): boolean {
    return this.tenancy.kind !== 'single' || this.tenancy.tenant === this.tenant;
  }

  /** Throws `forbidden` for tenants that are not served. */
  demandServed(): void {
    if (!this.served)
      throw new VigieError('forbidden', `tenant ${this.tenant} has no part in the connected Prometheus`);
  }

  /** What the tenant sees of a series: the separating label is transport, not data. */
  seen(labels: Labels): Labels {
    return this.tenancy.kind === 'label' ? labels.without(this.tenancy.label) : labels;
  }

  /** What is stored: a label of the same name that a sender chose is overwritten. */
  stored(labels: Labels): Labels {
    return this.tenancy.kind === 'label' ? labels.with(this.tenancy.label, this.tenant) : labels;
  }
}
