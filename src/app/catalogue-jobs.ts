/** Wires diff and apply of the catalogue: addresses and secrets from the options, the folder, the thread. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ApplyService } from '../catalogue/apply/apply-service.ts';
import { runInThread } from '../catalogue/apply/apply-thread.ts';
import type { SystemAddresses } from '../catalogue/apply/connections.ts';
import type { CatalogueService } from '../catalogue/catalogue-service.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { DocumentStore } from '../store/documents.ts';
import { templatesFolder } from './catalogue-packs.ts';
import type { Options } from './options.ts';

export interface ApplyJobsInput {
  readonly options: () => Options;
  readonly dataFolder: string;
  readonly operators: TenantId;
  readonly catalogue: CatalogueService;
  readonly documents: DocumentStore;
  readonly clock: Clock;
}

export function createApplyJobs(input: ApplyJobsInput): ApplyService {
  const { options } = input;
  return new ApplyService({
    config: () => options().catalogue,
    sections: () => {
      const { tenant_isolation, auto_scaling } = options();
      return { tenant_isolation, auto_scaling };
    },
    environment: () => options().environment,
    folders: () => [templatesFolder(), ...options().catalogue.folders],
    output: () => options().catalogue.apply.output ?? path.join(input.dataFolder, 'catalogue'),
    addresses: () => addressesOf(options()),
    own: (tenant) => input.catalogue.ownChanges(tenant),
    operators: () => input.operators,
    documents: input.documents,
    clock: input.clock,
    run: runInThread,
  });
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
