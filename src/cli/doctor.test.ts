import { describe, expect, it } from 'vitest';
import { findingsText } from './doctor.ts';

describe('findingsText', () => {
  it('is one line a finding, with what to do, and a count', () => {
    const text = findingsText([
      { level: 'ok', subject: 'disk', detail: '9 GiB free', remedy: '' },
      { level: 'warning', subject: 'clock', detail: 'off', remedy: 'set it' },
      { level: 'problem', subject: 'options', detail: 'vigie.yaml:1: a\nvigie.yaml:2: b', remedy: 'correct it' },
    ]);
    expect(text).toBe(
      'ok    disk     9 GiB free\nWARN  clock    off -> set it\nFAIL  options  vigie.yaml:1: a; vigie.yaml:2: b -> correct it\n1 problem, 1 warning\n',
    );
  });
});
