// biome-ignore-all lint/a11y/noNoninteractiveElementToInteractiveRole: a combobox keeps the focus and points at the active option
// biome-ignore-all lint/a11y/useFocusableInteractive: a combobox keeps the focus and points at the active option
/** Search over places, dashboards, metrics and tenants; arrows and Enter, or the mouse. */
import { Modal, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useId, useState } from 'react';
import { labelValues } from '../../api/prometheus.ts';
import { useSession } from '../../api/session.ts';
import { dashboards } from '../../api/vigie.ts';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { PLACES } from './navigation.tsx';

const SHOWN_MAX = 40;

interface Item {
  readonly id: string;
  readonly group: string;
  readonly label: string;
  readonly run: () => void;
}

export function CommandPalette({ close }: { readonly close: () => void }) {
  const { t } = useText();
  const { tenant, search, set } = useView();
  const session = useSession();
  const navigate = useNavigate();
  const list = useId();
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const boards = useQuery({ queryKey: ['dashboards', tenant], queryFn: () => dashboards(tenant) });
  const metrics = useQuery({
    queryKey: ['metrics', tenant],
    queryFn: () => labelValues(tenant, '__name__'),
    staleTime: 60_000,
  });
  const go = (to: string, extra: Record<string, string> = {}): void =>
    void navigate({ to: to as never, search: { ...frameSearch(search), ...extra } as never });
  const items: Item[] = [
    ...PLACES.map((p) => ({ id: p.path, group: t('palette.places'), label: t(p.label), run: () => go(p.path) })),
    ...(boards.data?.dashboards ?? []).map((d) => ({
      id: `d${d.uid}`,
      group: t('nav.dashboards'),
      label: d.title,
      run: () => go(`/dashboards/${d.uid}`),
    })),
    ...(session?.tenants ?? []).map((c) => ({
      id: `t${c.id}`,
      group: t('frame.tenant'),
      label: c.name,
      run: () => set({ tenant: c.id }),
    })),
    ...(metrics.data ?? []).map((m) => ({
      id: `m${m}`,
      group: t('palette.metrics'),
      label: m,
      run: () => go('/explore', { q: m }),
    })),
  ];
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = items.filter((i) => words.every((w) => i.label.toLowerCase().includes(w))).slice(0, SHOWN_MAX);
  const current = Math.min(at, found.length - 1);
  const pick = (item: Item | undefined): void => {
    if (!item) return;
    close();
    item.run();
  };
  return (
    <Modal
      opened
      onClose={close}
      title={t('frame.search')}
      size="lg"
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <TextInput
        data-autofocus
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={found[current] ? `${list}-${current}` : undefined}
        aria-label={t('frame.search')}
        placeholder={t('palette.hint')}
        value={text}
        onChange={(e) => {
          setText(e.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={(e) => {
          if (e.key === 'ArrowDown') setAt(Math.min(found.length - 1, current + 1));
          else if (e.key === 'ArrowUp') setAt(Math.max(0, current - 1));
          else if (e.key === 'Enter') pick(found[current]);
          else return;
          e.preventDefault();
        }}
      />
      <ul
        id={list}
        role="listbox"
        aria-label={t('frame.search')}
        tabIndex={-1}
        style={{ listStyle: 'none', padding: 0, margin: '8px 0 0', maxHeight: '50vh', overflow: 'auto' }}
      >
        {found.map((item, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox above has the keys
          <li
            key={item.id}
            id={`${list}-${i}`}
            role="option"
            aria-selected={i === current}
            className="nav-link"
            data-active={i === current}
            style={{ cursor: 'pointer' }}
            onClick={() => pick(item)}
          >
            <span style={{ flex: 1, overflowWrap: 'anywhere' }}>{item.label}</span>
            <span className="muted">{item.group}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="muted">{t('state.nothingFound')}</p>}
    </Modal>
  );
}
