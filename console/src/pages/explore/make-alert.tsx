/** From a query to an alerting rule: threshold and duration, a preview of when it would have fired, the rule as YAML. */
import { Button, Code, Group, NativeSelect, NumberInput, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { rulePreview, saveRuleFile } from '../../api/vigie.ts';
import type { Mark } from '../../components/chart/marks.ts';
import { QueryChart } from '../../components/chart/query-chart.tsx';
import { Panel, Problem } from '../../components/states.tsx';
import { alertRuleYaml } from '../../lib/alert-rule.ts';
import { metricName } from '../../lib/series.ts';
import { absoluteRange, parseDurationMs, stepFor } from '../../lib/time-range.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function MakeAlert({ expr }: { readonly expr: string }) {
  const { t, date, value } = useText();
  const { tenant, range } = useView();
  const [name, setName] = useState('NewAlert');
  const [operator, setOperator] = useState('>');
  const [threshold, setThreshold] = useState<number | string>(0);
  const [hold, setHold] = useState('5m');
  const [severity, setSeverity] = useState('warning');
  const [summary, setSummary] = useState('');
  const rule = { name, expr: `(${expr}) ${operator} ${threshold}`, hold, severity, summary };
  const holdMs = parseDurationMs(hold) ?? 0;
  const preview = useMutation({
    mutationFn: () => {
      const { startMs, endMs } = absoluteRange(range, Date.now());
      return rulePreview(tenant, {
        expr: rule.expr,
        forMs: holdMs,
        stepMs: stepFor({ startMs, endMs }, 2_000, 15_000),
        startMs,
        endMs,
        labels: { severity },
      });
    },
  });
  const save = useMutation({
    mutationFn: () =>
      saveRuleFile(tenant, `${name.replace(/[^A-Za-z0-9_-]+/g, '-').toLowerCase()}.yml`, alertRuleYaml(rule)),
    onSuccess: () => notifications.show({ message: t('makeAlert.saved', { name }) }),
  });
  const episodes = preview.data?.episodes ?? [];
  const marks: Mark[] = episodes.flatMap((e) => {
    const end = (e.endedAtMs ?? Date.now()) / 1_000;
    return e.firedAtMs === undefined
      ? [{ kind: 'pending' as const, at: e.pendingAtMs / 1_000, until: end, text: '' }]
      : [
          { kind: 'pending' as const, at: e.pendingAtMs / 1_000, until: e.firedAtMs / 1_000, text: '' },
          { kind: 'firing' as const, at: e.firedAtMs / 1_000, until: end, text: '' },
        ];
  });
  const fired = episodes.filter((e) => e.firedAtMs !== undefined);
  return (
    <Panel title={t('explore.makeAlert')}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          preview.mutate();
        }}
      >
        <Group align="flex-end" gap="sm">
          <TextInput
            label={t('alerts.name')}
            required
            pattern="[a-zA-Z_][a-zA-Z0-9_]*"
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <NativeSelect
            label={t('makeAlert.when')}
            value={operator}
            data={['>', '>=', '<', '<=', '==', '!=']}
            onChange={(e) => setOperator(e.currentTarget.value)}
          />
          <NumberInput
            label={t('makeAlert.threshold')}
            value={threshold}
            onChange={setThreshold}
            w={120}
            hideControls
          />
          <TextInput
            label={t('makeAlert.hold')}
            value={hold}
            error={parseDurationMs(hold) === undefined ? t('time.unreadable') : null}
            onChange={(e) => setHold(e.currentTarget.value)}
            w={100}
          />
          <NativeSelect
            label={t('alerts.severity')}
            value={severity}
            data={['critical', 'warning', 'info']}
            onChange={(e) => setSeverity(e.currentTarget.value)}
          />
          <TextInput
            label={t('makeAlert.summary')}
            value={summary}
            onChange={(e) => setSummary(e.currentTarget.value)}
            style={{ flex: '1 1 200px' }}
          />
          <Button type="submit" variant="default" loading={preview.isPending}>
            {t('makeAlert.preview')}
          </Button>
          <Button loading={save.isPending} onClick={() => save.mutate()}>
            {t('makeAlert.save')}
          </Button>
        </Group>
      </form>
      <div style={{ height: 10 }} />
      {(preview.error || save.error) && <Problem error={preview.error ?? save.error} />}
      <QueryChart
        label={t('makeAlert.chart')}
        expr={expr}
        height={200}
        thresholds={[{ value: Number(threshold), colour: 'red' }]}
        marks={marks}
        legendKind="hidden"
      />
      {preview.data && (
        <div role="status">
          <strong>{t('makeAlert.fired', { count: fired.length })}</strong>{' '}
          <span className="muted">{t('makeAlert.evaluations', { count: value(preview.data.evaluations) })}</span>
          <ul style={{ margin: '4px 0', paddingLeft: 18, maxHeight: 140, overflow: 'auto' }}>
            {fired.slice(0, 50).map((e) => (
              <li key={`${e.firedAtMs}${metricName(e.labels)}`}>
                {date(e.firedAtMs!)} – {e.endedAtMs ? date(e.endedAtMs) : t('makeAlert.still')}{' '}
                <span className="mono">{metricName(e.labels)}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
      <Code block mt="sm" style={{ whiteSpace: 'pre-wrap' }}>
        {alertRuleYaml(rule)}
      </Code>
    </Panel>
  );
}
