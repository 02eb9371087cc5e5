/**
 * Routing and receivers: one Alertmanager file for all tenants, or an AlertmanagerConfig per tenant. A tenant that
 * names no channels, levels or language of its own is served by the operators' routes, grouped by tenant.
 */
import { type Artefact, header } from '../artefact.ts';
import { CHANNELS, type Channel, LANGUAGES, LEVELS, type Level, type Receivers } from '../config.ts';
import type { Scope } from '../scope.ts';
import { yamlText } from '../yaml-text.ts';
import type { RenderContext } from './context.ts';
import { documents, objectMeta } from './kubernetes.ts';

export const NOBODY = 'nobody';
const WATCHDOG = 'watchdog';
const TEMPLATES = LANGUAGES.map((l) => `alertmanager/templates/${l}.tmpl`);

/** Has the tenant anything of its own that its alerts must be routed by? */
export const hasOwnRoutes = (scope: Scope): boolean =>
  scope.tenant === undefined || !!(scope.settings?.receivers ?? scope.settings?.levels ?? scope.settings?.language);

interface Named {
  readonly name: string;
  readonly [channelConfigs: string]: unknown;
}
interface Timing {
  readonly group_wait?: string;
  readonly group_interval?: string;
  readonly repeat_interval?: string;
}

/** `routes/tree.yaml`: how long to wait and how often to repeat, by level. */
function tree(context: RenderContext): { group_by: string[]; default: Timing; levels: Record<Level, Timing> } {
  return context.native.object('alertmanager/routes/tree.yaml', {}) as never;
}

/** The receivers of a scope, one per level, with the channels that the level has and the scope knows. */
function receiversOf(context: RenderContext, scope: Scope): Named[] {
  const { config } = context;
  const settings: Receivers = scope.settings?.receivers ?? config.receivers;
  const levels = { ...config.levels, ...scope.settings?.levels };
  return LEVELS.map((level) => {
    const out: Record<string, unknown> & Named = { name: `${scope.slug}-${level}` };
    for (const channel of CHANNELS) {
      if (!levels[level]?.includes(channel) || !settings[channel]) continue;
      const made = channelConfig(context, scope, channel, settings);
      if (made) out[`${channel}_configs`] = [made];
    }
    return out;
  });
}

function channelConfig(
  context: RenderContext,
  scope: Scope,
  channel: Channel,
  settings: Receivers,
): Record<string, unknown> | undefined {
  const { config } = context;
  const language = scope.settings?.language ?? config.language;
  const own = scope.settings?.receivers ? scope.slug : 'platform';
  const secret = (file: string | undefined): string => file ?? `${config.alertmanager.secrets}/${own}/${channel}`;
  const common = {
    title: `{{ template "vigie.title.${language}" . }}`,
    text: `{{ template "vigie.text.${language}" . }}`,
    html: `{{ template "vigie.html.${language}" . }}`,
  };
  const make = (values: Record<string, string | boolean | number | undefined>) =>
    context.native.object(`alertmanager/receivers/${channel}.yaml`, { ...common, ...values });
  const tooOld = (wanted: string): boolean => {
    if (context.format === 'kubernetes' || config.alertmanager.version >= wanted) return false;
    context.complain(
      `catalogue.receivers.${channel}`,
      `a secret by file needs Alertmanager ${wanted}, and alertmanager.version is ${config.alertmanager.version}; left out`,
    );
    return true;
  };
  switch (channel) {
    case 'slack':
      return make({ secret_file: secret(settings.slack?.api_url_file), channel: settings.slack!.channel });
    case 'email': {
      const e = settings.email!;
      const password = e.username === undefined ? undefined : secret(e.password_file);
      return make({ ...e, username: e.username, password_file: password });
    }
    case 'pagerduty':
      return make({ secret_file: secret(settings.pagerduty?.routing_key_file) });
    case 'discord':
      return tooOld('0.28') ? undefined : make({ secret_file: secret(settings.discord?.webhook_url_file) });
    case 'webhook': {
      const w = settings.webhook!;
      if (w.url) return make({ url: w.url, secret_file: undefined });
      return tooOld('0.26') ? undefined : make({ url: undefined, secret_file: secret(w.url_file) });
    }
  }
}

/** Routes below a scope's own: the most urgent level first. */
function levelRoutes(context: RenderContext, scope: Scope): unknown[] {
  const { levels } = tree(context);
  return (['L4', 'L3', 'L2'] as const).map((level) => ({
    receiver: `${scope.slug}-${level}`,
    matchers: [`level="${level}"`],
    ...levels[level],
  }));
}

