/** The part of Grafana's dashboard JSON (schema versions up to 42) that the console reads. Unknown keys are kept as they came. */
export interface Target {
  readonly refId?: string;
  readonly expr?: string;
  readonly legendFormat?: string;
  readonly format?: 'time_series' | 'table' | 'heatmap';
  readonly instant?: boolean;
  readonly range?: boolean;
  readonly interval?: string;
  readonly intervalFactor?: number;
  readonly hide?: boolean;
  readonly datasource?: unknown;
  /** The kind of program that it is written for, when it is not PromQL; ours, never saved. */
  readonly foreign?: string;
}
export interface FieldConfig {
  readonly unit?: string;
  readonly decimals?: number | null;
  readonly min?: number | null;
  readonly max?: number | null;
  readonly displayName?: string;
  readonly noValue?: string;
  readonly mappings?: readonly ValueMapping[];
  readonly thresholds?: {
    readonly mode?: 'absolute' | 'percentage';
    readonly steps?: readonly { readonly color: string; readonly value: number | null }[];
  };
  readonly color?: { readonly mode?: string; readonly fixedColor?: string };
  readonly links?: readonly Link[];
  readonly custom?: Readonly<Record<string, unknown>>;
}
export interface ValueMapping {
  readonly type: 'value' | 'range' | 'regex' | 'special';
  readonly options: Readonly<Record<string, unknown>>;
}
export interface Link {
  readonly title?: string;
  readonly url?: string;
  readonly targetBlank?: boolean;
  readonly type?: string;
}
export interface Override {
  readonly matcher: { readonly id: string; readonly options?: unknown };
  readonly properties: readonly { readonly id: string; readonly value?: unknown }[];
}
export interface Transformation {
  readonly id: string;
  readonly disabled?: boolean;
  /** Frames that it is for; the others pass on unchanged. */
  readonly filter?: { readonly id: string; readonly options?: unknown };
  readonly options?: Readonly<Record<string, unknown>>;
}
export interface Panel {
  readonly id?: number;
  readonly type: string;
  readonly title?: string;
  readonly description?: string;
  readonly gridPos?: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: { readonly defaults?: FieldConfig; readonly overrides?: readonly Override[] };
  readonly options?: Readonly<Record<string, unknown>>;
  readonly transformations?: readonly Transformation[];
  readonly panels?: readonly Panel[];
  readonly collapsed?: boolean;
  readonly repeat?: string;
  readonly repeatDirection?: 'h' | 'v';
  readonly maxPerRow?: number;
  readonly interval?: string;
  readonly maxDataPoints?: number | null;
  readonly timeFrom?: string | null;
  readonly timeShift?: string | null;
  readonly hideTimeOverride?: boolean;
  readonly libraryPanel?: { readonly uid?: string; readonly name?: string };
  readonly links?: readonly Link[];
  readonly datasource?: unknown;
  /** Values that a repeat gave to its variable; ours, never saved. */
  readonly scoped?: Readonly<Record<string, string>>;
}
export interface Variable {
  readonly name: string;
  readonly label?: string;
  readonly type: string;
  readonly query?: unknown;
  readonly definition?: string;
  readonly regex?: string;
  readonly sort?: number;
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly allValue?: string | null;
  readonly hide?: number;
  readonly current?: { readonly value?: unknown; readonly text?: unknown };
  readonly options?: readonly { readonly value: string; readonly text: string; readonly selected?: boolean }[];
  /** Of an ad hoc variable. */
  readonly filters?: readonly Filter[];
}
export interface Filter {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
}
export interface Annotation {
  readonly name?: string;
  readonly enable?: boolean;
  readonly expr?: string;
  readonly titleFormat?: string;
  readonly textFormat?: string;
  readonly builtIn?: number;
}
export interface Dashboard {
  readonly uid?: string;
  readonly title: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly schemaVersion?: number;
  readonly time?: { readonly from: string; readonly to: string };
  readonly refresh?: string | false;
  readonly panels?: readonly Panel[];
  readonly templating?: { readonly list?: readonly Variable[] };
  readonly annotations?: { readonly list?: readonly Annotation[] };
  readonly links?: readonly Link[];
  /** What an exported file asks its importer for, and the library panels it brings along. */
  readonly __inputs?: readonly { readonly name: string; readonly pluginId?: string }[];
  readonly __elements?: Readonly<Record<string, { readonly model?: Panel }>>;
}

