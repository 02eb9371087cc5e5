/** What is drawn over a chart: threshold lines, annotations, change points, the time an alert would have fired. */
import type uPlot from 'uplot';

export interface Threshold {
  readonly value: number;
  readonly colour: string;
  readonly area?: boolean;
}
export interface Mark {
  readonly kind: 'annotation' | 'change_point' | 'firing' | 'pending';
  /** Seconds. */
  readonly at: number;
  readonly until?: number;
  readonly text: string;
}

const COLOURS: Readonly<Record<Mark['kind'], string>> = {
  annotation: 'blue',
  change_point: 'purple',
  firing: 'red',
  pending: 'orange',
};

export function drawMarks(
  u: uPlot,
  thresholds: readonly Threshold[],
  marks: readonly Mark[],
  colour: (name: string) => string,
): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = devicePixelRatio;
  for (const threshold of thresholds) {
    const y = u.valToPos(threshold.value, 'y', true);
    ctx.strokeStyle = colour(threshold.colour);
    ctx.setLineDash([8, 5]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    if (threshold.area) {
      ctx.globalAlpha = 0.08;
      ctx.fillStyle = colour(threshold.colour);
      ctx.fillRect(bbox.left, bbox.top, bbox.width, y - bbox.top);
      ctx.globalAlpha = 1;
    }
  }
  for (const mark of marks) {
    const x = u.valToPos(mark.at, 'x', true);
    ctx.strokeStyle = ctx.fillStyle = colour(COLOURS[mark.kind]);
    ctx.setLineDash(mark.kind === 'change_point' ? [2, 3] : []);
    if (mark.until !== undefined) {
      ctx.globalAlpha = 0.16;
      ctx.fillRect(x, bbox.top, Math.max(2, u.valToPos(mark.until, 'x', true) - x), bbox.height);
      ctx.globalAlpha = 1;
    }
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
