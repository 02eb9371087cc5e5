/** The systems that have an address, with a client that holds their credential. Addresses are the operator's own. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { messageOf, VigieError } from '../../lib/errors.ts';
import { SYSTEMS, type SystemName } from '../config.ts';
import { elasticsearchSystem, grafanaSystem, reloadSystem } from './http-systems.ts';
import { type ClusterAccess, clusterAccess } from './kubeconfig.ts';
import { kubernetesSystem } from './kubernetes.ts';
import type { Send, System } from './system.ts';

/** Plain data, so that it can be handed to a worker thread. */
export interface SystemAddresses {
  readonly kubeconfig?: string | undefined;
  /** Context of the kubeconfig; absent: its current one. */
  readonly kubeContext?: string | undefined;
  readonly elasticsearchUrl?: string | undefined;
  readonly elasticsearchApiKey?: string | undefined;
  readonly grafanaUrl?: string | undefined;
  readonly grafanaToken?: string | undefined;
  readonly prometheusUrl?: string | undefined;
  readonly alertmanagerUrl?: string | undefined;
}

export interface ConnectedSystem {
  readonly system: System;
  readonly address: string;
}

const ANSWER_MS_MAX = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Which systems have an address, without asking them or reading a credential. */
export function addressedSystems(a: SystemAddresses): readonly SystemName[] {
  const of: Readonly<Record<SystemName, string | undefined>> = {
    kubernetes: a.kubeconfig,
    elasticsearch: a.elasticsearchUrl,
    grafana: a.grafanaUrl,
    prometheus: a.prometheusUrl,
    alertmanager: a.alertmanagerUrl,
  };
  return SYSTEMS.filter((name) => of[name]);
}

/** In the order in which they are brought in line. Throws `bad_config` for a kubeconfig that cannot be used. */
export function connectedSystems(
  addresses: SystemAddresses,
  wanted: readonly string[] | undefined,
): readonly ConnectedSystem[] {
  for (const name of wanted ?? [])
    if (!SYSTEMS.includes(name as SystemName))
      throw new VigieError('bad_config', `target: got ${JSON.stringify(name)}, want ${SYSTEMS.join(', ')}`);
  return addressedSystems(addresses)
    .filter((name) => wanted === undefined || wanted.includes(name))
    .map((name) => connect(name, addresses));
}

function connect(name: SystemName, a: SystemAddresses): ConnectedSystem {
  if (name === 'kubernetes') {
    const access = clusterAccess(a.kubeconfig!, a.kubeContext);
    const send = sender(access.server, access, access.token ? `Bearer ${access.token}` : undefined);
    return { system: kubernetesSystem(send), address: access.server };
  }
  const plain = (url: string, make: (send: Send) => System, authorization?: string): ConnectedSystem => ({
    system: make(sender(url.replace(/\/+$/, ''), {}, authorization)),
    address: withoutPassword(url),
  });
  switch (name) {
    case 'elasticsearch':
      return plain(
        a.elasticsearchUrl!,
        elasticsearchSystem,
        a.elasticsearchApiKey ? `ApiKey ${a.elasticsearchApiKey}` : undefined,
      );
    case 'grafana':
      return plain(a.grafanaUrl!, grafanaSystem, a.grafanaToken ? `Bearer ${a.grafanaToken}` : undefined);
    case 'prometheus':
      return plain(a.prometheusUrl!, (send) => reloadSystem('prometheus', send));
    case 'alertmanager':
      return plain(a.alertmanagerUrl!, (send) => reloadSystem('alertmanager', send));
  }
}

/** The address is shown and names the ledger; what stands before the host is not for either. */
function withoutPassword(url: string): string {
  const parsed = new URL(url);
  if (!parsed.username && !parsed.password) return url;
  parsed.username = '';
  parsed.password = '';
  return parsed.href;
}

/** A plain HTTP(S) client: the cluster's own authority and client certificate, which `fetch` cannot be given. */
function sender(base: string, tls: Partial<ClusterAccess>, authorization: string | undefined): Send {
  return ({ method, path: at, body, contentType }) =>
    new Promise((resolve, reject) => {
      const url = new URL(base + at);
      const fail = (error: unknown): void =>
        reject(new VigieError('unavailable', `${url.host} does not answer (${messageOf(error)})`, { cause: error }));
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
        url,
        {
          method,
          timeout: ANSWER_MS_MAX,
          headers: {
            accept: 'application/json',
            ...(authorization ? { authorization } : {}),
            ...(body === undefined
              ? {}
              : { 'content-type': contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
          ...(url.protocol === 'https:'
            ? { ca: tls.ca, cert: tls.cert, key: tls.key, rejectUnauthorized: tls.insecure !== true }
            : {}),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > ANSWER_BYTES_MAX) request.destroy(new Error(`the answer exceeds ${ANSWER_BYTES_MAX} bytes`));
            else chunks.push(chunk);
          });
          response.on('error', fail);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
          );
        },
      );
      request.on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS_MAX / 1_000} s`)));
      request.on('error', fail);
      if (body !== undefined) request.write(body);
      request.end();
    });
}
