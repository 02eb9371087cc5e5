/** Does one action of a playbook, and undoes what can be undone by itself. Plans say what would be done, and do nothing. */
import { lstat, rename } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import { type CleanPlan, cleanDisk, planCleanDisk } from './clean-disk.ts';
import { type Action, describeAction } from './playbook.ts';
import { type Execute, processOf, restartProcess, restartUnit, restartWorkload } from './restart.ts';

export interface Done {
  readonly words: string;
  /** Puts back what this action moved away. */
  readonly undo?: () => Promise<string>;
}

export interface Performer {
  plan(action: Action): Promise<string>;
  perform(action: Action, signal: AbortSignal): Promise<Done>;
}

export function performer(execute: Execute, clock: Clock): Performer {
  return {
    async plan(action) {
      switch (action.do) {
        case 'clean_disk':
          return `would ${describeAction(action)}: ${planWords(await planCleanDisk(action, clock.now()))}`;
        case 'restart_process': {
          const pid = await processOf(action.pid_file, action.executable);
          return `would ${describeAction(action)}: ${pid === undefined ? 'it does not run now' : `it runs as ${pid}`}`;
        }
        case 'restart_unit':
        case 'restart_workload':
          return `would ${describeAction(action)}`;
      }
    },
    async perform(action, signal) {
      switch (action.do) {
        case 'restart_unit':
          return { words: await restartUnit(action, execute, signal) };
        case 'restart_workload':
          return { words: await restartWorkload(action, execute, signal) };
        case 'restart_process':
          return { words: await restartProcess(action, clock, signal) };
        case 'clean_disk': {
          const plan = await planCleanDisk(action, clock.now());
          const { removed, bytes, moved } = await cleanDisk(action, plan);
          const words = `${moved.length > 0 ? 'moved away' : 'removed'} ${removed} files, ${bytes} bytes${plan.cut ? '; more are left' : ''}`;
          return moved.length === 0 ? { words } : { words, undo: () => putBack(moved) };
        }
      }
    },
  };
}

const planWords = (p: CleanPlan): string =>
  `${p.files.length} files, ${p.bytes} bytes${p.cut ? '; more are left by the limits' : ''}`;

async function putBack(moved: readonly (readonly [string, string])[]): Promise<string> {
  let back = 0;
  for (const [from, to] of moved) {
    // a new file may have taken the place meanwhile: it is the newer truth
    const taken = await lstat(from).then(
      () => true,
      () => false,
    );
    if (taken) continue;
    await rename(to, from);
    back++;
  }
  return `put back ${back} of ${moved.length} files`;
}
