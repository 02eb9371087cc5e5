/** What an empty installation needs first, until it is done or put away. */
import { Anchor, Button, CloseButton, Group } from '@mantine/core';
import { IconCircle, IconCircleCheck } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useSession } from '../../api/session.ts';
import { firstRun, savePreferences, switchDemo } from '../../api/vigie.ts';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

const PLACES = {
  target: '/targets',
  receiver: '/administration',
  tenant: '/administration',
  key: '/administration',
} as const;

export function FirstRun() {
  const { t } = useText();
  const { tenant, search } = useView();
  const session = useSession();
  const queries = useQueryClient();
  const { data } = useQuery({ queryKey: ['first-run', tenant], queryFn: () => firstRun(tenant), staleTime: 30_000 });
  const dismiss = useMutation({
    mutationFn: () => savePreferences({ firstRunDismissed: true }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['first-run'] }),
  });
  const demo = useMutation({ mutationFn: () => switchDemo(true), onSettled: () => queries.invalidateQueries() });
  // a synthetic tenant needs no guide: it was never empty
  const synthetic = session?.tenants?.some((c) => c.id === tenant && c.synthetic) ?? false;
  if (!data || data.done || synthetic) return null;
  return (
    <section className="panel" style={{ marginBottom: 12 }} aria-label={t('firstRun.title')}>
      <header>
        <h2>{t('firstRun.title')}</h2>
        <CloseButton aria-label={t('action.close')} onClick={() => dismiss.mutate()} />
      </header>
      <Group gap="lg">
        {data.steps.map((step) => (
          <Group key={step.id} gap={6}>
            {step.done ? (
              <IconCircleCheck size={18} color="var(--v-ok)" aria-label={t('firstRun.done')} />
            ) : (
              <IconCircle size={18} aria-label={t('firstRun.open')} />
            )}
            <Anchor component={Link} to={PLACES[step.id] as never} search={frameSearch(search) as never} size="sm">
              {t(`firstRun.${step.id}`)}
            </Anchor>
          </Group>
        ))}
        {data.demoSwitchable && !data.demo && (
          <Button size="xs" variant="default" loading={demo.isPending} onClick={() => demo.mutate()}>
            {t('firstRun.demo')}
          </Button>
        )}
      </Group>
    </section>
  );
}
