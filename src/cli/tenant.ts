/** `vigie tenant`: the first key (offline), and tenants, their keys and their configuration on a running server. */
import { closeSync, createWriteStream, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { Options } from '../app/options.ts';
import type { KeyCreatedAnswer, KeysAnswer, TenantItem, TenantsAnswer } from '../http/contract/administration.ts';
import type {
  TenantConfigAnswer,
  TenantConfigInput,
  TenantConfigVersionsAnswer,
} from '../http/contract/tenant-config.ts';
import { systemClock } from '../lib/clock.ts';
import { isVigieError, messageOf, VigieError } from '../lib/errors.ts';
import { parseDuration } from '../model/duration.ts';
import { PLATFORM_TENANT } from '../model/tenant.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { optionsFrom, type ServeFlags, withServeFlags } from './server-options.ts';
import { table } from './table.ts';

const WHEN_LOCKED =
  'It does not take first keys: stop it, run this again, start it. In dev on a loopback address no key is needed: `vigie tenant key create --name NAME --role platform_admin` works on the running one.';

const collect = (value: string, all: string[] = []): string[] => [...all, value];
const encode = encodeURIComponent;

export function addTenant(program: Command, context: CommandContext): void {
  const tenant = program.command('tenant').description('tenants, their keys and their configuration');
  addBootstrap(tenant, context);
  addTenants(tenant, context);
  addKeys(tenant.command('key').description('API keys of a tenant, and platform keys'), context);
  addConfig(tenant.command('config').description("a tenant's own rules, routing and scraping"), context);
}

function addBootstrap(parent: Command, context: CommandContext): void {
  withServeFlags(parent.command('bootstrap'))
    .description('print the first platform-admin key, once; works on the data folder, with or without a server')
    .option('--quiet', 'print the key alone')
    .option('-o, --output <file>', 'write the key to a new file that only its owner can read, instead of printing it')
    .option('--if-missing', 'do nothing, and succeed, when there is a platform-admin key already')
    .action(async (flags: ServeFlags & { quiet?: boolean; output?: string; ifMissing?: boolean }) => {
      const { options } = optionsFrom(flags, context.env);
      // an earlier start wrote it, and nobody has fetched it yet
      if (flags.ifMissing && flags.output !== undefined && existsSync(flags.output)) return;
      // before the key is made: it cannot be read again
      const file = flags.output === undefined ? undefined : newFile(flags.output);
      try {
        const key = await firstKey(options);
        if (file !== undefined) writeSync(file, `${key}\n`);
        else context.stdout.write(flags.quiet ? `${key}\n` : bootstrapText(key, options.data_dir));
      } catch (error) {
        if (flags.output !== undefined) rmSync(flags.output, { force: true });
        if (!flags.ifMissing || !isVigieError(error, 'conflict')) throw error;
      } finally {
        if (file !== undefined) closeSync(file);
      }
    });
}

function newFile(file: string): number {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (cause) {
    throw new VigieError('bad_data', `cannot create ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** On the data folder itself, or handed to the server that holds it. */
async function firstKey(options: Options): Promise<string> {
  const by = 'vigie tenant bootstrap';
  const { openOffline } = await import('../app/offline.ts');
  let offline: Awaited<ReturnType<typeof openOffline>>;
  try {
    offline = await openOffline({
      options,
      clock: systemClock,
      pid: process.pid,
      uid: process.getuid?.(),
      whenLocked: WHEN_LOCKED,
    });
  } catch (error) {
    if (!isVigieError(error, 'locked') && !isVigieError(error, 'forbidden')) throw error;
    const { offerFirstKey } = await import('../app/bootstrap-inbox.ts');
    // timers of the clock do not hold the process; this one does, until the answer is there
    const alive = setInterval(() => {}, 1_000);
    try {
      return await offerFirstKey(options.data_dir, systemClock);
    } catch (problem) {
      if (isVigieError(problem, 'unavailable'))
        throw new VigieError(error.code, `${error.message} (${problem.message})`, { cause: problem });
      throw problem;
    } finally {
      clearInterval(alive);
    }
  }
  await using open = offline;
  const key = await open.keys.bootstrap(by);
  await open.auditLog.append(PLATFORM_TENANT, {
    actor: 'bootstrap',
    actorName: by,
    action: 'key.create',
    target: 'bootstrap',
    after: { role: 'platform_admin' },
    requestId: 'offline',
  });
  return key;
}

export const bootstrapText = (key: string, folder: string): string =>
  `${key}\n\nThis platform-admin key is shown only now (data folder ${folder}). Keep it in a secret store; use it as\n  export VIGIE_KEY=<key>\nor as "Authorization: Bearer <key>", or sign in to the console with it.\n`;

interface SetFlags extends ServerFlags {
  name?: string;
  tier?: string;
  label?: string[];
  limit?: string[];
  state?: string;
  view?: string;
}

function addTenants(parent: Command, context: CommandContext): void {
  withServerFlags(parent.command('list'))
    .description('tenants with their use and limits')
    .option('--json', 'print the answer of the API as it is')
    .action(async (flags: ServerFlags & { json?: boolean }) => {
      const answer = await new VigieClient(flags, context).request<TenantsAnswer>('GET', '/vigie/v1/tenants');
      context.stdout.write(flags.json ? `${JSON.stringify(answer, undefined, 2)}\n` : tenantsTable(answer.tenants));
    });
  for (const name of ['create', 'set'] as const)
    withServerFlags(parent.command(name))
      .description(name === 'create' ? 'create a tenant' : 'change a tenant; what is not named stays')
      .argument('<id>')
      .option('--name <name>', 'name for people')
      .option('--tier <tier>', 'such as free, pro, enterprise')
      .option('--label <name=value>', 'a label; may be repeated (replaces all labels)', collect)
      .option('--limit <name=value>', 'a limit, such as active_series=100000; may be repeated', collect)
      .option('--state <state>', 'active or suspended')
      .option('--view <label=value>', "what it may read of the platform's series; none takes the view away")
      .action(async (id: string, flags: SetFlags) => {
        const client = new VigieClient(flags, context);
        const known = (await client.request<TenantsAnswer>('GET', '/vigie/v1/tenants')).tenants.some(
          (t) => t.id === id,
        );
        if (known !== (name === 'set'))
          throw new VigieError(
            known ? 'conflict' : 'not_found',
            known ? `tenant ${id} exists already; change it with \`vigie tenant set\`` : `no tenant ${id}`,
          );
        await client.request('PUT', `/vigie/v1/tenants/${encode(id)}/settings`, settingsOf(flags));
        context.stdout.write(`tenant ${id} ${name === 'create' ? 'created' : 'changed'}\n`);
      });
  withServerFlags(parent.command('delete'))
    .description('remove a tenant and everything it owns; this cannot be undone')
    .argument('<id>')
    .requiredOption('--yes', 'confirm')
    .action(async (id: string, flags: ServerFlags) => {
      await new VigieClient(flags, context).request('DELETE', `/vigie/v1/tenants/${encode(id)}`);
      context.stdout.write(`tenant ${id} is being removed\n`);
    });
  withServerFlags(parent.command('export'))
    .description('everything of a tenant as JSON lines')
    .argument('<id>')
    .option('-o, --output <file>', 'write to a file instead of standard output')
    .action(async (id: string, flags: ServerFlags & { output?: string }) => {
      const response = await new VigieClient(flags, context).raw('GET', `/vigie/v1/tenants/${encode(id)}/export`);
      if (!response.body) return;
      const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
      if (flags.output !== undefined) await pipeline(body, createWriteStream(flags.output, { mode: 0o600 }));
      else for await (const part of body) context.stdout.write(part as Buffer);
    });
}

