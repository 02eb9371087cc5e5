/** Local accounts and their roles on the tenant. */
import { Button, Group, NativeSelect, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { UserInput } from '../../../../src/http/contract/administration.ts';
import { saveUser, users } from '../../api/vigie.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Panel, Problem, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function UsersPane() {
  const { t, ago } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [role, setRole] = useState('viewer');
  const list = useQuery({ queryKey: ['users', tenant], queryFn: () => users(tenant) });
  const save = useMutation({
    mutationFn: () => saveUser(tenant, name, { role: role as UserInput['role'], ...(password ? { password } : {}) }),
    onSuccess: () => {
      setName('');
      setPassword('');
      void queries.invalidateQueries({ queryKey: ['users'] });
    },
  });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <Panel title={t('admin.newUser')}>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            save.mutate();
          }}
        >
          <Group align="flex-end">
            <TextInput
              label={t('signIn.user')}
              required
              autoComplete="off"
              value={name}
              onChange={(e) => setName(e.currentTarget.value)}
            />
            <PasswordInput
              label={t('signIn.password')}
              description={t('admin.passwordHint')}
              minLength={12}
              autoComplete="new-password"
              w={220}
              value={password}
              onChange={(e) => setPassword(e.currentTarget.value)}
            />
            <NativeSelect
              label={t('admin.role')}
              value={role}
              data={['viewer', 'responder', 'editor', 'admin']}
              onChange={(e) => setRole(e.currentTarget.value)}
            />
            <Button type="submit" loading={save.isPending}>
              {t('action.save')}
            </Button>
          </Group>
        </form>
        {save.error && <Problem error={save.error} />}
      </Panel>
      <QueryView query={list}>
        {(data) => (
          <DataTable
            label={t('admin.users')}
            rows={data.users}
            rowKey={(u) => u.name}
            empty={t('admin.noUsers')}
            columns={[
              { id: 'name', label: t('signIn.user'), key: (u) => u.name },
              { id: 'role', label: t('admin.role'), key: (u) => u.role },
              {
                id: 'seen',
                label: t('admin.lastUsed'),
                key: (u) => u.lastSeenMs ?? 0,
                cell: (u) => (u.lastSeenMs ? ago(u.lastSeenMs) : '–'),
              },
            ]}
          />
        )}
      </QueryView>
    </div>
  );
}
