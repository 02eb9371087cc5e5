/** What is drawn over a chart: threshold lines, annotations, change points, the time an alert would have fired. */
import type uPlot from 'uplot';

export interface Threshold {
  readonly value: number;
  readonly colour: string;
  readonly area?: boolean;
}
export interface Mark {
  readonly kind: 'annotation' | 'change_point' | 'firing' | 'pending' | 'deployment';
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
  deployment: 'green',
};

const DASHES: Readonly<Record<Mark['kind'], number[]>> = {
  annotation: [],
  change_point: [2, 3],
  firing: [],
  pending: [],
  deployment: [6, 4],
};

/** A shape beside the colour: alerts a triangle, deployments a square, others none. */
function head(ctx: CanvasRenderingContext2D, kind: Mark['kind'], x: number, y: number, size: number): void {
  if (kind === 'deployment') ctx.fillRect(x - size, y, 2 * size, 2 * size);
  else if (kind === 'firing') {
    ctx.beginPath();
    ctx.moveTo(x - size, y);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + 2 * size);
    ctx.fill();
  }
}

/** Marks near a point in time, nearest first: what a cursor there should name. */
export function marksNear(marks: readonly Mark[], at: number, withinS: number, most = 4): readonly Mark[] {
  return marks
    .filter((m) => m.text !== '' && Math.abs(m.at - at) <= withinS)
    .sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at))
    .slice(0, most);
}

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
    ctx.setLineDash(DASHES[mark.kind]);
    if (mark.until !== undefined) {
      ctx.globalAlpha = 0.16;
      ctx.fillRect(x, bbox.top, Math.max(2, u.valToPos(mark.until, 'x', true) - x), bbox.height);
      ctx.globalAlpha = 1;
    }
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    head(ctx, mark.kind, x, bbox.top, 5 * devicePixelRatio);
  }
  ctx.restore();
}
