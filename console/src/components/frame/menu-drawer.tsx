/** The navigation on narrow screens; its code comes when it is first opened. */
import { Drawer } from '@mantine/core';
import { useText } from '../../lib/use-text.ts';
import { Navigation } from './navigation.tsx';

export function MenuDrawer({ close }: { readonly close: () => void }) {
  const { t } = useText();
  return (
    <Drawer
      opened
      onClose={close}
      size={260}
      title={t('frame.menu')}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Navigation onGo={close} />
    </Drawer>
  );
}
