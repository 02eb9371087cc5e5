/** Notices at the edge of the screen; fetched once the first page has settled, and those sent before are shown then. */
import '@mantine/notifications/styles.css';
import { Notifications } from '@mantine/notifications';

export function Toasts() {
  return <Notifications position="bottom-right" />;
}
