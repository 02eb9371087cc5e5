/** kill -9 at random moments: every acknowledged alert is in an incident, every escalation step was taken, none twice. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { Incident } from '../../src/incidents/incident.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { EmbeddedDocuments } from '../../src/store/embedded/documents/embedded-documents.ts';
import { temporaryFolder } from '../support/peers.ts';

const KILLS = 5;
const PER_RUN = 60;

/** Runs the child; kills it after so many lines, or lets it end. Answers its lines. */
function run(folder: string, first: number, count: number, killAfterLines: number): Promise<string[]> {
  const child = spawn(process.execPath, [
    path.join(import.meta.dirname, 'incidents-child.ts'),
    folder,
    String(first),
    String(count),
  ]);
  let text = '';
  return new Promise((resolve) => {
    child.stdout.on('data', (b: Buffer) => {
      text += b.toString();
      if (text.split('\n').length > killAfterLines) child.kill('SIGKILL');
    });
    child.once('exit', () => resolve(text.split('\n').filter(Boolean)));
  });
}

it('loses no alert and no step through kill -9, and takes none twice', { timeout: 180_000 }, async () => {
  using folder = temporaryFolder();
  const lines: string[] = [];
  for (let n = 0; n < KILLS; n++) lines.push(...(await run(folder.path, n * PER_RUN, PER_RUN, 15 + n * 23)));
  const last = await run(folder.path, 0, 0, Number.POSITIVE_INFINITY);
  expect(last.at(-1)).toBe('done');
  lines.push(...last);
  const acknowledged = lines.filter((l) => l.startsWith('acknowledged ')).map((l) => Number(l.slice(13)));
  expect(acknowledged.length).toBeGreaterThan(KILLS * 5);
  const documents = await EmbeddedDocuments.open({
    file: path.join(folder.path, 'documents.sqlite'),
    clock: systemClock,
  });
  const page = await documents
    .collection<Incident>(tenantId('acme'), {
      name: 'incidents',
      indexed: ['number', 'live', 'state', 'criticality', 'openedAtMs', 'nextDueAtMs'],
    })
    .list();
  const incidents = page.items.map((d) => d.body);
  const held = new Set(incidents.flatMap((i) => i.alerts.map((a) => a.labels['alertname'])));
  for (const n of acknowledged) expect(held.has(`A${n}`), `A${n}`).toBe(true);
  // three messages a round, two rounds, of every incident, whoever was killed when
  const sent = lines.filter((l) => l.startsWith('sent ')).map((l) => l.slice(5));
  const wanted = incidents.flatMap((i) =>
    ['r0/s0/0', 'r0/s0/1', 'r0/s1/0', 'r1/s0/0', 'r1/s0/1', 'r1/s1/0'].map((k) => `acme/${i.id}/g1/${k}`),
  );
  expect([...new Set(sent)].sort()).toEqual(wanted.sort());
  // sent again only where a kill fell between the receiver's answer and the note of it
  expect(sent.length - wanted.length).toBeLessThanOrEqual(KILLS * 8);
  await documents[Symbol.asyncDispose]();
});
