/** Tables with transformations, overrides, mappings and threshold colours. */
import { useComputedColorScheme } from '@mantine/core';
import { DataTable } from '../../../components/data-table.tsx';
import { colourOf, fieldConfig, show } from '../../../lib/dashboard/fields.ts';
import { type Field, type Frame, transform } from '../../../lib/dashboard/transformations.ts';
import { useText } from '../../../lib/use-text.ts';
import { useView } from '../../../lib/view.ts';
import type { BodyProps } from './panel-body.tsx';

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

export function TablePanel({ panel, data }: BodyProps) {
  const { t, locale, date } = useText();
  const { timeZone } = useView();
  const theme = useComputedColorScheme('light');
  const frames = transform(data.frames, panel.transformations ?? []);
  // several frames left over: the first is shown, as Grafana's frame choice begins
  const frame: Frame = frames[0] ?? { refId: '', fields: [] };
  const fields = telling(frame, panel)
    .map((f) => ({ field: f, config: fieldConfig(panel, f.name, frame.refId, f.type) }))
    .filter(
      ({ config }) =>
        config.custom?.['hidden'] !== true &&
        (config.custom?.['hideFrom'] as { viz?: boolean } | undefined)?.viz !== true,
    );
  const rows = Array.from({ length: Math.max(0, ...frame.fields.map((f) => f.values.length)) }, (_, i) => i);
  return (
    <div style={{ overflow: 'auto', height: '100%' }}>
      <DataTable
        label={panel.title ?? ''}
        rows={rows}
        rowKey={String}
        empty={t('state.noData')}
        filter={false}
        columns={fields.map(({ field, config }, n) => ({
          id: `${n}${field.name}`,
          label: config.displayName || field.name,
          numeric: field.type === 'number',
          key: (i: number) => field.values[i] ?? '',
          cell: (i: number) => {
            const v = field.values[i] ?? null;
            if (field.type === 'time') return typeof v === 'number' ? date(v) : '';
            const shown = show(v, config, locale, timeZone);
            const coloured = config.custom?.['cellOptions'] || config.custom?.['displayMode'];
            return (
              <span style={coloured ? { color: colourOf(shown, theme), fontWeight: 600 } : undefined}>
                {shown.text}
              </span>
            );
          },
        }))}
      />
    </div>
  );
}
