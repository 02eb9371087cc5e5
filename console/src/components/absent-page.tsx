/** What stands at an address that no page has. */
import { Link, useLocation } from '@tanstack/react-router';
import { useText } from '../lib/use-text.ts';
import { Empty, Page } from './states.tsx';

export function AbsentPage() {
  const { t } = useText();
  const { pathname } = useLocation();
  return (
    <Page title={t('absentPage.title')}>
      <Empty title={t('absentPage.text', { path: pathname })}>
        <Link to="/">{t('absentPage.back')}</Link>
      </Empty>
    </Page>
  );
}
