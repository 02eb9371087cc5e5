/**
 * The same templates through `amtool template render` and our engine: equal text, or the same error in the same words.
 * The newest Alertmanager is the reference; Debian's 0.25 has an older Go, so there its known differences are left out.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TemplateData, Templates } from '../../src/alerting/notify/template-data.ts';
import { goTemplates } from '../../src/alerting/notify/templates.ts';
import { isVigieError } from '../../src/lib/errors.ts';
import { Labels } from '../../src/model/labels.ts';
import {
  CASE_DATA,
  CASE_FILE,
  generatedCases,
  HTML_CASES,
  NEWER_HTML_CASES,
  NEWER_TEXT_CASES,
  TEXT_CASES,
} from '../support/gotemplate-cases.ts';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';

type Kind = 'text' | 'html';
interface Case {
  readonly kind: Kind;
  readonly template: string;
}

/** Labels keep empty values here, as Go's maps do. */
const set = (object: Readonly<Record<string, string>>): Labels =>
  Labels.fromSorted(
    Object.keys(object)
      .sort()
      .flatMap((k) => [k, object[k]!]),
  );
const timeMs = (text: string): number | undefined => {
  if (text.startsWith('0001')) return undefined;
  const fraction = /\.(\d+)Z$/.exec(text)?.[1] ?? '0';
  return Date.parse(text.replace(/\.\d+/, '')) + Number(`0.${fraction}`) * 1000;
};
const DATA: TemplateData = {
  ...CASE_DATA,
  notificationReason: '',
  alerts: CASE_DATA.alerts.map((a) => ({
    ...a,
    labels: set(a.labels),
    annotations: set(a.annotations),
    startsAtMs: timeMs(a.startsAt)!,
    endsAtMs: timeMs(a.endsAt),
  })),
  groupLabels: set(CASE_DATA.groupLabels),
  commonLabels: set(CASE_DATA.commonLabels),
  commonAnnotations: set(CASE_DATA.commonAnnotations),
};

function ours(templates: Templates, c: Case): string {
  try {
    return templates[c.kind](c.template, DATA);
  } catch (error) {
    if (!isVigieError(error, 'bad_data')) throw error;
    return `error: ${error.message.trim()}`;
  }
}

class Amtool implements Disposable {
  readonly #binary: string;
  readonly #folder = temporaryFolder('vigie-amtool-');
  readonly share: string;