function addKeys(parent: Command, context: CommandContext): void {
  withServerFlags(parent.command('create'))
    .description('create a key for the tenant of --tenant; the secret is shown only now')
    .requiredOption('--name <name>', 'what it is for')
    .option('--role <role>', 'viewer, responder, editor, admin or platform_admin', 'viewer')
    .option('--scope <list>', 'narrow it to some of ingest,query,admin')
    .option('--expires <duration>', 'such as 90d (default: never)', durationOf)
    .option('--quiet', 'print the key alone')
    .action(
      async (
        flags: ServerFlags & { name: string; role: string; scope?: string; expires?: number; quiet?: boolean },
      ) => {
        const made = await new VigieClient(flags, context).request<KeyCreatedAnswer>('POST', '/vigie/v1/keys', {
          name: flags.name,
          role: flags.role,
          ...(flags.scope === undefined ? {} : { scopes: flags.scope.split(',').map((s) => s.trim()) }),
          ...(flags.expires === undefined ? {} : { expiresInMs: flags.expires }),
        });
        context.stdout.write(
          flags.quiet ? `${made.secret}\n` : `${made.secret}\n\nkey ${made.id} (${made.role}); it is shown only now\n`,
        );
      },
    );
  withServerFlags(parent.command('list'))
    .description('keys of the tenant')
    .action(async (flags: ServerFlags) => {
      const { keys } = await new VigieClient(flags, context).request<KeysAnswer>('GET', '/vigie/v1/keys');
      context.stdout.write(keysTable(keys));
    });
  withServerFlags(parent.command('revoke'))
    .description('make a key worthless and close its streams')
    .argument('<id>')
    .action(async (id: string, flags: ServerFlags) => {
      await new VigieClient(flags, context).request('DELETE', `/vigie/v1/keys/${encode(id)}`);
      context.stdout.write(`key ${id} revoked\n`);
    });
}

