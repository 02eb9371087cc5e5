/**
 * Mimir's configuration API of ruler and Alertmanager over a tenant's own configuration, so that mimirtool works. A
 * namespace is a rule file of that name. Mounted at the root, and once more under /mimir: GET /api/v1/alerts at the
 * root is Prometheus' list of alerts, so `mimirtool alertmanager get` needs --address=<url>/mimir.
 */
import { isMap, isSeq, parseDocument, stringify, type YAMLMap, type YAMLSeq } from 'yaml';
import { AS_WRITTEN } from '../../alerting/config-reader.ts';
import { isVigieError, VigieError } from '../../lib/errors.ts';
import { yamlProblem, yamlValue } from '../../lib/nesting.ts';
import type { TenantId } from '../../model/tenant.ts';
import { redactConfig } from '../alertmanager/redact-config.ts';
import { checked } from '../body.ts';
import { CONFIG_FILE_CHARS_MAX, configFileName } from '../contract/tenant-config.ts';
import { EDITOR, type HttpAnswer, type HttpRequest, type Route, VIEWER } from '../route.ts';
import { withKeptSecrets } from '../vigie/kept-secrets.ts';
import {
  summaryOf,
  type TenantConfigChange,
  type TenantConfigDocument,
  type TenantConfigPorts,
} from '../vigie/tenant-config.ts';

/** mimirtool writes groups side by side; each meets the version of the one before it at most this often. */
const CONFLICTS_MAX = 20;
const PREFIXES = ['', '/mimir'] as const;

export function mimirConfigRoutes(ports: TenantConfigPorts): Route[] {
  /** Changes of one tenant go one after the other, so that each builds on the last. */
  const tails = new Map<TenantId, Promise<unknown>>();
  const inTurn = async <T>(tenant: TenantId, work: () => Promise<T>): Promise<T> => {
    const before = tails.get(tenant) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(work);
    tails.set(tenant, mine);
    try {
      return await mine;
    } finally {
      if (tails.get(tenant) === mine) tails.delete(tenant);
    }
  };

  const change = (
    { context }: HttpRequest,
    make: (current: TenantConfigDocument) => TenantConfigChange,
  ): Promise<void> =>
    inTurn(context.tenant, async () => {
      await ports.requireTenant(context.tenant);
      for (let attempt = 1; ; attempt++) {
        const current = await ports.get(context.tenant);
        const wanted = make(current);
        await ports.audit(context, 'tenant.config', context.tenant, { version: current.version }, summaryOf(wanted));
        try {
          await ports.put(context.tenant, wanted, context.principal.id, current.version);
          return;
        } catch (error) {
          // another process was faster
          if (!isVigieError(error, 'conflict') || attempt >= CONFLICTS_MAX) throw error;
        }
      }
    });

  const listRules = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { rules } = await ports.get(request.context.tenant);
    const only = request.params['namespace'];
    const shown: Record<string, unknown[]> = {};
    for (const [name, text] of Object.entries(rules))
      if (only === undefined || only === name) shown[name] = groupsOf(text);
    if (only !== undefined && Object.keys(shown).length === 0)
      throw new VigieError('not_found', 'no rule groups found');
    return yamlAnswer(shown);
  };
  const getGroup = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { namespace = '', group = '' } = request.params;
    const { rules } = await ports.get(request.context.tenant);
    const found = groupsOf(own(rules, namespace)).find((g) => (g as { name?: unknown }).name === group);
    if (!found) throw new VigieError('not_found', 'group does not exist');
    return yamlAnswer(found);
  };
  const setGroup = async (request: HttpRequest): Promise<HttpAnswer> => {
    const namespace = checked(configFileName, request.params['namespace'], 'namespace');
    const text = bodyText(request);
    await change(request, ({ rules }) => ({ rules: { [namespace]: withGroup(own(rules, namespace), text) } }));
    return accepted;
  };
  const deleteGroup = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { namespace = '', group = '' } = request.params;
    await change(request, ({ rules }) => ({ rules: { [namespace]: withoutGroup(own(rules, namespace), group) } }));
    return accepted;
  };
  const deleteNamespace = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { namespace = '' } = request.params;
    await change(request, ({ rules }) => {
      if (own(rules, namespace) === undefined) throw new VigieError('not_found', 'no rule groups found');
      return { rules: { [namespace]: null } };
    });
    return accepted;
  };

  const getAlertmanager = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { alertmanager, templates = {} } = await ports.get(request.context.tenant);
    if (alertmanager === undefined) throw new VigieError('not_found', 'alertmanager storage object not found');
    return yamlAnswer({ template_files: templates, alertmanager_config: redactConfig(alertmanager) });
  };
  const setAlertmanager = async (request: HttpRequest): Promise<HttpAnswer> => {
    const given = userConfig(bodyText(request));
    await change(request, (current) => ({
      alertmanager: withKeptSecrets(given.config, current.alertmanager),
      // the whole set is replaced, as Mimir does
      templates: Object.keys(given.templates).length === 0 ? null : given.templates,
    }));
    return { status: 201 };
  };
  const deleteAlertmanager = async (request: HttpRequest): Promise<HttpAnswer> => {
    await change(request, () => ({ alertmanager: null, templates: null }));
    return { status: 200 };
  };

  const read = { method: 'GET', family: 'prometheus', access: VIEWER } as const;
  const write = { family: 'prometheus', access: EDITOR, bodyBytesMax: 2 * CONFIG_FILE_CHARS_MAX } as const;
  return PREFIXES.flatMap((prefix): Route[] => {
    const rules = `${prefix}/prometheus/config/v1/rules`;
    const alerts = `${prefix}/api/v1/alerts`;
    return [
      { ...read, path: rules, handle: listRules },
      { ...read, path: `${rules}/:namespace`, handle: listRules },
      { ...read, path: `${rules}/:namespace/:group`, handle: getGroup },
      { ...write, method: 'POST', path: `${rules}/:namespace`, handle: setGroup },
      { ...write, method: 'DELETE', path: `${rules}/:namespace/:group`, handle: deleteGroup },
      { ...write, method: 'DELETE', path: `${rules}/:namespace`, handle: deleteNamespace },
      ...(prefix === '' ? [] : [{ ...write, method: 'GET', path: alerts, handle: getAlertmanager } as const]),
      { ...write, method: 'POST', path: alerts, handle: setAlertmanager },
      { ...write, method: 'DELETE', path: alerts, handle: deleteAlertmanager },
    ];
  });
}

