import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { EmbeddedDocuments } from '../../src/store/embedded/documents/embedded-documents.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { temporaryFolder } from '../support/peers.ts';
import { documentsConformance } from './documents.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let n = 0;
const openFile = (file: string) => EmbeddedDocuments.open({ file, clock: systemClock });

describe('documents in memory', () => documentsConformance(async () => new MemoryDocuments()));
describe('documents in SQLite', () => documentsConformance(() => openFile(path.join(folder.path, `d${++n}.db`))));

describe('the SQLite file', () => {
  it('keeps what was acknowledged when reopened, and snapshots consistently', async () => {
    const file = path.join(folder.path, 'reopen.db');
    const t = tenantId('a');
    const spec = { name: 'things' };
    {
      await using store = await openFile(file);
      await Promise.all(Array.from({ length: 200 }, (_, i) => store.collection(t, spec).put(String(i), { i })));
      await store.snapshot(path.join(folder.path, 'copy.db'));
      await store.collection(t, spec).put('later', {});
    }
    await using again = await openFile(file);
    expect(await again.collection(t, spec).count()).toBe(201);
    await using copy = await openFile(path.join(folder.path, 'copy.db'));
    expect(await copy.collection(t, spec).count()).toBe(200);
  });

  it('refuses a file that a newer release migrated', async () => {
    const file = path.join(folder.path, 'newer.db');
    await (await openFile(file))[Symbol.asyncDispose]();
    const db = new DatabaseSync(file);
    db.exec("insert into vigie_migrations values (2, 'from-the-future')");
    db.close();
    await expect(openFile(file)).rejects.toThrow(/newer Vigie: migration 2 "from-the-future"/);
    expect(existsSync(file)).toBe(true);
    expect(readdirSync(folder.path).filter((f) => f.startsWith('newer.db.before'))).toEqual([]);
  });
});
