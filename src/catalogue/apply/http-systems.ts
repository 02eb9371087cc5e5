/** Prometheus and Alertmanager (files and a reload), Grafana and Elasticsearch (their HTTP APIs). */
import { parse } from 'yaml';
import { VigieError } from '../../lib/errors.ts';
import { expectOk } from './kubernetes.ts';
import type { Item, Send, System } from './system.ts';

/**
 * Prometheus or Alertmanager reads the rendered folder itself; applying is a reload and its verdict. `metric` is the
 * gauge by which the program says whether its last reload was good.
 */
export function reloadSystem(name: 'prometheus' | 'alertmanager', send: Send): System {
  const metric = `${name}_config_last_reload_successful`;
  const ruleFiles = new Set<string>();
  return {
    name,
    targets: [name],
    ledgerDecides: true,
    items: ({ path, text }): Item[] => {
      if (path.startsWith('prometheus/rules/')) ruleFiles.add(path);
      return [{ id: path, body: text, data: undefined }];
    },
    // the file is in place already; that it is new to the program shows in the ledger
    compare: async () => 'update',
    put: async () => undefined,
    remove: async () => true,
    finish: async () => {
      const reply = await send({ method: 'POST', path: '/-/reload' });
      if (reply.status === 403 || reply.status === 405)
        throw new VigieError(
          'upstream',
          `${name} refuses reloads by HTTP (start Prometheus with --web.enable-lifecycle), or send it SIGHUP`,
        );
      expectOk(reply, `reload of ${name}`);
      const metrics = await send({ method: 'GET', path: '/metrics' });
      if (metrics.status !== 200) return `${name} reloaded`;
      const good = new RegExp(`^${metric} (\\S+)$`, 'm').exec(metrics.body)?.[1];
      if (good !== undefined && Number(good) !== 1)
        throw new VigieError('upstream', `${name} did not accept the files: ${metric} is ${good}; its log says why`);
      const verdict = `${name} reloaded and says that it was good`;
      return ruleFiles.size === 0 ? verdict : `${verdict}${await unread(send, ruleFiles)}`;
    },
  };
}

/** A reload that went well says nothing about which files the program looks at. */
async function unread(send: Send, ruleFiles: ReadonlySet<string>): Promise<string> {
  const reply = await send({ method: 'GET', path: '/api/v1/rules' });
  if (reply.status !== 200) return '';
  let groups: readonly { readonly file?: string }[] = [];
  try {
    groups = (JSON.parse(reply.body) as { data?: { groups?: { file?: string }[] } }).data?.groups ?? [];
  } catch {
    // no Prometheus in front of us, or one that answers otherwise: then nothing is said about files
    return '';
  }
  const below = (file: string): string => file.slice(file.lastIndexOf('prometheus/rules/'));
  const read = new Set(groups.flatMap((g) => (g.file?.includes('prometheus/rules/') ? [below(g.file)] : [])));
  const missing = [...ruleFiles].filter((f) => !read.has(f));
  if (missing.length === 0) return `; it reads all ${ruleFiles.size} rule files`;
  return `, but it does not read ${missing.length} of ${ruleFiles.size} rule files, such as ${missing[0]}: name the folder in its rule_files`;
}