/** What Mimir's ruler answers to a change. */
const accepted: HttpAnswer = { status: 202, json: { status: 'success', data: null, errorType: '', error: '' } };

const yamlAnswer = (value: unknown): HttpAnswer => ({
  headers: { 'content-type': 'application/yaml' },
  body: stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }),
});

const own = (files: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(files, name) ? files[name] : undefined;

function bodyText(request: HttpRequest): string {
  const text = request.body.toString('utf8');
  if (text.length > 2 * CONFIG_FILE_CHARS_MAX)
    throw new VigieError('too_large', `the body has ${text.length} characters`);
  if (text.trim() === '') throw new VigieError('bad_data', 'the body is empty; want YAML');
  return text;
}

function groupsOf(text: string | undefined): unknown[] {
  if (text === undefined) return [];
  const value: unknown = parseDocument(text).toJS({ maxAliasCount: 100 });
  const groups = (value as { groups?: unknown } | null)?.groups;
  return Array.isArray(groups) ? groups : [];
}

/** The rule file with the posted group in the place of the one of its name, or at the end; comments stay. */
function withGroup(file: string | undefined, text: string): string {
  const posted = parseDocument(text);
  const problem = posted.errors[0];
  if (problem) throw new VigieError('bad_data', `unable to decode rule group: ${yamlProblem(problem)}`);
  const group = posted.contents;
  const name = isMap(group) ? group.get('name') : undefined;
  if (typeof name !== 'string' || name === '')
    throw new VigieError('bad_data', 'unable to decode rule group: it has no name');
  const { document, groups } = ruleFile(file);
  const at = groups.items.findIndex((g) => isMap(g) && g.get('name') === name);
  if (at < 0) groups.items.push(group as YAMLMap);
  else groups.items[at] = group as YAMLMap;
  return document.toString({ lineWidth: 0 });
}

/** The rule file without a group; null when none is left. Throws `not_found`. */
function withoutGroup(file: string | undefined, name: string): string | null {
  const { document, groups } = ruleFile(file);
  const at = groups.items.findIndex((g) => isMap(g) && g.get('name') === name);
  if (at < 0) throw new VigieError('not_found', 'group does not exist');
  groups.items.splice(at, 1);
  return groups.items.length === 0 ? null : document.toString({ lineWidth: 0 });
}

function ruleFile(text: string | undefined) {
  const document = parseDocument(text ?? 'groups: []\n');
  const groups = isMap(document.contents) ? document.contents.get('groups', true) : undefined;
  if (!isSeq(groups)) throw new VigieError('bad_data', 'the stored rule file has no list of groups');
  // `groups: []` is written in flow style; what comes into it is not
  groups.flow = false;
  return { document, groups: groups as YAMLSeq };
}

/** Mimir's wrapping of an Alertmanager configuration: {template_files, alertmanager_config}. */
function userConfig(text: string): { readonly config: string; readonly templates: Readonly<Record<string, string>> } {
  const document = parseDocument(text, AS_WRITTEN);
  const problem = document.errors[0];
  const bad = (why: string): VigieError =>
    new VigieError('bad_data', `error marshalling YAML Alertmanager config: ${why}`);
  if (problem) throw bad(yamlProblem(problem));
  const value = yamlValue(document, 100) as Record<string, unknown> | null;
  if (!value || typeof value !== 'object' || Array.isArray(value)) throw bad('want a mapping');
  for (const key of Object.keys(value))
    if (key !== 'template_files' && key !== 'alertmanager_config') throw bad(`field ${key} not found`);
  const config = value['alertmanager_config'];
  if (typeof config !== 'string' || config.trim() === '')
    throw new VigieError('bad_data', 'the configuration is empty; to remove it, use DELETE');
  const templates: Record<string, string> = {};
  const files = value['template_files'];
  if (files && typeof files === 'object' && !Array.isArray(files))
    for (const [name, body] of Object.entries(files)) {
      checked(configFileName, name, 'template_files');
      if (name.includes('/') || name.includes('\\')) throw bad(`template_files.${name}: a file name has no folder`);
      templates[name] = String(body ?? '');
    }
  else if (files !== undefined && files !== '' && files !== null && files !== '{}')
    throw bad('template_files: want a mapping');
  return { config, templates };
}