function inhibitRules(context: RenderContext, scope: Scope): { source: string[]; target: string[]; equal: string[] }[] {
  const text = (m: Readonly<Record<string, string>>): string[] =>
    Object.entries(m).map(([name, value]) => (/[|*]/.test(value) ? `${name}=~"${value}"` : `${name}="${value}"`));
  const packs = scope.tenant === undefined ? context.allPacks(scope) : context.packs(scope);
  return packs.flatMap((p) =>
    p.manifest.inhibit.map((rule) => ({
      source: text(rule.source),
      target: text(rule.target),
      equal: [...new Set([...rule.equal, 'env', 'tenant_id'])],
    })),
  );
}

/** `alertmanager.yml` in pieces: the operators' part and one part per tenant with routes of its own. */
export function alertmanagerFile(context: RenderContext, platform: Scope, tenants: () => Iterable<Scope>): Artefact {
  const { config } = context;
  function* pieces(): Generator<string> {
    const timing = tree(context);
    yield header({ template: 'alertmanager/', environment: platform.environment });
    yield yamlText({
      global: { resolve_timeout: '5m' },
      inhibit_rules: inhibitRules(context, platform).map((r) => ({
        source_matchers: r.source,
        target_matchers: r.target,
        equal: r.equal,
      })),
      templates: [`${config.alertmanager.templates}/*.tmpl`],
    });
    yield 'receivers:\n';
    const watchdog = config.alertmanager.watchdog_url;
    yield listItems([
      { name: NOBODY },
      ...(watchdog ? [{ name: WATCHDOG, webhook_configs: [{ url: watchdog, send_resolved: false }] }] : []),
      ...receiversOf(context, platform),
    ]);
    for (const scope of tenants()) if (hasOwnRoutes(scope)) yield listItems(receiversOf(context, scope));
    yield yamlText({
      route: { receiver: `${platform.slug}-L1`, group_by: timing.group_by, ...timing.default },
    });
    yield '  routes:\n';
    yield listItems(
      [
        {
          receiver: watchdog ? WATCHDOG : NOBODY,
          matchers: ['alertname="Watchdog"'],
          group_wait: '0s',
          group_interval: '1m',
          repeat_interval: '1m',
        },
        { receiver: NOBODY, matchers: ['severity="none"'] },
      ],
      4,
    );
    for (const scope of tenants())
      if (hasOwnRoutes(scope))
        yield listItems(
          [
            {
              receiver: `${scope.slug}-L1`,
              matchers: [`tenant_id="${scope.tenant}"`],
              routes: levelRoutes(context, scope),
            },
          ],
          4,
        );
    yield listItems(levelRoutes(context, platform), 4);
  }
  return { path: 'alertmanager/alertmanager.yml', target: 'alertmanager', content: { [Symbol.iterator]: pieces } };
}

/** Items of a list that another piece began. */
function listItems(items: readonly unknown[], indent = 2): string {
  const pad = ' '.repeat(indent);
  return yamlText({ x: items }).replace(/^x:\n/, '').replace(/^ {2}/gm, pad);
}

/** The notification templates, as they are. */
export function* alertmanagerTemplates(context: RenderContext): Generator<Artefact> {
  for (const file of TEMPLATES) yield { path: file, target: 'alertmanager', content: context.native.text(file) };
}