/** Folders by the place of the file; uids are stable, so a dashboard is replaced, never doubled. */
export function grafanaSystem(send: Send): System {
  const folders = new Map<string, Promise<string>>();
  const folder = (title: string): Promise<string> => {
    let made = folders.get(title);
    if (!made) {
      made = (async () => {
        const uid = title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
        const there = await send({ method: 'GET', path: `/api/folders/${uid}` });
        if (there.status === 404)
          expectOk(await json('POST', '/api/folders', { uid, title }), `folder ${title} of Grafana`);
        else expectOk(there, `folder ${title} of Grafana`);
        return uid;
      })();
      folders.set(title, made);
    }
    return made;
  };
  const json = (method: string, path: string, body: unknown) =>
    send({ method, path, body: JSON.stringify(body), contentType: 'application/json' });
  type Data = { kind: 'dashboard'; uid: string; folder: string } | { kind: 'datasource'; uid: string };
  return {
    name: 'grafana',
    targets: ['grafana-dashboard', 'grafana-datasource'],
    items: ({ path, text }): Item[] => {
      if (path.endsWith('.json')) {
        const uid = String((JSON.parse(text) as { uid: unknown }).uid);
        const title = path.startsWith('grafana/') ? 'Vigie' : 'Vigie packs';
        return [{ id: `dashboard/${uid}`, body: text, data: { kind: 'dashboard', uid, folder: title } satisfies Data }];
      }
      const { datasources } = parse(text) as { datasources: { uid: string }[] };
      return datasources.map((d) => ({
        id: `datasource/${d.uid}`,
        body: JSON.stringify(d),
        data: { kind: 'datasource', uid: d.uid } satisfies Data,
      }));
    },
    rank: (item) => ((item.data as Data).kind === 'datasource' ? 0 : 1),
    compare: async (item) => {
      const data = item.data as Data;
      const reply = await send({
        method: 'GET',
        path: data.kind === 'dashboard' ? `/api/dashboards/uid/${data.uid}` : `/api/datasources/uid/${data.uid}`,
      });
      if (reply.status === 404) return 'create';
      expectOk(reply, item.id);
      const wanted = JSON.parse(item.body) as Record<string, unknown>;
      const body = JSON.parse(reply.body) as Record<string, unknown>;
      const live = data.kind === 'dashboard' ? (body['dashboard'] as Record<string, unknown>) : body;
      // secrets never come back; what Grafana adds of its own is not ours to compare
      return Object.entries(wanted).every(([k, v]) => k === 'secureJsonData' || sorted(live[k]) === sorted(v))
        ? 'same'
        : 'update';
    },
    put: async (item) => {
      const data = item.data as Data;
      const body = JSON.parse(item.body) as Record<string, unknown>;
      if (data.kind === 'dashboard') {
        const { id: _id, version: _version, ...dashboard } = body;
        const reply = await json('POST', '/api/dashboards/db', {
          dashboard,
          folderUid: await folder(data.folder),
          overwrite: true,
          message: 'applied by Vigie',
        });
        return expectOk(reply, item.id);
      }
      const there = await send({ method: 'GET', path: `/api/datasources/uid/${data.uid}` });
      const reply =
        there.status === 404
          ? await json('POST', '/api/datasources', body)
          : await json('PUT', `/api/datasources/uid/${data.uid}`, body);
      expectOk(reply, item.id);
    },
    remove: async (id) => {
      const [kind, uid] = id.split('/') as [string, string];
      const reply = await send({
        method: 'DELETE',
        path: kind === 'dashboard' ? `/api/dashboards/uid/${uid}` : `/api/datasources/uid/${uid}`,
      });
      if (reply.status === 404) return false;
      expectOk(reply, `delete ${id}`);
      return true;
    },
  };
}

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_key, v: unknown) =>
    typeof v === 'object' && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  ) ?? '';

/** What other requests refer to comes first. */
const ELASTICSEARCH_ORDER = [
  '/_ilm/',
  '/_ingest/',
  '/_component_template/',
  '/_index_template/',
  '/_security/',
  '/_scripts/',
];

export function elasticsearchSystem(send: Send): System {
  const put = (item: Item) => send({ method: 'PUT', path: item.id, body: item.body, contentType: 'application/json' });
  return {
    name: 'elasticsearch',
    targets: ['elasticsearch'],
    ledgerDecides: true,
    items: ({ text, request }): Item[] => (request ? [{ id: request.path, body: text, data: undefined }] : []),
    rank: (item) => ELASTICSEARCH_ORDER.findIndex((p) => item.id.startsWith(p)),
    compare: async (item) => {
      const reply = await send({ method: 'GET', path: item.id });
      if (reply.status === 404) return 'create';
      expectOk(reply, item.id);
      // the server answers with its own defaults filled in, so equality is not decidable here; the ledger knows
      return 'update';
    },
    put: async (item) => expectOk(await put(item), item.id),
    remove: async (id) => {
      const reply = await send({ method: 'DELETE', path: id });
      if (reply.status === 404) return false;
      expectOk(reply, `delete ${id}`);
      return true;
    },
  };
}
