/** The templates a configuration may refer to without defining them; they render what Alertmanager's defaults render. */
import { DEFAULT_EMAIL } from './default-email.ts';

const names = (channel: string, parts: Readonly<Record<string, string>>): string =>
  Object.entries(parts)
    .map(([name, body]) => `{{ define "${channel}.default.${name}" }}${body}{{ end }}\n`)
    .join('');

const SUBJECT = '{{ template "__subject" . }}';
const URL = '{{ template "__alertmanagerURL" . }}';
const SENDER = '{{ template "__alertmanager" . }}';
const COLOR = '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}';
const CAUSES = '{{ .CommonAnnotations.SortedPairs.Values | join " " }}';
const TEXT = '__text_alert_list';
const MARKDOWN = '__text_alert_list_markdown';
const part = (alerts: string, heading: string, template: string): string =>
  `{{ if gt (len ${alerts}) 0 }}\n${heading}\n{{ template "${template}" ${alerts} }}\n{{ end }}\n`;
/** Blank lines around each list, as most channels have it. */
const lists = (template: string, mark = ''): string =>
  `\n${part('.Alerts.Firing', `${mark}Alerts Firing:`, template)}${part('.Alerts.Resolved', `${mark}Alerts Resolved:`, template)}`;
const tightPart = (alerts: string, heading: string): string =>
  `{{ if gt (len ${alerts}) 0 -}}\n${heading}\n{{ template "${TEXT}" ${alerts} }}\n{{- end }}`;
/** Without them. */
const TIGHT_LISTS = `\n${tightPart('.Alerts.Firing', 'Alerts Firing:')}\n${tightPart('.Alerts.Resolved', 'Alerts Resolved:')}`;
/** The highest severity known to Jira, of the firing alerts and else of the resolved. */
const highest = (alerts: string): string =>
  `{{ range ${alerts} }}{{ $s := index .Labels "severity" }}{{ if eq $s "critical" }}{{ $p = "High" }}{{ else if and (eq $s "warning") (ne $p "High") }}{{ $p = "Medium" }}{{ else if and (eq $s "info") (eq $p "") }}{{ $p = "Low" }}{{ end }}{{ end }}`;

export const DEFAULT_TEMPLATES = `
{{ define "__alertmanager" }}Alertmanager{{ end }}
{{ define "__alertmanagerURL" }}{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}{{ end }}
{{ define "__subject" }}[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] {{ .GroupLabels.SortedPairs.Values | join " " }} {{ if gt (len .CommonLabels) (len .GroupLabels) }}({{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join " " }}{{ end }}){{ end }}{{ end }}
{{ define "__description" }}{{ end }}
{{ define "__text_alert_list" }}{{ range . }}Labels:
{{ range .Labels.SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}Annotations:
{{ range .Annotations.SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}Source: {{ .GeneratorURL }}
{{ end }}{{ end }}
{{ define "__text_alert_list_markdown" }}{{ range . }}
Labels:
{{ range .Labels.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Annotations:
{{ range .Annotations.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Source: {{ .GeneratorURL }}
{{ end }}
{{ end }}
${names('slack', {
  title: SUBJECT,
  color: COLOR,
  username: SENDER,
  fallback: '{{ template "slack.default.title" . }} | {{ template "slack.default.titlelink" . }}',
  callbackid: '',
  pretext: '',
  titlelink: URL,
  iconemoji: '',
  iconurl: '',
  text: '',
  footer: '',
})}
${names('pagerduty', { description: SUBJECT, client: SENDER, clientURL: URL, instances: '{{ template "__text_alert_list" . }}' })}
${names('discord', { title: SUBJECT, content: '', message: lists(TEXT) })}
${names('telegram', { message: lists(TEXT) })}
${names('opsgenie', { message: SUBJECT, description: CAUSES + TIGHT_LISTS, source: URL })}
${names('victorops', { state_message: CAUSES + TIGHT_LISTS, entity_display_name: SUBJECT, monitoring_tool: SENDER })}
${names('webex', { message: CAUSES + lists(TEXT) })}
${names('msteams', { summary: SUBJECT, title: SUBJECT, text: lists(MARKDOWN, '# ') })}
${names('msteamsv2', { title: SUBJECT, text: lists(MARKDOWN, '# ') })}
${names('pushover', { title: SUBJECT, message: CAUSES + lists(TEXT), url: URL })}
${names('sns', { subject: SUBJECT, message: CAUSES + lists(TEXT) })}
${names('wechat', { message: `${SUBJECT}\n${CAUSES}${TIGHT_LISTS}\nAlertmanagerUrl:\n${URL}`, to_user: '', to_party: '', to_tag: '', agent_id: '' })}
${names('jira', {
  summary: SUBJECT,
  description: lists(MARKDOWN, '# '),
  priority: `{{ $p := "" }}${highest('.Alerts.Firing')}{{ if eq $p "" }}${highest('.Alerts.Resolved')}{{ end }}{{ $p }}`,
})}
${names('rocketchat', { title: SUBJECT, alias: SENDER, titlelink: URL, emoji: '', iconurl: '', text: '' })}
${names('mattermost', {
  color: COLOR,
  username: SENDER,
  title: SUBJECT,
  titlelink: URL,
  fallback: '{{ template "mattermost.default.title" . }} | {{ template "mattermost.default.titlelink" . }}',
  text: lists(MARKDOWN, '# '),
})}
{{ define "email.default.subject" }}{{ template "__subject" . }}{{ end }}
${DEFAULT_EMAIL}`;
