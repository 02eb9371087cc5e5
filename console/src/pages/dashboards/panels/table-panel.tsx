/** Tables with transformations, overrides, mappings, threshold colours, links, and bars in cells. */
import { NativeSelect, useComputedColorScheme } from '@mantine/core';
import { useState } from 'react';
import { DataTable } from '../../../components/data-table.tsx';
import { colourOf, fieldConfig, show } from '../../../lib/dashboard/fields.ts';
import { displayName, linksOf } from '../../../lib/dashboard/links.ts';
import type { FieldConfig } from '../../../lib/dashboard/model.ts';
import type { Cell, Field, Frame } from '../../../lib/dashboard/transformations.ts';
import { useText } from '../../../lib/use-text.ts';
import { useView } from '../../../lib/view.ts';
import type { BodyProps } from './panel-body.tsx';
import { inkOn } from './state-timeline.tsx';
import { usePageContext } from './use-page-context.ts';

const FRAMES_MAX = 200;

/**
 * The columns of an answer that say nothing are left out, unless the dashboard arranged its columns itself: the time of
 * an instant answer, a metric name or tenant that every row shares.
 */
function telling(frame: Frame, panel: BodyProps['panel']): readonly Field[] {
  if ((panel.transformations ?? []).length > 0) return frame.fields;
  const same = (f: Field): boolean => f.values.every((v) => v === f.values[0]);
  const shown = frame.fields.filter((f) => !(QUIET.includes(f.name) && same(f)));
  return shown.length > 0 ? shown : frame.fields;
}
const QUIET = ['Time', '__name__', 'tenant_id'];

const nameOf = (frame: Frame): string =>
  frame.name ?? frame.fields.find((f) => f.type === 'number')?.name ?? frame.refId;

export function TablePanel({ panel, data, values: variables }: BodyProps) {
  const { t, locale, date } = useText();
  const { timeZone } = useView();
  const page = usePageContext(variables);
  const theme = useComputedColorScheme('light');
  const [chosen, setChosen] = useState(0);
  const frames = data.frames.slice(0, FRAMES_MAX);
  // several frames left over: one is shown, and the others can be chosen
  const frame: Frame = frames[Math.min(chosen, frames.length - 1)] ?? { refId: '', fields: [] };
  const fields = telling(frame, panel)
    .map((f) => ({ field: f, config: fieldConfig(panel, f.name, frame.refId, f.type, f.values) }))
    .filter(
      ({ config }) =>
        config.custom?.['hidden'] !== true &&
        (config.custom?.['hideFrom'] as { viz?: boolean } | undefined)?.viz !== true,
    );
  const rows = Array.from({ length: Math.max(0, ...frame.fields.map((f) => f.values.length)) }, (_, i) => i);
  const order = ((panel.options?.['sortBy'] ?? []) as { displayName?: string; desc?: boolean }[])[0];
  const columns = fields.map(({ field, config }, n) => {
    const highest = Math.max(0, ...field.values.map((v) => (typeof v === 'number' ? v : 0)));
    return {
      id: `${n}${field.name}`,
      label: displayName(config, field.name, field.labels ?? {}),
      numeric: field.type === 'number',
      ...(typeof config.custom?.['width'] === 'number' ? { width: `minmax(${config.custom['width']}px, auto)` } : {}),
      key: (i: number) => field.values[i] ?? '',
      cell: (i: number) => {
        const v = field.values[i] ?? null;
        const shown =
          field.type === 'time' ? { text: typeof v === 'number' ? date(v) : '' } : show(v, config, locale, timeZone);
        const colour = colourOf(shown, theme);
        const about = {
          name: field.name,
          labels: field.labels ?? {},
          value: v,
          text: shown.text,
          row: Object.fromEntries(frame.fields.map((f) => [f.name, f.values[i] ?? null])),
        };
        const [link] = (config.links ?? []).length > 0 ? linksOf(config, page, about) : [];
        const inside = <CellText value={v} text={shown.text} colour={colour} config={config} highest={highest} />;
        return link ? (
          <a
            href={link.href}
            title={link.text}
            target={link.newTab ? '_blank' : undefined}
            rel="noreferrer noopener"
            style={{ color: 'var(--mantine-color-anchor)' }}
          >
            {inside}
          </a>
        ) : (
          inside
        );
      },
    };
  });
  const first = order ? columns.find((c) => c.label === order.displayName) : undefined;
  return (
    <div style={{ overflow: 'auto', height: '100%' }}>
      {frames.length > 1 && (
        <NativeSelect
          size="xs"
          mb={4}
          aria-label={t('dashboard.frame')}
          data={frames.map((f, i) => ({ value: String(i), label: nameOf(f) }))}
          value={String(chosen)}
          onChange={(e) => setChosen(Number(e.currentTarget.value))}
        />
      )}
      <DataTable
        key={first?.id ?? ''}
        label={panel.title ?? ''}
        rows={rows}
        rowKey={String}
        empty={t('state.noData')}
        filter={false}
        columns={columns}
        {...(first ? { initialSort: { id: first.id, down: order!.desc === true } } : {})}
      />
    </div>
  );
}

/** What a cell looks like: plain, coloured, on its colour, or with a bar behind its figure. */
function CellText(props: {
  readonly value: Cell;
  readonly text: string;
  readonly colour: string | undefined;
  readonly config: FieldConfig;
  readonly highest: number;
}) {
  const { value, text, colour, config, highest } = props;
  const kind = String(
    (config.custom?.['cellOptions'] as { type?: string } | undefined)?.type ?? config.custom?.['displayMode'] ?? 'auto',
  );
  if (kind === 'auto' || kind === 'json-view') return <span>{text}</span>;
  if (kind.startsWith('color-background') && colour)
    return (
      <span style={{ background: colour, color: inkOn(colour), padding: '1px 6px', borderRadius: 3, fontWeight: 600 }}>
        {text}
      </span>
    );
  if (/gauge|lcd|basic/.test(kind) && typeof value === 'number') {
    const min = config.min ?? 0;
    const max = config.max ?? (config.unit === 'percentunit' ? 1 : config.unit === 'percent' ? 100 : highest || 1);
    const share = Math.max(0, Math.min(1, (value - min) / (max - min || 1)));
    return (
      <span style={{ display: 'inline-flex', gap: 8, alignItems: 'center', width: '100%', justifyContent: 'flex-end' }}>
        <span
          aria-hidden
          style={{ flex: '1 1 30px', maxWidth: 120, height: 8, background: 'var(--v-grid)', borderRadius: 2 }}
        >
          <span
            style={{
              display: 'block',
              height: 8,
              borderRadius: 2,
              width: `${100 * share}%`,
              background: colour ?? 'var(--mantine-primary-color-filled)',
            }}
          />
        </span>
        <span>{text}</span>
      </span>
    );
  }
  return <span style={{ color: colour, fontWeight: 600 }}>{text}</span>;
}
