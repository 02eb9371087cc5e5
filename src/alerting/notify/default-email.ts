/**
 * The HTML of an email without a template of its own. It says what Alertmanager's says, line by line and link by link;
 * the markup is ours: one table (mail programs lay nothing else out alike), styles on the elements (many drop the
 * head's), readable on a telephone and on a dark ground. An alert without a source has no link to nowhere.
 */
const FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:14px;line-height:1.5";
const RULE = 'border-top:1px solid #d8dee4';
/** One row: most mail programs keep padding on cells only. */
const row = (style: string, content: string): string =>
  `<tr><td style="padding:12px 20px;${FONT};${style}">\n${content}\n</td></tr>\n`;

const HEADING =
  '{{ .Alerts | len }} alert{{ if gt (len .Alerts) 1 }}s{{ end }} for {{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}';
const BUTTON =
  '<a href="{{ template "__alertmanagerURL" . }}" style="display:inline-block;padding:8px 16px;border-radius:4px;background:#1f4e8c;color:#ffffff;font-weight:bold;text-decoration:none">View in {{ template "__alertmanager" . }}</a>';
const PAIRS = '{{ range .SortedPairs }}{{ .Name }} = {{ .Value }}<br>{{ end }}';
const ALERT = [
  `<strong>Labels</strong><br>{{ with .Labels }}${PAIRS}{{ end }}`,
  `{{ if gt (len .Annotations) 0 }}<strong>Annotations</strong><br>{{ with .Annotations }}${PAIRS}{{ end }}{{ end }}`,
  '{{ if .GeneratorURL }}<a href="{{ .GeneratorURL }}" style="color:#1f4e8c">Source</a>{{ end }}',
].join('\n');

const part = (alerts: string, word: string, color: string): string =>
  [
    `{{ if gt (len ${alerts}) 0 }}`,
    row(`padding-bottom:4px;font-size:16px;color:${color}`, `<strong>[{{ ${alerts} | len }}] ${word}</strong>`),
    `{{ range ${alerts} }}${row(`${RULE};color:#1b1f24;word-break:break-word`, ALERT)}{{ end }}`,
    '{{ end }}',
  ].join('');

export const DEFAULT_EMAIL = `{{ define "email.default.html" }}<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{{ template "__subject" . }}</title>
</head>
<body style="margin:0;padding:16px 8px;background:#eef0f3">
<table role="presentation" align="center" width="100%" cellpadding="0" cellspacing="0" style="max-width:640px;margin:0 auto;background:#ffffff">
${row(
  'color:#ffffff;font-size:18px;font-weight:bold;background:{{ if gt (len .Alerts.Firing) 0 }}#b42318{{ else }}#1a7f37{{ end }}',
  HEADING,
)}${row('', BUTTON)}${part('.Alerts.Firing', 'Firing', '#b42318')}${part('.Alerts.Resolved', 'Resolved', '#1a7f37')}${row(
  `${RULE};font-size:12px;text-align:center`,
  '<a href="{{ .ExternalURL }}" style="color:#57606a">Sent by {{ template "__alertmanager" . }}</a>',
)}</table>
</body>
</html>
{{ end }}
`;
