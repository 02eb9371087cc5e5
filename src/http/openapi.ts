/** OpenAPI 3.1 of our own API, written from the same route table that is served. */
import { z } from 'zod';
import type { Route } from './route.ts';

/** The document for all routes of the family `vigie`; protocols of others are described by their own projects. */
export function openApi(routes: readonly Route[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    if (route.family !== 'vigie' || !route.path.startsWith('/vigie/')) continue;
    const names = [...route.path.matchAll(/:([a-zA-Z]+)/g)].map((m) => m[1]!);
    const path = route.path.replace(/:([a-zA-Z]+)/g, '{$1}');
    const { access } = route;
    const operation: Record<string, unknown> = {
      operationId: `${route.method.toLowerCase()}${path.replace(/[^a-zA-Z0-9]+(.)?/g, (_m, c: string | undefined) => (c ?? '').toUpperCase())}`,
      summary: route.summary ?? '',
      tags: [path.split('/')[3] ?? 'vigie'],
      'x-role': access.kind === 'tenant' ? access.role : access.kind,
      ...(access.kind === 'tenant' ? { 'x-scope': access.scope } : {}),
      parameters: names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...(route.input
        ? {
            requestBody: {
              required: true,
              content: { 'application/json': { schema: jsonSchema(route.input, 'input') } },
            },
          }
        : {}),
      responses: {
        200: {
          description: 'Done.',
          ...(route.output ? { content: { 'application/json': { schema: jsonSchema(route.output, 'output') } } } : {}),
        },
        default: {
          description: 'What went wrong.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
      ...(access.kind === 'public' ? { security: [] } : {}),
    };
    (paths[path] ??= {})[route.method.toLowerCase()] = operation;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Vigie',
      version,
      description:
        'The API of Vigie itself. Prometheus, Alertmanager, OpenTelemetry and other protocols are served beside it under their own paths.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }, { url: '/t/{tenant}', variables: { tenant: { default: 'default' } } }],
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key.' },
        session: { type: 'apiKey', in: 'cookie', name: 'vigie_session' },
      },
      schemas: {
        Error: {
          type: 'object',
          required: ['error'],
          properties: {
            error: {
              type: 'object',
              required: ['code', 'message', 'hint', 'requestId'],
              properties: {
                code: { type: 'string' },
                message: { type: 'string' },
                hint: { type: 'string' },
                details: { type: 'object' },
                requestId: { type: 'string' },
              },
            },
          },
        },
      },
    },
  };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
