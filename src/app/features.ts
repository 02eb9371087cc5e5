/** Which features of the three quick-start sections run in this release; the others show as "configured, inactive". */
export const ACTIVE_FEATURES: ReadonlySet<string> = new Set([
  'tenant_isolation.enabled',
  'tenant_isolation.namespace_separation',
  'tenant_isolation.resource_quotas',
  'intelligent_alerts.predictive',
  'intelligent_alerts.machine_learning',
  'intelligent_alerts.correlation',
  'intelligent_alerts.auto_remediation',
]);
