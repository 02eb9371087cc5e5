/** What a field shows: defaults with overrides applied, value mappings, threshold colours. */
import { formatValue } from '../format-value.ts';
import { namedColour, type Theme } from '../palette.ts';
import type { FieldConfig, Override, Panel, ValueMapping } from './model.ts';
import { nameMatches } from './name-matches.ts';
import { reduceValues } from './reduce.ts';
import type { Cell } from './transformations.ts';

/** Overrides by these are applied; others are named by the import's report. */
export const MATCHERS = [
  'byName',
  'byRegexp',
  'byType',
  'byTypes',
  'byFrameRefID',
  'byNames',
  'byValue',
  'numeric',
  'time',
];

interface Described {
  readonly name: string;
  readonly refId?: string;
  readonly type: 'number' | 'string' | 'time';
  readonly values?: readonly Cell[];
}

const OPERATORS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  gte: (a, b) => a >= b,
  gt: (a, b) => a > b,
  lte: (a, b) => a <= b,
  lt: (a, b) => a < b,
  eq: (a, b) => a === b,
  neq: (a, b) => a !== b,
};

function applies(override: Override, field: Described): boolean {
  const { id, options } = override.matcher;
  if (id === 'byName') return options === field.name;
  if (id === 'byRegexp') return nameMatches(String(options), field.name);
  if (id === 'byType') return options === field.type;
  if (id === 'byFrameRefID') return options === field.refId;
  if (id === 'byNames') {
    const { names = [], mode } = (options ?? {}) as { names?: string[]; mode?: string };
    return names.includes(field.name) !== (mode === 'exclude');
  }
  if (id === 'byTypes') return ((options as { types?: string[] } | undefined)?.types ?? []).includes(field.type);
  if (id === 'numeric') return field.type === 'number';
  if (id === 'time') return field.type === 'time';
  if (id === 'byValue') {
    const {
      reducer = 'allIsZero',
      op = 'gte',
      value = 0,
    } = (options ?? {}) as {
      reducer?: string;
      op?: string;
      value?: number;
    };
    const found = field.values ? reduceValues(field.values, reducer) : null;
    return typeof found === 'number' && (OPERATORS[op]?.(found, Number(value)) ?? false);
  }
  return false;
}

export function fieldConfig(
  panel: Panel,
  name: string,
  refId?: string,
  type: 'number' | 'string' | 'time' = 'number',
  values?: readonly Cell[],
): FieldConfig {
  const overrides = panel.fieldConfig?.overrides ?? [];
  const config: Record<string, unknown> = { ...panel.fieldConfig?.defaults };
  const custom: Record<string, unknown> = { ...(config['custom'] as object) };
  for (const override of overrides) {
    if (!applies(override, { name, ...(refId ? { refId } : {}), type, ...(values ? { values } : {}) })) continue;
    for (const { id, value } of override.properties) {
      if (id.startsWith('custom.')) custom[id.slice(7)] = value;
      else config[id] = value;
    }
  }
  return { ...config, custom } as FieldConfig;
}

export interface Shown {
  readonly text: string;
  /** A colour as dashboards name it. */
  readonly colour?: string;
}

function mapped(
  value: number | string | null,
  mappings: readonly ValueMapping[],
): { text?: string; color?: string } | undefined {
  for (const { type, options } of mappings) {
    if (type === 'value') {
      const hit = options[String(value)] as { text?: string; color?: string } | undefined;
      if (hit) return hit;
    } else if (type === 'range' && typeof value === 'number') {
      const { from, to, result } = options as {
        from: number | null;
        to: number | null;
        result: { text?: string; color?: string };
      };
      if (value >= (from ?? Number.NEGATIVE_INFINITY) && value <= (to ?? Number.POSITIVE_INFINITY)) return result;
    } else if (type === 'regex' && typeof value === 'string') {
      const { pattern, result } = options as { pattern: string; result: { text?: string; color?: string } };
      if (nameMatches(pattern.startsWith('/') ? pattern : `/${pattern}/`, value)) return result;
    } else if (type === 'special') {
      const { match, result } = options as { match: string; result: { text?: string; color?: string } };
      const empty = value === null || (typeof value === 'number' && Number.isNaN(value));
      if (
        (/null|nan/.test(match) && empty) ||
        (match === 'empty' && value === '') ||
        (match === 'true' && value === 1) ||
        (match === 'false' && value === 0)
      )
        return result;
    }
  }
  return undefined;
}

export function thresholdColour(value: number | null, config: FieldConfig): string | undefined {
  if (value === null || Number.isNaN(value)) return undefined;
  const steps = config.thresholds?.steps ?? [];
  let at = value;
  if (config.thresholds?.mode === 'percentage') {
    const min = config.min ?? 0;
    const max = config.max ?? 100;
    at = max === min ? 0 : (100 * (value - min)) / (max - min);
  }
  let colour = steps[0]?.color;
  for (const step of steps) if (step.value === null || at >= step.value) colour = step.color;
  return colour;
}

/** A value as the panel shows it: mapped, or formatted, with its colour by threshold where the mode says so. */
export function show(value: number | string | null, config: FieldConfig, locale: string, timeZone?: string): Shown {
  const hit = mapped(value, config.mappings ?? []);
  const mode = config.color?.mode ?? 'thresholds';
  const colour =
    hit?.color ??
    (mode === 'fixed'
      ? config.color?.fixedColor
      : mode === 'thresholds' && typeof value !== 'string'
        ? thresholdColour(value, config)
        : undefined);
  const text =
    hit?.text ??
    (value === null && config.noValue !== undefined
      ? config.noValue
      : typeof value === 'string'
        ? value
        : formatValue(value, { unit: config.unit, decimals: config.decimals ?? undefined, locale, timeZone }));
  return colour === undefined ? { text } : { text, colour };
}

export function colourOf(shown: Shown, theme: Theme): string | undefined {
  return shown.colour === undefined ? undefined : namedColour(shown.colour, theme);
}
