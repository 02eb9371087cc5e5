/** Ad hoc filters: label, operator and value, put on every query of the dashboard; kept in the address. */
import { ActionIcon, Autocomplete, Button, Group, NativeSelect, Popover } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { labelNames, labelValues } from '../../api/prometheus.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { filterOf, filterText } from './use-filters.ts';

const OPERATORS = ['=', '!=', '=~', '!~'];
const OPTIONS_MAX = 100;

export function FilterBar(props: {
  readonly label: string;
  readonly filters: readonly string[];
  readonly change: (next: readonly string[]) => void;
}) {
  const { label, filters, change } = props;
  const { t } = useText();
  const [adding, setAdding] = useState(false);
  return (
    <fieldset style={{ border: 0, padding: 0, margin: 0, minWidth: 0 }}>
      <legend style={{ fontSize: 12, fontWeight: 500, padding: 0, marginBottom: 2 }}>{label}</legend>
      <Group gap={6}>
        {filters.map((text) => {
          const f = filterOf(text);
          if (!f) return null;
          const name = `${f.key} ${f.operator} ${f.value}`;
          return (
            <span key={text} className="label" style={{ display: 'inline-flex', alignItems: 'center', gap: 4 }}>
              {name}
              <ActionIcon
                size="xs"
                variant="subtle"
                color="gray"
                aria-label={t('dashboard.filterRemove', { filter: name })}
                onClick={() => change(filters.filter((other) => other !== text))}
              >
                <IconX size={12} aria-hidden />
              </ActionIcon>
            </span>
          );
        })}
        <Popover opened={adding} onChange={setAdding} position="bottom-start" trapFocus withRoles>
          <Popover.Target>
            <Button
              size="compact-sm"
              variant="default"
              leftSection={<IconPlus size={14} aria-hidden />}
              onClick={() => setAdding((o) => !o)}
            >
              {t('dashboard.filterAdd')}
            </Button>
          </Popover.Target>
          <Popover.Dropdown>
            <NewFilter
              add={(text) => {
                setAdding(false);
                if (!filters.includes(text)) change([...filters, text]);
              }}
            />
          </Popover.Dropdown>
        </Popover>
      </Group>
    </fieldset>
  );
}

function NewFilter({ add }: { readonly add: (text: string) => void }) {
  const { t } = useText();
  const { tenant } = useView();
  const [key, setKey] = useState('');
  const [operator, setOperator] = useState('=');
  const [value, setValue] = useState('');
  const names = useQuery({ queryKey: ['label-names', tenant], queryFn: () => labelNames(tenant), staleTime: 60_000 });
  const values = useQuery({
    queryKey: ['label-values', tenant, key],
    enabled: names.data?.includes(key) ?? false,
    queryFn: () => labelValues(tenant, key),
    staleTime: 60_000,
  });
  return (
    <form
      style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'flex-end', maxWidth: 420 }}
      onSubmit={(e) => {
        e.preventDefault();
        if (key !== '') add(filterText({ key, operator, value }));
      }}
    >
      <Autocomplete
        size="xs"
        label={t('dashboard.filterLabel')}
        data={names.data?.filter((n) => n !== '__name__') ?? []}
        limit={OPTIONS_MAX}
        value={key}
        onChange={setKey}
        comboboxProps={{ withinPortal: false }}
      />
      <NativeSelect
        size="xs"
        aria-label={t('dashboard.filterOperator')}
        data={OPERATORS}
        value={operator}
        onChange={(e) => setOperator(e.currentTarget.value)}
      />
      <Autocomplete
        size="xs"
        label={t('dashboard.filterValue')}
        data={[...(values.data ?? [])]}
        limit={OPTIONS_MAX}
        value={value}
        onChange={setValue}
        comboboxProps={{ withinPortal: false }}
      />
      <Button type="submit" size="xs" disabled={key === ''}>
        {t('dashboard.filterAdd')}
      </Button>
    </form>
  );
}
