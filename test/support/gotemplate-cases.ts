/**
 * Templates for the comparison with amtool: written by hand, one feature each, and put together from a seed. All use the
 * data of `CASE_DATA` only, and nothing that depends on the clock or on Go's addresses.
 */

/** template.Data as amtool reads it. */
export const CASE_DATA = {
  receiver: 'team-x',
  status: 'firing',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'DiskFull', instance: 'db-1.example.com:9100', severity: 'critical', team: 'storage' },
      annotations: {
        summary: 'Disk <b>full</b> & "hot"',
        runbook: 'https://run.example.com/a?b=c&d=e#f',
        js: "javascript:alert('x')",
      },
      startsAt: '2024-02-29T23:59:58.123456Z',
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://prom.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1',
      fingerprint: '0123456789abcdef',
    },
    {
      status: 'resolved',
      labels: {
        alertname: 'DiskFull',
        instance: 'db-2.example.com:9100',
        severity: 'warning',
        team: 'storage',
        zone: 'ä→😀',
      },
      annotations: { summary: "it's </script><!-- gone -->", empty: '' },
      startsAt: '2023-07-01T12:00:00Z',
      endsAt: '2023-07-01T13:30:05Z',
      generatorURL: 'http://prom.example.com/graph',
      fingerprint: 'fedcba9876543210',
    },
  ],
  groupLabels: { alertname: 'DiskFull' },
  commonLabels: { alertname: 'DiskFull', team: 'storage' },
  commonAnnotations: { note: 'a+b=c `d` ${e}' },
  externalURL: 'http://alerts.example.com/am',
} as const;

/** Known to both, beside the defaults. */
export const CASE_FILE = `{{ define "greet" }}Hello {{ . }}!{{ end }}
{{ define "list" }}{{ range $i, $e := . }}{{ if $i }}, {{ end }}{{ $e }}{{ end }}{{ end }}
{{ define "deep" }}{{ if gt (len .) 1 }}[{{ template "deep" (slice . 1) }}]{{ end }}{{ end }}
{{ define "attr" }}{{ . }}-x{{ end }}
outside`;

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '');

const raw = String.raw;

