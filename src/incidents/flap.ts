/** Flapping, and how long a recovery must hold before it is believed. Pure. */
import { parseDuration } from '../model/duration.ts';
import type { IncidentSettings } from './collections.ts';
import type { Incident } from './incident.ts';

/** This many changes of one alert within the window are flapping. */
export const FLAP_CHANGES = 4;
export const FLAP_WINDOW_MS = 30 * 60_000;
/** The longest wait an annotation can ask for. */
const RESOLVE_AFTER_MS_MAX = 24 * 3_600_000;

export const isFlapping = (incident: Incident, nowMs: number): boolean =>
  incident.alerts.some((a) => a.changesMs.filter((t) => nowMs - t <= FLAP_WINDOW_MS).length >= FLAP_CHANGES);

/** How long all signals must stay recovered: longer when they flap, or when an alert's `resolve_after` asks for it. */
export function resolveAfterMs(incident: Incident, settings: IncidentSettings, nowMs: number): number {
  let wait = isFlapping(incident, nowMs) ? settings.resolveAfterFlappingMs : settings.resolveAfterMs;
  for (const a of incident.alerts) {
    const asked = a.annotations['resolve_after'];
    if (asked === undefined) continue;
    try {
      wait = Math.max(wait, Math.min(RESOLVE_AFTER_MS_MAX, parseDuration(asked)));
    } catch {
      // an annotation that is no duration asks for nothing
    }
  }
  return wait;
}
