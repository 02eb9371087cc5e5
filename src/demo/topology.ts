/** Which services of the synthetic tenants depend on what, as a tenant's own people would declare it. */

export interface DemoDependency {
  readonly name: string;
  readonly description: string;
  readonly owner: string;
  readonly dependsOn: readonly string[];
}

export function demoTopology(tenant: string): readonly DemoDependency[] {
  const database = `database:${tenant}-db-1:9187`;
  return [
    {
      name: 'agent-api',
      description: 'The public API of the agent platform (synthetic)',
      owner: 'platform',
      dependsOn: [database, 'provider:northwind-ai', 'queue:renders', 'model:genre-classifier'],
    },
    {
      name: 'planner',
      description: 'Release plans (synthetic)',
      owner: 'planning',
      dependsOn: ['agent-api', database],
    },
    { name: 'media', description: 'Uploads and renders (synthetic)', owner: 'media', dependsOn: ['queue:renders'] },
  ];
}
