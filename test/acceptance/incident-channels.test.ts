/**
 * One incident through the programs people use, with the real Vigie and receivers that refuse what the real ones
 * refuse: Discord buttons pressed, PagerDuty told both ways, mails in one thread, a signed link.
 */
import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Received, type Receivers, startReceivers } from '../support/receivers.ts';
import { eventually, startVigie, type VigieProcess } from '../support/vigie.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vigie-incident-channels-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = (to: Receivers): string => `
global: { slack_api_url: '${to.url}/slack/hook', smtp_smarthost: '127.0.0.1:${to.smtpPort}', smtp_from: vigie@x.test, smtp_require_tls: false, pagerduty_url: '${to.url}/pagerduty' }
route: { receiver: nobody }
receivers:
  - name: nobody
  - name: discord
    discord_configs: [{ webhook_url: '${to.url}/discord/hook?thread_id=7', message: '{{ .CommonAnnotations.description }}' }]
  - name: slack
    slack_configs: [{ channel: '#ops' }]
  - name: pager
    pagerduty_configs: [{ routing_key: key, description: 'no id in here' }]
`;
const POLICY = {
  version: 1,
  kind: 'escalation_policy',
  name: 'all',
  steps: [
    {
      level: 'L2',
      notify: [
        { receiver: 'discord' },
        { receiver: 'slack' },
        { receiver: 'pager' },
        { contact: 'ada' },
        { contact: 'ben' },
      ],
      timeout: '2s',
    },
    { level: 'L3', notify: [{ contact: 'ada' }], timeout: '10m' },
  ],
};

const put = async (vigie: VigieProcess, at: string, body: unknown): Promise<void> => {
  const answer = await vigie.fetch(at, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status, await answer.clone().text()).toBeLessThan(300);
};
const post = (vigie: VigieProcess, at: string, body: string, headers: Record<string, string> = {}) =>
  vigie.fetch(at, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
const opened = async (vigie: VigieProcess, title: string): Promise<string> => {
  const answer = await post(vigie, '/vigie/v1/incidents', JSON.stringify({ title, severity: 'critical' }));
  return ((await answer.json()) as { incident: { id: string } }).incident.id;
};
const stateOf = async (vigie: VigieProcess, id: string): Promise<{ state: string; acknowledgedBy?: string }> =>
  (await vigie.json<{ incident: { state: string; acknowledgedBy?: string } }>(`/vigie/v1/incidents/${id}`)).incident;

async function world() {
  const to = await startReceivers();
  mkdirSync(path.join(folder, 'own'), { recursive: true });
  const file = path.join(folder, 'own', `${to.smtpPort}.yml`);
  writeFileSync(file, config(to));
  const vigie = await startVigie({ args: ['--alertmanager-config', file] });
  for (const name of ['ada', 'ben'])
    await put(vigie, '/vigie/v1/on-call/contacts', {
      document: { version: 1, kind: 'contact', name, rules: [{ email: `${name}@x.test` }] },
    });
  await put(vigie, '/vigie/v1/on-call/policies', { document: POLICY });
  const posted = (where: string): Received[] => to.posts.filter((p) => p.path.startsWith(`/${where}`));
  return {
    to,
    vigie,
    posted,
    async [Symbol.asyncDispose]() {
      await vigie[Symbol.asyncDispose]();
      await to[Symbol.asyncDispose]();
    },
  };
}
interface Component {
  readonly style: number;
  readonly label: string;
  readonly url?: string;
  readonly custom_id?: string;
}
const buttonsOf = (message: Received): readonly Component[] =>
  (message.body['components'] as [{ type: number; components: Component[] }])[0].components;

describe('one incident, the programs people use', () => {
  it('Discord: links until presses come back, then buttons that acknowledge', async () => {
    await using w = await world();
    const { vigie, posted } = w;
    const first = await opened(vigie, 'first');
    const linked = await eventually('a message with links', async () => posted('discord')[0]);
    expect(linked.path).toBe('/discord/hook?thread_id=7&with_components=true');
    expect(buttonsOf(linked).map((b) => [b.style, b.label])).toEqual([
      [5, 'Acknowledge'],
      [5, 'Snooze 1 h'],
      [5, 'Escalate'],
    ]);
    const page = await fetch(buttonsOf(linked)[0]!.url!);
    expect([page.status, (await stateOf(vigie, first)).state]).toEqual([200, 'open']);
    expect((await fetch(buttonsOf(linked)[0]!.url!, { method: 'POST' })).status).toBe(200);
    expect((await stateOf(vigie, first)).state).toBe('acknowledged');

    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const x = publicKey.export({ format: 'jwk' }).x!;
    await put(vigie, '/vigie/v1/callback-secrets/discord', { secret: Buffer.from(x, 'base64url').toString('hex') });
    const interaction = async (body: object, key = privateKey) => {
      const text = JSON.stringify(body);
      const timestamp = String(Math.floor(Date.now() / 1000));
      return post(vigie, '/vigie/v1/callbacks/discord/default', text, {
        'x-signature-timestamp': timestamp,
        'x-signature-ed25519': sign(null, Buffer.from(timestamp + text), key).toString('hex'),
      });
    };
    // Discord proves both when the address is entered: a ping is answered, a wrong signature is refused
    expect(await (await interaction({ type: 1 })).json()).toEqual({ type: 1 });
    expect((await interaction({ type: 1 }, generateKeyPairSync('ed25519').privateKey)).status).toBe(401);
    const before = posted('discord').length;
    const second = await opened(vigie, 'second');
    const message = await eventually('a message with buttons', async () => posted('discord')[before]);
    const buttons = buttonsOf(message);
    expect(buttons.map((b) => b.custom_id)).toEqual([
      `acknowledge:${second}`,
      `snooze:${second}`,
      `escalate:${second}`,
    ]);
    const press = (custom_id: string) =>
      interaction({ type: 3, member: { user: { username: 'ben' } }, data: { component_type: 2, custom_id } });
    expect(await (await press(buttons[0]!.custom_id!)).json()).toEqual({
      type: 4,
      data: { content: `${second}: acknowledged`, flags: 64 },
    });
    expect(await stateOf(vigie, second)).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'discord:ben' });
    expect(await (await press(`snooze:${second}`)).json()).toMatchObject({ data: { content: `${second}: snoozed` } });
  }, 60_000);

  it('Slack: links until presses come back, then buttons that acknowledge', async () => {
    await using w = await world();
    const { vigie, posted } = w;
    interface Block {
      readonly blocks?: readonly [{ readonly type: string; readonly elements: readonly SlackButton[] }];
    }
    interface SlackButton {
      readonly text: { readonly text: string };
      readonly url?: string;
      readonly value?: string;
    }
    const row = (message: Received): readonly SlackButton[] =>
      (message.body['attachments'] as Block[]).flatMap((a) => a.blocks?.flatMap((b) => b.elements) ?? []);
    const first = await opened(vigie, 'first');
    const linked = await eventually('a message with links', async () => posted('slack')[0]);
    expect(row(linked).map((b) => [b.text.text, b.value])).toEqual([
      ['Acknowledge', undefined],
      ['Snooze 1 h', undefined],
      ['Escalate', undefined],
    ]);
    // its own text is empty by default
    expect((linked.body['attachments'] as [{ text: string }])[0].text).toContain('Who is hit:');
    expect((await fetch(row(linked)[0]!.url!, { method: 'POST' })).status).toBe(200);
    expect(await stateOf(vigie, first)).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'slack' });

    await put(vigie, '/vigie/v1/callback-secrets/slack', { secret: 'signing-secret' });
    const before = posted('slack').length;
    const second = await opened(vigie, 'second');
    const message = await eventually('a message with buttons', async () => posted('slack')[before]);
    expect(row(message).map((b) => [b.value, b.url])).toEqual([
      [`acknowledge:${second}`, undefined],
      [`snooze:${second}`, undefined],
      [`escalate:${second}`, undefined],
    ]);
    const press = async (value: string, secret = 'signing-secret') => {
      const payload = { type: 'block_actions', user: { username: 'cy' }, actions: [{ type: 'button', value }] };
      const text = `payload=${encodeURIComponent(JSON.stringify(payload))}`;
      const timestamp = String(Math.floor(Date.now() / 1000));
      const signature = createHmac('sha256', secret).update(`v0:${timestamp}:${text}`).digest('hex');
      return post(vigie, '/vigie/v1/callbacks/slack/default', text, {
        'content-type': 'application/x-www-form-urlencoded',
        'x-slack-request-timestamp': timestamp,
        'x-slack-signature': `v0=${signature}`,
      });
    };
    expect((await press(row(message)[0]!.value!, 'guessed')).status).toBe(401);
    expect((await press(row(message)[0]!.value!)).status).toBe(200);
    expect(await stateOf(vigie, second)).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'slack:cy' });
  }, 60_000);

  it('PagerDuty: triggered, told of our acknowledgement, and acknowledges and resolves ours by its own key', async () => {
    await using w = await world();
    const { vigie, posted } = w;
    await put(vigie, '/vigie/v1/callback-secrets/pagerduty', { secret: 'subscription-secret' });
    const id = await opened(vigie, 'database is slow');
    const actions = () => posted('pagerduty').map((p) => p.body['event_action']);
    const trigger = await eventually('a trigger', async () => posted('pagerduty')[0]);
    const key = trigger.body['dedup_key'];
    expect(key).toBe(createHash('sha256').update(`incident:default/${id}`).digest('hex'));
    await post(vigie, `/vigie/v1/incidents/${id}/actions`, JSON.stringify({ action: 'acknowledge' }));
    const taken = await eventually('our acknowledgement', async () =>
      posted('pagerduty').find((p) => p.body['event_action'] === 'acknowledge'),
    );
    expect(taken.body).toMatchObject({ routing_key: 'key', dedup_key: key });
    const discord = posted('discord').length;
    const hook = async (event_type: string, data: object, secret = 'subscription-secret') => {
      const text = JSON.stringify({ event: { event_type, agent: { summary: 'Cy' }, data } });
      const signature = createHmac('sha256', secret).update(text).digest('hex');
      return post(vigie, '/vigie/v1/callbacks/pagerduty/default', text, { 'x-pagerduty-signature': `v1=${signature}` });
    };
    const data = { title: 'no id in here', incident_key: key };
    expect((await hook('incident.resolved', data, 'another')).status).toBe(401);
    expect(await (await hook('incident.acknowledged', { title: 'theirs', incident_key: 'x' })).json()).toEqual({
      result: 'nothing to do',
    });
    expect(await (await hook('incident.resolved', data)).json()).toEqual({ result: `${id}: resolved` });
    await eventually('the end', async () => actions().at(-1) === 'resolve');
    // what was taken over there is not told back, and chat hears of no acknowledgement
    const second = await opened(vigie, 'second');
    await eventually('a second trigger', async () => actions().at(-1) === 'trigger');
    const again = posted('pagerduty').at(-1)!.body['dedup_key'];
    expect(await (await hook('incident.acknowledged', { ...data, incident_key: again })).json()).toEqual({
      result: `${second}: acknowledged`,
    });
    expect(await stateOf(vigie, second)).toMatchObject({ acknowledgedBy: 'pagerduty:Cy' });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(actions()).toEqual(['trigger', 'acknowledge', 'resolve', 'trigger']);
    expect(posted('discord').length - discord).toBe(2);
  }, 60_000);

  it('stakeholders: mailed by themselves in their language, and one click of a mail program takes them off', async () => {
    await using w = await world();
    const { vigie, to } = w;
    const components = [{ name: 'Chat', services: ['api'] }];
    await put(vigie, '/vigie/v1/status-page', {
      ...{ version: 1, kind: 'status_page', slug: 'acme-status', title: 'Acme' },
      components,
    });
    const members = ['eve@x.test', 'kim@x.test'];
    const list = { version: 1, kind: 'stakeholder_list', name: 'customers', language: 'de', members };
    await put(vigie, '/vigie/v1/stakeholders', { document: { ...list, automatic: { criticality: 'P3' } } });
    const alert = (service: string, alertname: string) =>
      post(
        vigie,
        '/api/v2/alerts',
        JSON.stringify([{ labels: { alertname, service, severity: 'critical' }, annotations: { summary: 'inner' } }]),
      );
    const mine = () => to.mails.filter((m) => members.includes(m.to[0]!));
    await alert('api', 'InnerName');
    await eventually('both mails', async () => mine().length === 2);
    for (const m of mine()) {
      expect(m.subject).toBe('Acme: Chat ist eingeschränkt');
      expect(m.unsubscribePost).toBe('List-Unsubscribe=One-Click');
      expect(m.text + m.html).not.toMatch(/InnerName|inner|INC-/);
    }
    const eve = mine().find((m) => m.to[0] === 'eve@x.test')!;
    const link = /^<(http[^>]+)>$/.exec(eve.unsubscribe)![1]!;
    expect(eve.text).toContain(link);
    const answer = await fetch(link, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'List-Unsubscribe=One-Click',
    });
    expect(answer.status).toBe(200);
    const { incidents } = await vigie.json<{ incidents: { id: string }[] }>('/vigie/v1/incidents');
    const update = { status: 'monitoring', title: 'Chat läuft wieder', text: 'Wir beobachten.' };
    await post(vigie, `/vigie/v1/incidents/${incidents[0]!.id}/updates`, JSON.stringify(update));
    await eventually('what a person wrote', async () => mine().length === 3);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(
      mine()
        .slice(2)
        .map((m) => [m.to[0], m.subject]),
    ).toEqual([['kim@x.test', 'Chat läuft wieder']]);
  }, 60_000);

  it('mail: one thread an incident, whoever is told and in whatever order', async () => {
    await using w = await world();
    const { vigie, to } = w;
    const id = await opened(vigie, 'mail');
    await eventually('the second level', async () => to.mails.length === 3);
    await post(vigie, `/vigie/v1/incidents/${id}/actions`, JSON.stringify({ action: 'resolve' }));
    await eventually('the end', async () => to.mails.length === 5);
    const root = `<${id.toLowerCase()}.default@127.0.0.1>`;
    const mine = to.mails.filter((m) => m.to[0] === 'ada@x.test');
    expect(mine.map((m) => [m.messageId === root, m.inReplyTo, m.references])).toEqual([
      [true, '', []],
      [false, root, [root]],
      [false, root, [root]],
    ]);
    expect(new Set(mine.map((m) => m.messageId)).size).toBe(3);
    expect(mine.at(-1)!.subject).toContain('RESOLVED');
    // each link once: a reader should not have to choose between two of the same
    expect(mine[0]!.subject).toMatch(/^\[P\d\] INC-\d+ mail$/);
    for (const body of [mine[0]!.text, mine[0]!.html]) expect(body.split('token=').length - 1).toBe(3);
    expect(mine[0]!.text).toMatch(/^INC-\d+, P\d, open, level L2\n/);
    const other = await opened(vigie, 'another');
    await eventually('another thread', async () => to.mails.length >= 7);
    expect(to.mails.at(-1)!.messageId).toContain(other.toLowerCase());
    expect(to.mails.at(-1)!.references).not.toContain(root);
  }, 60_000);
});
