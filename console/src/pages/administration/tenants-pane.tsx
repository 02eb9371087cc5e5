/** Tenants with their limits and what they use of them. */
import { Button, Group, Progress, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { LimitUse } from '../../../../src/http/contract/administration.ts';
import { useSession } from '../../api/session.ts';
import { saveTenant, tenants } from '../../api/vigie.ts';
import { Panel, Problem, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function TenantsPane() {
  const { t, date } = useText();
  const { tenant } = useView();
  const session = useSession();
  const query = useQuery({ queryKey: ['tenants', tenant], queryFn: () => tenants(tenant), refetchInterval: 15_000 });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      {session?.platform && <NewTenant />}
      <QueryView query={query}>
        {(data) => (
          <div className="grid">
            {data.tenants.map((item) => (
              <Panel key={item.id} title={item.name === item.id ? item.id : `${item.name} (${item.id})`}>
                <p className="muted" style={{ margin: '0 0 8px' }}>
                  {t(`tenant.${item.state}`)} · {date(item.createdAtMs)} {item.synthetic && `· ${t('demo.synthetic')}`}
                </p>
                {item.limits.map((limit) => (
                  <Limit key={limit.id} limit={limit} />
                ))}
              </Panel>
            ))}
          </div>
        )}
      </QueryView>
    </div>
  );
}

function Limit({ limit }: { readonly limit: LimitUse }) {
  const { t, value } = useText();
  const unit = limit.unit === 'bytes' ? 'bytes' : limit.unit === 'per_second' ? 'suffix:/s' : 'short';
  const share = limit.limit ? (100 * limit.used) / limit.limit : 0;
  return (
    <div style={{ marginBottom: 6 }}>
      <div style={{ display: 'flex', gap: 8, fontSize: 13 }}>
        <span style={{ flex: 1 }}>{limit.id.replaceAll('_', ' ')}</span>
        <span className="num">
          {value(limit.used, unit)} / {limit.limit === undefined ? t('admin.unlimited') : value(limit.limit, unit)}
        </span>
      </div>
      <Progress
        value={share}
        color={share > 90 ? 'red' : share > 75 ? 'orange' : 'blue'}
        size={5}
        aria-label={limit.id}
      />
    </div>
  );
}

function NewTenant() {
  const { t } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [id, setId] = useState('');
  const [name, setName] = useState('');
  const create = useMutation({
    mutationFn: () => saveTenant(tenant, id, name ? { name } : {}),
    onSuccess: () => {
      setId('');
      setName('');
      void queries.invalidateQueries({ queryKey: ['tenants'] });
      void queries.invalidateQueries({ queryKey: ['session'] });
    },
  });
  return (
    <Panel title={t('admin.newTenant')}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          create.mutate();
        }}
      >
        <Group align="flex-end">
          <TextInput label={t('admin.id')} required value={id} onChange={(e) => setId(e.currentTarget.value)} />
          <TextInput label={t('explore.name')} value={name} onChange={(e) => setName(e.currentTarget.value)} />
          <Button type="submit" loading={create.isPending}>
            {t('action.create')}
          </Button>
        </Group>
        {create.error && <Problem error={create.error} />}
      </form>
    </Panel>
  );
}
