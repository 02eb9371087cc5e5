/** The editor: a panel's title, unit and queries as a form, or the whole model as JSON; saved as a new version. */
import { Button, Group, Modal, Tabs, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Problem } from '../../components/states.tsx';
import type { Dashboard, Panel } from '../../lib/dashboard/model.ts';
import { useText } from '../../lib/use-text.ts';

const MONO = { input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } };

export function withPanel(dashboard: Dashboard, changed: Panel): Dashboard {
  const put = (list: readonly Panel[]): Panel[] =>
    list.map((p) => (p.id === changed.id ? changed : p.panels ? { ...p, panels: put(p.panels) } : p));
  return { ...dashboard, panels: put(dashboard.panels ?? []) };
}

export function Editor(props: {
  readonly dashboard: Dashboard;
  readonly panel?: Panel;
  readonly close: () => void;
  readonly save: (dashboard: Dashboard, message: string) => void;
  readonly saving: boolean;
  readonly error: Error | null;
}) {
  const { dashboard, close, save, saving, error } = props;
  const { t } = useText();
  const [message, setMessage] = useState('');
  const { scoped: _, ...start } = props.panel ?? { type: '' };
  const [panel, setPanel] = useState<Panel | undefined>(props.panel ? (start as Panel) : undefined);
  const [text, setText] = useState(() => JSON.stringify(dashboard, null, 2));
  const [tab, setTab] = useState<string | null>(props.panel ? 'panel' : 'json');
  const [problem, setProblem] = useState<Error | undefined>();
  const submit = (): void => {
    try {
      save(tab === 'panel' && panel ? withPanel(dashboard, panel) : (JSON.parse(text) as Dashboard), message);
    } catch (e) {
      setProblem(e as Error);
    }
  };
  return (
    <Modal
      opened
      onClose={close}
      size="xl"
      title={`${t('dashboard.edit')}: ${panel?.title ?? dashboard.title}`}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List mb="sm">
          {panel && <Tabs.Tab value="panel">{t('dashboard.panelTitle')}</Tabs.Tab>}
          <Tabs.Tab value="json">{t('dashboard.json')}</Tabs.Tab>
        </Tabs.List>
        {panel && (
          <Tabs.Panel value="panel">
            <TextInput
              label={t('dashboard.panelTitle')}
              value={panel.title ?? ''}
              onChange={(e) => setPanel({ ...panel, title: e.currentTarget.value })}
            />
            <TextInput
              label={t('dashboard.unit')}
              value={panel.fieldConfig?.defaults?.unit ?? ''}
              onChange={(e) =>
                setPanel({
                  ...panel,
                  fieldConfig: {
                    ...panel.fieldConfig,
                    defaults: { ...panel.fieldConfig?.defaults, unit: e.currentTarget.value },
                  },
                })
              }
            />
            {(panel.targets ?? []).map((target, i) => (
              <Textarea
                key={target.refId ?? i}
                mt="xs"
                autosize
                minRows={2}
                label={`${t('explore.query')} ${target.refId ?? i + 1}`}
                styles={MONO}
                value={target.expr ?? ''}
                onChange={(e) => {
                  const expr = e.currentTarget.value;
                  setPanel({ ...panel, targets: panel.targets!.map((x, k) => (k === i ? { ...x, expr } : x)) });
                }}
              />
            ))}
          </Tabs.Panel>
        )}
        <Tabs.Panel value="json">
          <Textarea
            aria-label={t('dashboard.json')}
            autosize
            minRows={14}
            maxRows={26}
            styles={MONO}
            value={text}
            onChange={(e) => setText(e.currentTarget.value)}
          />
        </Tabs.Panel>
      </Tabs>
      {(problem ?? error) && <Problem error={problem ?? error} />}
      <Group mt="sm" align="flex-end">
        <TextInput
          label={t('dashboard.message')}
          value={message}
          onChange={(e) => setMessage(e.currentTarget.value)}
          style={{ flex: 1 }}
        />
        <Button loading={saving} onClick={submit}>
          {t('action.save')}
        </Button>
      </Group>
    </Modal>
  );
}
