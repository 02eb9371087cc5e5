/** Keeps the state of a tenant's alerts as one document, so that it outlives a restart. */
import type { RuleStateStore } from '../rules/ports.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';

export const RULE_STATE: CollectionSpec = { name: 'rule_state' };
const ID = 'alerts';

export function ruleState(documents: DocumentStore): RuleStateStore {
  const of = (tenant: Parameters<RuleStateStore['load']>[0]) =>
    documents.collection<{ text: string }>(tenant, RULE_STATE);
  return {
    load: async (tenant) => (await of(tenant).get(ID))?.body.text,
    save: async (tenant, text) => void (await of(tenant).put(ID, { text })),
    remove: async (tenant) => void (await of(tenant).delete(ID)),
  };
}
