/** The variables of a dashboard: resolved from the API in their order, chosen in a bar above the panels, kept in the address as `var-name`. */
import { MultiSelect, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { asVector, labelNames, labelValues, queryInstant, series } from '../../api/prometheus.ts';
import { interpolate, type Values, type VariableValue, variableQuery } from '../../lib/dashboard/interpolate.ts';
import type { Dashboard, Variable } from '../../lib/dashboard/model.ts';
import { safeRegex } from '../../lib/safe-regex.ts';
import { metricName } from '../../lib/series.ts';
import { absoluteRange } from '../../lib/time-range.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { FilterBar } from './filter-bar.tsx';
import { FILTERS, filterText } from './use-filters.ts';

const ALL = '$__all';
const OPTIONS_MAX = 1_000;
/** Others are named by the import's report. */
const SHOWN_TYPES = ['query', 'custom', 'constant', 'interval', 'textbox', 'datasource', 'adhoc'];

export interface Resolved {
  readonly variable: Variable;
  readonly options: readonly string[];
  readonly chosen: readonly string[];
  readonly value: VariableValue;
}

const split = (joined: string): string[] => joined.split('\u001f').filter((part) => part !== '' && part !== NO_FILTERS);
/** In an address: all filters of the dashboard taken away. */
const NO_FILTERS = '-';

/** Values by variable; the filters of all ad hoc variables hold for every query. */
export function valuesOf(resolved: readonly Resolved[]): Values {
  const filters = resolved.filter((r) => r.variable.type === 'adhoc').flatMap((r) => r.chosen);
  return {
    ...Object.fromEntries(resolved.filter((r) => r.variable.type !== 'adhoc').map((r) => [r.variable.name, r.value])),
    ...(filters.length > 0 ? { [FILTERS]: { values: filters } } : {}),
  };
}

function text(v: unknown): string[] {
  if (Array.isArray(v)) return v.map(String);
  return v === undefined || v === null ? [] : [String(v)];
}

/** `regex` picks a part of each option; a bare pattern is for the whole option. One that cannot be run changes nothing. */
export function applyRegex(options: readonly string[], regex: string | undefined): string[] {
  if (!regex) return [...options];
  const pattern = safeRegex(regex.startsWith('/') ? regex : `^(?:${regex})$`);
  if (!pattern) return [...options];
  return [...new Set(options.map((o) => pattern.pick(o)).filter((o) => o !== undefined))];
}

function matching(names: readonly string[], pattern: string): string[] {
  const wanted = safeRegex(pattern);
  return wanted ? names.filter((n) => wanted.test(n)) : [];
}

function sorted(options: string[], sort: number | undefined): string[] {
  if (!sort) return options;
  const collator = new Intl.Collator('en', {
    numeric: sort === 3 || sort === 4,
    sensitivity: sort >= 5 ? 'base' : 'variant',
  });
  options.sort((a, b) => collator.compare(a, b));
  return sort % 2 === 0 ? options.reverse() : options;
}

async function optionsOf(
  v: Variable,
  values: Values,
  tenant: string,
  startMs: number,
  endMs: number,
): Promise<string[]> {
  const raw =
    typeof v.query === 'object' && v.query !== null
      ? String((v.query as { query?: string }).query ?? '')
      : String(v.query ?? v.definition ?? '');
  switch (v.type) {
    case 'custom':
    case 'interval':
      return (raw.match(/(?:\\,|[^,])+/g) ?? []).map((o) =>
        o
          .replaceAll('\\,', ',')
          .trim()
          .replace(/^.*\s:\s/, ''),
      );
    case 'constant':
    case 'textbox':
      return [raw];
    case 'datasource':
      return ['Vigie'];
    case 'query': {
      const q = variableQuery(interpolate(raw, values));
      if (!q) return [];
      const found =
        q.kind === 'label_values'
          ? await labelValues(tenant, q.label, q.match, startMs, endMs)
          : q.kind === 'label_names'
            ? await labelNames(tenant, q.match)
            : q.kind === 'metrics'
              ? matching(await labelValues(tenant, '__name__'), q.pattern)
              : q.kind === 'query_result'
                ? asVector((await queryInstant(tenant, q.expr, endMs)).data).map(
                    (r) => `${metricName(r.metric)} ${r.value?.[1] ?? ''} ${(r.value?.[0] ?? 0) * 1_000}`,
                  )
                : (await series(tenant, q.match, startMs, endMs)).map(metricName);
      return sorted(applyRegex(found, v.regex), v.sort).slice(0, OPTIONS_MAX);
    }
    default:
      return [];
  }
}

/** Resolves all variables, one after the other, because a later one may use an earlier one. */
export function useVariables(dashboard: Dashboard | undefined) {
  const { tenant, range, search } = useView();
  const list = dashboard?.templating?.list ?? [];
  const asked = list.map((v) => search[`var-${v.name}`]);
  return useQuery({
    queryKey: [
      'variables',
      tenant,
      dashboard?.uid,
      list.map((v) => [v.name, v.query, v.regex]),
      asked,
      range.from,
      range.to,
    ],
    enabled: dashboard !== undefined,
    placeholderData: (previous: readonly Resolved[] | undefined) => previous,
    queryFn: async (): Promise<readonly Resolved[]> => {
      const { startMs, endMs } = absoluteRange(range, Date.now());
      const resolved: Resolved[] = [];
      let values: Values = {};
      for (const [i, variable] of list.entries()) {
        if (!SHOWN_TYPES.includes(variable.type)) continue;
        if (variable.type === 'adhoc') {
          const filters = asked[i] === undefined ? (variable.filters ?? []).map(filterText) : split(asked[i]);
          resolved.push({ variable, options: [], chosen: filters, value: { values: filters } });
          continue;
        }
        const options: string[] = await optionsOf(variable, values, tenant, startMs, endMs).catch((): string[] => []);
        const wanted = (asked[i] === undefined ? undefined : split(asked[i])) ?? text(variable.current?.value);
        let chosen: string[] = wanted.filter(
          (w) => w === ALL || options.includes(w) || variable.type === 'textbox' || variable.type === 'constant',
        );
        if (chosen.length === 0)
          chosen =
            variable.includeAll && (variable.multi || wanted.length === 0) && options.length > 1
              ? [ALL]
              : options.slice(0, 1);
        if (variable.type === 'datasource') chosen = ['Vigie'];
        const all = chosen.includes(ALL);
        const value: VariableValue =
          all && variable.allValue
            ? { values: options, allValue: variable.allValue }
            : { values: all ? options : chosen };
        resolved.push({ variable, options, chosen: all ? [ALL] : chosen, value });
        values = { ...values, [variable.name]: value };
      }
      return resolved;
    },
  });
}

/** People choose it above the panels. */
export const isChoice = ({ variable }: Resolved): boolean =>
  variable.hide !== 2 && variable.type !== 'constant' && variable.type !== 'datasource';

/** What is chosen, in words. */
export function chosenText({ variable, chosen }: Resolved, t: ReturnType<typeof useText>['t']): string {
  if (chosen.includes(ALL)) return t('dashboard.all');
  if (variable.type !== 'adhoc') return chosen.join(', ');
  return chosen.map((text) => text.split('|').join(' ').replaceAll('__gfp__', '|')).join(', ');
}

export function VariableBar({ resolved }: { readonly resolved: readonly Resolved[] }) {
  const { t } = useText();
  const { set } = useView();
  const shown = resolved.filter(isChoice);
  if (shown.length === 0) return null;
  return (
    <div style={{ display: 'flex', gap: 10, flexWrap: 'wrap', marginBottom: 10, alignItems: 'flex-end' }}>
      {shown.map(({ variable, options, chosen }) => {
        const label = variable.label || variable.name;
        const choose = (v: readonly string[]): void => set({ [`var-${variable.name}`]: v.join('\u001f') });
        if (variable.type === 'adhoc')
          return (
            <FilterBar
              key={variable.name}
              label={label}
              filters={chosen}
              change={(next) => choose(next.length > 0 ? next : [NO_FILTERS])}
            />
          );
        if (variable.type === 'textbox')
          return (
            <TextInput
              key={variable.name}
              size="xs"
              label={label}
              defaultValue={chosen[0] ?? ''}
              onBlur={(e) => choose([e.currentTarget.value])}
            />
          );
        const data = [
          ...(variable.includeAll ? [{ value: ALL, label: t('dashboard.all') }] : []),
          ...options.map((o) => ({ value: o, label: o })),
        ];
        if (!variable.multi)
          return (
            <NativeSelect
              key={variable.name}
              size="xs"
              label={label}
              data={data}
              value={chosen[0] ?? ''}
              onChange={(e) => choose([e.currentTarget.value])}
              style={{ maxWidth: 260 }}
            />
          );
        return (
          <MultiSelect
            key={variable.name}
            size="xs"
            label={label}
            data={data}
            value={[...chosen]}
            searchable
            limit={100}
            style={{ minWidth: 170, maxWidth: 420 }}
            onChange={(v) =>
              choose(
                v.length === 0 || ((v as string[]).includes(ALL) && !chosen.includes(ALL))
                  ? [ALL]
                  : (v as string[]).filter((x) => x !== ALL),
              )
            }
          />
        );
      })}
    </div>
  );
}
