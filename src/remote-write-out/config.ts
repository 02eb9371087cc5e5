/**
 * The `remote_write` section of a Prometheus configuration: names, defaults and checks are Prometheus'. What is known and
 * not built is refused by name, never ignored.
 */
import { z } from 'zod';
import { VigieError } from '../lib/errors.ts';
import { parseDuration } from '../model/duration.ts';

const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      try {
        return parseDuration(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: String(error) });
        return z.NEVER;
      }
    });

/** One rule of `write_relabel_configs`, in the shape that relabelling takes. */
export interface RelabelRule {
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly regex: string;
  readonly modulus: number;
  readonly targetLabel: string;
  readonly replacement: string;
  readonly action: RelabelRuleAction;
}
const ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelRuleAction = (typeof ACTIONS)[number];

const relabelRule = z
  .strictObject({
    source_labels: z.array(z.string()).default([]),
    separator: z.string().default(';'),
    regex: z.coerce.string().default('(.*)'),
    modulus: z.int().min(0).default(0),
    target_label: z.string().default(''),
    replacement: z.coerce.string().default('$1'),
    action: z
      .string()
      .default('replace')
      .transform((a) => a.toLowerCase())
      .pipe(z.enum(ACTIONS)),
  })
  .transform(
    (r): RelabelRule => ({
      sourceLabels: r.source_labels,
      separator: r.separator,
      regex: r.regex,
      modulus: r.modulus,
      targetLabel: r.target_label,
      replacement: r.replacement,
      action: r.action,
    }),
  );

const refused = (why: string) => z.undefined({ error: why }).optional();

const target = z.strictObject({
  url: z.string().refine((u) => URL.canParse(u) && /^https?:/.test(u), 'want an http:// or https:// address'),
  name: z.string().optional(),
  remote_timeout: duration('30s'),
  headers: z.record(z.string(), z.string()).default({}),
  send_exemplars: z.boolean().default(false),
  send_native_histograms: z.boolean().default(false),
  write_relabel_configs: z.array(relabelRule).default([]),
  basic_auth: z
    .strictObject({
      username: z.string().default(''),
      password: z.string().optional(),
      password_file: z.string().optional(),
    })
    .optional(),
  authorization: z
    .strictObject({
      type: z.string().default('Bearer'),
      credentials: z.string().optional(),
      credentials_file: z.string().optional(),
    })
    .optional(),
  bearer_token: z.string().optional(),
  bearer_token_file: z.string().optional(),
  follow_redirects: z.boolean().default(true),
  enable_http2: z.boolean().optional(),
  round_robin_dns: z.boolean().optional(),
  protobuf_message: z
    .literal('prometheus.WriteRequest', { error: 'only prometheus.WriteRequest (remote write 1.0) is sent' })
    .optional(),
  queue_config: z
    .strictObject({
      /** Samples per shard; larger than Prometheus', because there is no log behind the queue. */
      capacity: z.int().min(1).default(100_000),
      max_shards: z.int().min(1).max(1_000).default(50),
      min_shards: z.int().min(1).max(1_000).default(1),
      max_samples_per_send: z.int().min(1).default(2_000),
      batch_send_deadline: duration('5s'),
      min_backoff: duration('30ms'),
      max_backoff: duration('5s'),
      retry_on_http_429: z.boolean().default(true),
      sample_age_limit: duration('0s'),
    })
    .refine((q) => q.min_shards <= q.max_shards, { message: 'min_shards exceeds max_shards', path: ['min_shards'] })
    .prefault({}),
  metadata_config: z
    .strictObject({
      send: z.boolean().default(true),
      send_interval: duration('1m'),
      max_samples_per_send: z.int().min(1).default(2_000),
    })
    .prefault({}),
  tls_config: refused('TLS settings for remote write are not built; use a proxy'),
  oauth2: refused('OAuth 2.0 for remote write is not built'),
  sigv4: refused('AWS signatures are not built'),
  azuread: refused('Azure AD is not built'),
  google_iam: refused('Google IAM is not built'),
  proxy_url: refused('proxies are not used'),
  no_proxy: refused('proxies are not used'),
  proxy_from_environment: refused('proxies are not used'),
});

export type RemoteWriteTargetConfig = Omit<z.output<typeof target>, 'name'> & { readonly name: string };

/** Targets of one configuration; more are refused. */
export const TARGETS_MAX = 20;

/** Reads the list as the configuration file holds it. Throws `bad_config` with the path of each problem. */
export function parseRemoteWrite(raw: readonly unknown[], file: string): readonly RemoteWriteTargetConfig[] {
  if (raw.length > TARGETS_MAX)
    throw new VigieError('bad_config', `${file}: remote_write has ${raw.length} targets, limit ${TARGETS_MAX}`);
  const names = new Set<string>();
  return raw.map((entry, i) => {
    const parsed = target.safeParse(entry);
    if (!parsed.success) {
      const problems = parsed.error.issues.map(
        (p) => `remote_write[${i}].${p.path.map(String).join('.')}: ${p.message}`,
      );
      throw new VigieError('bad_config', `${file}: ${problems.join('; ')}`);
    }
    const c = parsed.data;
    const ways = [c.basic_auth, c.authorization, c.bearer_token ?? c.bearer_token_file].filter((w) => w !== undefined);
    if (ways.length > 1)
      throw new VigieError('bad_config', `${file}: remote_write[${i}] has more than one kind of authentication`);
    const name = c.name ?? `${new URL(c.url).host}-${i}`;
    if (names.has(name)) throw new VigieError('bad_config', `${file}: remote_write name ${name} is used twice`);
    names.add(name);
    return { ...c, name };
  });
}
