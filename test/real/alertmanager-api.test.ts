/** API v2 question by question: labels of receivers, filters by them, groups, annotations of silences, wrong ids. */
import { describe, expect, it } from 'vitest';
import { type Alerter, startOurs, startReal } from '../support/alerting-pair.ts';
import { peerMissing } from '../support/peers.ts';

const YAML = `
route:
  receiver: a
  group_by: [alertname]
  group_wait: 1s
  routes:
    - { receiver: b, matchers: [team=db], continue: true, mute_time_intervals: [always] }
    - { receiver: c, matchers: [team=db], continue: true }
    - { receiver: b, matchers: [team=db], group_by: [team] }
time_intervals: [{ name: always, time_intervals: [{ years: ['2000:2999'] }] }]
receivers: [{ name: a }, { name: b, labels: { team: x, owner: 'y z' } }, { name: c }]
`;

const QUESTIONS: readonly string[] = [
  '/receivers',
  '/receivers?receiver_matchers=name=b',
  '/receivers?receiver_matchers=team=x',
  '/receivers?receiver_matchers=team!=x',
  '/receivers?receiver_matchers=team=x&receiver_matchers=owner=z',
  '/alerts?receiver_matchers=name=~"b|c"',
  '/alerts?receiver_matchers=name="c"&receiver=b',
  '/alerts?receiver_matchers=team=""',
  '/alerts/groups',
  '/alerts/groups?receiver=b',
  '/alerts/groups?receiver=c',
  '/alerts/groups?receiver_matchers=owner="y z"',
  '/alerts/groups?receiver_matchers=name="b"&receiver=c',
  '/alerts/groups?muted=false',
  '/alerts/groups?active=false',
  '/silences',
  '/silences?filter=a=b',
  '/silence/x',
  '/silence/00000000-0000-4000-8000-000000000000',
];

/** Times and ids hidden, receivers named once each. */
const shown = (text: string): unknown => {
  const hidden = text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<t>').replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<id>');
  if (hidden === '') return '';
  return JSON.parse(hidden, (key, value: unknown) =>
    key === 'receivers' ? [...new Set((value as { name: string }[]).map((r) => r.name))] : value,
  ) as unknown;
};

async function run(begin: () => Promise<Alerter>): Promise<{ answers: Record<string, unknown>; ids: string[] }> {
  await using target = await begin();
  const ask = async (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${target.url}/api/v2${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const answers: Record<string, unknown> = {};
  const note = async (name: string, response: Response): Promise<unknown> => {
    const text = (await response.text()).trim();
    return (answers[name] = [response.status, response.status < 300 || response.status === 422 ? shown(text) : '']);
  };
  await ask('POST', '/alerts', [{ labels: { alertname: 'A', team: 'db' } }, { labels: { alertname: 'B' } }]);
  // the original knows what time mutes once the first flush has asked
  for (let i = 0; i < 100; i++) {
    const groups = await (await ask('GET', '/alerts/groups')).text();
    if (groups.includes('"always"') && (JSON.parse(groups) as unknown[]).length === 4) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const silence = (value: string, more: object): object => ({
    matchers: [{ name: 'a', value, isRegex: false }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: 'me',
    comment: 'c',
    ...more,
  });
  await note('annotated', await ask('POST', '/silences', silence('b', { annotations: { ticket: 'T-1', x: 'ü' } })));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await note('plain', await ask('POST', '/silences', silence('c', {})));
  await note('wrong annotation', await ask('POST', '/silences', silence('d', { annotations: { a: 1 } })));
  await note('wrong id', await ask('DELETE', '/silence/x'));
  for (const question of QUESTIONS) await note(question, await ask('GET', encodeURI(question)));
  await note('no matchers', await ask('GET', `/receivers?receiver_matchers=${encodeURIComponent('{{')}`));
  const listed = (await (await ask('GET', '/silences')).json()) as { id: string }[];
  return { answers, ids: listed.map((s) => s.id) };
}

describe.skipIf(peerMissing('prometheus-alertmanager', 'sid'))('API v2', () => {
  it('answers as Alertmanager 0.33 does', { timeout: 60_000 }, async () => {
    const [sid, ours] = await Promise.all([run(() => startReal(YAML, 'sid')), run(() => startOurs(YAML))]);
    expect(Object.keys(sid.answers)).toHaveLength(QUESTIONS.length + 5);
    expect(sid.ids).toHaveLength(2);
    for (const [question, answer] of Object.entries(sid.answers))
      expect([question, ours.answers[question]]).toEqual([question, answer]);
    expect(JSON.stringify(ours.answers['/silences'])).toContain('"annotations":{"ticket":"T-1","x":"ü"}');
  });
});
