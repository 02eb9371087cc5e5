/** The parts of a kubeconfig that a plain HTTPS client needs. Exec plug-ins are refused by name. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { messageOf, VigieError } from '../../lib/errors.ts';

export interface ClusterAccess {
  readonly server: string;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly token?: string;
  readonly insecure: boolean;
}

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user: string } }[];
  clusters?: { name: string; cluster: Record<string, unknown> }[];
  users?: { name: string; user: Record<string, unknown> }[];
}

/** Reads `file` and follows `context`, else its current one. Throws `bad_config`. */
export function clusterAccess(file: string, context?: string): ClusterAccess {
  let config: Kubeconfig;
  try {
    config = parse(readFileSync(file, 'utf8')) as Kubeconfig;
  } catch (cause) {
    throw new VigieError('bad_config', `cannot read the kubeconfig ${file}: ${messageOf(cause)}`, { cause });
  }
  const name = context ?? config['current-context'];
  const chosen = config.contexts?.find((c) => c.name === name)?.context;
  if (!chosen)
    throw new VigieError(
      'bad_config',
      `${file}: no context ${JSON.stringify(name ?? '')}; it has ${config.contexts?.map((c) => c.name).join(', ') || 'none'}`,
    );
  const cluster = config.clusters?.find((c) => c.name === chosen.cluster)?.cluster;
  const user = config.users?.find((u) => u.name === chosen.user)?.user ?? {};
  if (typeof cluster?.['server'] !== 'string')
    throw new VigieError('bad_config', `${file}: cluster ${JSON.stringify(chosen.cluster)} has no server`);
  for (const plugin of ['exec', 'auth-provider'])
    if (user[plugin] !== undefined)
      throw new VigieError(
        'unsupported',
        `${file}: user ${JSON.stringify(chosen.user)} signs in by ${plugin}, which is not run; use a token (kubectl create token) or kubectl apply -f`,
      );
  const bytes = (holder: Record<string, unknown>, key: string): Buffer | undefined => {
    const data = holder[`${key}-data`];
    if (typeof data === 'string') return Buffer.from(data, 'base64');
    const at = holder[key];
    return typeof at === 'string' ? readFileSync(path.resolve(path.dirname(file), at)) : undefined;
  };
  const ca = bytes(cluster, 'certificate-authority');
  const cert = bytes(user, 'client-certificate');
  const key = bytes(user, 'client-key');
  const tokenFile = user['tokenFile'];
  const token =
    typeof user['token'] === 'string'
      ? user['token']
      : typeof tokenFile === 'string'
        ? readFileSync(path.resolve(path.dirname(file), tokenFile), 'utf8').trim()
        : undefined;
  return {
    server: cluster['server'].replace(/\/+$/, ''),
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(token ? { token } : {}),
    insecure: cluster['insecure-skip-tls-verify'] === true,
  };
}
