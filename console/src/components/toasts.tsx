/** Notices at the edge of the screen; fetched once the first page has settled, and those sent before are shown then. */
import '@mantine/notifications/styles.css';
import { Button } from '@mantine/core';
import { Notifications, notifications } from '@mantine/notifications';
import { useEffect } from 'react';
import { useText } from '../lib/use-text.ts';
import { version } from '../lib/version.ts';

export function Toasts() {
  const { t } = useText();
  useEffect(
    () =>
      version.onChange(() =>
        notifications.show({
          id: 'new-version',
          autoClose: false,
          title: t('frame.newVersion'),
          message: (
            <Button size="compact-sm" variant="default" mt={4} onClick={() => location.reload()}>
              {t('frame.reload')}
            </Button>
          ),
        }),
      ),
    [t],
  );
  return <Notifications position="bottom-right" />;
}
