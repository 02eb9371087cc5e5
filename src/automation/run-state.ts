/** The states of one run of a playbook as a full table; the compiler proves that no pair is missing. Pure. */
export const RUN_STATES = [
  'checking',
  'acting',
  'verifying',
  'rolling_back',
  'helped',
  'planned',
  'not_needed',
  'rolled_back',
  'failed',
] as const;
export type RunState = (typeof RUN_STATES)[number];
export const RUN_EVENTS = ['pass', 'dry_run', 'fail', 'fail_undoable', 'interrupted'] as const;
export type RunEvent = (typeof RUN_EVENTS)[number];

/** `fail_undoable`: failed, and the playbook has a roll-back. `interrupted`: the process died; what was done is not known. */
export const RUN: { readonly [S in RunState]: { readonly [E in RunEvent]: RunState | 'ignore' } } = {
  checking: {
    pass: 'acting',
    dry_run: 'planned',
    fail: 'not_needed',
    fail_undoable: 'not_needed',
    interrupted: 'failed',
  },
  acting: {
    pass: 'verifying',
    dry_run: 'ignore',
    fail: 'failed',
    fail_undoable: 'rolling_back',
    interrupted: 'failed',
  },
  verifying: {
    pass: 'helped',
    dry_run: 'ignore',
    fail: 'failed',
    fail_undoable: 'rolling_back',
    interrupted: 'failed',
  },
  rolling_back: {
    pass: 'rolled_back',
    dry_run: 'ignore',
    fail: 'failed',
    fail_undoable: 'failed',
    interrupted: 'failed',
  },
  helped: over(),
  planned: over(),
  not_needed: over(),
  rolled_back: over(),
  failed: over(),
};

function over(): { readonly [E in RunEvent]: 'ignore' } {
  return { pass: 'ignore', dry_run: 'ignore', fail: 'ignore', fail_undoable: 'ignore', interrupted: 'ignore' };
}

export const isOver = (s: RunState): boolean => RUN[s].pass === 'ignore';
/** States that count against the breaker. */
export const isFailure = (s: RunState): boolean => s === 'failed' || s === 'rolled_back';
