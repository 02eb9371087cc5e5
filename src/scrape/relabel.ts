/**
 * Relabelling as Prometheus does it: every action, on targets before a scrape and on series after it. Expressions are
 * anchored and compiled by the port `CompileRegex` (linear time); templates are Go's `$1`, `${name}`, `$$`.
 */
import { createHash } from 'node:crypto';
import { VigieError } from '../lib/errors.ts';
import { isClassicLabelName, Labels } from '../model/labels.ts';

/** An expression compiled for whole-text matches with RE2 semantics. */
export interface CompiledRegex {
  /** Texts of the groups (0 is the whole match; undefined: did not take part), or undefined without a match. */
  exec(text: string): readonly (string | undefined)[] | undefined;
  /** Name -> index of named groups. */
  readonly groupNames?: Readonly<Record<string, number>>;
}
/** Compiles a fully anchored expression. Throws `bad_data` for an invalid one. */
export type CompileRegex = (source: string) => CompiledRegex;

export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof RELABEL_ACTIONS)[number];

/** One rule as configured, defaults filled in. */
export interface RelabelConfig {
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly regex: string;
  readonly modulus: number;
  readonly targetLabel: string;
  readonly replacement: string;
  readonly action: RelabelAction;
}

export const RELABEL_DEFAULTS: RelabelConfig = {
  sourceLabels: [],
  separator: ';',
  regex: '(.*)',
  modulus: 0,
  targetLabel: '',
  replacement: '$1',
  action: 'replace',
};

/** Applies the rules; undefined means dropped. */
export type Relabel = (labels: Labels) => Labels | undefined;

type Step = (labels: Map<string, string>) => boolean;

/** Checks and compiles rules into one function. Throws `bad_data` naming what is wrong with which rule. */
export function compileRelabel(configs: readonly RelabelConfig[], compileRegex: CompileRegex): Relabel {
  if (configs.length === 0) return (labels) => labels;
  const steps = configs.map((config) => compileStep(config, compileRegex));
  return (labels) => {
    const map = new Map(labels.entries());
    for (const step of steps) if (!step(map)) return undefined;
    return Labels.fromPairs(map);
  };
}

function compileStep(c: RelabelConfig, compileRegex: CompileRegex): Step {
  checkRelabel(c);
  const source = (l: Map<string, string>): string =>
    c.sourceLabels.length === 1
      ? (l.get(c.sourceLabels[0]!) ?? '')
      : c.sourceLabels.map((n) => l.get(n) ?? '').join(c.separator);
  const set = (l: Map<string, string>, name: string, value: string): void => {
    if (value === '') l.delete(name);
    else l.set(name, value);
  };
  const regex = compileRegex(c.regex);
  switch (c.action) {
    case 'keep':
      return (l) => regex.exec(source(l)) !== undefined;
    case 'drop':
      return (l) => regex.exec(source(l)) === undefined;
    case 'keepequal':
      return (l) => source(l) === (l.get(c.targetLabel) ?? '');
    case 'dropequal':
      return (l) => source(l) !== (l.get(c.targetLabel) ?? '');
    case 'lowercase':
      return (l) => {
        set(l, c.targetLabel, source(l).toLowerCase());
        return true;
      };
    case 'uppercase':
      return (l) => {
        set(l, c.targetLabel, source(l).toUpperCase());
        return true;
      };
    case 'hashmod':
      return (l) => {
        const digest = createHash('md5').update(source(l)).digest();
        set(l, c.targetLabel, String(digest.readBigUInt64BE(8) % BigInt(c.modulus)));
        return true;
      };
    case 'labelmap':
      return (l) => {
        for (const [name, value] of [...l]) {
          const groups = regex.exec(name);
          if (groups) set(l, expand(c.replacement, groups, regex.groupNames), value);
        }
        return true;
      };
    case 'labeldrop':
      return (l) => {
        for (const name of [...l.keys()]) if (regex.exec(name)) l.delete(name);
        return true;
      };
    case 'labelkeep':
      return (l) => {
        for (const name of [...l.keys()]) if (!regex.exec(name)) l.delete(name);
        return true;
      };
    case 'replace': {
      // a constant needs no expression
      const constant =
        c.regex === RELABEL_DEFAULTS.regex && !c.targetLabel.includes('$') && !c.replacement.includes('$');
      if (constant)
        return (l) => {
          // "." does not match a line feed
          if (!source(l).includes('\n')) set(l, c.targetLabel, c.replacement);
          return true;
        };
      return (l) => {
        const groups = regex.exec(source(l));
        if (!groups) return true;
        const target = expand(c.targetLabel, groups, regex.groupNames);
        if (target === '' || !isValidLabelName(target)) return true;
        set(l, target, expand(c.replacement, groups, regex.groupNames));
        return true;
      };
    }
  }
}

/** Label names are any UTF-8 since Prometheus 3; only the empty one and lone surrogates are not. */
const isValidLabelName = (name: string): boolean => name !== '' && name.isWellFormed();

/** Throws `bad_data` when fields do not fit the action, as Prometheus refuses them. */
export function checkRelabel(c: RelabelConfig): void {
  const refuse = (message: string): never => {
    throw new VigieError('bad_data', `relabel configuration for ${c.action} action ${message}`);
  };
  const needsTarget = ['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal'].includes(c.action);
  if (needsTarget && c.targetLabel === '') refuse("requires 'target_label'");
  if (c.action === 'hashmod' && !(c.modulus > 0)) refuse("requires 'modulus' greater than 0");
  if ((c.action === 'hashmod' || c.action === 'lowercase' || c.action === 'uppercase') && c.targetLabel.includes('$'))
    refuse(`has an invalid target_label ${JSON.stringify(c.targetLabel)}`);
  if (
    ['lowercase', 'uppercase', 'keepequal', 'dropequal'].includes(c.action) &&
    c.replacement !== RELABEL_DEFAULTS.replacement
  )
    refuse("takes no 'replacement'");
  const onlySource = c.action === 'keepequal' || c.action === 'dropequal';
  if (
    onlySource &&
    (c.regex !== RELABEL_DEFAULTS.regex || c.modulus !== 0 || c.separator !== RELABEL_DEFAULTS.separator)
  )
    refuse("takes 'source_labels' and 'target_label' only");
  if (
    (c.action === 'labeldrop' || c.action === 'labelkeep') &&
    (c.sourceLabels.length > 0 ||
      c.targetLabel !== '' ||
      c.modulus !== 0 ||
      c.separator !== RELABEL_DEFAULTS.separator ||
      c.replacement !== RELABEL_DEFAULTS.replacement)
  )
    refuse("takes only 'regex'");
  if (c.action === 'labelmap' && !c.replacement.includes('$') && !isClassicLabelName(c.replacement))
    refuse(`has an invalid replacement ${JSON.stringify(c.replacement)}`);
}

/** Go's `Regexp.Expand`: `$name`, `${name}`, `$1`, `$$`; unknown groups are empty, a malformed `$` stays. */
export function expand(
  template: string,
  groups: readonly (string | undefined)[],
  names: Readonly<Record<string, number>> = {},
): string {
  if (!template.includes('$')) return template;
  return template.replace(
    /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (whole, braced?: string, bare?: string) => {
      if (whole === '$$') return '$';
      const name = braced ?? bare!;
      const index = /^\d+$/.test(name) ? Number(name) : Object.hasOwn(names, name) ? names[name]! : -1;
      return groups[index] ?? '';
    },
  );
}
