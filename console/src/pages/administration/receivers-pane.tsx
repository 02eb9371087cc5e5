/** Receivers, and a test alert through each. */
import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import type { ReceiversAnswer } from '../../../../src/http/contract/alerting.ts';
import { receivers, testReceiver } from '../../api/vigie.ts';
import { Empty, Panel, Problem, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function ReceiversPane() {
  const { t } = useText();
  const { tenant } = useView();
  const list = useQuery({ queryKey: ['receivers', tenant], queryFn: () => receivers(tenant) });
  return (
    <QueryView query={list}>
      {(data) =>
        data.receivers.length === 0 ? (
          <Empty title={t('admin.noReceivers')} />
        ) : (
          <div className="grid">
            {data.receivers.map((r) => (
              <Receiver key={r.name} receiver={r} />
            ))}
          </div>
        )
      }
    </QueryView>
  );
}

function Receiver({ receiver }: { readonly receiver: ReceiversAnswer['receivers'][number] }) {
  const { t, value } = useText();
  const { tenant } = useView();
  const test = useMutation({ mutationFn: () => testReceiver(tenant, receiver.name) });
  return (
    <Panel
      title={receiver.name}
      actions={
        <Button
          size="compact-sm"
          variant="default"
          loading={test.isPending}
          aria-label={`${t('admin.sendTest')}: ${receiver.name}`}
          onClick={() => test.mutate()}
        >
          {t('admin.sendTest')}
        </Button>
      }
    >
      <ul style={{ margin: 0, paddingLeft: 18 }}>
        {receiver.integrations.map((i) => (
          <li key={`${i.kind}${i.index}`}>
            {i.kind} <span className="muted">{i.detail}</span>
          </li>
        ))}
        {receiver.integrations.length === 0 && <li className="muted">{t('admin.noIntegrations')}</li>}
      </ul>
      {test.error && <Problem error={test.error} />}
      <div role="status">
        {test.data?.results.map((r) => (
          <div key={`${r.kind}${r.index}`} style={{ color: r.ok ? 'var(--v-ok)' : 'var(--v-bad)' }}>
            {r.kind}: {r.ok ? t('admin.testSent', { took: value(r.durationMs, 'ms') }) : r.error}
          </div>
        ))}
      </div>
    </Panel>
  );
}
