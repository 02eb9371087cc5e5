/** The keyboard shortcuts. */
import { Kbd, Modal, Table } from '@mantine/core';
import { useText } from '../../lib/use-text.ts';
import { PLACES } from './navigation.tsx';

export function HelpSheet({ close }: { readonly close: () => void }) {
  const { t } = useText();
  const rows: [string, string][] = [
    ['Ctrl K / ⌘ K', t('frame.search')],
    ['?', t('help.title')],
    ...PLACES.filter((p) => p.hotkey).map((p): [string, string] => [`Alt ${p.hotkey}`, t(p.label)]),
    ['Ctrl ↵', t('explore.run')],
    ['← →', t('help.cursor')],
    ['Esc', t('action.close')],
  ];
  return (
    <Modal opened onClose={close} title={t('help.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Table>
        <Table.Tbody>
          {rows.map(([keys, what]) => (
            <Table.Tr key={keys}>
              <Table.Td>
                <Kbd>{keys}</Kbd>
              </Table.Td>
              <Table.Td>{what}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
