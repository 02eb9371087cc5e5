/**
 * Links of a dashboard, a panel or a value: their variables put in (`${__field.labels.job}`, `${__value.raw}`,
 * `${__data.fields["Host"]}`, `${__url_time_range}`, `${job:queryparam}`), and addresses of Grafana's pages led to ours.
 */
import { formatVariable, interpolate, type Values } from './interpolate.ts';
import type { FieldConfig, Link } from './model.ts';
import type { Cell } from './transformations.ts';

/** What a link of a value may speak of. */
export interface LinkContext {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Cell;
  readonly text: string;
  /** Milliseconds. */
  readonly timeMs?: number | undefined;
  /** The other columns of its row. */
  readonly row?: Readonly<Record<string, Cell>>;
}
export interface PageContext {
  readonly values: Values;
  readonly from: string;
  readonly to: string;
}
export interface ShownLink {
  readonly text: string;
  readonly href: string;
  readonly newTab: boolean;
}

const REFERENCE =
  /\$\{(__(?:field|series|value|data)\b[^}]*)\}|\$(__url_time_range|__all_variables)\b|\$\{(__url_time_range|__all_variables)\}/g;
const SAFE = /^(https?:\/\/|\/(?!\/))/;

function referred(path: string, c: LinkContext): string {
  const [clean = ''] = path.split(':');
  const label = /^__field\.labels(?:\.([\w.]+)|\["?([^"\]]+)"?\])$/.exec(clean);
  if (label) return c.labels[label[1] ?? label[2]!] ?? '';
  const column = /^__data\.fields(?:\.([^.[\]]+)|\["?([^"\]]+)"?\])(?:\.(?:text|numeric|raw))?$/.exec(clean);
  if (column) {
    const wanted = column[1] ?? column[2]!;
    const row = c.row ?? {};
    return String((wanted in row ? row[wanted] : Object.values(row)[Number(wanted)]) ?? '');
  }
  switch (clean) {
    case '__field.name':
    case '__field.displayName':
    case '__series.name':
      return c.name;
    case '__value.raw':
    case '__value.numeric':
    case '__value':
      return String(c.value ?? '');
    case '__value.text':
      return c.text;
    case '__value.time':
    case '__data.time':
      return c.timeMs === undefined ? '' : String(Math.round(c.timeMs));
    default:
      return '';
  }
}

/** A text with what it says of its value; in an address each part is escaped. */
function filled(text: string, page: PageContext, c: LinkContext | undefined, address: boolean): string {
  const escaped = (part: string): string => (address ? encodeURIComponent(part) : part);
  const own = text.replace(REFERENCE, (whole, path: string | undefined, plain?: string, braced?: string) => {
    if (path !== undefined) return c ? escaped(referred(path, c)) : '';
    if ((plain ?? braced) === '__url_time_range')
      return `from=${encodeURIComponent(page.from)}&to=${encodeURIComponent(page.to)}`;
    if ((plain ?? braced) === '__all_variables')
      return Object.entries(page.values)
        .filter(([name]) => !name.startsWith('__') && !name.includes('\u0000'))
        .map(([name, value]) => formatVariable({ values: value.values }, 'queryparam', 'text', name))
        .join('&');
    return whole;
  });
  return interpolate(own, page.values, 'text');
}

/** `/d/<uid>/<slug>?…` is our `/dashboards/<uid>?…`; several values of one variable are one parameter here. */
export function ownAddress(href: string): string {
  const m = /^\/?d\/([A-Za-z0-9_-]+)(?:\/[^?#]*)?(\?[^#]*)?$/.exec(href);
  if (!m) return href;
  const joined = new Map<string, string>();
  for (const [k, v] of new URLSearchParams(m[2] ?? ''))
    if (k !== 'orgId') joined.set(k, joined.has(k) && k.startsWith('var-') ? `${joined.get(k)}\u001f${v}` : v);
  const search = new URLSearchParams([...joined]).toString();
  return `/dashboards/${m[1]}${search ? `?${search}` : ''}`;
}

/** Undefined for an address that may not be followed (`javascript:` and its like). */
export function linkOf(link: Link, page: PageContext, c?: LinkContext): ShownLink | undefined {
  if (!link.url) return undefined;
  const href = ownAddress(filled(link.url, page, c, true));
  if (!SAFE.test(href)) return undefined;
  return { href, text: filled(link.title || href, page, c, false), newTab: link.targetBlank === true };
}

export function linksOf(config: FieldConfig, page: PageContext, c: LinkContext): ShownLink[] {
  return (config.links ?? []).flatMap((l) => linkOf(l, page, c) ?? []);
}

/** The name that a dashboard gives a field, which may speak of its labels. */
export function displayName(config: FieldConfig, name: string, labels: Readonly<Record<string, string>>): string {
  const given = config.displayName;
  if (!given) return name;
  if (!given.includes('${')) return given;
  const c: LinkContext = { name, labels, value: null, text: '' };
  return filled(given, { values: {}, from: '', to: '' }, c, false) || name;
}
