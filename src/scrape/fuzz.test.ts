/** Prometheus configuration over damaged copies of a valid file: jobs or a VigieError with its line, in bounded time. */
import { describe, expect, it } from 'vitest';
import { damaged, fuzz } from '../../test/support/fuzz.ts';
import { parsePrometheusConfig } from './config.ts';

const VALID = `global: {scrape_interval: 15s, external_labels: {site: a}}
rule_files: ['rules/*.yml']
scrape_configs:
  - job_name: node
    static_configs: &targets [{targets: ['127.0.0.1:9100', 'b:1'], labels: {env: prod}}]
    metrics_path: /m
    params: {a: [b, c]}
    basic_auth: {username: u, password: p}
    relabel_configs:
      - {source_labels: [__address__], regex: '(.*):\\d+', target_label: host, replacement: '$1'}
      - {action: labeldrop, regex: tmp_.*}
  - job_name: dns
    scrape_timeout: 5s
    scrape_interval: 10s
    body_size_limit: 10MB
    dns_sd_configs: [{names: [a.example.org], type: A, port: 80}]
  - {job_name: again, static_configs: *targets, sample_limit: 10}
`;
const WORDS = [
  '&a ',
  '*a',
  '*targets',
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
  '<<: *targets',
  '!!binary ',
  '? ',
  '%YAML 9\n',
  '---\n',
  '\t',
  '~',
  '99999999999999999999',
  '.inf',
  '(',
  '$',
];

describe('Prometheus configuration over damaged input', () => {
  it('loads or says why', () => {
    const load = (b: Uint8Array) => parsePrometheusConfig('p.yml', Buffer.from(b).toString('utf8'));
    load(Buffer.from(VALID));
    const { accepted, refused } = fuzz(damaged([VALID], WORDS), load, 600);
    expect(refused, 'damage is found').toBeGreaterThan(120);
    expect(accepted, 'some damage is only another value').toBeGreaterThan(0);
  });
});
