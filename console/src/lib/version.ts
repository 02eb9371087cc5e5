/** The one watcher of this tab: see new-version.ts. */
import { browserPorts, NewVersion } from './new-version.ts';

export const version = new NewVersion(browserPorts());
