/** Takes secrets out of what the audit log keeps: by field name, and by the look of a value. */
const SECRET_NAME =
  /pass(word|phrase)?|secret|token|api[_-]?key|authorization|cookie|credential|private|routing_key|service_key|webhook|bearer|^key$|^url$|api_url/i;
const SECRET_VALUE =
  /\bvg_[0-9a-f]{16}_[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\./;
/** Inside longer texts such as configuration files; each pattern is linear in the length of a line. */
const IN_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|ApiKey)\s+[\w.~+/=:-]{6,4096}/g, '$1 <secret>'],
  [/([a-z][a-z0-9+.-]{1,30}:\/\/)[^\s/@]{1,512}@/gi, '$1<secret>@'],
  [
    /^([^\S\n]{0,200}(?:-[^\S\n]{1,20})?["']?[\w-]{0,64}(?:password|passwd|secret|token|credentials|api_?key|routing_key|service_key|api_url)["']?[^\S\n]{0,20}[:=][^\S\n]{0,20})\S[^\n]*$/gim,
    '$1<secret>',
  ],
];
const DEPTH_MAX = 12;
const TEXT_LENGTH_MAX = 20_000;

/** A JSON copy with secrets as `<secret>`, bounded in depth and length. */
export function maskSecrets(value: unknown, depth = 0): unknown {
  if (depth > DEPTH_MAX) return '<too deep>';
  if (typeof value === 'string') {
    if (SECRET_VALUE.test(value)) return '<secret>';
    let text = value.replaceAll('\u0000', '');
    if (text.length > TEXT_LENGTH_MAX) text = `${text.slice(0, TEXT_LENGTH_MAX).toWellFormed()}...`;
    for (const [pattern, replacement] of IN_TEXT) text = text.replace(pattern, replacement);
    return text;
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'boolean' || value === null) return value;
  if (Array.isArray(value)) return value.slice(0, 1_000).map((v) => maskSecrets(v, depth + 1));
  if (typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, v]) => v !== undefined && typeof v !== 'function')
        .slice(0, 1_000)
        .map(([k, v]) => [
          k,
          SECRET_NAME.test(k) && v !== null && v !== '' && typeof v !== 'boolean'
            ? '<secret>'
            : maskSecrets(v, depth + 1),
        ]),
    );
  }
  return null;
}
