/**
 * Jira: one issue per group, found again by a label made from the group key; created, updated, closed and reopened by
 * the transitions that the configuration names. Cloud and Data Center differ in where they search.
 */
import { quoteGo } from '../../gotemplate/quote.ts';
import { VigieError } from '../../lib/errors.ts';
import { type Channel, type Notification, type Outcome, type OutgoingResponse, SENT } from './channel.ts';
import { ERROR_TEXT_MAX, expandTyped, hashKey, judge, parseAnswer, str, text, truncate } from './http-post.ts';

const SUMMARY_CHARS_MAX = 255;
const DESCRIPTION_CHARS_MAX = 32_767;

/** `summary: text`, or with `enable_update: false`, which leaves an existing issue's as it is. */
interface JiraText {
  readonly template: string;
  readonly update: boolean;
}

export const jira: Channel = {
  kind: 'jira',
  sendResolved: true,
  fields: {
    api_url: { kind: 'url', global: 'jira_api_url', required: true },
    api_type: { kind: 'string', default: 'auto', oneOf: ['auto', 'cloud', 'datacenter'] },
    project: { kind: 'template', required: true },
    issue_type: { kind: 'template', required: true },
    summary: { kind: 'json', default: '{{ template "jira.default.summary" . }}' },
    description: { kind: 'json', default: '{{ template "jira.default.description" . }}' },
    priority: { kind: 'template', default: '{{ template "jira.default.priority" . }}' },
    labels: { kind: 'json' },
    reopen_transition: { kind: 'string' },
    resolve_transition: { kind: 'string' },
    wont_fix_resolution: { kind: 'string' },
    reopen_duration: { kind: 'duration', default: 0 },
    fields: { kind: 'json' },
  },
  check(config, fail) {
    for (const field of ['summary', 'description']) {
      const value = config[field];
      if (typeof value === 'string') config[field] = { template: value, update: true } satisfies JiraText;
      else {
        const { template, enable_update: update, ...rest } = value as Record<string, string | undefined>;
        const [unknown] = Object.keys(rest);
        if (unknown !== undefined) fail(field, `field ${unknown} not found`);
        config[field] = { template: template ?? '', update: update !== 'false' } satisfies JiraText;
      }
    }
    const labels = config['labels'] ?? [];
    if (!Array.isArray(labels) || labels.some((l) => typeof l !== 'string'))
      fail('labels', 'expected a list of strings');
  },
  async send(n): Promise<Outcome> {
    const found = await searchIssue(n);
    if (found.outcome) return found.outcome;
    const { issue } = found;
    // the end of something that no open issue is about
    if (!issue && n.resolved) return SENT;
    const body = issueBody(n, issue !== undefined);
    const saved = issue ? await call(n, 'PUT', `issue/${issue.key}`, body) : await call(n, 'POST', 'issue', body);
    if (saved.outcome) return saved.outcome;
    return issue ? moveIssue(n, issue) : SENT;
  },
};

interface Issue {
  readonly key: string;
  readonly done: boolean | undefined;
}
/** Either an answer, or the outcome that ends the try. */
interface Called {
  readonly outcome?: Outcome;
  readonly answer?: Record<string, unknown>;
}

const base = (n: Notification): string => str(n.config, 'api_url').replace(/\/+$/, '');

async function call(n: Notification, method: 'GET' | 'POST' | 'PUT', path: string, json?: unknown): Promise<Called> {
  const response: OutgoingResponse = await n.ports.http({
    method,
    url: path.startsWith('http') ? path : `${base(n)}/${path}`,
    headers: { 'content-type': 'application/json', 'accept-language': 'en', 'user-agent': 'Vigie' },
    body: json === undefined ? '' : `${JSON.stringify(json)}\n`,
    http: n.http,
    signal: n.signal,
  });
  const outcome = judge(response.status, response.body, response.headers['retry-after'], n.nowMs, [429]);
  if (outcome.kind === 'failed')
    return { outcome: { ...outcome, error: `Jira, ${method} ${path.split('?')[0]}: ${outcome.error}` } };
  return { answer: parseAnswer(response.body) ?? {} };
}

