/** Editors of the data source and of a query, in plain elements: they look alike in every release of Grafana. */
import { createElement as h } from 'react';
import type { QueryKind, VigieQuery } from './datasource.ts';

const KINDS: readonly (readonly [QueryKind, string])[] = [
  ['incidents', 'Incidents'],
  ['forecast', 'Forecast'],
  ['band', 'Anomaly band'],
];

export function QueryEditor(props: {
  readonly query: VigieQuery;
  readonly onChange: (query: VigieQuery) => void;
  readonly onRunQuery: () => void;
}) {
  const { query, onChange, onRunQuery } = props;
  const change = (part: Partial<VigieQuery>): void => {
    onChange({ ...query, ...part });
    onRunQuery();
  };
  return h(
    'div',
    { style: { display: 'flex', gap: 8, alignItems: 'center' } },
    h(
      'label',
      null,
      'Show ',
      h(
        'select',
        {
          value: query.kind ?? 'incidents',
          onChange: (e: { target: { value: string } }) => change({ kind: e.target.value as QueryKind }),
        },
        KINDS.map(([value, label]) => h('option', { key: value, value }, label)),
      ),
    ),
    (query.kind ?? 'incidents') !== 'incidents' &&
      h(
        'label',
        null,
        'Detector ',
        h('input', {
          defaultValue: query.detector ?? '',
          placeholder: 'all',
          onBlur: (e: { target: { value: string } }) => change({ detector: e.target.value }),
        }),
      ),
  );
}

interface Options {
  readonly url?: string;
}
export function ConfigEditor(props: {
  readonly options: Options;
  readonly onOptionsChange: (options: Options) => void;
}) {
  const { options, onOptionsChange } = props;
  return h(
    'label',
    null,
    'Address of Vigie ',
    h('input', {
      defaultValue: options.url ?? '',
      placeholder: 'http://vigie:9390',
      onBlur: (e: { target: { value: string } }) => onOptionsChange({ ...options, url: e.target.value }),
    }),
    h(
      'p',
      null,
      'The key goes into a header of the data source: Authorization, with the value "Bearer KEY"; the tenant into X-Scope-OrgID.',
    ),
  );
}
