import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openApi } from './openapi.ts';
import { EDITOR, PUBLIC, type Route, VIEWER } from './route.ts';

const route = (over: Partial<Route>): Route => ({
  method: 'GET',
  path: '/vigie/v1/x',
  family: 'vigie',
  access: VIEWER,
  handle: () => ({}),
  ...over,
});

describe('openApi', () => {
  it('describes our own routes only, with roles, parameters and bodies', () => {
    const doc = openApi(
      [
        route({
          method: 'PUT',
          path: '/vigie/v1/x/:id',
          access: EDITOR,
          summary: 'Put x',
          input: z.strictObject({ name: z.string(), n: z.int().optional() }),
        }),
        route({ path: '/vigie/v1/open', access: PUBLIC }),
        route({ family: 'prometheus', path: '/api/v1/query' }),
      ],
      '1.2.3',
    ) as { paths: Record<string, Record<string, Record<string, unknown>>>; info: { version: string } };
    expect(Object.keys(doc.paths)).toEqual(['/vigie/v1/x/{id}', '/vigie/v1/open']);
    const put = doc.paths['/vigie/v1/x/{id}']!['put']!;
    expect(put).toMatchObject({
      operationId: 'putVigieV1XId',
      summary: 'Put x',
      'x-role': 'editor',
      'x-scope': 'admin',
      parameters: [{ name: 'id', in: 'path' }],
    });
    expect(put['requestBody']).toMatchObject({
      content: { 'application/json': { schema: { type: 'object', required: ['name'], additionalProperties: false } } },
    });
    expect(doc.paths['/vigie/v1/open']!['get']!['security']).toEqual([]);
    expect(doc.info.version).toBe('1.2.3');
  });
});
