/** An alerting rule as a Prometheus rule file. Strings are written as JSON, which YAML reads alike. */
export interface AlertRule {
  readonly name: string;
  readonly expr: string;
  readonly hold: string;
  readonly severity: string;
  readonly summary: string;
}

export function alertRuleYaml(rule: AlertRule): string {
  const lines = [
    'groups:',
    `  - name: ${JSON.stringify(`console-${rule.name}`)}`,
    '    rules:',
    `      - alert: ${JSON.stringify(rule.name)}`,
    `        expr: ${JSON.stringify(rule.expr)}`,
    `        for: ${rule.hold}`,
    '        labels:',
    `          severity: ${JSON.stringify(rule.severity)}`,
  ];
  if (rule.summary) lines.push('        annotations:', `          summary: ${JSON.stringify(rule.summary)}`);
  return `${lines.join('\n')}\n`;
}
