/** One file of a rendered tree, and what it is for the system that it goes to. */
export type Target =
  | 'kubernetes'
  | 'prometheus'
  | 'alertmanager'
  | 'grafana-dashboard'
  | 'grafana-datasource'
  | 'elasticsearch'
  | 'file';

export interface Artefact {
  /** Below the output folder, with `/`. */
  readonly path: string;
  /** The text, or its pieces where one file holds something of every tenant. */
  readonly content: string | Iterable<string>;
  readonly target: Target;
  /** The request that `apply` makes with this body (Elasticsearch). */
  readonly request?: { readonly method: 'PUT' | 'POST'; readonly path: string };
}

export interface HeaderFacts {
  readonly template: string;
  readonly version?: string | undefined;
  readonly environment: string;
  readonly tenant?: string | undefined;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

/** The comment on top of every rendered YAML file: which template and parameters made it. */
export function header(facts: HeaderFacts): string {
  const parameters = Object.entries(facts.parameters ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const lines = [
    `Rendered by Vigie from ${facts.template}${facts.version ? ` ${facts.version}` : ''} for ${
      facts.tenant === undefined ? 'the platform' : `tenant ${facts.tenant}`
    }, environment ${facts.environment}.`,
    ...(parameters.length > 0 ? [`Parameters: ${parameters.join(', ')}`] : []),
    'Change vigie.yaml and render again; an edit here is lost.',
  ];
  return lines.map((l) => `# ${l.replace(/[\r\n]/g, ' ')}\n`).join('');
}