/** What the console draws; other types get a notice in place. Old names lead to their successors. */
export const PANEL_TYPES: Readonly<Record<string, string>> = {
  timeseries: 'timeseries',
  graph: 'timeseries',
  stat: 'stat',
  singlestat: 'stat',
  gauge: 'gauge',
  bargauge: 'bargauge',
  barchart: 'barchart',
  table: 'table',
  'table-old': 'table',
  heatmap: 'heatmap',
  'state-timeline': 'state-timeline',
  'status-history': 'status-history',
  text: 'text',
  alertlist: 'alertlist',
  dashlist: 'dashlist',
  row: 'row',
  piechart: 'piechart',
};

export interface LaidOut {
  readonly panel: Panel;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const GRID = 24;
const REPEATS_MAX = 50;

/** An open row that repeats takes the panels up to the next row as its own: they repeat with it. */
function adopt(sorted: readonly Panel[]): Panel[] {
  const out: Panel[] = [];
  let taker: Panel | undefined;
  for (const panel of sorted) {
    if (panel.type === 'row') {
      taker = panel.repeat && (panel.panels ?? []).length === 0 ? { ...panel, panels: [] } : undefined;
      out.push(taker ?? panel);
    } else if (taker) {
      taker = { ...taker, panels: [...(taker.panels ?? []), panel] };
      out[out.length - 1] = taker;
    } else out.push(panel);
  }
  return out;
}

function heightOf(panels: readonly Panel[]): number {
  const top = Math.min(...panels.map((p) => p.gridPos?.y ?? 0));
  return Math.max(...panels.map((p) => (p.gridPos?.y ?? 0) + (p.gridPos?.h ?? 8))) - top;
}

/** Panels with their places: rows opened or closed, repeats multiplied (`values` gives the chosen values of a variable). */
export function layOut(
  dashboard: Dashboard,
  closedRows: ReadonlySet<number>,
  values: (variable: string) => readonly string[],
): LaidOut[] {
  const out: LaidOut[] = [];
  let shift = 0;
  let hidden = false;
  let closedAt = 0;
  const place = (panel: Panel): void => {
    const { x = 0, y = 0, w = 12, h = 8 } = panel.gridPos ?? {};
    const repeated = panel.repeat && panel.type !== 'row' ? values(panel.repeat).slice(0, REPEATS_MAX) : [];
    if (repeated.length === 0) {
      out.push({ panel, x, y: y + shift, w, h });
      return;
    }
    const vertical = panel.repeatDirection === 'v';
    const perRow = vertical ? 1 : Math.min(panel.maxPerRow ?? 4, repeated.length);
    const width = vertical ? w : Math.max(1, Math.floor(GRID / perRow));
    for (const [i, value] of repeated.entries())
      out.push({
        panel: { ...panel, scoped: { ...panel.scoped, [panel.repeat!]: value } },
        x: vertical ? x : (i % perRow) * width,
        y: y + shift + Math.floor(i / perRow) * h,
        w: width,
        h,
      });
    shift += (Math.ceil(repeated.length / perRow) - 1) * h;
  };
  const sorted = adopt(
    [...(dashboard.panels ?? [])].sort(
      (a, b) => (a.gridPos?.y ?? 0) - (b.gridPos?.y ?? 0) || (a.gridPos?.x ?? 0) - (b.gridPos?.x ?? 0),
    ),
  );
  for (const panel of sorted) {
    if (panel.type !== 'row') {
      if (!hidden) place(panel);
      continue;
    }
    const closed = closedRows.has(panel.id ?? -1);
    // what lay under the closed row before this one leaves no hole
    if (hidden) shift -= (panel.gridPos?.y ?? 0) - closedAt - 1;
    // a row saved closed holds its panels itself: what follows it in the file is not its own
    hidden = closed && (panel.panels ?? []).length === 0;
    closedAt = panel.gridPos?.y ?? 0;
    const inner = panel.panels ?? [];
    const found = panel.repeat ? values(panel.repeat).slice(0, REPEATS_MAX) : [];
    const at = panel.gridPos?.y ?? 0;
    const height = inner.length > 0 ? heightOf(inner) : 0;
    let y = at + shift;
    for (const value of found.length > 0 ? found : [undefined]) {
      const scoped = value === undefined ? {} : { [panel.repeat!]: value };
      out.push({ panel: { ...panel, scoped }, x: 0, y, w: GRID, h: 1 });
      y++;
      if (closed || inner.length === 0) continue;
      shift = y - Math.min(...inner.map((p) => p.gridPos?.y ?? 0));
      const before = shift;
      for (const p of inner) place({ ...p, scoped });
      y += height + shift - before;
    }
    // below a row that was saved open the file leaves room for its panels once, below a closed one none
    shift = y - (at + 1 + (panel.collapsed ? 0 : height));
  }
  return out;
}

export function isVariableUsed(text: string, name: string): boolean {
  return text.includes(`$${name}`) || text.includes(`\${${name}`) || text.includes(`[[${name}`);
}
