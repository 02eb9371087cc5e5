/**
 * Masks personal data in label values before they are stored: addresses of mail, payment cards, bank accounts, phones,
 * IP addresses, tokens. It wraps a write batch and acts in `labels(i)`, which the store calls only for new series, so a
 * known series costs nothing. Hand-written scanners and linear expressions of our own; no user-given expression runs.
 */
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { WriteBatch } from '../store/metrics.ts';

export const REDACTION_KINDS = ['email', 'iban', 'card', 'phone', 'jwt', 'key', 'ipv4', 'ipv6'] as const;
export type RedactionKind = (typeof REDACTION_KINDS)[number];

export interface RedactionConfig {
  readonly enabled: boolean;
  /** Default: everything but IP addresses, which labels such as `instance` are made of. */
  readonly kinds?: readonly RedactionKind[];
  /** Label names never touched, besides `__name__`. */
  readonly allowLabels?: readonly string[];
  /** Label names whose whole value is always masked. */
  readonly denyLabels?: readonly string[];
}

export const REDACTION_DEFAULT_KINDS: readonly RedactionKind[] = ['email', 'iban', 'card', 'phone', 'jwt', 'key'];
/** Longer values are not searched but cut to this many characters first: linear, and bounded too. */
export const REDACTION_CHARACTERS_MAX = 16_384;

export class Redactor {
  readonly #kinds: readonly RedactionKind[];
  readonly #allow: ReadonlySet<string>;
  readonly #deny: ReadonlySet<string>;
  readonly #enabled: boolean;
  readonly #count: (kind: RedactionKind | 'label') => void;

  /** `count` is called once per masked place. */
  constructor(config: RedactionConfig, count: (kind: RedactionKind | 'label') => void = () => {}) {
    this.#enabled = config.enabled;
    this.#kinds = config.kinds ?? REDACTION_DEFAULT_KINDS;
    this.#allow = new Set([METRIC_NAME, 'le', 'quantile', ...(config.allowLabels ?? [])]);
    this.#deny = new Set(config.denyLabels ?? []);
    this.#count = count;
  }

  /** The batch with masked labels; the same object when redaction is off. */
  batch(batch: WriteBatch): WriteBatch {
    if (!this.#enabled) return batch;
    const { exemplars } = batch;
    return {
      ...batch,
      labels: (i) => this.labels(batch.labels(i)),
      ...(exemplars
        ? {
            exemplars: exemplars.map((e) => ({
              ...e,
              exemplar: { ...e.exemplar, labels: this.labels(e.exemplar.labels) },
            })),
          }
        : {}),
    };
  }

  labels(labels: Labels): Labels {
    if (!this.#enabled) return labels;
    let out: string[] | undefined;
    const { flat } = labels;
    for (let i = 0; i < flat.length; i += 2) {
      const masked = this.value(flat[i]!, flat[i + 1]!);
      if (masked === flat[i + 1]) continue;
      out ??= [...flat];
      out[i + 1] = masked;
    }
    return out ? Labels.fromSorted(out) : labels;
  }

  /** One value (of a label or attribute) with every find replaced by `<kind>`. */
  value(name: string, text: string): string {
    if (!this.#enabled || this.#allow.has(name)) return text;
    if (this.#deny.has(name)) {
      this.#count('label');
      return '<redacted>';
    }
    if (text.length < 6) return text;
    let out = text.length > REDACTION_CHARACTERS_MAX ? text.slice(0, REDACTION_CHARACTERS_MAX) : text;
    for (const kind of this.#kinds) {
      const { hint, expression, check } = FINDERS[kind];
      if (!hint.test(out)) continue;
      out = out.replace(expression, (found: string) => {
        const length = check ? Number(check(found)) : 1;
        if (length === 0) return found;
        this.#count(kind);
        // a check may name how much of the find counts
        return length > 1 ? `<${kind}>${found.slice(length)}` : `<${kind}>`;
      });
    }
    return out;
  }
}

interface Finder {
  /** A cheap test that fails for nearly all values. */
  readonly hint: RegExp;
  /** Bounded repetitions only, each starting at a boundary: linear in the text. */
  readonly expression: RegExp;
  /** False or 0: not one. A number above 1: only so many characters are. */
  readonly check?: (found: string) => boolean | number;
}

const FINDERS: Readonly<Record<RedactionKind, Finder>> = {
  email: {
    hint: /@/,
    expression: /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu,
  },
  iban: {
    hint: /[A-Z]{2}\d{2}/i,
    expression: /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{1,4}){3,8}(?![A-Za-z0-9])/g,
    check: ibanLength,
  },
  card: { hint: /\d{4}/, expression: /(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-]?\d)/g, check: isCard },
  phone: {
    hint: /\+\d|\(\d/,
    expression: /(?<![\w+])\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?!\w)/g,
    check: (t) => digitsOf(t).length >= 8 && digitsOf(t).length <= 15,
  },
  jwt: { hint: /eyJ/, expression: /(?<![\w-])eyJ[\w-]{5,2000}\.[\w-]{5,8000}(?:\.[\w-]{0,2000})?/g },
  key: {
    hint: /sk|pk|gh|xox|AKIA|ASIA|AIza|glpat|Bearer|bearer|PRIVATE/,
    expression:
      /(?<!\w)(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[\w-]{16,200}|(?<!\w)gh[pousr]_\w{20,255}|(?<!\w)github_pat_\w{20,255}|(?<!\w)glpat-[\w-]{20,64}|(?<!\w)xox[abprs]-[\w-]{10,200}|(?<!\w)(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)|(?<!\w)AIza[\w-]{35}|(?<!\w)[Bb]earer [\w.~+/-]{16,4000}=*|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----/g,
  },
  ipv4: {
    hint: /\d\./,
    expression: /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d]|\.\d)/g,
    check: (t) => t.split('.').every((p) => Number(p) <= 255),
  },
  ipv6: {
    hint: /:[0-9a-fA-F]{0,4}:/,
    expression: /(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])/g,
    check: (t) =>
      /[0-9a-fA-F]/.test(t) && (t.includes('::') || t.split(':').length === 8) && !/^\d\d:\d\d:\d\d$/.test(t),
  },
};

const digitsOf = (text: string): string => text.replace(/\D/g, '');

/** Length and Luhn's check digit; a number of equal digits is none. */
function isCard(text: string): boolean {
  const digits = digitsOf(text);
  if (digits.length < 13 || digits.length > 19 || /^(\d)\1*$/.test(digits) || !/^[3-6]|^2[2-7]/.test(digits))
    return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let d = Number(digits[digits.length - 1 - i]);
    if (i % 2 === 1) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
    sum += d;
  }
  return sum % 10 === 0;
}

/** Characters of the IBAN that `text` begins with: words after it may have been taken for its last groups. */
function ibanLength(text: string): number {
  for (let end = text.length; end > 0; end = text.lastIndexOf(' ', end - 1)) if (isIban(text.slice(0, end))) return end;
  return 0;
}

/** ISO 13616: the remainder of 97 is 1. */
function isIban(text: string): boolean {
  const compact = text.replace(/ /g, '').toUpperCase();
  if (compact.length < 15 || compact.length > 34) return false;
  let remainder = 0;
  for (const c of compact.slice(4) + compact.slice(0, 4)) {
    const v = c >= 'A' ? c.charCodeAt(0) - 55 : Number(c);
    remainder = (remainder * (v > 9 ? 100 : 10) + v) % 97;
  }
  return remainder === 1;
}
