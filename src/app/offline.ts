/**
 * The state of an installation without a server: for commands that must work before the first key exists, or when the
 * server does not start. Takes the lock of the data folder, so it never runs beside one.
 */
import { statSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { isVigieError, VigieError } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { AuditLog } from '../security/audit/audit-log.ts';
import type { DocumentStore } from '../store/documents.ts';
import { ApiKeys } from '../tenancy/api-keys.ts';
import { TenantDirectory } from '../tenancy/tenant-directory.ts';
import { Cleanups } from './cleanups.ts';
import { openDataFolder } from './data-folder.ts';
import type { Options } from './options.ts';
import { openDocuments } from './stores.ts';

export interface OfflineInput {
  readonly options: Options;
  readonly clock: Clock;
  readonly pid: number;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
  /** Of this process; root would leave files that the owner of the folder cannot write. Undefined where there is none. */
  readonly uid: number | undefined;
  /** What to do instead while a server runs, in words. */
  readonly whenLocked: string;
}

export interface Offline extends AsyncDisposable {
  /** Absolute path of the data folder. */
  readonly folder: string;
  readonly documents: DocumentStore;
  readonly directory: TenantDirectory;
  readonly keys: ApiKeys;
  readonly auditLog: AuditLog;
}

/**
 * Opens what the server would, the same way. Throws `locked` when one runs, `forbidden` for root on the folder of
 * another user, `format_newer`, `storage`, `unavailable`.
 */
export async function openOffline(input: OfflineInput): Promise<Offline> {
  const { options, clock, pid, logger = silentLogger } = input;
  refuseRoot(options.data_dir, input.uid);
  const cleanups = new Cleanups(clock, logger);
  try {
    const folder = lockedFolder(options.data_dir, pid, input.whenLocked);
    cleanups.add('data folder', () => folder.release());
    const documents = await openDocuments({ options, folder, clock, logger, cleanups });
    const directory = await TenantDirectory.open(documents, clock, [options.tenant]);
    const keys = await ApiKeys.open(documents, clock);
    return {
      folder: folder.path,
      documents,
      directory,
      keys,
      auditLog: new AuditLog(documents, clock),
      [Symbol.asyncDispose]: async () => void (await cleanups.run()),
    };
  } catch (error) {
    await cleanups.run();
    throw error;
  }
}

function refuseRoot(dataDir: string, uid: number | undefined): void {
  const owner = statSync(dataDir, { throwIfNoEntry: false })?.uid;
  if (uid !== 0 || owner === undefined || owner === 0) return;
  throw new VigieError(
    'forbidden',
    `the data folder ${dataDir} belongs to user ${owner}, and root would leave files that it cannot write; run this as that user (sudo -u '#${owner}' ...), or while the server runs`,
  );
}

function lockedFolder(dataDir: string, pid: number, whenLocked: string): ReturnType<typeof openDataFolder> {
  try {
    return openDataFolder(dataDir, pid);
  } catch (error) {
    if (!isVigieError(error, 'locked')) throw error;
    throw new VigieError('locked', `${error.message}. ${whenLocked}`, { cause: error });
  }
}
