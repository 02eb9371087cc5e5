/** From what discovery found to what is scraped: meta labels, relabelling, address, and the target's own offset. */
import { createHash } from 'node:crypto';
import { messageOf, VigieError } from '../lib/errors.ts';
import { formatDuration, parseDuration } from '../model/duration.ts';
import { Labels } from '../model/labels.ts';
import type { ScrapeConfig } from './config.ts';
import type { Relabel } from './relabel.ts';

/** Targets found together; a discovery names each group, and a new one of that name replaces the old. */
export interface TargetGroup {
  readonly source: string;
  readonly targets: readonly Readonly<Record<string, string>>[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface Target {
  /** As found, before relabelling. */
  readonly discovered: Labels;
  /** As put on series: without names that start with `__`. */
  readonly labels: Labels;
  readonly url: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Equal for equal targets; keeps a target's state over reloads. */
  readonly key: string;
}

export type Populated =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'dropped'; readonly discovered: Labels };

/** One discovered label set through the job's relabelling. Throws `bad_data` when it cannot be scraped. */
export function populateTarget(
  own: Readonly<Record<string, string>>,
  group: Readonly<Record<string, string>>,
  config: ScrapeConfig,
  relabel: Relabel,
): Populated {
  const found: Record<string, string> = {
    job: config.jobName,
    __scrape_interval__: formatDuration(config.intervalMs),
    __scrape_timeout__: formatDuration(config.timeoutMs),
    __metrics_path__: config.metricsPath,
    __scheme__: config.scheme,
  };
  for (const [name, values] of Object.entries(config.params))
    if (values.length > 0) found[`__param_${name}`] = values[0]!;
  for (const [n, v] of Object.entries({ ...group, ...own })) if (v !== '') found[n] = v;
  const discovered = Labels.from(found);
  const kept = relabel(discovered);
  if (!kept) return { kind: 'dropped', discovered };
  const address = kept.get('__address__');
  if (address === '') throw new VigieError('bad_data', 'no address');
  if (address.includes('/')) throw new VigieError('bad_data', `${JSON.stringify(address)} is not a valid hostname`);
  const intervalMs = duration(kept.get('__scrape_interval__'), 'scrape interval');
  const timeoutMs = duration(kept.get('__scrape_timeout__'), 'scrape timeout');
  if (timeoutMs > intervalMs)
    throw new VigieError(
      'bad_data',
      `scrape timeout cannot be greater than scrape interval ("${kept.get('__scrape_timeout__')}" > "${kept.get('__scrape_interval__')}")`,
    );
  const pairs: [string, string][] = [];
  const scrapeParams: [string, string][] = [];
  for (const [name, value] of kept) {
    if (name.startsWith('__param_')) scrapeParams.push([name.slice(8), value]);
    if (!name.startsWith('__')) pairs.push([name, value]);
  }
  let labels = Labels.fromPairs(pairs);
  if (!labels.has('instance')) labels = labels.with('instance', address);
  const url = targetUrl(kept, address, config, scrapeParams);
  return {
    kind: 'target',
    target: {
      discovered,
      labels,
      url,
      intervalMs,
      timeoutMs,
      key: `${labels.key}\u0001${url}\u0001${intervalMs}\u0001${timeoutMs}`,
    },
  };
}

function duration(text: string, what: string): number {
  let ms: number;
  try {
    ms = parseDuration(text);
  } catch (cause) {
    throw new VigieError('bad_data', `error parsing ${what}: ${messageOf(cause)}`, { cause });
  }
  if (ms === 0) throw new VigieError('bad_data', `${what} cannot be 0`);
  return ms;
}

function targetUrl(
  labels: Labels,
  address: string,
  config: ScrapeConfig,
  fromLabels: readonly [string, string][],
): string {
  const params = new Map<string, string[]>(Object.entries(config.params).map(([n, v]) => [n, [...v]]));
  for (const [name, value] of fromLabels) {
    const values = params.get(name);
    if (values && values.length > 0) values[0] = value;
    else params.set(name, [value]);
  }
  // sorted, as Go's url.Values.Encode
  const query = [...params.keys()]
    .sort()
    .flatMap((n) => params.get(n)!.map((v) => `${goEscape(n)}=${goEscape(v)}`))
    .join('&');
  let path = labels.get('__metrics_path__');
  if (path !== '' && !path.startsWith('/')) path = `/${path}`;
  const text = `${labels.get('__scheme__')}://${address}${path}`;
  if (!URL.canParse(text)) throw new VigieError('bad_data', `${JSON.stringify(text)} is not a valid address`);
  return query === '' ? text : `${text}${text.includes('?') ? '&' : '?'}${query}`;
}

const goEscape = (text: string): string =>
  encodeURIComponent(text)
    .replace(/%20/g, '+')
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** Where in its interval a target is scraped: spread by hash, the same after a restart. ms. */
export function targetOffsetMs(target: Target, seed: string): number {
  const digest = createHash('md5').update(seed).update(target.key).digest();
  return Number(digest.readBigUInt64BE(8) % BigInt(target.intervalMs));
}
