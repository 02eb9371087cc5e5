/** Wires the catalogue in the running process: browsing and tuning, diff and apply with addresses and secrets of the options. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ApplyService } from '../catalogue/apply/apply-service.ts';
import { runInThread } from '../catalogue/apply/apply-thread.ts';
import type { SystemAddresses } from '../catalogue/apply/connections.ts';
import { CatalogueService } from '../catalogue/catalogue-service.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import type { DocumentStore } from '../store/documents.ts';
import { catalogueFolders } from './catalogue-packs.ts';
import type { Options } from './options.ts';

export interface CatalogueInput {
  readonly options: () => Options;
  readonly dataFolder: string;
  /** Whose changes count for the operators' part of a rendered tree. */
  readonly operators: TenantId;
  readonly documents: DocumentStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly checkTemplate: (text: string) => void;
  /** Loads a tenant's rules again after its changes were kept. */
  readonly load: (tenant: TenantId) => Promise<unknown>;
}

export function createCatalogue(input: CatalogueInput): {
  readonly catalogue: CatalogueService;
  readonly applyJobs: ApplyService;
} {
  const { options, documents, clock, logger } = input;
  const folders = () => catalogueFolders(options());
  const catalogue = new CatalogueService({
    folders,
    config: () => options().catalogue,
    environment: () => options().environment,
    documents,
    checkTemplate: input.checkTemplate,
    onChange: (tenant) => {
      input
        .load(tenant)
        .catch((error: unknown) =>
          logger.error('a tuned catalogue was not loaded', { tenant, error: messageOf(error) }),
        );
    },
  });
  const applyJobs = new ApplyService({
    config: () => options().catalogue,
    sections: () => {
      const { tenant_isolation, auto_scaling } = options();
      return { tenant_isolation, auto_scaling };
    },
    environment: () => options().environment,
    folders,
    output: () => options().catalogue.apply.output ?? path.join(input.dataFolder, 'catalogue'),
    addresses: () => addressesOf(options()),
    own: (tenant) => catalogue.ownChanges(tenant),
    operators: () => input.operators,
    documents,
    clock,
    run: runInThread(clock),
  });
  return { catalogue, applyJobs };
}

function addressesOf(options: Options): SystemAddresses {
  const { apply } = options.catalogue;
  return {
    kubeconfig: apply.kubeconfig,
    kubeContext: apply.kube_context,
    elasticsearchUrl: apply.elasticsearch_url,
    elasticsearchApiKey: secretOf('catalogue.apply.elasticsearch_api_key_file', apply.elasticsearch_api_key_file),
    grafanaUrl: options.grafana_url,
    grafanaToken: secretOf('catalogue.apply.grafana_token_file', apply.grafana_token_file),
    prometheusUrl: options.prometheus_url,
    alertmanagerUrl: options.alertmanager_url,
  };
}

function secretOf(setting: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new VigieError('bad_config', `${setting}: cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}
