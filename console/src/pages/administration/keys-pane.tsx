/** Access keys: made here, shown once, revoked here. */
import { Alert, Button, Code, CopyButton, Group, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { KeyInput } from '../../../../src/http/contract/administration.ts';
import { createKey, keys, revokeKey } from '../../api/vigie.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Panel, Problem, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function KeysPane() {
  const { t, date, ago } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [role, setRole] = useState('viewer');
  const list = useQuery({ queryKey: ['keys', tenant], queryFn: () => keys(tenant) });
  const again = () => queries.invalidateQueries({ queryKey: ['keys'] });
  const create = useMutation({
    mutationFn: () => createKey(tenant, { name, role: role as KeyInput['role'] }),
    onSuccess: () => setName(''),
    onSettled: again,
  });
  const revoke = useMutation({ mutationFn: (id: string) => revokeKey(tenant, id), onSettled: again });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <Panel title={t('admin.newKey')}>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            create.mutate();
          }}
        >
          <Group align="flex-end">
            <TextInput
              label={t('explore.name')}
              required
              value={name}
              onChange={(e) => setName(e.currentTarget.value)}
            />
            <NativeSelect
              label={t('admin.role')}
              value={role}
              data={['viewer', 'responder', 'editor', 'admin']}
              onChange={(e) => setRole(e.currentTarget.value)}
            />
            <Button type="submit" loading={create.isPending}>
              {t('action.create')}
            </Button>
          </Group>
        </form>
        {create.error && <Problem error={create.error} />}
        {create.data && (
          <Alert mt="sm" color="green" variant="outline" title={t('admin.keyOnce')}>
            <Group>
              <Code style={{ overflowWrap: 'anywhere' }}>{create.data.secret}</Code>
              <CopyButton value={create.data.secret}>
                {({ copied, copy }) => (
                  <Button size="compact-sm" variant="default" onClick={copy}>
                    {copied ? t('action.copied') : t('action.copy')}
                  </Button>
                )}
              </CopyButton>
            </Group>
          </Alert>
        )}
      </Panel>
      {revoke.error && <Problem error={revoke.error} />}
      <QueryView query={list}>
        {(data) => (
          <DataTable
            label={t('admin.keys')}
            rows={data.keys}
            rowKey={(k) => k.id}
            empty={t('admin.noKeys')}
            columns={[
              { id: 'name', label: t('explore.name'), key: (k) => k.name },
              { id: 'role', label: t('admin.role'), key: (k) => k.role },
              { id: 'scopes', label: t('admin.scopes'), key: (k) => k.scopes.join(', ') },
              {
                id: 'created',
                label: t('admin.created'),
                key: (k) => k.createdAtMs,
                cell: (k) => date(k.createdAtMs),
                width: '170px',
              },
              {
                id: 'used',
                label: t('admin.lastUsed'),
                key: (k) => k.lastUsedAtMs ?? 0,
                cell: (k) => (k.lastUsedAtMs ? ago(k.lastUsedAtMs) : '–'),
              },
              {
                id: 'expires',
                label: t('admin.expires'),
                key: (k) => k.expiresAtMs ?? 0,
                cell: (k) => (k.expiresAtMs ? date(k.expiresAtMs) : '–'),
                width: '170px',
              },
              {
                id: 'revoke',
                label: t('silences.action'),
                key: () => '',
                cell: (k) => (
                  <Button
                    size="compact-sm"
                    color="red"
                    variant="outline"
                    aria-label={`${t('admin.revoke')}: ${k.name}`}
                    onClick={() => revoke.mutate(k.id)}
                  >
                    {t('admin.revoke')}
                  </Button>
                ),
              },
            ]}
          />
        )}
      </QueryView>
    </div>
  );
}
