/** The kept place of an engine that is not here yet: says so, and what will come. Shows no made-up data. */
import { useLocation } from '@tanstack/react-router';
import { PLACES } from '../../components/frame/navigation.tsx';
import { Empty, Page } from '../../components/states.tsx';
import type { Key } from '../../lib/i18n.ts';
import { useText } from '../../lib/use-text.ts';

export function PlannedPage() {
  const { t } = useText();
  const { pathname } = useLocation();
  const place = PLACES.find((p) => p.path === pathname) ?? PLACES[0]!;
  return (
    <Page title={t(place.label)}>
      <section className="panel">
        <Empty title={t('planned.title')}>{t(`planned.${place.path.slice(1)}` as Key)}</Empty>
      </section>
    </Page>
  );
}
