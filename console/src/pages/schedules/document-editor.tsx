/** A schedule, policy, contact, drill or playbook as YAML: written here, checked and kept by the server, its complaint shown as it is. */
import { Button, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type DocumentKind, saveDocument } from '../../api/incidents.ts';
import { Panel, Problem } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function DocumentEditor({ kind, example }: { readonly kind: DocumentKind; readonly example: string }) {
  const { t } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [yaml, setYaml] = useState('');
  const save = useMutation({
    mutationFn: () => saveDocument(tenant, kind, { yaml }),
    onSuccess: () => {
      setYaml('');
      notifications.show({ message: t('schedules.saved') });
      for (const key of ['schedules', 'policies', 'contacts', 'on-call', 'shifts', 'coverage', 'drills', 'playbooks'])
        void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  return (
    <Panel title={t('schedules.edit')}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          save.mutate();
        }}
      >
        <Textarea
          label="YAML"
          placeholder={example}
          autosize
          minRows={6}
          maxRows={24}
          value={yaml}
          spellCheck={false}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12.5 } }}
          onChange={(e) => setYaml(e.currentTarget.value)}
        />
        <Button type="submit" size="xs" mt={6} disabled={yaml.trim() === ''} loading={save.isPending}>
          {t('action.save')}
        </Button>
        {save.error && <Problem error={save.error} />}
      </form>
    </Panel>
  );
}
