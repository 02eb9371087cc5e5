import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { isVigieError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import { DEFAULT_TEMPLATES } from './default-templates.ts';
import type { TemplateData } from './template-data.ts';
import { createGoTemplates, goTemplates } from './templates.ts';

const data: TemplateData = {
  receiver: 'team',
  status: 'firing',
  alerts: [
    {
      status: 'firing',
      labels: Labels.from({ alertname: 'Disk', node: 'a' }),
      annotations: Labels.from({ summary: '<b>&"' }),
      startsAtMs: 1_700_000_000_000,
      endsAtMs: undefined,
      generatorURL: 'http://p/g?a=1&b=2',
      fingerprint: '0123456789abcdef',
    },
  ],
  groupLabels: Labels.from({ alertname: 'Disk' }),
  commonLabels: Labels.from({ alertname: 'Disk', node: 'a' }),
  commonAnnotations: Labels.EMPTY,
  externalURL: 'http://am',
  notificationReason: 'new group',
};

// text by text compared with amtool in test/real/gotemplate-amtool.test.ts

describe('notification templates', () => {
  const t = goTemplates([]);

  it.each([
    ['plain', 'plain'],
    ['{{ template "slack.default.title" . }}', '[FIRING:1] Disk (a)'],
    ['{{ .NotificationReason }} {{ (index .Alerts 0).StartsAt.Format "15:04" }}', 'new group 22:13'],
    ['{{ range .Alerts.Firing }}{{ .Labels.node }}{{ .Annotations.summary }}{{ end }}', 'a<b>&"'],
  ])('text of %s', (template, wanted) => {
    expect(t.text(template, data)).toBe(wanted);
  });

  it('escapes in HTML, and only there', () => {
    const template =
      '<p title="{{ (index .Alerts 0).Annotations.summary }}">{{ (index .Alerts 0).Annotations.summary }}</p>';
    expect(t.html(template, data)).toBe('<p title="&lt;b&gt;&amp;&#34;">&lt;b&gt;&amp;&#34;</p>');
    expect(t.text(template, data)).toContain('<b>&"');
  });

  it('measures since on the clock it is given', () => {
    const clock = new FakeClock(1_700_000_000_000 + 90_000);
    const at = createGoTemplates(clock)([]);
    expect(at.text('{{ since (index .Alerts 0).StartsAt }}', data)).toBe('1m30s');
  });

  it('lets a later file replace a template and keeps the defaults for other configurations', () => {
    const own = goTemplates([
      { name: 'a.tmpl', text: '{{ define "__subject" }}first{{ end }}' },
      { name: 'b.tmpl', text: '{{ define "__subject" }}mine: {{ .Receiver }}{{ end }}' },
    ]);
    expect(own.text('{{ template "slack.default.title" . }}', data)).toBe('mine: team');
    expect(goTemplates([]).text('{{ template "slack.default.title" . }}', data)).toBe('[FIRING:1] Disk (a)');
  });

  it('runs every default template, the email in HTML', () => {
    const names = [...DEFAULT_TEMPLATES.matchAll(/define "([^"]+)"/g)].map((m) => m[1]!);
    expect(names.length).toBeGreaterThan(60);
    for (const name of names) {
      const dot = name.includes('alert_list') || name.endsWith('.instances') ? '.Alerts' : '.';
      expect(typeof t.text(`{{ template "${name}" ${dot} }}`, data)).toBe('string');
    }
    const mail = t.html('{{ template "email.default.html" . }}', data);
    expect(mail).toContain('&lt;b&gt;&amp;&#34;');
    expect(mail).toContain('href="http://p/g?a=1&amp;b=2"');
    expect(mail).not.toContain('ZgotmplZ');
    const sourceless = { ...data, alerts: data.alerts.map((a) => ({ ...a, generatorURL: '' })) };
    expect(t.html('{{ template "email.default.html" . }}', sourceless)).not.toContain('href=""');
  });

  it('refuses when asked to check, and while running, with codes of their own', () => {
    const code = (run: () => void): unknown => {
      try {
        run();
      } catch (error) {
        return isVigieError(error) ? `${error.code}: ${error.message}` : error;
      }
      return undefined;
    };
    expect(code(() => t.check('{{ .Status', 'text'))).toBe('bad_config: template: :1: unclosed action');
    expect(code(() => t.check('<a href="{{ .Status }}', 'html'))).toContain(
      'bad_config: html/template: ends in a non-text context',
    );
    expect(code(() => t.check('<a href="{{ .Status }}', 'text'))).toBeUndefined();
    expect(code(() => t.text('{{ .Nope }}', data))).toContain(
      'bad_data: template: :1:3: executing "" at <.Nope>: can\'t evaluate field Nope',
    );
    expect(code(() => goTemplates([{ name: 'x.tmpl', text: '{{ nope }}' }]))).toBe(
      'bad_config: template: x.tmpl:1: function "nope" not defined',
    );
  });
});
