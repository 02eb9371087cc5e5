/** The panels of a dashboard on their grid; rows open and close. */
import { UnstyledButton } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import type { CSSProperties, Ref } from 'react';
import type { Mark } from '../../components/chart/marks.ts';
import { interpolate, type Values } from '../../lib/dashboard/interpolate.ts';
import type { LaidOut, Panel } from '../../lib/dashboard/model.ts';
import { PanelFrame } from './panel-frame.tsx';
import type { PanelData } from './use-panel-data.ts';

/** Names a panel within its dashboard; a repeated one has a name for each value. */
export const panelKey = (panel: Panel, i: number): string =>
  `${panel.id ?? `n${i}`}-${JSON.stringify(panel.scoped ?? '')}`;

export function PanelGrid(props: {
  readonly placed: readonly LaidOut[];
  readonly values: Values;
  readonly marks: readonly Mark[];
  readonly closed: ReadonlySet<number>;
  readonly toggle: (row: number) => void;
  readonly gridRef?: Ref<HTMLDivElement>;
  /** Panels below the fold too: for print, picture and snapshot. */
  readonly everything?: boolean;
  readonly edit?: ((panel: Panel) => void) | undefined;
  /** Told what a panel shows. */
  readonly keep?: ((key: string, data: PanelData) => void) | undefined;
  /** Kept data instead of queries. */
  readonly fixed?: (key: string) => PanelData | undefined;
}) {
  const { placed, values, marks, closed, toggle } = props;
  return (
    <div className="dash" ref={props.gridRef}>
      {placed.map(({ panel, x, y, w, h }, i) => {
        const place = { gridColumn: `${x + 1} / span ${Math.min(w, 24 - x)}`, gridRow: `${y + 1} / span ${h}` };
        const key = panelKey(panel, i);
        if (panel.type !== 'row')
          return (
            <div key={key} style={{ ...place, minWidth: 0, '--rows': h } as CSSProperties} className="dash-cell">
              <PanelFrame
                panel={panel}
                values={values}
                marks={marks}
                always={props.everything ?? false}
                {...(props.edit ? { edit: props.edit } : {})}
                {...(props.keep ? { keep: (data: PanelData) => props.keep!(key, data) } : {})}
                {...(props.fixed ? { fixed: props.fixed(key) ?? null } : {})}
              />
            </div>
          );
        const isClosed = closed.has(panel.id ?? -1);
        const scoped = Object.fromEntries(Object.entries(panel.scoped ?? {}).map(([k, v]) => [k, { values: [v] }]));
        return (
          <UnstyledButton
            key={`row${key}`}
            style={place}
            aria-expanded={!isClosed}
            fw={600}
            fz={14}
            onClick={() => toggle(panel.id ?? -1)}
          >
            {isClosed ? <IconChevronRight size={14} aria-hidden /> : <IconChevronDown size={14} aria-hidden />}{' '}
            {interpolate(panel.title ?? '', { ...values, ...scoped }, 'text')}
          </UnstyledButton>
        );
      })}
    </div>
  );
}
