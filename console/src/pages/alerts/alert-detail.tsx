/** One alert: what it says, its labels, the graph of its rule's expression, and the ways on. */
import { Anchor, Button, Code, Group, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { QueryChart } from '../../components/chart/query-chart.tsx';
import { Labels } from '../../components/labels.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { SeverityBadge } from '../overview/active-alerts.tsx';
import type { AlertRow } from './alerts-page.tsx';
import { DecisionsAbout } from './decisions.tsx';

/** The comparison at the end of an expression is a threshold: the graph shows what is compared. */
export function splitThreshold(expr: string): { readonly expr: string; readonly threshold?: number } {
  const m = /^([\s\S]+?)\s*(?:>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*$/i.exec(expr.trim());
  if (!m) return { expr };
  const left = m[1]!;
  const balanced = (open: string, close: string): boolean => left.split(open).length === left.split(close).length;
  // `a and b > 5` compares only b; cutting there would change the meaning
  if (!balanced('(', ')') || !balanced('{', '}') || /\b(and|or|unless)\b/.test(left)) return { expr };
  return { expr: left, threshold: Number(m[2]) };
}

const asMatchers = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join(', ');
const URL_OK = /^(https?:\/\/|\/)/;

export function AlertDetail({ row }: { readonly row: AlertRow }) {
  const { t, date, ago } = useText();
  const { search } = useView();
  const graph = row.rule && splitThreshold(row.rule.query);
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <Group gap="sm">
        <SeverityBadge severity={row.labels['severity']} />
        <span>{t(`alerts.${row.state}`)}</span>
        <span className="muted">
          {date(row.sinceMs)} ({ago(row.sinceMs)})
        </span>
      </Group>
      {Object.entries(row.annotations).map(([name, text]) => (
        <div key={name}>
          <Text size="xs" className="muted">
            {name}
          </Text>
          {URL_OK.test(text) ? (
            <Anchor href={text} rel="noreferrer noopener" target="_blank">
              {text}
            </Anchor>
          ) : (
            <Text style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{text}</Text>
          )}
        </div>
      ))}
      <Labels labels={row.labels} />
      {row.rule && graph && (
        <>
          <QueryChart
            label={row.name}
            expr={graph.expr}
            height={220}
            thresholds={graph.threshold === undefined ? [] : [{ value: graph.threshold, colour: 'red' }]}
            marks={[{ kind: row.state === 'pending' ? 'pending' : 'firing', at: row.sinceMs / 1_000, text: row.name }]}
          />
          <Code block style={{ whiteSpace: 'pre-wrap' }}>
            {row.rule.query}
          </Code>
        </>
      )}
      {row.alert && <DecisionsAbout fingerprint={row.alert.fingerprint} />}
      <Group>
        {row.rule && (
          <Button
            component={Link}
            variant="default"
            to={'/explore' as never}
            search={{ ...frameSearch(search), q: graph?.expr ?? row.rule.query } as never}
          >
            {t('action.explore')}
          </Button>
        )}
        <Button
          component={Link}
          variant="default"
          to={'/routes' as never}
          search={{ ...frameSearch(search), labels: asMatchers(row.labels) } as never}
        >
          {t('routes.who')}
        </Button>
        <Button
          component={Link}
          variant="default"
          to={'/silences' as never}
          search={
            {
              ...frameSearch(search),
              for: asMatchers(row.labels),
            } as never
          }
        >
          {t('alerts.silence')}
        </Button>
      </Group>
    </div>
  );
}
