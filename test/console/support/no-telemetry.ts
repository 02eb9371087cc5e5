/** Expressions that the fake server answers with nothing, so that no-data states can be looked at. */
export const noTelemetry = (expr: string): boolean => expr.includes('absent_metric') || expr.trim() === '';