const CONFIG_PARTS = ['rules', 'alertmanager', 'scrape'] as const;

function addConfig(parent: Command, context: CommandContext): void {
  const path = (flags: ServerFlags): string => {
    const id = flags.tenant ?? context.env['TENANT_ID'];
    if (!id) throw new VigieError('bad_data', 'name the tenant with --tenant (or TENANT_ID)');
    return `/vigie/v1/tenants/${encode(id)}/config`;
  };
  withServerFlags(parent.command('get'))
    .description('what the tenant configured by API; secrets show as <secret>')
    .argument('[part]', CONFIG_PARTS.join(', '))
    .argument('[file]', 'one rule file')
    .action(async (part: string | undefined, file: string | undefined, flags: ServerFlags) => {
      const answer = await new VigieClient(flags, context).request<TenantConfigAnswer>('GET', path(flags));
      context.stdout.write(configText(answer, part, file));
    });
  withServerFlags(parent.command('put'))
    .description('replace a part; a bad one leaves the old one running and says why')
    .argument('<part>', CONFIG_PARTS.join(', '))
    .argument('<file>', 'YAML file; - reads standard input; for rules its name names the rule file')
    .option('--as <name>', 'for rules: the name it gets')
    .option('--template <file>', 'for alertmanager: a template file; may be repeated', collect)
    .action(async (part: string, file: string, flags: ServerFlags & { as?: string; template?: string[] }) => {
      const change = changeOf(part, file, { ...flags, read: readText });
      const answer = await new VigieClient(flags, context).request<TenantConfigAnswer>('PUT', path(flags), change);
      context.stdout.write(`${part} stored and loaded: version ${answer.version}\n`);
    });
  withServerFlags(parent.command('remove'))
    .description('take a part away again')
    .argument('<part>', CONFIG_PARTS.join(', '))
    .argument('[file]', 'for rules: which rule file')
    .action(async (part: string, file: string | undefined, flags: ServerFlags) => {
      if (part === 'rules' && file === undefined) throw new VigieError('bad_data', 'name the rule file to remove');
      const change = part === 'rules' ? { rules: { [file!]: null } } : { [checkedPart(part)]: null };
      const answer = await new VigieClient(flags, context).request<TenantConfigAnswer>('PUT', path(flags), change);
      context.stdout.write(`${part} removed: version ${answer.version}\n`);
    });
  withServerFlags(parent.command('versions'))
    .description('versions of the configuration, newest first')
    .action(async (flags: ServerFlags) => {
      const { versions } = await new VigieClient(flags, context).request<TenantConfigVersionsAnswer>(
        'GET',
        `${path(flags)}/versions`,
      );
      const rows = versions.map((v) => [
        String(v.version),
        new Date(v.atMs).toISOString(),
        v.by,
        [...v.rules, ...(v.alertmanager ? ['alertmanager'] : []), ...(v.scrape ? ['scrape'] : [])].join(' '),
      ]);
      context.stdout.write(table(['version', 'at', 'by', 'parts'], rows));
    });
  withServerFlags(parent.command('restore'))
    .description('put an old version back, as a new one')
    .argument('<version>')
    .action(async (version: string, flags: ServerFlags) => {
      const answer = await new VigieClient(flags, context).request<TenantConfigAnswer>(
        'POST',
        `${path(flags)}/versions/${encode(version)}/restore`,
      );
      context.stdout.write(`version ${version} restored as version ${answer.version}\n`);
    });
}

/** The body of PUT .../settings. Throws `bad_data` for a flag that is not name=value. */
export function settingsOf(flags: SetFlags): Record<string, unknown> {
  const pairs = (list: readonly string[], flag: string): [string, string][] =>
    list.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new VigieError('bad_data', `${flag}: want name=value, got ${JSON.stringify(text)}`);
      return [text.slice(0, at), text.slice(at + 1)];
    });
  const limits = pairs(flags.limit ?? [], '--limit').map(([name, text]) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value))
      throw new VigieError('bad_data', `--limit ${name}: want a number, got ${JSON.stringify(text)}`);
    return [name, value];
  });
  const view = flags.view === undefined || flags.view === 'none' ? [] : pairs([flags.view], '--view');
  return {
    ...(flags.name === undefined ? {} : { displayName: flags.name }),
    ...(flags.tier === undefined ? {} : { tier: flags.tier }),
    ...(flags.label === undefined ? {} : { labels: Object.fromEntries(pairs(flags.label, '--label')) }),
    ...(limits.length === 0 ? {} : { limits: Object.fromEntries(limits) }),
    ...(flags.state === undefined ? {} : { state: flags.state }),
    ...(flags.view === 'none' ? { platformView: null } : {}),
    ...(view[0] ? { platformView: { label: view[0][0], value: view[0][1] } } : {}),
  };
}

