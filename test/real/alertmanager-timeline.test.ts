/**
 * What is told over time: silences that come, go and are there at the end, inhibition that ends, repeats, a group that
 * grows and shrinks, an alert that comes again, times of day in a zone. Per group, the words in order (what is repeated
 * on purpose counts once, for how often depends on the machine): Alertmanager 0.33, 0.25 and ours in strict parity.
 */
import { describe, expect, it } from 'vitest';
import { type Alerter, startOurs, startReal, startSink } from '../support/alerting-pair.ts';
import { peerMissing } from '../support/peers.ts';

const config = (sink: string): string => `
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 1h
  routes:
    - { matchers: ['alertname="Repeat"'], receiver: hook, repeat_interval: 3s }
    - { matchers: ['alertname="Zone"'], receiver: hook, active_time_intervals: [zone] }
    - { matchers: ['alertname="Late"'], receiver: hook, mute_time_intervals: [zone] }
    - { matchers: ['alertname="Quiet"'], receiver: quiet }
time_intervals:
  - { name: zone, time_intervals: [{ weekdays: ['sunday:saturday'], days_of_month: ['1:-1'], months: ['january:december'], location: 'Pacific/Auckland' }] }
inhibit_rules:
  - { source_matchers: [sev="critical"], target_matchers: [sev=~"warn.*"], equal: [cluster] }
receivers:
  - { name: hook, webhook_configs: [{ url: '${sink}/hook' }] }
  - { name: quiet, webhook_configs: [{ url: '${sink}/quiet', send_resolved: false }] }
`;

const api = (target: Alerter, route: string, body: unknown): Promise<Response> =>
  fetch(`${target.url}/api/v2${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
/**
 * An end that has come is sent as this moment: one that lies a millisecond ahead when it arrives does not shorten what
 * was sent before (the later of two ends that have not come rules), so that only a slow server would resolve.
 */
const ENDED = 0;
const alerts = async (target: Alerter, endsInMs: number, ...sets: Record<string, string>[]): Promise<void> => {
  const endsAt = new Date(Date.now() + endsInMs).toISOString();
  expect(
    (
      await api(
        target,
        '/alerts',
        sets.map((labels) => ({ labels, endsAt })),
      )
    ).status,
  ).toBe(200);
};
async function silence(target: Alerter, alertname: string): Promise<string> {
  const answer = await api(target, '/silences', {
    matchers: [{ name: 'alertname', value: alertname, isRegex: false, isEqual: true }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: 'me',
    comment: 'c',
  });
  return ((await answer.json()) as { silenceID: string }).silenceID;
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const HOUR = 3_600_000;
const STEP_MS = 4_500;

async function run(begin: (yaml: string) => Promise<Alerter>): Promise<Record<string, string[]>> {
  await using sink = await startSink();
  await using target = await begin(config(sink.url));
  const lifted = await silence(target, 'Lifted');
  await silence(target, 'Never');
  await alerts(target, HOUR, { alertname: 'Source', sev: 'critical', cluster: 'x' });
  await alerts(
    target,
    HOUR,
    { alertname: 'Lifted' },
    { alertname: 'Never' },
    { alertname: 'Target', sev: 'warning', cluster: 'x' },
    { alertname: 'Other', sev: 'warning', cluster: 'y' },
    { alertname: 'Group', i: '1' },
    { alertname: 'Orphan' },
    { alertname: 'Repeat' },
    { alertname: 'Zone' },
    { alertname: 'Late' },
    { alertname: 'Quiet', i: '1' },
    { alertname: 'Again' },
  );
  // begun and over before the first flush
  await alerts(target, HOUR, { alertname: 'Brief' });
  await alerts(target, ENDED, { alertname: 'Brief' });
  await pause(STEP_MS);
  await fetch(`${target.url}/api/v2/silence/${lifted}`, { method: 'DELETE' });
  await silence(target, 'Orphan');
  await alerts(target, HOUR, { alertname: 'Group', i: '2' });
  await alerts(
    target,
    ENDED,
    { alertname: 'Source', sev: 'critical', cluster: 'x' },
    { alertname: 'Orphan' },
    { alertname: 'Quiet', i: '1' },
    { alertname: 'Again' },
  );
  await pause(STEP_MS);
  await alerts(target, HOUR, { alertname: 'Quiet', i: '1' }, { alertname: 'Again' });
  await alerts(target, ENDED, { alertname: 'Group', i: '1' }, { alertname: 'Target', sev: 'warning', cluster: 'x' });
  await pause(STEP_MS);
  const words: Record<string, string[]> = {};
  for (const c of sink.caught) {
    const body = c.body as {
      groupLabels: { alertname: string };
      alerts: { labels: { i?: string }; status: string }[];
    } & Record<string, unknown>;
    const said = body.alerts.map((a) => `${a.labels.i ?? ''}${a.status}`).join(',');
    const list = (words[`${c.path} ${body.groupLabels.alertname}`] ??= []);
    const reason = String(body['notification_reason'] ?? '-');
    const word = `${String(body['status'])}: ${said} (${reason})`;
    if (body.groupLabels.alertname !== 'Repeat' || list.at(-1) !== word) list.push(word);
  }
  return words;
}

describe.skipIf(peerMissing('prometheus-alertmanager', 'sid') || peerMissing('prometheus-alertmanager'))(
  'over time',
  () => {
    it('the same is told as by Alertmanager 0.33 and 0.25', { timeout: 90_000 }, async () => {
      const [sid, stable, ours] = await Promise.all([
        run((y) => startReal(y, 'sid')),
        run((y) => startReal(y)),
        run((y) => startOurs(y)),
      ]);
      expect(Object.keys(sid).length).toBeGreaterThanOrEqual(9);
      expect(Object.values(sid).flat().length).toBeGreaterThanOrEqual(16);
      expect(ours).toEqual(sid);
      const unreasoned = (words: Record<string, string[]>): unknown =>
        Object.fromEntries(
          Object.entries(words).map(([k, list]) => [
            k,
            list.map((w) => w.replace(/ \(.*/, '')).filter((w, i, all) => !k.endsWith('Repeat') || w !== all[i - 1]),
          ]),
        );
      expect(unreasoned(ours)).toEqual(unreasoned(stable));
      // planted: a world in which the silence is never lifted is another one
      expect({ ...ours, '/hook Lifted': ours['/hook Never'] ?? [] }).not.toEqual(sid);
      // what the sequence is about did happen
      expect(sid['/hook Never']).toBeUndefined();
      expect(sid['/hook Brief']).toBeUndefined();
      expect(sid['/hook Late']).toBeUndefined();
      expect(sid['/hook Repeat']).toContain('firing: firing (repeat interval elapsed)');
      expect(sid['/hook Orphan']).toEqual(['firing: firing (first notification)']);
      expect(sid['/hook Target']?.[0]).toBe('firing: firing (first notification)');
      expect(sid['/quiet Quiet']).toHaveLength(2);
      expect(sid['/hook Again']?.map((w) => w.split(':')[0])).toEqual(['firing', 'resolved', 'firing']);
    });
  },
);
