// biome-ignore-all lint/a11y/useSemanticElements: rows are placed by the virtual scroller, which a table element cannot do; the region scrolls, so it takes the focus
// biome-ignore-all lint/a11y/noNoninteractiveTabindex: rows are placed by the virtual scroller, which a table element cannot do; the region scrolls, so it takes the focus
// biome-ignore-all lint/a11y/useFocusableInteractive: rows are placed by the virtual scroller, which a table element cannot do; the region scrolls, so it takes the focus
/** A table for people: sorted by a click on a header, filtered by text, only the visible rows in the page. */
import { TextInput, UnstyledButton } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, type ReactNode, useMemo, useRef, useState } from 'react';
import { useText } from '../lib/use-text.ts';
import { Empty } from './states.tsx';

export interface Column<T> {
  readonly id: string;
  readonly label: string;
  /** What it sorts and filters by. */
  readonly key: (row: T) => string | number;
  readonly cell?: (row: T) => ReactNode;
  readonly numeric?: boolean;
  /** CSS grid track, e.g. `minmax(120px, 2fr)`. */
  readonly width?: string;
}

const ROW_PX = 38;
const HEIGHT_PX_MAX = 620;

export function DataTable<T>(props: {
  readonly label: string;
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly rowKey: (row: T) => string;
  readonly empty: string;
  readonly filter?: boolean;
  readonly actions?: ReactNode;
  readonly initialSort?: { readonly id: string; readonly down: boolean };
}) {
  const { rows, columns, rowKey, label } = props;
  const { t, locale } = useText();
  const [text, setText] = useState('');
  const [sort, setSort] = useState(props.initialSort);
  const scroll = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found =
      words.length === 0
        ? [...rows]
        : rows.filter((row) => {
            const line = columns
              .map((c) => c.key(row))
              .join(' ')
              .toLowerCase();
            return words.every((w) => line.includes(w));
          });
    const column = columns.find((c) => c.id === sort?.id);
    if (column) {
      const collator = new Intl.Collator(locale, { numeric: true });
      found.sort((a, b) => {
        const x = column.key(a);
        const y = column.key(b);
        const order = typeof x === 'number' && typeof y === 'number' ? x - y : collator.compare(String(x), String(y));
        return sort?.down ? -order : order;
      });
    }
    return found;
  }, [rows, columns, text, sort, locale]);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: 8,
    getItemKey: (i) => rowKey(shown[i]!),
  });
  const grid = columns.map((c) => c.width ?? (c.numeric ? 'minmax(96px, 0.6fr)' : 'minmax(110px, 1fr)')).join(' ');
  const minWidth = columns.length * 112;
  return (
    <div style={{ minWidth: 0 }}>
      {(props.filter !== false || props.actions) && (
        <div style={{ display: 'flex', gap: 8, marginBottom: 8, flexWrap: 'wrap', alignItems: 'center' }}>
          {props.filter !== false && (
            <TextInput
              size="sm"
              aria-label={`${t('table.filter')}: ${label}`}
              placeholder={t('table.filter')}
              value={text}
              onChange={(e) => setText(e.currentTarget.value)}
              style={{ flex: '1 1 180px', maxWidth: 360 }}
            />
          )}
          <span className="muted" role="status" style={{ fontSize: 12.5 }}>
            {t('table.rows', { count: new Intl.NumberFormat(locale).format(shown.length) })}
          </span>
          {props.actions}
        </div>
      )}
      {shown.length === 0 ? (
        <Empty title={text ? t('state.nothingFound') : props.empty} />
      ) : (
        <div
          ref={scroll}
          tabIndex={0}
          role="region"
          aria-label={label}
          style={{
            overflow: 'auto',
            maxHeight: HEIGHT_PX_MAX,
            border: '1px solid var(--v-line)',
            borderRadius: 6,
            background: 'var(--v-panel)',
          }}
        >
          <div role="table" aria-label={label} aria-rowcount={shown.length + 1} style={{ minWidth }}>
            <div
              role="row"
              style={{
                display: 'grid',
                gridTemplateColumns: grid,
                position: 'sticky',
                top: 0,
                background: 'var(--v-panel)',
                borderBottom: '1px solid var(--v-line)',
                zIndex: 1,
              }}
            >
              {columns.map((c) => (
                <div
                  key={c.id}
                  role="columnheader"
                  aria-sort={sort?.id === c.id ? (sort.down ? 'descending' : 'ascending') : 'none'}
                  style={{
                    padding: '8px 10px',
                    minWidth: 0,
                    overflowWrap: 'anywhere',
                    fontSize: 12.5,
                    fontWeight: 600,
                    textAlign: c.numeric ? 'right' : 'left',
                  }}
                >
                  <UnstyledButton
                    fz={12.5}
                    fw={600}
                    onClick={() => setSort({ id: c.id, down: sort?.id === c.id ? !sort.down : (c.numeric ?? false) })}
                  >
                    {c.label} {sort?.id === c.id ? (sort.down ? '▾' : '▴') : ''}
                  </UnstyledButton>
                </div>
              ))}
            </div>
            <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
              {virtual.getVirtualItems().map((item) => {
                const row = shown[item.index]!;
                return (
                  <div
                    key={item.key}
                    role="row"
                    ref={virtual.measureElement}
                    data-index={item.index}
                    aria-rowindex={item.index + 2}
                    className="table-row"
                    style={{ gridTemplateColumns: grid, transform: `translateY(${item.start}px)` }}
                  >
                    <Cells row={row} columns={columns} />
                  </div>
                );
              })}
            </div>
          </div>
        </div>
      )}
    </div>
  );
}

/** The cells of one row: made once, however often the table scrolls by. */
const Cells = memo(function Cells<T>({ row, columns }: { readonly row: T; readonly columns: readonly Column<T>[] }) {
  return columns.map((c) => (
    <div key={c.id} role="cell" className={c.numeric ? 'num' : undefined}>
      {c.cell ? c.cell(row) : c.key(row)}
    </div>
  ));
}) as <T>(props: { readonly row: T; readonly columns: readonly Column<T>[] }) => ReactNode;