export function tenantsTable(tenants: readonly TenantItem[]): string {
  const series = (t: TenantItem): string => {
    const use = t.limits.find((l) => l.id === 'active_series');
    return use ? `${use.used}${use.limit === undefined ? '' : ` of ${use.limit}`}` : '';
  };
  return table(
    ['id', 'name', 'state', 'created', 'active series', ''],
    tenants.map((t) => [
      t.id,
      t.name === t.id ? '' : t.name,
      t.state,
      new Date(t.createdAtMs).toISOString(),
      series(t),
      t.synthetic ? 'synthetic' : '',
    ]),
  );
}

function keysTable(keys: KeysAnswer['keys']): string {
  const time = (ms: number | undefined, none: string): string => (ms === undefined ? none : new Date(ms).toISOString());
  return table(
    ['id', 'name', 'role', 'scopes', 'created by', 'expires', 'last used'],
    keys.map((k) => [
      k.id,
      k.name,
      k.role,
      k.scopes.join(','),
      k.createdBy,
      time(k.expiresAtMs, 'never'),
      time(k.lastUsedAtMs, 'never'),
    ]),
  );
}

/** One part as it is, or an overview of all. Throws `not_found` for a part that is not configured. */
export function configText(answer: TenantConfigAnswer, part: string | undefined, file: string | undefined): string {
  if (part === undefined) {
    const rows = [
      ...Object.entries(answer.rules).map(([name, text]) => ['rules', name, 'api', String(text.split('\n').length)]),
      ...answer.files.rules.map(({ name, source, text }) => ['rules', name, source, String(text.split('\n').length)]),
      ...(answer.alertmanager === undefined ? [] : [['alertmanager', '', 'api', '']]),
      ...(answer.files.alertmanager === undefined ? [] : [['alertmanager', '', 'file', '']]),
      ...(answer.scrape === undefined ? [] : [['scrape', '', 'api', '']]),
      ...(answer.files.scrape === undefined ? [] : [['scrape', '', 'file', '']]),
    ];
    const head = `version ${answer.version}${answer.by === '' ? '' : ` by ${answer.by}`}\n`;
    return `${head}${answer.problem === '' ? '' : `NOT IN FORCE: ${answer.problem}\n`}${table(['part', 'name', 'source', 'lines'], rows)}`;
  }
  checkedPart(part);
  if (part === 'rules') {
    const all: Record<string, string> = {
      ...Object.fromEntries(answer.files.rules.map((r) => [r.name, r.text])),
      ...answer.rules,
    };
    if (file === undefined) return `${Object.keys(all).join('\n')}\n`;
    if (!Object.hasOwn(all, file)) throw new VigieError('not_found', `no rule file ${JSON.stringify(file)}`);
    return all[file]!;
  }
  const text =
    part === 'alertmanager'
      ? (answer.alertmanager ?? answer.files.alertmanager)
      : (answer.scrape ?? answer.files.scrape);
  if (text === undefined) throw new VigieError('not_found', `the tenant has no ${part} configuration`);
  return text;
}

function checkedPart(part: string): (typeof CONFIG_PARTS)[number] {
  const found = CONFIG_PARTS.find((p) => p === part);
  if (!found) throw new VigieError('bad_data', `want one of ${CONFIG_PARTS.join(', ')}, got ${JSON.stringify(part)}`);
  return found;
}

/** The body of PUT .../config for one part read from a file. */
export function changeOf(
  part: string,
  file: string,
  options: { readonly as?: string; readonly template?: readonly string[]; readonly read: (file: string) => string },
): TenantConfigInput {
  const kind = checkedPart(part);
  if (options.as !== undefined && kind !== 'rules') throw new VigieError('bad_data', '--as is for rules only');
  if (options.template && kind !== 'alertmanager')
    throw new VigieError('bad_data', '--template is for alertmanager only');
  const base = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
  if (kind === 'rules') {
    const name = options.as ?? base(file);
    if (name === '-') throw new VigieError('bad_data', 'rules from standard input need a name: --as NAME');
    return { rules: { [name]: options.read(file) } };
  }
  if (kind === 'scrape') return { scrape: options.read(file) };
  return {
    alertmanager: options.read(file),
    ...(options.template
      ? { templates: Object.fromEntries(options.template.map((t) => [base(t), options.read(t)])) }
      : {}),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new VigieError('bad_data', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}
