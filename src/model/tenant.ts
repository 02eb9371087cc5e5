/** A tenant is the isolation key: a key in every store, never a label that a query could forget. */
import { VigieError } from '../lib/errors.ts';

/** Branded, so that no other string can stand in for it. */
export type TenantId = string & { readonly __tenant: unique symbol };

export const TENANT_ID_LENGTH_MAX = 150;
/** Mimir's alphabet without the characters that are special in paths; `.` and `..` are refused. */
const TENANT_ID = /^[a-zA-Z0-9_\-.!*'()]+$/;

/** The tenant the operators own: telemetry of hosts and shared services. */
export const PLATFORM_TENANT = 'platform' as TenantId;

/** Checks a tenant id from outside. Throws `bad_data`. */
export function tenantId(text: string): TenantId {
  if (
    text.length === 0 ||
    text.length > TENANT_ID_LENGTH_MAX ||
    !TENANT_ID.test(text) ||
    text === '.' ||
    text === '..' ||
    text.startsWith('__')
  ) {
    throw new VigieError(
      'bad_data',
      `invalid tenant id ${JSON.stringify(text.slice(0, 64))}: want 1 to ${TENANT_ID_LENGTH_MAX} characters of a-z A-Z 0-9 _ - . ! * ' ( ), not starting with "__"`,
    );
  }
  return text as TenantId;
}
