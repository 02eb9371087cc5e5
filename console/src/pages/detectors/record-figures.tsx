/** How often a detector was right, in figures; says so plainly where nothing can be said yet. */
import type { RecordAnswer } from '../../../../src/http/contract/intelligence.ts';
import { useText } from '../../lib/use-text.ts';

export function RecordFigures({ record }: { readonly record: RecordAnswer }) {
  const { t, value } = useText();
  const figures: readonly (readonly [string, string])[] = [
    [t('record.hits'), value(record.hits)],
    [t('record.false'), value(record.falseAlerts)],
    [t('record.misses'), value(record.misses)],
    [t('record.unjudged'), value(record.unjudged)],
    [t('record.precision'), record.precision === null ? '–' : value(record.precision, 'percentunit', 0)],
    [t('record.recall'), record.recall === null ? '–' : value(record.recall, 'percentunit', 0)],
    [t('record.lead'), record.leadSeconds === null ? '–' : value(record.leadSeconds, 's')],
    [t('record.coverage'), record.coverage95 === null ? '–' : value(record.coverage95, 'percentunit', 1)],
  ];
  return (
    <section aria-label={t('record.title')} style={{ marginTop: 10 }}>
      <dl
        style={{
          display: 'grid',
          gridTemplateColumns: 'repeat(auto-fit, minmax(110px, 1fr))',
          gap: '8px 14px',
          margin: 0,
        }}
      >
        {figures.map(([label, shown]) => (
          <div key={label}>
            <dt className="muted" style={{ fontSize: 12 }}>
              {label}
            </dt>
            <dd style={{ margin: 0, fontSize: 17, fontVariantNumeric: 'tabular-nums' }}>{shown}</dd>
          </div>
        ))}
      </dl>
      {record.days === 0 && <p className="muted">{t('record.empty')}</p>}
      {record.muted && (
        <p role="status" style={{ color: 'var(--v-bad)', margin: '6px 0 0' }}>
          {t('record.muted', { why: record.mutedWhy })}
        </p>
      )}
    </section>
  );
}
