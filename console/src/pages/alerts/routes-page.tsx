/** The route tree as it is loaded, who would get an alert with given labels, and templates tried on the alerts of now. */
import { Alert, Badge, Button, Code, Group, NativeSelect, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { RouteNode, RouteTestAnswer } from '../../../../src/http/contract/routing.ts';
import { alertingStatus, routes, routeTest, templatePreview } from '../../api/routing.ts';
import { Labels } from '../../components/labels.tsx';
import { Page, Panel, Problem, QueryView } from '../../components/states.tsx';
import { parseMatchers } from '../../lib/matchers.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function RoutesPage() {
  const { t } = useText();
  const { tenant } = useView();
  const tree = useQuery({ queryKey: ['routes', tenant], queryFn: () => routes(tenant), refetchInterval: 60_000 });
  const status = useQuery({ queryKey: ['alerting-status', tenant], queryFn: () => alertingStatus(tenant) });
  const [found, setFound] = useState<RouteTestAnswer | undefined>();
  return (
    <Page title={t('nav.routes')}>
      <div style={{ display: 'grid', gap: 12 }}>
        {status.data?.problem && (
          <Alert color="red" variant="outline" title={t('routes.problem')}>
            <span className="mono">{status.data.problem}</span>
          </Alert>
        )}
        <WhoGets found={found} setFound={setFound} />
        <Panel title={t('routes.tree')}>
          <QueryView query={tree}>
            {(data) => (
              <ul style={{ listStyle: 'none', margin: 0, padding: 0 }}>
                <Node node={data.route} hit={new Set(found?.routes.map((r) => r.id))} />
              </ul>
            )}
          </QueryView>
        </Panel>
        <TemplatePreview />
      </div>
    </Page>
  );
}

/** Only `=` names a label's value; other operators ask about many. */
export function labelsOf(text: string): Record<string, string> | undefined {
  const matchers = parseMatchers(text);
  if (!matchers || matchers.some((m) => m.isRegex || !m.isEqual)) return undefined;
  return Object.fromEntries(matchers.map((m) => [m.name, m.value]));
}

function WhoGets({
  found,
  setFound,
}: {
  readonly found: RouteTestAnswer | undefined;
  readonly setFound: (found: RouteTestAnswer | undefined) => void;
}) {
  const { t, value } = useText();
  const { tenant, search, set } = useView();
  const [text, setText] = useState(search['labels'] ?? 'alertname="ApiLatencyHigh", severity="warning"');
  const labels = labelsOf(text);
  const test = useMutation({
    mutationFn: () => routeTest(tenant, labels ?? {}),
    onSuccess: (answer) => {
      setFound(answer);
      set({ labels: text }, true);
    },
  });
  const nobody = found !== undefined && (found.silencedBy.length > 0 || found.inhibitedBy.length > 0);
  return (
    <Panel title={t('routes.who')}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          test.mutate();
        }}
      >
        <Group align="flex-start" gap="sm">
          <TextInput
            aria-label={t('routes.labels')}
            required
            value={text}
            error={text !== '' && !labels ? t('routes.unreadable') : null}
            onChange={(e) => setText(e.currentTarget.value)}
            style={{ flex: '1 1 240px' }}
          />
          <Button type="submit" disabled={!labels} loading={test.isPending}>
            {t('routes.ask')}
          </Button>
        </Group>
      </form>
      {test.error && <Problem error={test.error} />}
      {found && (
        <div role="status" style={{ marginTop: 10, display: 'grid', gap: 6 }}>
          {found.silencedBy.length > 0 && (
            <strong style={{ color: 'var(--v-warn)' }}>
              {t('routes.silenced', { count: found.silencedBy.length })}
            </strong>
          )}
          {found.inhibitedBy.length > 0 && (
            <strong style={{ color: 'var(--v-warn)' }}>
              {t('routes.inhibited', { count: found.inhibitedBy.length })}
            </strong>
          )}
          {found.routes.map((r) => (
            <div key={r.id} style={{ opacity: nobody ? 0.75 : 1 }}>
              <strong>{t('routes.gets', { receiver: r.receiver, wait: value(r.groupWaitMs, 'ms') })}</strong>{' '}
              <Labels labels={r.groupLabels} />{' '}
              {r.mutedBy.length > 0 && (
                <span style={{ color: 'var(--v-warn)' }}>{t('routes.mutedBy', { names: r.mutedBy.join(', ') })}</span>
              )}
            </div>
          ))}
        </div>
      )}
    </Panel>
  );
}