/** One template a line; where an error is expected, its wording is compared too. */
export const TEXT_CASES: readonly string[] = [
  ...lines(raw`
plain
{{ .Receiver }}
{{.Status}}{{ .ExternalURL }}
{{- .Status -}}  x  {{- /* comment */ -}}  y
a {{/* comment */}} b
{{ "quoted \"\u00e9\x41\101\n" }}|{{ ${'`'}raw \n${'`'} }}
{{ 'a' }} {{ '\n' }} {{ '\u00e9' }} {{ '\'' }}
{{ 1 }} {{ -7 }} {{ +3 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 017 }} {{ 1_000 }} {{ 0x_ff }}
{{ 1.5 }} {{ 1e3 }} {{ .5 }} {{ 1. }} {{ -0.0 }} {{ 1e100 }} {{ 0x1p-2 }} {{ 1e-7 }} {{ 123456789.0 }} {{ 1e20 }} {{ 1e21 }}
{{ 9223372036854775807 }} {{ -9223372036854775808 }}
{{ 9223372036854775808 }}
{{ 18446744073709551616 }}
{{ 1e400 }}
{{ 08 }}
{{ 1x }}
{{ true }} {{ false }}
{{ nil }}
{{ print nil }}
{{ printf "%v" nil }}
{{ len nil }}
{{ . | len }}
{{ len .Alerts }} {{ len .GroupLabels }} {{ len "ä→😀" }} {{ len .Alerts.Firing }}
{{ len 3 }}
{{ index .Alerts 0 | printf "%T" }}
{{ (index .Alerts 0).Labels.instance }}
{{ (index .Alerts 1).Labels.zone }} {{ index .GroupLabels "alertname" }} [{{ index .GroupLabels "none" }}]
{{ index .Alerts 2 }}
{{ index .Alerts 3 }}
{{ index .Alerts -1 }}
{{ index .Alerts "x" }}
{{ index .GroupLabels 1 }}
{{ index "abc" 1 }} {{ printf "%c" (index "abc" 1) }} {{ printf "%T" (index "abc" 1) }}
{{ index "abc" 3 }}
{{ index nil 1 }}
{{ index 5 1 }}
{{ index .Alerts }}
{{ slice "abcdef" 1 3 }} {{ slice "abcdef" 2 }} {{ slice "abcdef" }} {{ slice .Alerts 1 2 | len }}
{{ slice "abc" 2 1 }}
{{ slice "abc" 1 2 3 }}
{{ slice "abc" 4 }}
{{ slice 4 1 }}
{{ slice (stringSlice "a" "b" "c") 1 }}
{{ slice (stringSlice "a" "b" "c") 0 1 2 }}
{{ slice (stringSlice "a" "b" "c") 0 2 1 }}
{{ .GroupLabels.alertname }}[{{ .GroupLabels.missing }}]
{{ .Missing }}
{{ .Alerts.Missing }}
{{ .Status.X }}
{{ $x := .Status }}{{ $x.Y }}
{{ .Receiver 1 }}
{{ 1 | .Receiver }}
{{ .GroupLabels.alertname 1 }}
{{ .GroupLabels.Names 1 }}
{{ .GroupLabels.Remove }}
{{ .GroupLabels.Remove "x" }}
{{ .CommonLabels.Remove .GroupLabels.Names }}
{{ .CommonLabels.Remove (stringSlice "team") }}
{{ .CommonLabels.SortedPairs }} {{ .CommonLabels.SortedPairs.Names }} {{ .CommonLabels.Values }} {{ .CommonLabels.String }}
{{ (index .CommonLabels.SortedPairs 1).Name }}={{ (index .CommonLabels.SortedPairs 1).Value }}
{{ (index .CommonLabels.SortedPairs 0) }}
{{ printf "%v|%+v|%s" (index .CommonLabels.SortedPairs 0) (index .CommonLabels.SortedPairs 0) (index .CommonLabels.SortedPairs 0) }}
{{ printf "%#v" (index .CommonLabels.SortedPairs 0) }}
{{ printf "%q" .CommonLabels.SortedPairs }} {{ printf "%q" .CommonLabels.Names }} {{ printf "%v" .CommonLabels }}
{{ printf "%d" .CommonLabels }}
{{ printf "%x" .CommonLabels.Names }}
{{ range .Alerts }}{{ .Labels.instance }};{{ end }}
{{ range $a := .Alerts }}{{ $a.Status }}{{ $.Status }};{{ end }}
{{ range $i, $a := .Alerts }}{{ $i }}={{ .Fingerprint }};{{ end }}
{{ range .Alerts.Firing }}F{{ else }}none{{ end }}{{ range .CommonAnnotations.Remove (stringSlice "note") }}x{{ else }}none{{ end }}
{{ range $k, $v := .CommonLabels }}{{ $k }}:{{ $v }},{{ end }}
{{ range .CommonLabels }}{{ . }},{{ end }}
{{ range .CommonLabels.SortedPairs }}{{ .Name }}{{ .Value }}{{ end }}
{{ range $i, $c := "abc" }}{{ $i }}{{ $c }}{{ end }}
{{ range 1.5 }}x{{ end }}
{{ range true }}x{{ end }}
{{ range . }}x{{ end }}
{{ range nil }}x{{ end }}
{{ range .Alerts }}{{ break }}{{ end }}x
{{ range .Alerts }}a{{ continue }}b{{ end }}
{{ range .Alerts }}{{ if eq .Status "resolved" }}{{ break }}{{ end }}{{ .Status }}{{ end }}
{{ range $i, $a := .Alerts }}{{ range $j, $l := $a.Labels.SortedPairs }}{{ if gt $j 1 }}{{ continue }}{{ end }}{{ $i }}{{ $j }}{{ $l.Name }} {{ end }}{{ end }}
{{ break }}
{{ range .Alerts }}{{ template "greet" .Status }}{{ end }}
{{ define "b" }}{{ break }}{{ end }}
{{ $x := 1 }}{{ range .Alerts }}{{ $x = 2 }}{{ end }}{{ $x }}
{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}
{{ $x := 1 }}{{ range $x := .CommonLabels.Names }}{{ $x }}{{ end }}{{ $x }}
{{ $i := 0 }}{{ $v := "" }}{{ range $i, $v = .CommonLabels.Names }}{{ end }}{{ $i }}{{ $v }}
{{ $v := "" }}{{ range $v = .CommonLabels.Names }}{{ end }}{{ $v }}
{{ $x }}
{{ $x = 1 }}
{{ $x := }}
{{ $x, $y := 1 }}
{{ range $a, $b, $c := . }}{{ end }}
{{ range $a, 1 := . }}{{ end }}
{{ with $x := 5 }}{{ $x }}{{ . }}{{ end }}
{{ with .Status }}{{ . }}{{ else }}none{{ end }}{{ with "" }}x{{ else }}empty{{ end }}
{{ with .CommonLabels }}{{ .team }}{{ $.Status }}{{ end }}
{{ with "" }}a{{ else with .Status }}{{ . }}{{ else }}c{{ end }}
{{ if .Alerts }}yes{{ end }}{{ if eq .Status "x" }}1{{ else if eq .Status "firing" }}2{{ else }}3{{ end }}
{{ if 0 }}a{{ else if 0.0 }}b{{ else if "" }}c{{ else if nil }}d{{ else }}e{{ end }}
{{ if not .Alerts }}a{{ end }}{{ if and .Alerts (eq 1 1) }}b{{ end }}{{ if or false .Status }}c{{ end }}
{{ if .Status }}a
{{ if }}x{{ end }}
{{ end }}
{{ else }}
{{ if true }}{{ else }}{{ else }}{{ end }}
{{ if true }}{{ else if false }}{{ else if true }}{{ end }}{{ end }}
{{ with }}{{ end }}
{{ range }}{{ end }}
{{ unknown 1 }}
{{ "a" | unknown }}
{{ eq 1 1 }} {{ eq 1 2 1 }} {{ eq "a" "b" }} {{ eq .Status "firing" "x" }} {{ eq true true }} {{ eq 1.5 1.5 }}
{{ eq 1 1.0 }}
{{ eq 1 "1" }}
{{ eq 1 }}
{{ eq .Alerts .Alerts }}
{{ eq .GroupLabels .GroupLabels }}
{{ eq .GroupLabels nil }}
{{ eq nil nil }} {{ eq 1 nil }}
{{ eq (index .Alerts 0).StartsAt (index .Alerts 0).StartsAt }}
{{ eq (index .CommonLabels.SortedPairs 0) (index .CommonLabels.SortedPairs 0) }} {{ eq (index .CommonLabels.SortedPairs 0) (index .CommonLabels.SortedPairs 1) }}
{{ eq (index .Alerts 0) (index .Alerts 0) }}
{{ ne 1 2 }} {{ ne "a" "a" }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt 3 2 }} {{ ge 1 2 }} {{ lt "a" "b" }} {{ lt 1.5 2.5 }}
{{ ne 1 2 3 }}
{{ lt 1 "a" }}
{{ lt true false }}
{{ lt .Alerts .Alerts }}
{{ lt 1 2.0 }}
{{ and }} 
{{ and 1 0 2 }} {{ and 1 2 }} {{ or 0 "" "x" }} {{ or 0 "" }} {{ not 0 }} {{ not "x" }}
{{ and false (index .Alerts 99) }} {{ or true (index .Alerts 99) }}
{{ and true (index .Alerts 99) }}
{{ 5 | and 1 }} {{ 0 | or 0 }}
{{ and 1 | or 0 }}
{{ not }}
{{ not 1 2 }}
{{ print 1 2 "a" "b" 3 4 }}|{{ print "a" 1 2.5 true nil }}|{{ println "a" 1 "b" }}|
{{ print .CommonLabels.Names .Status 1 }}
{{ printf "%s %d %v %q %t %x %5d|%-5d|%05d|%+d" "a" 1 2.5 "q" true 255 42 42 42 42 }}
{{ printf "%8.3f|%-8.2f|%+.1e|%g|%G|%e" 3.14159 2.5 12345.678 1e21 1e-7 1.0 }}
{{ printf "%s" 5 }} {{ printf "%d" "x" }} {{ printf "%d" 1.5 }} {{ printf "%t" 1 }} {{ printf "%f" 1 }}
{{ printf "%d %d" 1 }} {{ printf "%d" 1 2 }} {{ printf "%!" }} {{ printf "%z" 1 }} {{ printf "%" }} {{ printf "100%%" }}
{{ printf "%[2]d %[1]d" 1 2 }} {{ printf "%[3]d" 1 }} {{ printf "%[1]*d" 5 2 }} {{ printf "%*d" 5 42 }} {{ printf "%.*f" 2 3.14159 }} {{ printf "%[x]d" 1 }}
{{ printf "%c %U %#U %q" 65 8364 8364 65 }} {{ printf "%x %X %#x % x" "hello" "hello" "hello" "hello" }} {{ printf "%o %O %b %#b %#o" 8 8 5 5 8 }}
{{ printf "%10s|%-10s|%.2s|%5.1s|%05s" "abc" "abc" "abc" "abc" "abc" }} {{ printf "%q %+q %#q" "é\n" "é\n" "raw" }}
{{ printf "%v %+v" .GroupLabels .GroupLabels }} {{ printf "%T %T %T %T %T %T" 1 1.5 "s" true .GroupLabels .Alerts }}
{{ printf "%T %T %T" .Alerts.Firing .CommonLabels.SortedPairs .CommonLabels.Names }} {{ printf "%T" (index .Alerts 0).StartsAt }} {{ printf "%T" . }}
{{ printf "%#v %#v %#v %#v" 1 1.0 "a" true }} {{ printf "%#v" .CommonLabels.Names }} {{ printf "%#v" .GroupLabels }} {{ printf "%#v" 1e21 }}
{{ printf "%6.2f%%" 12.345 }} {{ printf "% d" 5 }} {{ printf "%+v" 1.0 }} {{ printf "%x" -255 }} {{ printf "%#x" 255 }} {{ printf "%#X" 255 }}
{{ printf "%x %X %b" 1.5 1.5 1.5 }} {{ printf "%.3g|%.10g|%#g|%#.3g" 1234.5678 1234.5678 1.0 1.0 }} {{ printf "%08.3f|%+08.3f|%-8.3f|% .3f" 3.14159 3.14159 3.14159 3.14159 }}
{{ printf 5 }}
{{ printf }}
{{ printf .Alerts }}
{{ html "<a href='x'>&\"" }} {{ "<" | html }} {{ html 1 "a" }} {{ html .Status }}
{{ js "it's \"<b>\" \\ = & \u2028 é" }} {{ urlquery "a b&c=d/é" }} {{ urlquery nil }} {{ html nil 1 }} {{ urlquery 1 "a" }} {{ .Receiver | urlquery }}
{{ call .Status }}
{{ call nil }}
{{ call 5 1 }}
{{ call }}
{{ template "greet" "Bob" }}
{{ template "greet" }}
{{ template "list" .CommonLabels.Names }}
{{ template "nope" . }}
{{ template "deep" (stringSlice "a" "b" "c" "d") }}
{{ template "attr" 5 }}
{{ define "x" }}X{{ . }}{{ end }}{{ template "x" 1 }}{{ template "x" 2 }}
{{ block "y" .Status }}<{{ . }}>{{ end }}
{{ define "x" }}1{{ end }}{{ define "x" }}2{{ end }}{{ template "x" }}
{{ define "x" }} {{ end }}{{ define "x" }}2{{ end }}{{ template "x" }}
{{ define x }}{{ end }}
{{ define "x" }}
{{ define "x" 1 }}{{ end }}
{{ template x }}
{{ template "x" 1 2 }}{{ define "x" }}{{ . }}{{ end }}
{{ define "greet" }}Replaced {{ . }}{{ end }}{{ template "greet" 1 }}
{{ define "rec" }}{{ if gt . 0 }}{{ . }}{{ template "rec" 0 }}{{ end }}{{ end }}{{ template "rec" 3 }}
{{ define "v" }}{{ $ }}{{ end }}{{ $y := 1 }}{{ template "v" $y }}
{{ define "v" }}{{ $y }}{{ end }}{{ $y := 1 }}{{ template "v" $y }}
{{ template "cfgtmpl" }}
{{ (1) }} {{ ((.Status)) }} {{ (len .Alerts) | printf "%d" }} {{ (printf "%d" 5 | len) }}
{{ (.Alerts).Firing | len }} {{ ($x := 5) }}
{{ (index .Alerts 0).Labels.SortedPairs.Values | join "-" }}
{{ (nil).X }}
{{ nil.X }}
{{ 1.X }}
{{ "a".X }}
{{ true.X }}
{{ .Status | toUpper | toLower | title }}
{{ 1 | 2 }}
{{ .Status | "x" }}
{{ .Status | . }}
{{ "a" "b" }}
{{ 1 2 }}
{{ .Status | true }}
{{ | }}
{{ .Status | }}
{{ .Status || 1 }}
{{ }}
{{}}
{{ ( }}
{{ ) }}
{{ (.Status }}
{{ .Status) }}
{{ () }}
{{ "unterminated }}
{{ 'ab' }}
{{ '' }}
{{ "bad \q escape" }}
{{ ${'`'}unterminated }}
{{ .Status
{{ /* x */ }}
{{/* x }}
{{/* x */ y}}
{{- /* x */ -}}z
{{ ! }}
{{ .Status ! }}
{{ a.b }}
{{ .a$b }}
{{ $ }}{{ $.Status }}
{{ .Status.. }}
{{ .Status . }}
{{ é }}
{{ print é }}
{{ # }}
{{ "a"b }}
{{ print"a" }}
{{ print (1)(2) }}
{{ print 1,2 }}
{{ print 1 = 2 }}
{{ print := 2 }}
{{ : }}
{{ .Status := 1 }}
{{ if := 1 }}{{ end }}
{{ print if }}
{{ with x }}{{ end }}
{{ toUpper "straße ǆ éa" }} {{ toLower "ÀÉ İI" }} {{ title "hello wORLD foo_bar a.b don't x-y 3rd éa" }} {{ trimSpace "  a b\t\n" }}
{{ toUpper 5 }}
{{ toUpper }}
{{ toUpper "a" "b" }}
{{ .GroupLabels | toUpper }}
{{ nil | toUpper }}
{{ toUpper nil }}
{{ join "," (stringSlice "a" "b") }} {{ stringSlice "a" "b" | join "-" }} {{ stringSlice | join "x" }} {{ len stringSlice }}
{{ join "," "a" }}
{{ join "," .Alerts }}
{{ join 1 (stringSlice) }}
{{ stringSlice 1 }}
{{ stringSlice "a" 1 }}
{{ match "^db-[0-9]" "db-1.example.com" }} {{ match "x$" "abc" }} {{ "abc" | match "b" }}
{{ match "(" "x" }}
{{ match "(?<n>a)" "a" }} {{ match "(?i)ABC" "abc" }}
{{ reReplaceAll "([a-z]+)-([0-9]+)" "$2-${1}x" "db-1" }} {{ reReplaceAll "a*" "x" "baac" }} {{ reReplaceAll "(?P<n>b)" "<$n>" "abc" }} {{ reReplaceAll "b" "$$" "abc" }}
{{ reReplaceAll "[" "" "x" }}
{{ reReplaceAll "${'`'}(" "" "x" }}
{{ safeHtml "<b>" }} {{ safeHtml "<b>" | len }} {{ printf "%T" (safeHtml "x") }}
{{ safeHtml "<b>" | toUpper }}
{{ eq (safeHtml "a") "a" }}
{{ (index .Alerts 0).StartsAt }} {{ (index .Alerts 0).EndsAt }} {{ (index .Alerts 1).EndsAt }}
{{ (index .Alerts 0).StartsAt.Format "2006-01-02T15:04:05.000Z07:00" }} {{ (index .Alerts 0).StartsAt.Format "Mon Jan _2 15:04:05 MST 2006" }}
{{ (index .Alerts 0).StartsAt.Format "Monday, 2 January 06 03:04:05.999999 PM pm -0700 -07:00 Z0700 002 __2 1/2 3:4:5" }}
{{ (index .Alerts 0).StartsAt.Format "Janet Month Monday Mond January2 _2006 .00 ,000 .9 .05 2015 20060102150405" }}
{{ (index .Alerts 1).StartsAt.Format "05.000 .000 05.999 3PM Kitchen 15h" }}
{{ (index .Alerts 0).StartsAt.Unix }} {{ (index .Alerts 0).StartsAt.UnixMilli }} {{ (index .Alerts 0).StartsAt.UnixNano }} {{ (index .Alerts 0).StartsAt.UnixMicro }}
{{ $t := (index .Alerts 0).StartsAt }}{{ $t.Year }} {{ $t.Month }} {{ $t.Day }} {{ $t.Hour }} {{ $t.Minute }} {{ $t.Second }} {{ $t.Nanosecond }} {{ $t.Weekday }} {{ $t.YearDay }} {{ printf "%d %T" $t.Month $t.Month }}
{{ (index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt }} {{ ((index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt).Seconds }} {{ ((index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt).Minutes }} {{ ((index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt).Hours }}
{{ (index .Alerts 0).StartsAt.After (index .Alerts 1).StartsAt }} {{ (index .Alerts 0).StartsAt.Before (index .Alerts 1).StartsAt }} {{ (index .Alerts 0).EndsAt.IsZero }} {{ (index .Alerts 0).StartsAt.Equal (index .Alerts 0).StartsAt }}
{{ ((index .Alerts 1).StartsAt.Add 3600000000000).Format "15:04" }} {{ ((index .Alerts 0).StartsAt.AddDate 1 1 1).Format "2006-01-02" }} {{ (index .Alerts 0).StartsAt.Truncate 3600000000000 }} {{ (index .Alerts 0).StartsAt.Round 60000000000 }}
{{ (index .Alerts 0).StartsAt.UTC }} {{ (index .Alerts 0).StartsAt.Location }} {{ (index .Alerts 0).StartsAt.String }}
{{ (index .Alerts 0).StartsAt.Nope }}
{{ (index .Alerts 0).StartsAt.Format 5 }}
{{ (index .Alerts 0).StartsAt.Sub 5 }}
{{ (index .Alerts 0).StartsAt.Add "x" }}
{{ (index .Alerts 0).StartsAt.Add 1.5 }}
{{ printf "%v %s" (index .Alerts 1).StartsAt (index .Alerts 1).StartsAt }} {{ print (index .Alerts 1).StartsAt "x" }}
{{ ((index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt).Round 3600000000000 }} {{ ((index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt).Truncate 3600000000000 }} {{ ((index .Alerts 1).StartsAt.Sub (index .Alerts 1).EndsAt).Abs }} {{ ((index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt).Milliseconds }}
{{ (index .Alerts 0) }}
{{ .Alerts }}
{{ printf "%+v" .Alerts }}
{{ template "__subject" . }}
{{ template "__alertmanagerURL" . }} {{ template "__alertmanager" . }} {{ template "__description" . }}
{{ template "__text_alert_list" .Alerts }}
{{ template "slack.default.title" . }} {{ template "slack.default.fallback" . }} {{ template "slack.default.titlelink" . }} {{ template "slack.default.username" . }}{{ template "slack.default.text" . }}{{ template "slack.default.pretext" . }}{{ template "slack.default.footer" . }}{{ template "slack.default.callbackid" . }}{{ template "slack.default.iconemoji" . }}{{ template "slack.default.iconurl" . }}
{{ template "pagerduty.default.description" . }} {{ template "pagerduty.default.client" . }} {{ template "pagerduty.default.clientURL" . }} {{ template "pagerduty.default.instances" .Alerts.Firing }}
{{ template "opsgenie.default.message" . }}|{{ template "opsgenie.default.description" . }}|{{ template "opsgenie.default.source" . }}
{{ template "victorops.default.state_message" . }}|{{ template "victorops.default.entity_display_name" . }}|{{ template "victorops.default.monitoring_tool" . }}
{{ template "pushover.default.title" . }}|{{ template "pushover.default.message" . }}|{{ template "pushover.default.url" . }}
{{ template "telegram.default.message" . }}|{{ template "discord.default.title" . }}|{{ template "discord.default.message" . }}|{{ template "webex.default.message" . }}
{{ template "email.default.subject" . }}
`),
  'a\n  {{- .Status -}}\n  b\n\t{{ .Status }}\n',
  '\n\n{{ .Missing }}',
  'é{{ .Missing }}',
  'x\n é {{ if true }}{{ .Missing }}{{ end }}',
  '{{ if .Status }}\n{{ .Missing }}\n{{ end }}',
  '{{ print 1\n2 }}',
  '{{ $x := `a\nb` }}{{ $x }}',
  '{{ "a\nb" }}',
  '{{ with $y := .Status\n}}{{ $y }}{{ end }}',
  'a{{- "x" -}}\n{{- "y" }} {{ "z" -}}\n\n b',
  '{{ if true -}} a {{- else -}} b {{- end }} c',
  '{{-3}} {{- 3}} {{3 -}} {{3-}}',
  '{{/* a */ -}} x {{- /* b */}}',
  '{{ define "x" }}\n  in\n{{ end }}{{ template "x" }}',
  '{{ range .Alerts }}\n- {{ .Labels.instance }}\n{{- end }}\n',
];

/** What only newer releases know (0.25 answers "not defined" or otherwise). */
export const NEWER_TEXT_CASES: readonly string[] = lines(raw`
{{ date "2006-01-02 15:04 MST" (index .Alerts 0).StartsAt }} {{ (index .Alerts 1).StartsAt | tz "Europe/Paris" | date "15:04 MST -0700" }} {{ tz "America/New_York" (index .Alerts 0).StartsAt }}
{{ tz "Asia/Kolkata" (index .Alerts 0).StartsAt }} {{ tz "UTC" (index .Alerts 0).StartsAt }} {{ tz "Asia/Tokyo" (index .Alerts 1).StartsAt }} {{ tz "Australia/Sydney" (index .Alerts 0).StartsAt }} {{ tz "Europe/London" (index .Alerts 1).StartsAt }}
{{ tz "Asia/Dubai" (index .Alerts 1).StartsAt }} {{ tz "America/Sao_Paulo" (index .Alerts 1).StartsAt }} {{ (tz "Europe/Berlin" (index .Alerts 1).StartsAt).Location }}
{{ ((tz "Europe/Berlin" (index .Alerts 1).StartsAt).AddDate 0 6 0) }}
{{ tz "Nowhere/Land" (index .Alerts 0).StartsAt }}
{{ tz "" (index .Alerts 0).StartsAt }}
{{ date "2006" "x" }}
{{ humanizeDuration 3661 }} {{ humanizeDuration 0.0123 }} {{ humanizeDuration "90061.5" }} {{ humanizeDuration 1.5 }} {{ humanizeDuration -75 }} {{ humanizeDuration 0 }} {{ (index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt | humanizeDuration }}
{{ humanizeDuration "x" }}
{{ humanizeDuration true }}
{{ toJson .GroupLabels }} {{ toJson .Alerts.Firing }}
{{ toJson (index .Alerts 1) }} {{ toJson "<a>&\u2028é\n\"" }} {{ toJson 1.5 }} {{ toJson 1e21 }} {{ toJson 1e-7 }} {{ toJson nil }} {{ toJson (stringSlice "a") }} {{ toJson .CommonLabels.SortedPairs }}
{{ .CommonLabels | toJson | printf "%q" }} {{ toJson (list 1 "a" nil true 2.0) }} {{ toJson (dict "b" 1 "a" (list)) }} {{ toJson (stringSlice) }} {{ toJson 100000000.0 }}
{{ urlUnescape "a%20b%2Fc+d" }} {{ urlUnescape "%c3%a9" }}
{{ urlUnescape "%zz" }}
{{ urlUnescape "%4" }}
{{ safeUrl "javascript:x" }} {{ printf "%T" (safeUrl "x") }}
{{ list 1 2 "a" }} {{ list }} {{ printf "%T" (list) }} {{ append (list 1) 2 "x" }} {{ append (list) }} {{ len (append (list 1 2) 3) }}
{{ append 1 2 }}
{{ append (stringSlice "a") "b" }}
{{ append nil 1 }}
{{ dict "a" 1 "b" "x" }} {{ (dict "a" (dict "b" 5)).a.b }} {{ (dict "a" 1).c }} {{ index (dict "a" 1) "a" }} {{ printf "%T" (dict) }}
{{ (dict "a" 1).c.d }}
{{ dict "a" }}
{{ dict 1 2 }}
{{ range $k, $v := dict "b" 1 "a" 2 }}{{ $k }}{{ $v }}{{ end }}
{{ template "greet" (dict "a" 1) }} {{ with dict "x" .Status }}{{ .x }}{{ end }}
{{ range 3 }}{{ . }}{{ end }} {{ range $i := 2 }}{{ $i }}{{ end }} {{ range 0 }}x{{ else }}none{{ end }}
{{ range $i, $j := 3 }}{{ end }}
{{ range $i := len .Alerts }}{{ $i }}{{ end }}
{{ template "msteams.default.title" . }}|{{ template "msteams.default.text" . }}|{{ template "msteams.default.summary" . }}
{{ template "msteamsv2.default.title" . }}|{{ template "msteamsv2.default.text" . }}
{{ template "sns.default.subject" . }}|{{ template "sns.default.message" . }}|{{ template "wechat.default.message" . }}
{{ template "jira.default.summary" . }}|{{ template "jira.default.description" . }}|{{ template "jira.default.priority" . }}
{{ template "rocketchat.default.title" . }}|{{ template "rocketchat.default.alias" . }}|{{ template "mattermost.default.text" . }}|{{ template "mattermost.default.color" . }}|{{ template "mattermost.default.fallback" . }}
{{ eq (list 1) (list 1) }}
{{ index (list "a" "b") 1 }} {{ slice (list 1 2 3) 1 2 }} {{ join "," (list "a") }}
{{ .NotificationReason }}
{{ printf "%T" .NotificationReason }}
{{ trimSpace "\u00a0x\u2003" }} {{ title "hello:world über-cool 2nd o'neil" }}
`);

const S = '{{ (index .Alerts 0).Annotations.summary }}';
const R = '{{ (index .Alerts 0).Annotations.runbook }}';
const J = '{{ (index .Alerts 0).Annotations.js }}';
const G = '{{ (index .Alerts 1).Annotations.summary }}';
const N = '{{ .CommonAnnotations.note }}';

export const HTML_CASES: readonly string[] = [
  ...lines(`
plain <b>text</b> & more
<p>${S}</p><p>${G}</p><p>${N}</p>
<a href="${R}" title="${S}" class='${N}'>x</a>
<a href=${R}>x</a><a title=${S}>x</a><a title=${N} class=x>y</a>
<a href="${J}">x</a><img src='${J}'><a href=${J}>z</a>
<a href="/x?q=${S}&r=${R}#${N}">x</a>
<a href="http://${S}/p/${N}?a=${G}">x</a>
<a href="{{ .GeneratorURL }}">x</a>
<div onclick="f(${S}, ${N})" onmouseover='g("${S}")'>x</div>
<div onclick=f(${N})>x</div>
<div style="color: ${N}; width: {{ len .Alerts }}px">x</div>
<div style="background: url(${R})">x</div><div style="background: url('${R}')">x</div>
<div style='background: url("${J}")'>x</div>
<style>p { color: ${S}; font: "${N}"; } /* c ${S} */ a { b: url(/x?${R}) }</style>
<style>p { content: '${G}' } // line ${S}
<script>var a = ${S}, b = "${S}", c = '${G}', d = {{ .Alerts }}, e = {{ .GroupLabels }};</script>
<script>var r = /${N}/g, t = ${N} / 2; /* ${S} */ x = {{ len .Alerts }}; // ${S}
<script>f({{ .Status }});</script><p>{{ .Status }}</p>
<script type="text/template"><b>${S}</b></script>
<script type="application/json">{"a": ${S}}</script>
<script>if ({{ true }}) { y = {{ 1.5 }} + {{ nil }}; }</script>
<script>var x = {{ (index .Alerts 0).StartsAt }};</script>
<script>"</script>"
<script>var s = "<script>${G}<!-- x";</script>
<textarea>${S}</textarea><title>${G}</title>
<!-- comment ${S} --><p>x</p><!-- a --> b
<input value=${S}><input value="${S}" ${N}><input {{ .Status }}>
<input {{ .Status }}=x><input {{ .Status }}="${S}"><input data-{{ .Status }}="x">
<input on{{ .Status }}="x">
<img srcset="${R} 2x, ${J} 3x"><img srcset='/a?b=${N}, x'>
<meta http-equiv="refresh" content="0;url=${R}"><meta content="${S}">
<a data-href="${J}" data-x="${J}" xlink:href="${J}" my-url="${J}" xmlns:x="${J}">x</a>
<a href="{{ if .Status }}/a{{ else }}/b{{ end }}">x</a>
<a href="{{ if .Status }}/a{{ else }}/b?{{ end }}${S}">x</a>
{{ if .Status }}<b>{{ else }}<i>{{ end }}x
{{ if .Status }}<b title="{{ else }}<i>{{ end }}x
{{ if .Status }}<a href='{{ else }}<a href="{{ end }}x
{{ range .Alerts }}<li>{{ .Annotations.summary }}</li>{{ end }}
{{ range .Alerts }}<li title="{{ .Annotations.summary }}">{{ end }}
{{ range .Alerts }}<a href="{{ end }}">
<ul>{{ range .Alerts }}{{ if eq .Status "firing" }}{{ continue }}{{ end }}<li>{{ .Status }}</li>{{ break }}{{ end }}</ul>
<a href="
<a href=
<b
<script>
<div style="
<b title='x
<!-- x
<a href=x"y>
<a href=x='${S}'>
<a "b">x</a>
<a b'c>x</a>
<a =b>
<b {{ if true }}title{{ end }}>x</b>
<b {{ if true }}title="x"{{ end }}>x</b>
<b title={{ if true }}x{{ end }}>x</b>
{{ template "greet" (index .Alerts 0).Annotations.summary }}
<a title="{{ template "attr" (index .Alerts 0).Annotations.summary }}" href="{{ template "attr" (index .Alerts 0).Annotations.runbook }}">x</a>
<script>var a = "{{ template "attr" .Status }}";</script>
<script>var a = {{ template "attr" .Status }};</script>
{{ template "nope" . }}
{{ template "list" .CommonLabels.Names }} <b>{{ template "deep" (stringSlice "a" "b" "c") }}</b>
{{ define "x" }}<b>{{ . }}</b>{{ end }}{{ template "x" "<i>" }}<p title="{{ template "x" "q" }}">
{{ define "x" }}<a href="{{ . }}{{ end }}{{ template "x" "y" }}">z</a>
{{ define "r" }}<i>{{ if gt (len .) 1 }}{{ template "r" (slice . 1) }}{{ end }}</i>{{ end }}{{ template "r" "abc" }}
{{ define "r" }}<i title="{{ if gt (len .) 1 }}{{ template "r" (slice . 1) }}{{ end }}</i>{{ end }}{{ template "r" "abc" }}
{{ block "z" .Status }}<b>{{ . }}</b>{{ end }}
{{ "<b>" | html }} {{ html "<b>" "c" }} {{ "<b>" | urlquery }} <a href="{{ "<b> c" | urlquery }}">x</a> <a title="{{ "<b>" | html }}">
{{ "<b>" | html | toUpper }}
<a title={{ "<b>" | html }}>
{{ "<b>" | print }} {{ "<b>" | js }} {{ print "<" 1 2 ">" }} {{ printf "%s<" "&" }}
{{ safeHtml "<b>&amp;</b>" }} <a title="{{ safeHtml "<b>x</b>&amp;y" }}" class={{ safeHtml "<b>x y</b>" }}>z</a> <textarea>{{ safeHtml "<b>&amp;" }}</textarea>
<script>var x = {{ safeHtml "<b>" }}, y = "{{ safeHtml "<b>" }}";</script> <a href="{{ safeHtml "javascript:x" }}">
<p {{ safeHtml "a=b" }}>
{{ $x := "<b>" }}{{ $x }}<a title="{{ $x }}">{{ with $y := "<i>" }}{{ $y }}{{ . }}{{ end }}
{{ if eq "<" "<" }}{{ "<" }}{{ end }} {{ and "<a>" "<b>" }} {{ or "" "<c>" }} {{ index .GroupLabels "none" }}|{{ .GroupLabels.none }}
{{ nil | print }} {{ .Alerts }} {{ .GroupLabels }} {{ 1.5 }} {{ true }} {{ len "x" }} {{ (index .Alerts 0).StartsAt }}
{{ .Missing }}
<b>{{ .Missing }}</b>
<a href="x">{{ index .Alerts 9 }}</a>
{{ if .Status }}
{{ unknown }}
<a href="{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}">x</a>
<a href="#{{ .Receiver }}">x</a><a href="?{{ .Receiver }}={{ .Status }}">y</a><form action="{{ .ExternalURL }}">
<a href="mailto:{{ .Receiver }}"><a href="tel:{{ .Receiver }}"><a href="java{{ .Receiver }}">
<a href="{{ "HTTPS://x y/\\u00e9%41%zz" }}"><a href="{{ "ftp://x" }}"><a href="{{ "//x:y" }}"><a href="{{ "a/b:c" }}"><a href="{{ "" }}">
<svg><a xlink:href="{{ "javascript:1" }}"/></svg><br/><hr /><IMG SRC="${R}"><P>${S}</P>
<!DOCTYPE html><html><head><title>a < b</title></head><body>1 < 2 <3 </ x <></body></html>
a < b {{ .Status }} <c d {{ .Status }}>
<p>a<{{ .Status }}</p>
</{{ .Status }}>
<{{ .Status }}>
<b-c:d e="${S}">x</b-c:d><x:y>${S}</x:y>
<script>let a = \`${S}\`, b = \`x \${ ${S} } y\`;</script>
<script>let a = \`\${ {a: \`${N}\`} }\`;</script>
<script>x = a++ /${N}/ 2; return /${N}/; y = (1) / ${N};</script>
<script>{{ if .Status }}x{{ else }}y ={{ end }} /a/</script>
<script><!-- html comment ${S}
<script>#! shebang ${S}
<script>a --> b ${S}
<script>x = "\\</script>
<script>x = /[/]${N}/;</script>
<script>x = /[a
<style>a { b: expression(${S}) } c { d: "\\26 x${S}" } @import "${R}";</style>
<style>a { b: ur\\6C(${R}) }</style>
<div style="color: {{ "expression(x)" }}; a: {{ "red" }}; b: {{ "#fff" }}; c: {{ "10px" }}; d: {{ "a--b" }}; e: {{ "x\\\\22" }}; f: {{ "-moz-binding" }}">
<div style="font-family: '{{ "a'b\\"c(d)" }}'">
<div title="a&quot;b${S}" onclick="x &lt; ${S}" onclick='"&#34;${S}'>
<a href="&#106;avascript:${S}">
<div onclick="alert(&quot;${S}&quot;)">
<iframe srcdoc="${S}"></iframe><object data="${J}"></object><embed src=${R}>
<a href='x' {{ range .CommonLabels.SortedPairs }}{{ .Name }}="{{ .Value }}" {{ end }}>y</a>
<a {{ range .CommonLabels.SortedPairs }} data-x="{{ .Value }}"{{ end }}>y</a>
<td{{ if .Status }} class="{{ .Status }}"{{ end }}>x</td>
<p>{{/* comment */}}{{- .Status -}} </p>
{{ template "email.default.subject" . }}
{{ template "__subject" . }} <a href="{{ template "__alertmanagerURL" . }}">x</a>
`),
  '<p>\n{{ .Missing }}</p>',
  '<a href="\n{{ if .Status }}?{{ end }}{{ .Status }}">',
  '{{ if .Status }}<a href="/x">{{ else }}\n<a href="y{{ end }}',
  '<script>\nvar x = {{ .Status }}\n/* a\nb */ var y = "{{ .Status }}" // c\n;</script>{{ .Status }}',
  '<style>\n/* a\n */ p { c: {{ .Status }} }\n</style>{{ .Status }}',
  '<div\n  class="{{ .Status }}"\n  title=\'{{ .Receiver }}\'\n>\n</div>',
];

export const NEWER_HTML_CASES: readonly string[] = lines(`
<a href="{{ safeUrl "javascript:x&y" }}">x</a><a href="/?q={{ safeUrl "a b&c" }}">y</a><p>{{ safeUrl "<b>" }}</p>
<script>var a = {{ list 1 "a" nil }}, b = {{ dict "x" "</script>" }}, c = {{ .Alerts.Firing }};</script>
{{ range 2 }}<i>{{ . }}</i>{{ end }} {{ dict "a" "<b>" }} {{ list "<b>" 1 }} {{ toJson .GroupLabels }}
<script>var d = {{ (index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt }}, j = {{ toJson .GroupLabels }};</script>
<img srcset="{{ safeUrl "a,b" }} 2x">
`);

/** A small generator of numbers that is the same everywhere. */
function random(seed: number): (n: number) => number {
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

/** Strings wherever they stand, and functions from string to string: most pipelines are made of these and work. */
const STRINGS = lines(`
$.Status
$.Receiver
$.CommonAnnotations.note
$.GroupLabels.alertname
$.GroupLabels.absent
(index $.Alerts 0).Annotations.summary
(index $.Alerts 1).Annotations.summary
(index $.Alerts 0).Annotations.runbook
(index $.Alerts 1).Labels.zone
"te<x>t & 'q'"
(print 1 2.5 true)
(join "-" $.CommonLabels.Values)
(printf "%T %v" $.Alerts $.CommonLabels)
($.Alerts | len | printf "%03d")
(index $.Alerts 1).StartsAt.String
(slice $.Status 1 3)
`);
const ON_STRINGS = lines(`
toUpper
toLower
trimSpace
html
js
urlquery
print
println "a"
printf "%q"
printf "%-12s|"
printf "%x"
reReplaceAll "[aeiou]" "<$0>"
printf "%.3s"
and true
or ""
`);
const ANY_RESULT = lines(`
len
eq "firing"
ne $.Status
not
match "[a-z]+g$"
stringSlice "x"
list 1
toJson
safeHtml
gt "m"
`);
const VALUES = lines(`
.Status
.Receiver
.ExternalURL
.GroupLabels
.CommonLabels.SortedPairs
.CommonLabels.Names
.CommonLabels.Values
.GroupLabels.alertname
.GroupLabels.absent
.Alerts.Firing
$.Status
$.CommonAnnotations.note
(index .Alerts 0)
(index .Alerts 0).Annotations.summary
(index .Alerts 1).Annotations.summary
(index $.Alerts 1).StartsAt
(index .Alerts 0).Labels
(len .Alerts)
.Missing
.Status.Deep
1
-2.5
1e6
"te<x>t & 'q'"
${'`raw\\n"`'}
'c'
true
nil
.
$v
`);
const FUNCTIONS = lines(`
print
println
len
not
html
js
urlquery
toUpper
title
safeHtml
printf "%v|%q"
printf "%T"
printf "%8v"
printf "%+v"
eq 1
eq "firing"
ne .Status
lt 2
and .Status
or ""
index .CommonLabels
index .Alerts
slice .Status
join ", "
match "[a-z]+g$"
reReplaceAll "[aeiou]" "<$0>"
stringSlice "x"
toJson
list 1
`);
const SNIPPETS = lines(`
<p>
</p>
<b title="
"
'
>
<a href="/p?q=
<a href='
<a href=
<div style="color:
;x:url(
)
<div onclick="f(
<script>var x =
</script>
<script>"
<style>a{b:
}</style>
<textarea>
</textarea>
<!-- c
-->
<img srcset="
plain text
& < >
/x#
=
<input
`);

/** One template for text and one for HTML from each number of the seed; a good part of them are wrong on purpose. */
export function generatedCases(
  seed: number,
  count: number,
): readonly { readonly text: string; readonly html: string }[] {
  const next = random(seed);
  const pick = (list: readonly string[]): string => list[next(list.length)]!;
  const operand = (depth: number): string => (depth > 0 && next(4) === 0 ? `(${pipe(depth - 1)})` : pick(VALUES));
  const pipe = (depth: number): string => {
    if (next(6) !== 0) {
      let out = pick(STRINGS);
      for (let i = next(3); i > 0; i--) out += ` | ${pick(ON_STRINGS)}`;
      return next(4) === 0 ? `${out} | ${pick(ANY_RESULT)}` : out;
    }
    let out = next(3) === 0 ? `${pick(FUNCTIONS)} ${operand(depth)}` : operand(depth);
    for (let i = next(3); i > 0; i--) out += ` | ${pick(FUNCTIONS)}`;
    return out;
  };
  const open = (): string => (next(6) === 0 ? '{{- ' : '{{ ');
  const close = (): string => (next(6) === 0 ? ' -}}' : ' }}');
  const action = (inner: string): string => open() + inner + close();
  const block = (depth: number, leaf: () => string): string => {
    const body = (): string => list(depth - 1, leaf);
    switch (next(9)) {
      case 0:
        return `${action(`if ${pipe(1)}`)}${body()}${next(2) ? `${action('else')}${body()}` : ''}${action('end')}`;
      case 1:
        return `${action(`with ${pipe(1)}`)}${body()}${next(2) ? `${action('else')}${body()}` : ''}${action('end')}`;
      case 2:
        return `${action(`range $i, $v := ${pick(['$.Alerts', '$.CommonLabels', '$.CommonLabels.Names', 'stringSlice "a" "b"'])}`)}${body()}${action('end')}`;
      case 3:
        return `${action(`range ${pick(['$.Alerts', '$.Alerts.Firing', '$.CommonLabels.SortedPairs', '.GroupLabels'])}`)}${body()}${next(3) ? '' : action(`if ${pipe(0)}`) + action(pick(['break', 'continue'])) + action('end')}${action('end')}`;
      case 4:
        return action(`$v = ${pipe(1)}`);
      case 5:
        return action(`template ${pick(['"greet"', '"attr"', '"list"'])} ${operand(0)}`);
      default:
        return leaf();
    }
  };
  const list = (depth: number, leaf: () => string): string => {
    let out = '';
    for (let i = 1 + next(3); i > 0; i--) out += depth > 0 ? block(depth, leaf) : leaf();
    return out;
  };
  const textLeaf = (): string => (next(3) === 0 ? pick([' x ', '\n', ' é\n\t', '{{/* c */}}']) : action(pipe(2)));
  const htmlLeaf = (): string => {
    const piece = next(2) ? pick(SNIPPETS) : '';
    return (
      piece +
      action(
        next(3)
          ? pick([
              '.Status',
              '.Receiver',
              '$.CommonAnnotations.note',
              '(index $.Alerts 0).Annotations.summary',
              '"<\'\\"&>"',
              '$v',
              '1',
              'len .Status',
            ])
          : pipe(1),
      ) +
      (next(2) ? pick(SNIPPETS) : '')
    );
  };
  const balanced = (inner: () => string): string =>
    pick([
      `<p>${inner()}</p>`,
      `<a href="${inner()}" title='${inner()}'>${inner()}</a>`,
      `<a href="/x?q=${inner()}&r=${inner()}">x</a>`,
      `<div style="color: ${inner()}; width: ${inner()}" onclick="f(${inner()}, '${inner()}')">x</div>`,
      `<script>var x = ${inner()}, y = "${inner()}"; /* ${inner()} */</script>`,
      `<style>p { a: ${inner()}; b: url('${inner()}') }</style>`,
      `<textarea>${inner()}</textarea><title>${inner()}</title><!-- ${inner()} -->`,
      `<input value=${inner()} ${inner()}>`,
      `<img srcset="${inner()} 2x, ${inner()}">`,
    ]);
  return Array.from({ length: count }, () => {
    const start = `{{ $v := ${pick(['1', '"v&<w>"', '.Status', '.CommonLabels'])} }}`;
    const simple = (): string =>
      next(4) === 0 ? list(1, htmlLeaf) : action(next(2) ? pipe(1) : pick(next(5) ? STRINGS : VALUES));
    return {
      text: start + list(2, textLeaf),
      html: start + (next(3) === 0 ? list(2, htmlLeaf) : balanced(simple) + balanced(simple)),
    };
  });
}
