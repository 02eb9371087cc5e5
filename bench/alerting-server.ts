/** Our alerting alone behind its API, as a process of its own, for bench/alerting.ts. Prints its address. */
import { readFileSync } from 'node:fs';
import { startOurs } from '../test/support/alerting-pair.ts';

const server = await startOurs(readFileSync(process.argv[2]!, 'utf8'));
console.log(server.url);
process.on('SIGTERM', () => process.exit(0));
