/**
 * Annotations of alerting rules: the same texts expanded by real Prometheus servers (`/api/v1/alerts`), by promtool's
 * unit tests of rules, and by ours. Faults count too: their wording stands in the annotation.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Labels } from '../../src/model/labels.ts';
import { createRuleTemplates, type RuleTemplates, type TemplateSample } from '../../src/rules/templates.ts';
import { findPeer, freePort, httpReady, peerMissing, start, temporaryFolder } from '../support/peers.ts';

const EXTERNAL_URL = 'http://prom.example.com:9090/p';
const EXTERNAL = { dc: 'eu-1', env: 'prod' };
const LABELS = { instance: 'db-1.example.com:9100', job: 'api', path: '/a b&c', alertname: 'T' };
const VALUES = [0.123456789, 12345678.9, -3, 0, 1e-9, 90061.5, 1_700_000_000.5, Infinity, Number.NaN];

/** Each with every value. */
const WITH_VALUE = `
{{ $value }} {{ .Value }} {{ printf "%.2f" $value }} {{ printf "%v" .Value }}
{{ humanize $value }} {{ $value | humanize1024 }} {{ humanizePercentage $value }}
{{ humanizeDuration $value }}
{{ humanizeTimestamp $value }}
{{ if gt $value 1.0 }}high{{ else }}low{{ end }} {{ if $value }}t{{ else }}f{{ end }}
{{ with toTime $value }}{{ .Year }} {{ .Format "15:04:05.000" }} {{ .Unix }}{{ end }}
`;
const ONCE = `
plain
{{ $labels.job }} {{ .Labels.instance }} {{ $labels.absent }}|{{ $labels }}|{{ len $labels }}
{{ $externalLabels.dc }} {{ $externalURL }} {{ .ExternalLabels }} {{ .ExternalURL }} {{ externalURL }} {{ pathPrefix }}
{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}
{{ $labels.job | toUpper | toLower | title }} {{ title "hello be_so x-y éa ÉA" }} {{ match "a.i" $labels.job }}
{{ title "don't a.b 3rd" }}
{{ reReplaceAll "([a-z]+)-([0-9])" "$2$1" $labels.instance }} {{ safeHtml "<b>" }}
{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }} {{ stripDomain "10.1.2.3:80" }} {{ stripPort "[::1]:80" }} {{ stripDomain "[::1]:80" }} {{ stripPort "none" }} {{ stripDomain "a.b.c" }} {{ stripPort "a:b:c" }} {{ stripDomain "1.2.3.4" }} {{ stripDomain "::1" }}
{{ graphLink "up{a=\\"b\\"} > 0" }} {{ tableLink "sum by (x) (y)" }}
{{ parseDuration "1h30m" }} {{ parseDuration "5ms" }} {{ parseDuration "1d" | humanizeDuration }}
{{ parseDuration "x" }}
{{ humanize "1234567" }} {{ humanize 5 }} {{ humanize1024 "2048" }} {{ humanizeDuration "61" }} {{ humanizePercentage "0.5" }} {{ humanizeTimestamp "1700000000" }}
{{ humanize "x" }}
{{ humanize true }}
{{ toTime "x" }}
{{ with query "vector(3)" }}{{ . | first | value }}{{ end }} {{ query "vector(2)" | first | value | humanize }}
{{ range query "label_replace(vector(1),'a','x','','') or label_replace(vector(2),'a','y','','')" | sortByLabel "a" }}{{ .Labels.a }}={{ .Value }};{{ end }}
{{ query "label_replace(vector(7),'a','x','','')" | first | label "a" }} {{ query "vector(1)" | len }} {{ query "vector(1) > 2" | len }}
{{ query "vector(1) > 2" | first | value }}
{{ if query "vector(1) > 2" }}some{{ else }}none{{ end }} {{ printf "%T" (query "vector(1)") }} {{ printf "%T" (query "vector(1)" | first) }}
{{ define "t" }}<{{ .arg0 }} {{ .arg1 }}>{{ end }}{{ template "t" (args $labels.job 5) }} {{ args 1 "x" }}
{{ .Nope }}
{{ $labels.Nope.Deeper }}
{{ template "none" }}
{{ index $labels "job" }} {{ index $labels 1 }}
{{ first 1 }}
{{ "x" | label "a" }}
{{ value nil }}
{{ match "(" "x" }}
{{ reReplaceAll "(" "" "x" }}
{{ printf "%d" $value }} {{ eq $value 1 }}
{{ eq $labels.job "api" }} {{ ne $labels.job "x" "y" }}
{{ slice $labels.job 9 }}
{{ strvalue (query "label_replace(vector(7),'__value__','x','','')" | first) }}
{{ urlquery $labels.path }} {{ html "<&>" }} {{ js "it's" }} {{ print 1 2 "a" }} {{ println 1 }}
`;
const NEWER = `
{{ range $i := 3 }}{{ $i }}{{ end }} {{ with "" }}a{{ else with $labels.job }}{{ . }}{{ end }}
`;
/** The name of the data's type and some words are those of newer releases. */
const STABLE_DIFFERS = /^\{\{ \.Nope|eq \$value 1|title "don't/;

const lines = (text: string): string[] => text.split('\n').filter((l) => l.trim() !== '');
interface Case {
  readonly text: string;
  readonly value: number;
}
const casesOf = (newer: boolean): Case[] => [
  ...VALUES.flatMap((value) => lines(WITH_VALUE).map((text) => ({ text, value }))),
  ...lines(newer ? ONCE + NEWER : ONCE)
    .filter((text) => newer || !STABLE_DIFFERS.test(text))
    .map((text) => ({ text, value: 1.5 })),
];

const promNumber = (v: number): string => (Number.isNaN(v) ? 'NaN' : v === Infinity ? 'Inf' : String(v));
const exprOf = (value: number): string =>
  Object.entries(LABELS)
    .filter(([name]) => name !== 'alertname')
    .reduce((e, [name, v]) => `label_replace(${e}, "${name}", "${v}", "", "")`, `vector(${promNumber(value)})`);

/** JSON is YAML. */
function ruleFile(cases: readonly Case[]): string {
  const rules = cases.map((c, i) => ({
    alert: 'T',
    expr: exprOf(c.value),
    labels: { case: String(i) },
    annotations: { text: c.text },
  }));
  return JSON.stringify({ groups: [{ name: 'g', interval: '1s', rules }] });
}

function templates(): RuleTemplates {
  const vector = (pairs: readonly (readonly [Record<string, string>, number])[]): TemplateSample[] =>
    pairs.map(([labels, value]) => ({ labels: Labels.from(labels), value }));
  const answers: Record<string, TemplateSample[]> = {
    'vector(1)': vector([[{}, 1]]),
    'vector(2)': vector([[{}, 2]]),
    'vector(3)': vector([[{}, 3]]),
    'vector(1) > 2': [],
    "label_replace(vector(7),'a','x','','')": vector([[{ a: 'x' }, 7]]),
    "label_replace(vector(7),'__value__','x','','')": vector([[{ __value__: 'x' }, 7]]),
    "label_replace(vector(1),'a','x','','') or label_replace(vector(2),'a','y','','')": vector([
      [{ a: 'y' }, 2],
      [{ a: 'x' }, 1],
    ]),
  };
  return createRuleTemplates({
    externalUrl: EXTERNAL_URL,
    externalLabels: Labels.from(EXTERNAL),
    query: async (expr) => answers[expr]!,
  });
}

const expandAll = (cases: readonly Case[]): Promise<string[]> => {
  const ours = templates();
  const labels = Labels.from(LABELS).without('alertname');
  return Promise.all(
    cases.map(async (c) => ours.expand(c.text, { labels, value: c.value, timeMs: 1_700_000_000_000, name: 'T' })),
  );
};

describe.each(['stable', 'sid'] as const)('annotations by Prometheus of %s', (suite) => {
  const name = 'prometheus';
  const missing = suite === 'sid' ? peerMissing(name, 'sid') : peerMissing(name);

  it.skipIf(missing)(
    'are what ours expands to',
    async () => {
      using folder = temporaryFolder('vigie-rules-');
      const cases = casesOf(suite === 'sid');
      writeFileSync(path.join(folder.path, 'rules.yml'), ruleFile(cases));
      writeFileSync(
        path.join(folder.path, 'prometheus.yml'),
        JSON.stringify({ global: { evaluation_interval: '1s', external_labels: EXTERNAL }, rule_files: ['rules.yml'] }),
      );
      const port = await freePort();
      const url = `http://127.0.0.1:${port}/p`;
      await using _server = await start(findPeer(name, suite === 'sid' ? 'sid' : undefined)!, {
        args: [
          `--config.file=${path.join(folder.path, 'prometheus.yml')}`,
          `--storage.tsdb.path=${path.join(folder.path, 'data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
          `--web.external-url=${EXTERNAL_URL}`,
        ],
        ready: httpReady(`${url}/-/ready`),
      });
      interface Answer {
        data: { alerts: { labels: Record<string, string>; annotations: Record<string, string> }[] };
      }
      const real: string[] = [];
      for (let tries = 0; tries < 40 && Object.keys(real).length < cases.length; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        const answer = (await (await fetch(`${url}/api/v1/alerts`)).json()) as Answer;
        for (const a of answer.data.alerts) real[Number(a.labels['case'])] = a.annotations['text'] ?? '';
      }
      const ours = await expandAll(cases);
      const differences = cases.flatMap((c, i) =>
        real[i] === ours[i] ? [] : [{ text: c.text, value: c.value, real: real[i], ours: ours[i] }],
      );
      expect(differences).toEqual([]);
      expect(Object.keys(real).length).toBe(cases.length);
      expect(cases.length).toBeGreaterThanOrEqual(80);
      expect(real.filter((r) => r.startsWith('<error expanding template: ')).length).toBeGreaterThanOrEqual(15);
      // a fault would be seen
      expect(real.filter((r, i) => r !== ours[i]!.replace(/e/, 'E')).length).toBeGreaterThan(30);
    },
    60_000,
  );
});

describe('annotations by promtool', () => {
  const missing = peerMissing('promtool');

  it.skipIf(missing)(
    'pass as expected alerts, and fail when one character is changed',
    async () => {
      using folder = temporaryFolder('vigie-rules-');
      // promtool has no address for the functions externalURL and pathPrefix
      const cases = casesOf(false).filter((c) => Number.isFinite(c.value) && !c.text.includes('pathPrefix'));
      const ours = await expandAll(cases);
      writeFileSync(path.join(folder.path, 'rules.yml'), ruleFile(cases));
      const run = (texts: readonly string[]): string => {
        const expected = texts.map((text, i) => ({
          exp_labels: { ...LABELS, alertname: undefined, case: String(i) },
          exp_annotations: { text },
        }));
        writeFileSync(
          path.join(folder.path, 'test.yml'),
          JSON.stringify({
            rule_files: ['rules.yml'],
            evaluation_interval: '1s',
            tests: [
              {
                interval: '1s',
                input_series: [{ series: 'unused', values: '1' }],
                external_labels: EXTERNAL,
                external_url: EXTERNAL_URL,
                alert_rule_test: [{ eval_time: '1s', alertname: 'T', exp_alerts: expected }],
              },
            ],
          }),
        );
        try {
          return execFileSync(findPeer('promtool')!, ['test', 'rules', 'test.yml'], {
            cwd: folder.path,
            stdio: 'pipe',
          }).toString();
        } catch (error) {
          const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer };
          return `FAILED ${stdout.toString()}${stderr.toString()}`.slice(0, 4_000);
        }
      };
      expect(run(ours)).toContain('SUCCESS');
      expect(run(ours.map((t, i) => (i === 3 ? `${t}.` : t)))).toContain('FAILED');
    },
    30_000,
  );
});
