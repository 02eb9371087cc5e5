/** Queries kept for the tenant: pick one, or keep this one under a name. */
import { Button, Menu, Popover, TextInput } from '@mantine/core';
import { IconBookmark } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { savedQueries, saveQuery } from '../../api/vigie.ts';
import { Problem } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replace(/^-+|-+$/g, '') || 'query';

export function SavedQueries({ expr, pick }: { readonly expr: string; readonly pick: (expr: string) => void }) {
  const { t } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [naming, setNaming] = useState(false);
  const list = useQuery({ queryKey: ['saved-queries', tenant], queryFn: () => savedQueries(tenant) });
  const save = useMutation({
    mutationFn: () => saveQuery(tenant, slug(name), { name, expr }),
    onSuccess: () => {
      setNaming(false);
      setName('');
      void queries.invalidateQueries({ queryKey: ['saved-queries'] });
    },
  });
  return (
    <>
      <Menu position="bottom-end" width={320}>
        <Menu.Target>
          <Button variant="default" leftSection={<IconBookmark size={16} aria-hidden />}>
            {t('explore.saved')}
          </Button>
        </Menu.Target>
        <Menu.Dropdown mah={360} style={{ overflow: 'auto' }}>
          {(list.data?.queries ?? []).length === 0 && (
            <Menu.Label c="var(--v-muted)">{t('explore.noSaved')}</Menu.Label>
          )}
          {(list.data?.queries ?? []).map((q) => (
            <Menu.Item key={q.id} onClick={() => pick(q.expr)}>
              {q.name}
              <div className="mono muted">{q.expr}</div>
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Popover opened={naming} onChange={setNaming} trapFocus withRoles>
        <Popover.Target>
          <Button variant="default" disabled={expr.trim() === ''} onClick={() => setNaming((o) => !o)}>
            {t('action.save')}
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <form
            onSubmit={(e) => {
              e.preventDefault();
              save.mutate();
            }}
          >
            <TextInput
              label={t('explore.name')}
              required
              value={name}
              onChange={(e) => setName(e.currentTarget.value)}
            />
            {save.error && <Problem error={save.error} />}
            <Button type="submit" mt="xs" size="xs" loading={save.isPending}>
              {t('action.save')}
            </Button>
          </form>
        </Popover.Dropdown>
      </Popover>
    </>
  );
}
