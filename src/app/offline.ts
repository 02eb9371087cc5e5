/**
 * The state of an installation without a server: for commands that must work before the first key exists, or when the
 * server does not start. Takes the lock of the data folder, so it never runs beside one.
 */
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

/** Opens what the server would, the same way. Throws `locked` when one runs, `format_newer`, `storage`, `unavailable`. */
export async function openOffline(input: OfflineInput): Promise<Offline> {
  const { options, clock, pid, logger = silentLogger } = input;
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

function lockedFolder(dataDir: string, pid: number, whenLocked: string): ReturnType<typeof openDataFolder> {
  try {
    return openDataFolder(dataDir, pid);
  } catch (error) {
    if (!isVigieError(error, 'locked')) throw error;
    throw new VigieError('locked', `${error.message}. ${whenLocked}`, { cause: error });
  }
}
