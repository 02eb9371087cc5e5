/** The merged time line of an incident, newest first: alerts, states, messages, repairs, notes; filtered by kind. */
import { Chip, Group } from '@mantine/core';
import { useState } from 'react';
import type { TimelineEntry } from '../../../../src/http/contract/incidents.ts';
import { useText } from '../../lib/use-text.ts';

const SHOWN_MAX = 300;

export function TimeLine({
  entries,
  dropped,
}: {
  readonly entries: readonly TimelineEntry[];
  readonly dropped: number;
}) {
  const { t, date } = useText();
  const kinds = [...new Set(entries.map((e) => e.kind))];
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  // the place from the beginning stays with an entry while new ones come
  const shown = entries
    .map((entry, place) => ({ entry, place }))
    .filter(({ entry }) => !hidden.has(entry.kind))
    .toReversed();
  return (
    <>
      {kinds.length > 1 && (
        <Group gap={6} mb={8} role="group" aria-label={t('table.filter')}>
          {kinds.map((k) => (
            <Chip
              key={k}
              size="xs"
              checked={!hidden.has(k)}
              onChange={(on) => {
                const next = new Set(hidden);
                if (on) next.delete(k);
                else next.add(k);
                setHidden(next);
              }}
            >
              {t(`incidents.kind.${k}`)}
            </Chip>
          ))}
        </Group>
      )}
      <ol style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 6 }}>
        {shown.slice(0, SHOWN_MAX).map(({ entry: e, place }) => (
          <li key={place} style={{ display: 'grid', gridTemplateColumns: '150px 1fr', gap: 8 }}>
            <time
              className="muted"
              dateTime={new Date(e.atMs).toISOString()}
              style={{ fontVariantNumeric: 'tabular-nums' }}
            >
              {date(e.atMs)}
            </time>
            <span style={{ overflowWrap: 'anywhere' }}>
              <strong>{t(`incidents.kind.${e.kind}`)}</strong> {e.text}
              {e.actor !== 'vigie' && <span className="muted"> ({e.actor})</span>}
            </span>
          </li>
        ))}
      </ol>
      {dropped > 0 && <p className="muted">{t('incidents.dropped', { count: dropped })}</p>}
    </>
  );
}
