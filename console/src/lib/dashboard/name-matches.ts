/** How dashboards name fields in options: exactly, or by a pattern. */
import { safeRegex } from '../safe-regex.ts';

/** `/pattern/` as dashboards write it, else the exact name. A pattern that cannot be run matches nothing. */
export function nameMatches(pattern: string, name: string): boolean {
  if (!/^\/.*\/[gimsu]*$/.test(pattern)) return pattern === name;
  return safeRegex(pattern)?.test(name) ?? false;
}
