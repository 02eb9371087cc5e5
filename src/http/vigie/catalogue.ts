/** /vigie/v1/catalogue: browse packs, see what parameters do, try changes and keep them for the tenant. */
import type { CatalogueService, PackDetail } from '../../catalogue/catalogue-service.ts';
import { VigieError } from '../../lib/errors.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import {
  type CatalogueAnswer,
  type PackAnswer,
  type PackPreviewAnswer,
  type PackRule,
  type PackSavedAnswer,
  packOverrideInput,
  packSaveInput,
} from '../contract/catalogue.ts';
import { EDITOR, type HttpRequest, type Route, VIEWER } from '../route.ts';

export interface CatalogueRoutePorts {
  readonly catalogue: CatalogueService;
  readonly audit: AuditChange;
}

const base = { family: 'vigie' } as const;

export function catalogueRoutes({ catalogue, audit }: CatalogueRoutePorts): Route[] {
  const packOf = (request: HttpRequest): string => {
    const name = request.params['pack'] ?? '';
    if (!/^[a-z][a-z0-9-]{0,63}$/.test(name))
      throw new VigieError(
        'bad_data',
        `pack: want lower-case letters, digits and -, got ${JSON.stringify(name.slice(0, 64))}`,
      );
    return name;
  };
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/catalogue',
      access: VIEWER,
      summary: 'Packs of the catalogue',
      handle: async ({ context }) => ({
        json: { packs: await catalogue.list(context.tenant) } satisfies CatalogueAnswer,
      }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/catalogue/:pack',
      access: VIEWER,
      summary: 'A pack: parameters with their effect, rules as tuned for the tenant',
      handle: async (request) => ({
        json: packAnswer(await catalogue.detail(request.context.tenant, packOf(request))),
      }),
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/catalogue/:pack/preview',
      access: VIEWER,
      summary: 'What a change of the pack would do',
      input: packOverrideInput,
      handle: async (request) => {
        const result = await catalogue.preview(
          request.context.tenant,
          packOf(request),
          parseBody(request, packOverrideInput),
        );
        return {
          json: {
            ...result,
            findings: result.findings.map(({ level, where, message }) => ({ level, where, message })),
          } satisfies PackPreviewAnswer,
        };
      },
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/catalogue/:pack',
      access: EDITOR,
      summary: "Keep the tenant's own changes of a pack",
      input: packSaveInput,
      handle: async (request) => {
        const pack = packOf(request);
        const { override, expectVersion } = parseBody(request, packSaveInput);
        const before = await catalogue.detail(request.context.tenant, pack);
        const version = await catalogue.save(request.context.tenant, pack, override, expectVersion);
        await audit(request.context, 'catalogue.tune', pack, before.own, override);
        return { json: { overrideVersion: version } satisfies PackSavedAnswer };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/catalogue/:pack',
      access: EDITOR,
      summary: "Drop the tenant's own changes of a pack",
      handle: async (request) => {
        const pack = packOf(request);
        const before = await catalogue.detail(request.context.tenant, pack);
        await catalogue.reset(request.context.tenant, pack);
        await audit(request.context, 'catalogue.reset', pack, before.own, {});
        return { status: 204 };
      },
    },
  ];
}

function packAnswer(detail: PackDetail): PackAnswer {
  const { manifest } = detail.pack;
  const inForce = new Set(
    [...detail.pack.rules.values()].flatMap((f) => f.groups.flatMap((g) => g.rules.map((r) => r.alert ?? r.record))),
  );
  const rules = (from: PackDetail['pack'], enabled: boolean): PackRule[] =>
    [...from.rules.values()].flatMap((f) =>
      f.groups.flatMap((g) =>
        g.rules.map((r) => ({
          kind: r.alert ? ('alert' as const) : ('recording' as const),
          name: r.alert ?? r.record ?? '',
          group: g.name,
          enabled,
          expr: r.expr,
          for: r.for ?? '',
          labels: r.labels ?? {},
          annotations: r.annotations ?? {},
        })),
      ),
    );
  return {
    pack: manifest.pack,
    version: manifest.version,
    title: manifest.title,
    description: manifest.description,
    scope: manifest.scope,
    needs: manifest.needs.metrics,
    tests: manifest.files.tests,
    parameters: Object.entries(manifest.parameters).map(([name, p]) => ({
      name,
      type: p.type,
      help: p.help,
      ...('unit' in p && p.unit !== undefined ? { unit: p.unit } : {}),
      ...('min' in p && p.min !== undefined ? { min: p.min } : {}),
      ...('max' in p && p.max !== undefined ? { max: p.max } : {}),
      ...('values' in p && p.values !== undefined ? { values: p.values } : {}),
      default: p.default,
      value: detail.pack.parameters[name] ?? p.default,
      usedBy: detail.usedBy[name] ?? [],
    })),
    // switched-off rules are shown as they were shipped
    rules: [...rules(detail.pack, true), ...rules(detail.shipped, false).filter((r) => !inForce.has(r.name))],
    override: detail.own as PackAnswer['override'],
    overrideVersion: detail.version,
  };
}
