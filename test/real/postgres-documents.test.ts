/** The document store on a real PostgreSQL: the same conformance suite, and a restart under load. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { PostgresDocuments } from '../../src/store/external/postgres/postgres-documents.ts';
import { documentsConformance } from '../conformance/documents.ts';
import { peerMissing } from '../support/peers.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';

describe.skipIf(peerMissing('initdb'))('documents in PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const open = () => PostgresDocuments.open({ url: server.url, clock: systemClock, logger: silentLogger });

  documentsConformance(open, 10);

  it('loses nothing acknowledged, and refuses nothing, when the server restarts under load', async () => {
    await using store = await open();
    const spec = { name: 'under_load' };
    const t = tenantId('a');
    const things = store.collection<{ i: number }>(t, spec);
    let done = 0;
    let stop = false;
    const workers = Array.from({ length: 4 }, async (_, w) => {
      for (let i = 0; !stop && i < 5_000; i++) {
        await things.put(`${w}-${i}`, { i }, 'absent');
        done++;
      }
    });
    while (done < 50) await new Promise((resolve) => setTimeout(resolve, 5));
    await server.stop();
    const before = done;
    await server.startAgain();
    while (done < before + 50) await new Promise((resolve) => setTimeout(resolve, 5));
    stop = true;
    await Promise.all(workers);
    expect(await things.count()).toBe(done);
    expect(done).toBeGreaterThan(before);
  });
});
