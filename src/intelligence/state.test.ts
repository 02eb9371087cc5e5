/** What is kept on disk and what is judged: state files, records, truth. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { Labels } from '../model/labels.ts';
import type { TenantId } from '../model/tenant.ts';
import { announceLevel, budgetFactor } from './feedback.ts';
import { DetectorRecord, MUTING } from './record.ts';
import { decodeState, encodeState } from './state-codec.ts';
import { StateFiles } from './state-files.ts';
import { TruthBook } from './truth.ts';

const DAY = 86_400_000;
const T0 = Date.UTC(2026, 5, 1);

describe('state codec', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.string()),
        fc.array(fc.double({ noNaN: false }), { maxLength: 40 }),
        (header, numbers) => {
          const safe = Object.fromEntries(Object.entries(header).filter(([k]) => k !== '__proto__'));
          const decoded = decodeState(encodeState(safe, [Float64Array.from(numbers)]));
          expect(decoded.header).toEqual(safe);
          expect(Array.from(decoded.numbers)).toEqual(numbers);
        },
      ),
    );
  });

  it('notices every single flipped bit and every cut', () => {
    const bytes = encodeState({ kind: 'x' }, [Float64Array.of(1, 2)]);
    for (let i = 0; i < bytes.length * 8; i++) {
      const hurt = Uint8Array.from(bytes);
      hurt[i >> 3]! ^= 1 << (i & 7);
      expect(() => decodeState(hurt), `bit ${i}`).toThrow(/detector state/);
    }
    for (let n = 0; n < bytes.length; n++) expect(() => decodeState(bytes.slice(0, n))).toThrow(/detector state/);
  });
});

describe('state files', () => {
  it('keep tenants apart and survive odd names', async () => {
    using folder = temporaryFolder();
    const files = new StateFiles(folder.path);
    const [a, b] = ["o'neil!(x)*" as TenantId, 'b' as TenantId];
    await files.save(a, 'd.0', Uint8Array.of(1));
    await files.save(b, 'd.0', Uint8Array.of(2));
    expect(Array.from((await files.load(a, 'd.0'))!)).toEqual([1]);
    expect(await files.load(a, 'd.1')).toBeUndefined();
    await files.removeTenant(a);
    expect(await files.load(a, 'd.0')).toBeUndefined();
    expect(Array.from((await files.load(b, 'd.0'))!)).toEqual([2]);
  });
});

describe('record', () => {
  it('mutes under its limit, says why, and speaks again only well above it', () => {
    const r = new DetectorRecord();
    r.verdict(T0, 'hit', 60_000);
    for (let i = 0; i < MUTING.judgedMin - 1; i++) r.verdict(T0, 'false');
    expect(r.review(T0, 0.25)).toBe(true);
    expect(r.muted).toBe(true);
    expect(r.mutedWhy).toMatch(/4 of its last 5 announcements were wrong/);
    r.verdict(T0, 'hit');
    r.review(T0, 0.25);
    expect(r.muted).toBe(true);
    for (let i = 0; i < 3; i++) r.verdict(T0, 'hit');
    expect(r.review(T0, 0.25)).toBe(true);
    expect(r.muted).toBe(false);
    expect(r.summary(T0)).toMatchObject({ hits: 5, falseAlerts: 4, muted: false });
  });

  it('mutes intervals that do not hold, and noise far over the budget', () => {
    const r = new DetectorRecord();
    r.day(T0).values = 1_000;
    r.day(T0).inside = 700;
    r.review(T0, 0.25);
    expect(r.mutedWhy).toMatch(/held 70 % of 1000 values/);
    const noisy = new DetectorRecord();
    Object.assign(noisy.day(T0), { announced: 40, unjudged: 40, seriesSeconds: 604_800 });
    noisy.review(T0, 0.25);
    expect(noisy.mutedWhy).toMatch(/40\.00 alerts per series and week/);
  });

  it('leaves figures undefined that nobody can know, forgets old days, and survives JSON', () => {
    const r = new DetectorRecord();
    expect(r.summary(T0)).toMatchObject({ precision: Number.NaN, recall: Number.NaN, coverage95: Number.NaN });
    for (let d = 0; d < 200; d++) r.verdict(T0 + d * DAY, 'hit', 1_000);
    expect(r.byDay().length).toBeLessThanOrEqual(90);
    expect(r.summary(T0 + 199 * DAY).hits).toBeLessThanOrEqual(31);
    const copy = new DetectorRecord(JSON.parse(JSON.stringify(r.state())));
    expect(copy.summary(T0 + 199 * DAY)).toEqual(r.summary(T0 + 199 * DAY));
    copy.withdraw(T0 + 199 * DAY, 'hit');
    expect(copy.summary(T0 + 199 * DAY)).toMatchObject({ hits: r.summary(T0 + 199 * DAY).hits - 1, unjudged: 1 });
  });
});

describe('feedback', () => {
  it('moves the budget within bounds, in any order, and back', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('useful' as const, 'noise' as const), { maxLength: 300 }), (list) => {
        const f = budgetFactor(list);
        expect(f >= 1 / 20 && f <= 4).toBe(true);
        expect(budgetFactor([...list].reverse())).toBeCloseTo(f, 9);
      }),
    );
    expect(budgetFactor([])).toBe(1);
    expect(budgetFactor(['noise'])).toBeLessThan(1);
    expect(announceLevel(0.5, 0.7)).toBeGreaterThan(0.5);
    expect(announceLevel(0.5, 1)).toBeCloseTo(0.5);
    expect(announceLevel(0.5, 1.2)).toBeLessThan(0.5);
  });
});

describe('truth', () => {
  const M = 60_000;
  const x = Labels.from({ host: 'x' });
  it('calls an alert before a fault a hit with lead, one without false, and a silent fault a miss', () => {
    const book = new TruthBook(M);
    book.alert({ id: '1', labels: x, atMs: 0 });
    const verdicts: unknown[] = [];
    const misses: unknown[] = [];
    for (let i = 0; i < 120; i++) {
      const wrong = (i >= 10 && i < 20) || (i >= 60 && i < 62) ? [x] : [];
      if (i === 100) book.alert({ id: '2', labels: x, atMs: i * M });
      const r = book.observe(i * M, wrong);
      verdicts.push(...r.verdicts.map((v) => [v.alert.id, v.status, v.leadMs]));
      misses.push(...r.misses);
    }
    expect(verdicts).toEqual([
      ['1', 'hit', 10 * M],
      ['2', 'false', 0],
    ]);
    expect(misses).toHaveLength(1);
  });

  it('does not let another host’s fault excuse an alert', () => {
    const book = new TruthBook(M);
    book.alert({ id: '1', labels: x, atMs: 0 });
    let status = '';
    for (let i = 0; i < 40; i++)
      for (const v of book.observe(i * M, [Labels.from({ host: 'y' })]).verdicts) status = v.status;
    expect(status).toBe('false');
  });
});
