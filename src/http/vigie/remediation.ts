/** /vigie/v1/playbooks: the first level's repairs; dry run by default, armed by a person. */
import { parseDocument } from 'yaml';
import { signalFor } from '../../automation/playbook.ts';
import type { PlaybookView, Remediation } from '../../automation/remediation.ts';
import type { Incident } from '../../incidents/incident.ts';
import type { IncidentService } from '../../incidents/incident-service.ts';
import { VigieError } from '../../lib/errors.ts';
import { yamlProblem, yamlValue } from '../../lib/nesting.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import { documentInput } from '../contract/on-call.ts';
import { armInput, type PlaybooksAnswer, runInput } from '../contract/remediation.ts';
import { ADMIN, EDITOR, RESPONDER, type Route, VIEWER } from '../route.ts';

export interface RemediationRoutePorts {
  readonly remediation: Remediation;
  readonly incidents: IncidentService;
  /** `intelligent_alerts.auto_remediation`. */
  readonly enabled: boolean;
  readonly audit: AuditChange;
}

const base = { family: 'vigie' } as const;

export function remediationRoutes({ remediation, incidents, enabled, audit }: RemediationRoutePorts): Route[] {
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/playbooks',
      access: VIEWER,
      summary: 'List playbooks, whether they are armed, and what keeps them from running',
      handle: async ({ context }) => {
        const playbooks = await remediation.list(context.tenant);
        const live = (await incidents.tenant(context.tenant)).live();
        const answer: PlaybooksAnswer = { playbooks, enabled, proposals: proposalsOf(playbooks, live) };
        return { json: answer };
      },
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/playbooks',
      access: EDITOR,
      summary: 'Create or change a playbook, as YAML or JSON; a change disarms it',
      input: documentInput,
      handle: async (request) => {
        const input = parseBody(request, documentInput);
        let value = input.document;
        if (input.yaml !== undefined) {
          const doc = parseDocument(input.yaml);
          const problem = doc.errors[0];
          if (problem) throw new VigieError('bad_data', `yaml: ${yamlProblem(problem)}`);
          value = yamlValue(doc, 50);
        }
        const name = String((value as { name?: unknown } | null)?.name ?? '');
        await audit(request.context, 'playbook.put', name, undefined, value);
        return { json: await remediation.put(request.context.tenant, value) };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/playbooks/:name',
      access: EDITOR,
      summary: 'Remove a playbook',
      handle: async (request) => {
        const name = request.params['name']!;
        await audit(request.context, 'playbook.delete', name, undefined, undefined);
        if (!(await remediation.remove(request.context.tenant, name)))
          throw new VigieError('not_found', `no playbook ${JSON.stringify(name)}`);
        return {};
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/playbooks/:name/arm',
      access: ADMIN,
      summary: 'Arm or disarm: an armed playbook runs by itself',
      input: armInput,
      handle: async (request) => {
        const { armed } = parseBody(request, armInput);
        const { tenant, principal } = request.context;
        return { json: await remediation.arm(tenant, request.params['name']!, armed, principal.name) };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/playbooks/:name/runs',
      access: RESPONDER,
      summary: 'Run a playbook for an incident now; a dry run by default',
      input: runInput,
      handle: async (request) => {
        const { incident: id, dryRun } = parseBody(request, runInput);
        const { tenant, principal, requestId } = request.context;
        const name = request.params['name']!;
        const incident = await incidents.get(tenant, id);
        await audit(request.context, dryRun ? 'playbook.dry_run' : 'playbook.run_by_hand', name, undefined, {
          incident: id,
        });
        const run = await remediation.runNow(tenant, name, {
          incident: id,
          alerts: incident.alerts,
          actor: principal.name,
          key: requestId,
          dryRun,
        });
        await incidents.note(tenant, id, {
          kind: 'remediation',
          text: `playbook ${name}: ${run.log.at(-1)?.text ?? run.state}`,
          actor: principal.name,
        });
        return { json: run };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/playbook-runs',
      access: VIEWER,
      summary: 'Runs of playbooks, newest first',
      handle: async ({ context }) => ({ json: { runs: await remediation.runs(context.tenant) } }),
    },
  ];
}

/** Proposals listed at most. */
const PROPOSALS_MAX = 200;

function proposalsOf(playbooks: readonly PlaybookView[], live: readonly Incident[]): PlaybooksAnswer['proposals'] {
  const out = [];
  for (const incident of live)
    for (const { playbook, objection } of playbooks) {
      if (out.length >= PROPOSALS_MAX) return out;
      if (signalFor(playbook, incident.alerts))
        out.push({ playbook: playbook.name, incident: incident.id, title: incident.title, objection });
    }
  return out;
}