function Node({ node, hit }: { readonly node: RouteNode; readonly hit: ReadonlySet<string> }) {
  const { t, value } = useText();
  const grouped =
    node.groupBy.length === 0
      ? t('routes.groupByNothing')
      : node.groupBy[0] === '...'
        ? t('routes.groupByAll')
        : t('routes.groupBy', { labels: node.groupBy.join(', ') });
  return (
    <li style={{ borderLeft: `3px solid var(${hit.has(node.id) ? '--v-ok' : '--v-line'})`, padding: '4px 0 4px 12px' }}>
      <div style={{ display: 'flex', gap: 8, flexWrap: 'wrap', alignItems: 'baseline' }}>
        {node.matchers.length === 0 ? (
          <span className="muted">{t('routes.everything')}</span>
        ) : (
          node.matchers.map((m) => (
            <Code key={m} fz={12} style={{ overflowWrap: 'anywhere' }}>
              {m}
            </Code>
          ))
        )}
        <span aria-hidden>→</span>
        <strong>{node.receiver}</strong>
        {node.continue && (
          <Badge variant="default" tt="none" fw={400}>
            {t('routes.continue')}
          </Badge>
        )}
        {node.groups > 0 && (
          <Badge variant="default" tt="none" fw={400}>
            {t('routes.groups', { count: node.groups })}
          </Badge>
        )}
        {node.mutedBy.length > 0 && (
          <span style={{ color: 'var(--v-warn)' }}>{t('routes.mutedBy', { names: node.mutedBy.join(', ') })}</span>
        )}
      </div>
      <div className="muted" style={{ fontSize: 12.5 }}>
        {grouped} ·{' '}
        {t('routes.timing', {
          wait: value(node.groupWaitMs, 'ms'),
          interval: value(node.groupIntervalMs, 'ms'),
          repeat: value(node.repeatIntervalMs, 'ms'),
        })}
      </div>
      {node.routes.length > 0 && (
        <ul style={{ listStyle: 'none', margin: '4px 0 0', padding: '0 0 0 8px' }}>
          {node.routes.map((r) => (
            <Node key={r.id} node={r} hit={hit} />
          ))}
        </ul>
      )}
    </li>
  );
}

function TemplatePreview() {
  const { t } = useText();
  const { tenant } = useView();
  const [template, setTemplate] = useState(
    '{{ .Status | toUpper }} {{ .CommonLabels.alertname }}\n{{ range .Alerts }}{{ .Annotations.summary }}\n{{ end }}',
  );
  const [kind, setKind] = useState<'text' | 'html'>('text');
  const preview = useMutation({ mutationFn: () => templatePreview(tenant, template, kind) });
  return (
    <Panel title={t('routes.template')}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          preview.mutate();
        }}
      >
        <Textarea
          aria-label={t('routes.templateText')}
          description={t('routes.templateHint')}
          autosize
          minRows={3}
          maxRows={14}
          value={template}
          onChange={(e) => setTemplate(e.currentTarget.value)}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
        />
        <Group mt="xs" gap="sm">
          <NativeSelect
            aria-label={t('rules.kind')}
            value={kind}
            data={['text', 'html']}
            onChange={(e) => setKind(e.currentTarget.value as 'text' | 'html')}
          />
          <Button type="submit" variant="default" loading={preview.isPending}>
            {t('makeAlert.preview')}
          </Button>
        </Group>
      </form>
      {preview.error && <Problem error={preview.error} />}
      {preview.data && (
        <Code block mt="sm" style={{ whiteSpace: 'pre-wrap' }} tabIndex={0}>
          {preview.data.text}
        </Code>
      )}
    </Panel>
  );
}
