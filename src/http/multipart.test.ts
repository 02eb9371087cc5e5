import { describe, expect, it } from 'vitest';
import { formValues } from './body.ts';
import { multipartFields, PARTS_MAX } from './multipart.ts';
import type { HttpRequest } from './route.ts';

async function encoded(form: FormData): Promise<{ type: string; body: Buffer }> {
  const request = new Response(form);
  return { type: request.headers.get('content-type')!, body: Buffer.from(await request.arrayBuffer()) };
}

describe('a multipart form', () => {
  it('gives its fields in order and leaves files out', async () => {
    const form = new FormData();
    form.append('query', 'up{job="ü"} > 0\r\n--or--\r\n1');
    form.append('empty', '');
    form.append('match[]', 'a');
    form.append('match[]', 'b');
    form.append('file', new Blob(['x']), 'x.txt');
    const { type, body } = await encoded(form);
    expect(multipartFields(type, body)).toEqual([
      ['query', 'up{job="ü"} > 0\r\n--or--\r\n1'],
      ['empty', ''],
      ['match[]', 'a'],
      ['match[]', 'b'],
    ]);
  });

  it('comes after the query of the address', async () => {
    const form = new FormData();
    form.append('query', '2');
    form.append('time', '3');
    const { type, body } = await encoded(form);
    const values = formValues({
      method: 'POST',
      headers: { 'content-type': type },
      query: new URLSearchParams('query=1'),
      body,
    } as unknown as HttpRequest);
    expect([values.getAll('query'), values.get('time')]).toEqual([['1', '2'], '3']);
  });

  it.each([
    ['no boundary', 'multipart/form-data', '', 'no boundary'],
    [
      'a cut off body',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="q"\r\n\r\n1',
      'not complete',
    ],
    ['an empty body', 'multipart/form-data; boundary=b', '', 'not complete'],
    [
      'too many parts',
      'multipart/form-data; boundary=b',
      `${'--b\r\n\r\n\r\n'.repeat(PARTS_MAX + 1)}--b--`,
      'more than',
    ],
  ])('with %s is refused', (_what, type, body, said) => {
    expect(() => multipartFields(type, Buffer.from(body))).toThrow(said);
  });
});
