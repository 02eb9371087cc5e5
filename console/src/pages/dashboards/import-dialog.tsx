/** Import of a Grafana dashboard: read, reported on exactly, then saved. */
import { Alert, Button, FileInput, Modal, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { saveDashboard } from '../../api/vigie.ts';
import { Problem } from '../../components/states.tsx';
import { importDashboard } from '../../lib/dashboard/import-report.ts';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

export function ImportDialog({ close }: { readonly close: () => void }) {
  const { t } = useText();
  const { tenant, search } = useView();
  const navigate = useNavigate();
  const [text, setText] = useState('');
  const read = text.trim() === '' ? undefined : importDashboard(text);
  const save = useMutation({
    mutationFn: async () => {
      if (!read || 'problem' in read) return undefined;
      await saveDashboard(tenant, read.uid, { dashboard: read.dashboard as never, baseVersion: 0, message: 'import' });
      return read.uid;
    },
    onSuccess: (uid) =>
      uid && void navigate({ to: `/dashboards/${uid}` as never, search: frameSearch(search) as never }),
  });
  return (
    <Modal
      opened
      onClose={close}
      size="xl"
      title={t('dashboards.import')}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <FileInput
        label={t('dashboards.importHint')}
        accept="application/json,.json"
        placeholder="dashboard.json"
        onChange={(file) => void file?.text().then(setText)}
        mb="sm"
      />
      <Textarea
        label={t('dashboards.importJson')}
        autosize
        minRows={6}
        maxRows={14}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
      />
      {read && 'problem' in read && (
        <Alert mt="sm" color="red" variant="outline">
          {t('dashboards.unreadable', { reason: read.problem })}
        </Alert>
      )}
      {read && !('problem' in read) && (
        <Alert
          mt="sm"
          color={read.report.length > 0 ? 'yellow' : 'green'}
          variant="outline"
          title={read.report.length > 0 ? t('dashboard.report') : t('dashboards.importOk')}
        >
          <ul style={{ margin: 0, paddingLeft: 18, color: 'var(--v-text)' }}>
            {read.report.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </Alert>
      )}
      {save.error && <Problem error={save.error} />}
      <Button mt="sm" disabled={!read || 'problem' in read} loading={save.isPending} onClick={() => save.mutate()}>
        {t('dashboards.import')}
      </Button>
    </Modal>
  );
}