export function* alertmanagerKubernetes(context: RenderContext, scope: Scope): Generator<Artefact> {
  const { config } = context;
  if (hasOwnRoutes(scope)) {
    const timing = tree(context);
    const name = `vigie-${scope.slug}`;
    const secretName = `vigie-receivers-${scope.slug}`;
    const receivers = receiversOf(context, scope);
    const platform = scope.tenant === undefined;
    const watchdog = platform ? config.alertmanager.watchdog_url : undefined;
    const camel = (key: string): string =>
      CRD_KEYS[key] ?? key.replace(/_([a-z])/g, (_m, c: string) => c.toUpperCase());
    const crd = receivers.map((r) =>
      Object.fromEntries(
        Object.entries(r).map(([key, value]) =>
          Array.isArray(value)
            ? [
                camel(key),
                value.map((c: Record<string, unknown>) =>
                  crdConfig(c, secretName, key.replace(/_configs$/, ''), camel),
                ),
              ]
            : [key, value],
        ),
      ),
    );
    yield {
      path: `alertmanager/routes/${scope.slug}.yaml`,
      target: 'kubernetes',
      content: documents('alertmanager/routes/tree.yaml', scope, [
        {
          apiVersion: 'monitoring.coreos.com/v1alpha1',
          kind: 'AlertmanagerConfig',
          metadata: objectMeta(
            context,
            scope,
            name,
            platform ? { 'vigie.io/part': 'global' } : { 'vigie.io/part': 'routes' },
          ),
          spec: {
            route: {
              receiver: `${scope.slug}-L1`,
              groupBy: timing.group_by,
              ...crdTiming(timing.default),
              routes: [
                ...(platform
                  ? [
                      {
                        receiver: watchdog ? WATCHDOG : NOBODY,
                        matchers: [{ name: 'alertname', value: 'Watchdog', matchType: '=' }],
                        groupWait: '0s',
                        groupInterval: '1m',
                        repeatInterval: '1m',
                      },
                      { receiver: NOBODY, matchers: [{ name: 'severity', value: 'none', matchType: '=' }] },
                    ]
                  : []),
                ...(['L4', 'L3', 'L2'] as const).map((level) => ({
                  receiver: `${scope.slug}-${level}`,
                  matchers: [{ name: 'level', value: level, matchType: '=' }],
                  ...crdTiming(timing.levels[level]),
                })),
              ],
            },
            inhibitRules: inhibitRules(context, scope).map((r) => ({
              sourceMatch: r.source.map(crdMatcher),
              targetMatch: r.target.map(crdMatcher),
              equal: r.equal,
            })),
            receivers: [
              ...(platform ? [{ name: NOBODY }] : []),
              ...(watchdog ? [{ name: WATCHDOG, webhookConfigs: [{ url: watchdog, sendResolved: false }] }] : []),
              ...crd,
            ],
          },
        },
      ]),
    };
    const channels = CHANNELS.filter((c) => receivers.some((r) => r[`${c}_configs`]));
    yield {
      path: `alertmanager/receivers/${scope.slug}.yaml`,
      target: 'kubernetes',
      // no data: whoever holds the secrets sets the keys, and applying this never overwrites them
      content: documents('alertmanager/receivers/', scope, [
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: {
            ...objectMeta(context, scope, secretName),
            annotations: { 'vigie.io/keys': channels.join(',') },
          },
          type: 'Opaque',
        },
      ]),
    };
  }
  if (scope.tenant !== undefined) return;
  yield {
    path: 'alertmanager/templates/configmap.yaml',
    target: 'kubernetes',
    content: documents('alertmanager/templates/', scope, [
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: objectMeta(context, scope, 'vigie-alertmanager-templates'),
        data: Object.fromEntries(TEMPLATES.map((f) => [f.slice(f.lastIndexOf('/') + 1), context.native.text(f)])),
      },
    ]),
  };
  yield {
    path: 'kubernetes/alertmanager.yaml',
    target: 'kubernetes',
    content: documents('kubernetes/alertmanager.yaml', scope, [
      {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'Alertmanager',
        metadata: objectMeta(context, scope, 'vigie'),
        spec: {
          replicas: scope.environment === 'prod' ? 3 : 1,
          alertmanagerConfigSelector: { matchLabels: { 'vigie.io/part': 'routes' } },
          alertmanagerConfigNamespaceSelector: {},
          alertmanagerConfigMatcherStrategy: { type: config.kubernetes.matcher_strategy },
          alertmanagerConfiguration: {
            name: 'vigie-platform',
            templates: LANGUAGES.map((l) => ({
              configMap: { name: 'vigie-alertmanager-templates', key: `${l}.tmpl` },
            })),
          },
        },
      },
    ]),
  };
}

const CRD_KEYS: Readonly<Record<string, string>> = {
  slack_configs: 'slackConfigs',
  email_configs: 'emailConfigs',
  pagerduty_configs: 'pagerdutyConfigs',
  discord_configs: 'discordConfigs',
  webhook_configs: 'webhookConfigs',
  require_tls: 'requireTLS',
  client_url: 'clientURL',
};
/** Keys of a channel that name a file, and the member of the object that names a key of a Secret instead. */
const CRD_SECRETS: Readonly<Record<string, string>> = {
  api_url_file: 'apiURL',
  auth_password_file: 'authPassword',
  routing_key_file: 'routingKey',
  webhook_url_file: 'apiURL',
  url_file: 'urlSecret',
};

function crdConfig(
  config: Readonly<Record<string, unknown>>,
  secret: string,
  channel: string,
  camel: (key: string) => string,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    if (CRD_SECRETS[key]) out[CRD_SECRETS[key]] = { name: secret, key: channel };
    else if ((key === 'headers' || key === 'details') && typeof value === 'object' && value !== null)
      out[key] = Object.entries(value).map(([k, v]) => ({ key: k, value: v }));
    else out[camel(key)] = value;
  }
  return out;
}

const crdTiming = (t: Timing): Record<string, string | undefined> => ({
  groupWait: t.group_wait,
  groupInterval: t.group_interval,
  repeatInterval: t.repeat_interval,
});

function crdMatcher(text: string): { name: string; value: string; matchType: string } {
  const [, name, matchType, value] = /^([a-zA-Z_]\w*)(=~|=)"(.*)"$/.exec(text)!;
  return { name: name!, matchType: matchType!, value: value! };
}

/** Exported for `check`: which levels of a scope reach nobody. */
export function silentLevels(context: RenderContext, scope: Scope): Level[] {
  return receiversOf(context, scope)
    .filter((r) => Object.keys(r).length === 1)
    .map((r) => r.name.slice(r.name.lastIndexOf('-') + 1) as Level);
}
