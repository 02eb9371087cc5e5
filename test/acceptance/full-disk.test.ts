/**
 * The whole line on real input: a file system that really fills makes the shipped alert go pending, firing, notified by
 * mail, webhook and a Slack-shaped receiver, and resolved; the program is killed in each state and loses nothing.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/peers.ts';
import { eventually, startVigie, type VigieProcess } from '../support/vigie.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vigie-disk-'));
const disk = path.join(folder, 'disk');

function mounted(): boolean {
  try {
    mkdirSync(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'vigie-test', disk], { stdio: 'pipe' });
    return true;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.warn(`skipped: no file system could be mounted (${String(error).split('\n')[0]}); this needs root`);
    return false;
  }
}
const canMount = mounted();

interface Received {
  readonly via: 'webhook' | 'slack' | 'mail';
  readonly text: string;
}
const received: Received[] = [];
const of = (via: Received['via'], word: string): Received[] =>
  received.filter((r) => r.via === via && r.text.includes(word));

let sink: Server;
let mail: SMTPServer;
beforeAll(async () => {
  sink = createServer((request, response) => {
    let text = '';
    request.on('data', (part: Buffer) => {
      text += part.toString();
    });
    request.on('end', () => {
      received.push({ via: request.url === '/slack' ? 'slack' : 'webhook', text });
      response.end('ok');
    });
  });
  await new Promise<void>((done) => sink.listen(0, '127.0.0.1', done));
  mail = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData(stream, _session, done) {
      let text = '';
      stream.on('data', (part: Buffer) => {
        text += part.toString();
      });
      stream.on('end', () => {
        received.push({ via: 'mail', text });
        done();
      });
    },
  });
  await new Promise<void>((done) => void mail.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  if (canMount) execFileSync('umount', [disk]);
  rmSync(folder, { recursive: true, force: true });
  sink?.close();
  await new Promise<void>((done) => mail.close(done));
});

interface Alert {
  readonly labels: Record<string, string>;
  readonly state: string;
  readonly activeAt: string;
}
async function fullDisk(vigie: VigieProcess): Promise<Alert | undefined> {
  const { data } = await vigie.json<{ data: { alerts: Alert[] } }>('/api/v1/alerts');
  return data.alerts.find((a) => a.labels['alertname'] === 'HostDiskFull' && a.labels['mountpoint'] === disk);
}

describe.skipIf(!canMount)('a disk that fills', () => {
  it('pages by three channels, resolves, and survives kill -9 in every state', async () => {
    const smtp = (mail.server.address() as AddressInfo).port;
    const http = (sink.address() as AddressInfo).port;
    writeFileSync(
      path.join(folder, 'alertmanager.yml'),
      `route: {receiver: people, group_wait: 1s, group_interval: 2s, repeat_interval: 4h, routes: [{matchers: ['mountpoint="${disk}"'], receiver: people}, {matchers: ['alertname=~".*"'], receiver: nobody}]}
receivers:
  - name: nobody
  - name: people
    webhook_configs: [{url: 'http://127.0.0.1:${http}/hook'}]
    slack_configs: [{api_url: 'http://127.0.0.1:${http}/slack', channel: '#ops', send_resolved: true}]
    email_configs: [{to: ops@example.org, from: vigie@example.org, smarthost: '127.0.0.1:${smtp}', require_tls: false, send_resolved: true}]
`,
    );
    writeFileSync(
      path.join(folder, 'vigie.yaml'),
      `evaluation_interval: 2s
alertmanager_config: alertmanager.yml
catalogue: {overrides: {host: {rules: {HostDiskFull: {for: 25s}}}}}
`,
    );
    const dataDir = path.join(folder, 'data');
    // a retry begins anew
    rmSync(dataDir, { recursive: true, force: true });
    rmSync(path.join(disk, 'ballast'), { force: true });
    received.length = 0;
    mkdirSync(dataDir);
    const port = await freePort();
    const run = () => startVigie({ dataDir, port, args: ['--config', path.join(folder, 'vigie.yaml')] });

    let first: Alert;
    {
      await using vigie = await run();
      writeFileSync(path.join(disk, 'ballast'), Buffer.alloc(3.96 * 1024 * 1024, 1));
      first = await eventually(
        'a pending alert',
        async () => {
          const alert = await fullDisk(vigie);
          return alert?.state === 'pending' ? alert : undefined;
        },
        60_000,
      );
      await vigie.stop('SIGKILL');
    }
    {
      await using vigie = await run();
      const firing = await eventually(
        'a firing alert',
        async () => {
          const alert = await fullDisk(vigie);
          return alert?.state === 'firing' ? alert : undefined;
        },
        90_000,
      );
      // it went on waiting where it was killed; as in Prometheus, only the time it was down does not count
      expect(Math.abs(Date.parse(firing.activeAt) - Date.parse(first.activeAt))).toBeLessThan(15_000);
      await eventually('three pages', async () =>
        (['webhook', 'slack', 'mail'] as const).every((via) => of(via, 'HostDiskFull').length > 0),
      );
      // a crash between a receiver's answer and the log may repeat that page; test/kill looks at that window
      await new Promise((done) => setTimeout(done, 2_000));
      await vigie.stop('SIGKILL');
    }
    const told = received.length;
    {
      await using vigie = await run();
      await eventually('the alert still firing', async () => (await fullDisk(vigie))?.state === 'firing', 60_000);
      expect(received.length, 'nobody is told twice of the same').toBe(told);
      rmSync(path.join(disk, 'ballast'));
      await eventually(
        'three all-clears',
        async () =>
          of('webhook', '"status":"resolved"').length > 0 &&
          of('slack', 'RESOLVED').length > 0 &&
          of('mail', 'RESOLVED').length > 0,
        60_000,
      );
      // the same window as above
      await new Promise((done) => setTimeout(done, 2_000));
      await vigie.stop('SIGKILL');
    }
    const ended = received.length;
    {
      await using vigie = await run();
      // state is saved within seconds of a change: a kill right after it may bring the alert back until its next evaluation
      await eventually('the alert gone', async () => (await fullDisk(vigie)) === undefined, 30_000);
      await new Promise((done) => setTimeout(done, 4_000));
      expect(received.length, 'and not again after the end').toBe(ended);
    }
    const page = JSON.parse(of('webhook', 'HostDiskFull')[0]!.text) as {
      alerts: { annotations: Record<string, string> }[];
    };
    expect(page.alerts[0]!.annotations['summary']).toContain(`${disk} on `);
  }, 300_000);
});
