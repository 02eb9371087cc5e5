/** May a playbook run now? Armed, not cooling down, within its rate, breaker closed. Pure; the first objection is named. */
import type { Playbook } from './playbook.ts';

export interface PlaybookState {
  /** Who armed it; '' when it is not armed. */
  readonly armedBy: string;
  readonly armedAtMs: number;
  /** Begins of real runs, newest last; at most RUNS_KEPT. */
  readonly runsMs: readonly number[];
  readonly failuresInRow: number;
  /** Set when the breaker opened; a person closes it. */
  readonly openedAtMs: number;
}

export const RUNS_KEPT = 1_000;
export const NEW_STATE: PlaybookState = { armedBy: '', armedAtMs: 0, runsMs: [], failuresInRow: 0, openedAtMs: 0 };
const DAY_MS = 86_400_000;

/** Why it must not run; undefined when it may. */
export function objection(playbook: Playbook, state: PlaybookState, nowMs: number): string | undefined {
  if (state.armedBy === '') return 'not armed';
  if (state.openedAtMs > 0) return `its breaker is open after ${state.failuresInRow} failures`;
  const last = state.runsMs.at(-1);
  const { cool_down, runs_per_day } = playbook.limits;
  // a clock that was set back must not lengthen or skip the pause
  if (last !== undefined && Math.abs(nowMs - last) < cool_down)
    return `cooling down until ${new Date(last + cool_down).toISOString()}`;
  const today = state.runsMs.filter((t) => nowMs - t < DAY_MS).length;
  if (today >= runs_per_day) return `${today} runs within a day, ${runs_per_day} are allowed`;
  return undefined;
}

export const began = (state: PlaybookState, nowMs: number): PlaybookState => ({
  ...state,
  runsMs: [...state.runsMs, nowMs].slice(-RUNS_KEPT),
});

export function ended(playbook: Playbook, state: PlaybookState, helped: boolean, nowMs: number): PlaybookState {
  if (helped) return { ...state, failuresInRow: 0 };
  const failuresInRow = state.failuresInRow + 1;
  return {
    ...state,
    failuresInRow,
    openedAtMs: failuresInRow >= playbook.limits.failures_max ? nowMs : state.openedAtMs,
  };
}
