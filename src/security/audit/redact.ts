/**
 * Takes secrets out of what is kept for good: by the name of the field, and by shape inside longer texts such as
 * configuration files. It errs on the side of hiding. It does not look for personal data.
 */
import type { Json } from '../../store/documents.ts';

export const MASK = '<secret>';
const DEPTH_MAX = 32;

const SECRET_NAME =
  /pass(?:word|wd|phrase)|secret|token|credential|authorization|cookie|api_?key|private_?key|service_?key|routing_?key|csrf|salt|hash$/i;
/** Named alike, and no secrets: counts, references, files. */
const HARMLESS_NAME = /_file$|_ref$|s_max$/i;

const IN_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\bvg_[0-9a-f]{4,64}(?:_[\w-]{1,128})?/g, MASK],
  [/\b(Bearer|Basic|ApiKey)\s+[\w.~+/=:-]{6,4096}/g, `$1 ${MASK}`],
  [/([a-z][a-z0-9+.-]{1,30}:\/\/)[^\s/@]{1,512}@/gi, `$1${MASK}@`],
  [
    /^([^\S\n]{0,200}(?:-[^\S\n]{1,20})?["']?[\w-]{0,64}(?:password|passwd|secret|token|credentials|api_?key|_key|api_url)["']?[^\S\n]{0,20}[:=][^\S\n]{0,20})\S[^\n]*$/gim,
    `$1${MASK}`,
  ],
];

/** A copy as plain JSON, secrets masked, NUL replaced (a database may refuse it). */
export function redact(value: unknown, depth = 0): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object') return null;
  if (depth >= DEPTH_MAX) return '<too deep>';
  if (Array.isArray(value)) return value.map((v) => redact(v, depth + 1));
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  const out: Record<string, Json> = Object.create(null) as Record<string, Json>;
  for (const [rawName, v] of entries) {
    if (v === undefined) continue;
    const name = withoutNul(String(rawName));
    const secret =
      SECRET_NAME.test(name) && !HARMLESS_NAME.test(name) && v !== null && v !== '' && typeof v !== 'boolean';
    out[name] = secret ? MASK : redact(v, depth + 1);
  }
  return out;
}

function redactText(text: string): string {
  let out = withoutNul(text);
  for (const [pattern, replacement] of IN_TEXT) out = out.replace(pattern, replacement);
  return out;
}

/** Both the character and its JSON spelling. */
const withoutNul = (text: string): string => text.replaceAll('\u0000', '\ufffd').replaceAll('\\u0000', '\\ufffd');
