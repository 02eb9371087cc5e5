/** Alertmanager configuration over damaged copies of a valid file: a configuration or a VigieError with its line, in bounded time. */
import { describe, expect, it } from 'vitest';
import { damaged, fuzz } from '../../test/support/fuzz.ts';
import { parseAlertingConfig } from './config.ts';
import { goTemplates } from './notify/templates.ts';

const VALID = `global: {smtp_smarthost: 'localhost:25', smtp_from: a@example.org, resolve_timeout: 5m}
route:
  receiver: a
  group_by: [alertname, job]
  group_wait: 10s
  routes:
    - matchers: ['severity=~"page|warn"', team!="x"]
      receiver: b
      continue: true
      mute_time_intervals: [nights]
receivers:
  - name: a
    webhook_configs: &hooks
      - {url: 'http://127.0.0.1/x', send_resolved: true, max_alerts: 5}
  - name: b
    webhook_configs: *hooks
    email_configs: [{to: ops@example.org, headers: {Subject: '{{ .CommonLabels.alertname }}'}}]
inhibit_rules:
  - {source_matchers: [severity="page"], target_matchers: [severity="warn"], equal: [job]}
time_intervals:
  - name: nights
    time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}], weekdays: ['monday:friday'], months: ['1:3'], location: Europe/Paris}]
`;
const WORDS = [
  '&a ',
  '*a',
  '*hooks',
  '{',
  '}',
  '[',
  ']',
  ':',
  ' ',
  '\n',
  '- ',
  '"',
  "'",
  '|',
  '<<: *hooks',
  '!!binary ',
  '? ',
  '%YAML 9\n',
  '---\n',
  '\t',
  '{{',
  '~',
  '99999999999999999999',
  '.inf',
];

describe('Alertmanager configuration over damaged input', () => {
  it('loads or says why', () => {
    const load = (b: Uint8Array) => parseAlertingConfig(Buffer.from(b).toString('utf8'), { templates: goTemplates });
    load(Buffer.from(VALID));
    const { accepted, refused } = fuzz(damaged([VALID], WORDS), load, 600);
    expect(refused, 'damage is found').toBeGreaterThan(120);
    expect(accepted, 'some damage is only another value').toBeGreaterThan(0);
  });
});