  constructor(suite: 'stable' | 'sid') {
    this.#binary = findPeer('amtool', suite === 'sid' ? 'sid' : undefined)!;
    this.share = path.resolve(path.dirname(this.#binary), '../share/prometheus/alertmanager');
    mkdirSync(path.join(this.#folder.path, 'files'));
    // amtool does not know the defaults unless it is given their files
    for (const file of ['default.tmpl', 'email.tmpl'])
      cpSync(path.join(this.share, file), path.join(this.#folder.path, 'files', file));
    writeFileSync(path.join(this.#folder.path, 'files', 'case.tmpl'), CASE_FILE);
    writeFileSync(path.join(this.#folder.path, 'data.json'), JSON.stringify(CASE_DATA));
  }

  render(c: Case): Promise<string> {
    const args = [
      'template',
      'render',
      `--template.glob=${this.#folder.path}/files/*.tmpl`,
      `--template.data=${this.#folder.path}/data.json`,
      `--template.type=${c.kind}`,
      `--template.text=${c.template}`,
    ];
    return new Promise((resolve, reject) => {
      execFile(this.#binary, args, { env: { ...process.env, TZ: 'UTC' }, timeout: 20_000 }, (error, stdout, stderr) => {
        if (!error) resolve(stdout);
        else if (stderr.startsWith('amtool: error: ')) resolve(`error: ${stderr.slice(15).trim()}`);
        else reject(error);
      });
    });
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

interface Difference {
  readonly case: Case;
  readonly real: string;
  readonly ours: string;
}

/** At most `width` programs at a time. */
async function compare(
  amtool: Amtool,
  templates: Templates,
  cases: readonly Case[],
  change: (text: string) => string = (t) => t,
): Promise<{ readonly equal: number; readonly errors: number; readonly differences: readonly Difference[] }> {
  const differences: Difference[] = [];
  let equal = 0;
  let errors = 0;
  let next = 0;
  const width = 4;
  const worker = async (): Promise<void> => {
    while (next < cases.length) {
      const c = cases[next++]!;
      const real = await amtool.render(c);
      const mine = change(ours(templates, c));
      if (real.startsWith('error: ')) errors++;
      if (real === mine) equal++;
      else differences.push({ case: c, real, ours: mine });
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return { equal, errors, differences };
}

const of = (kind: Kind, templates: readonly string[]): Case[] => templates.map((template) => ({ kind, template }));
const files = [{ name: 'case.tmpl', text: CASE_FILE }];

describe('templates against amtool of sid', () => {
  const missing = peerMissing('amtool', 'sid');

  it.skipIf(missing)(
    'renders every hand-written and generated template alike, errors included',
    async () => {
      using amtool = new Amtool('sid');
      const cases = [
        ...of('text', [...TEXT_CASES, ...NEWER_TEXT_CASES]),
        ...of('html', [...HTML_CASES, ...NEWER_HTML_CASES]),
        ...generatedCases(20_240_229, 200).flatMap((t) => [...of('text', [t.text]), ...of('html', [t.html])]),
      ];
      const result = await compare(amtool, goTemplates(files), cases);
      expect(result.differences).toEqual([]);
      expect(result.equal).toBeGreaterThanOrEqual(850);
      expect(result.errors).toBeGreaterThanOrEqual(150);
    },
    180_000,
  );

  it.skipIf(missing)(
    'runs the original default templates, the email among them, to the same text',
    async () => {
      using amtool = new Amtool('sid');
      const originals = ['default.tmpl', 'email.tmpl'].map((name) => ({
        name,
        text: readFileSync(path.join(amtool.share, name), 'utf8'),
      }));
      const names = [...originals[0]!.text.matchAll(/define "((?!__)[^"]*)"/g)].map((m) => m[1]!);
      const cases = [
        ...of(
          'text',
          names.filter((n) => !n.endsWith('.instances')).map((n) => `{{ template "${n}" . }}`),
        ),
        ...of('html', ['{{ template "email.default.html" . }}', '{{ template "email.default.subject" . }}']),
      ];
      const theirs = await compare(amtool, goTemplates([...originals, ...files]), cases);
      expect(theirs.differences).toEqual([]);
      expect(theirs.equal).toBeGreaterThanOrEqual(40);
      // and ours say the same, but for the page of the email
      const mine = await compare(
        amtool,
        goTemplates(files),
        cases.filter((c) => !c.template.includes('default.html')),
      );
      expect(mine.differences).toEqual([]);
    },
    60_000,
  );

  it.skipIf(missing)(
    'notices a fault: one escape left out, one space too many',
    async () => {
      using amtool = new Amtool('sid');
      const cases = of('html', HTML_CASES).slice(0, 20);
      const unescaped = await compare(amtool, goTemplates(files), cases, (t) => t.replace('&lt;', '<'));
      expect(unescaped.differences.length).toBeGreaterThan(0);
      const spaced = await compare(amtool, goTemplates(files), cases, (t) => `${t} `);
      expect(spaced.differences.length).toBe(cases.length);
    },
    60_000,
  );
});

/** Where Go 1.19 or Alertmanager 0.25 differ on purpose or by since mended faults: newer words, KV's text, new functions and syntax. */
const NEWER_THAN_STABLE = [
  /^error: .*incompatible types for comparison/s,
  /^error: .*non-function/s,
  /^error: .*unexpected right paren/s,
  /^error: .*non-comparable type/s,
  /not defined$/,
  /stateJS|state\w+ delim/,
  /alertname=DiskFull|^map\[team:storage\]$/,
  /unexpected <with> in else/,
  /over more than one variable$/,
];

describe('templates against amtool of stable', () => {
  const missing = peerMissing('amtool');

  it.skipIf(missing)(
    'renders alike what both know',
    async () => {
      using amtool = new Amtool('stable');
      const cases = [
        ...of('text', TEXT_CASES),
        ...of(
          'html',
          HTML_CASES.filter((t) => !t.includes('<script')),
        ),
        ...generatedCases(7, 50).flatMap((t) => of('text', [t.text])),
      ].filter((c) => !/trimSpace|\(\?</.test(c.template));
      const result = await compare(amtool, goTemplates(files), cases);
      const unexplained = result.differences.filter(
        (d) => !NEWER_THAN_STABLE.some((p) => p.test(d.ours) || p.test(d.real)),
      );
      expect(unexplained).toEqual([]);
      expect(result.equal).toBeGreaterThanOrEqual(400);
    },
    120_000,
  );
});