async function searchIssue(n: Notification): Promise<{ readonly outcome?: Outcome; readonly issue?: Issue }> {
  const reopenMinutes = Math.trunc(Number(n.config['reopen_duration']) / 60_000);
  const reopens = !n.resolved && n.config['reopen_transition'] !== undefined && reopenMinutes > 0;
  const wontFix = str(n.config, 'wont_fix_resolution');
  const jql = [
    ...(wontFix === '' ? [] : [`(resolution is EMPTY or resolution != ${quoteGo(wontFix)})`]),
    reopens ? `(resolutiondate is EMPTY OR resolutiondate >= -${reopenMinutes}m)` : 'statusCategory != Done',
    `project=${quoteGo(text(n, 'project'))}`,
    `labels=${quoteGo(labelOf(n))} order by status ASC,resolutiondate DESC`,
  ].join(' and ');
  const type = n.config['api_type'];
  const cloud = type === 'cloud' || (type === 'auto' && new URL(base(n)).host.endsWith('atlassian.net'));
  const path = cloud ? `${base(n)}/search/jql`.replace('/rest/api/2/', '/rest/api/3/') : 'search';
  const { outcome, answer } = await call(n, 'POST', path, { fields: ['status'], jql, maxResults: 2 });
  if (outcome) return { outcome };
  const [first] = (Array.isArray(answer?.['issues']) ? answer['issues'] : []) as {
    key?: unknown;
    fields?: { status?: { statusCategory?: { key?: unknown } } };
  }[];
  if (!first) return {};
  const key = String(first.key ?? '');
  if (!/^[A-Za-z0-9_-]+$/.test(key))
    return {
      outcome: {
        kind: 'failed',
        retry: false,
        error: `Jira answered with an issue without a key: ${key.slice(0, 50)}`,
      },
    };
  const category = first.fields?.status?.statusCategory?.key;
  return { issue: { key, done: category === undefined ? undefined : category === 'done' } };
}

const labelOf = (n: Notification): string => `ALERT{${hashKey(n.groupKey)}}`;

function issueBody(n: Notification, exists: boolean): Record<string, unknown> {
  const part = (field: 'summary' | 'description', max: number): string | undefined => {
    const { template, update } = n.config[field] as JiraText;
    return exists && !update ? undefined : truncate(n.templates.text(template, n.data), max);
  };
  const summary = part('summary', SUMMARY_CHARS_MAX);
  const description = part('description', DESCRIPTION_CHARS_MAX);
  const priority = text(n, 'priority');
  const labels = ((n.config['labels'] ?? []) as string[]).map((l) => n.templates.text(l, n.data));
  return {
    fields: {
      ...(summary === undefined ? {} : { summary }),
      // version 3 of the API takes a document in JSON where version 2 takes text
      ...(description === undefined || description.trim() === ''
        ? {}
        : { description: base(n).endsWith('/3') ? documentOf(description) : description }),
      issuetype: { name: text(n, 'issue_type') },
      labels: [...labels, labelOf(n)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      ...(priority === '' ? {} : { priority: { name: priority } }),
      project: { key: text(n, 'project') },
      ...(expandTyped(n, n.config['fields'] ?? {}) as object),
    },
  };
}

function documentOf(description: string): unknown {
  try {
    return JSON.parse(description);
  } catch (cause) {
    throw new VigieError('bad_data', 'description: version 3 of the Jira API wants a document in JSON', { cause });
  }
}

async function moveIssue(n: Notification, issue: Issue): Promise<Outcome> {
  if (issue.done === undefined || issue.done === n.resolved) return SENT;
  const wanted = str(n.config, n.resolved ? 'resolve_transition' : 'reopen_transition');
  const listed = await call(n, 'GET', `issue/${issue.key}/transitions`);
  if (listed.outcome) return listed.outcome;
  const transitions = (listed.answer?.['transitions'] ?? []) as { id?: unknown; name?: unknown }[];
  const found = transitions.find((t) => t.name === wanted);
  if (!found)
    return {
      kind: 'failed',
      retry: false,
      error: `Jira: the issue ${issue.key} has no transition ${JSON.stringify(wanted.slice(0, ERROR_TEXT_MAX))}`,
    };
  const moved = await call(n, 'POST', `issue/${issue.key}/transitions`, { transition: { id: found.id } });
  return moved.outcome ?? SENT;
}
