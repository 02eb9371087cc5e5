/** Version 1 of PagerDuty's events, as its documentation and the original's source describe it; v2 is compared for real. */
import { expect, it } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { parseAlertingConfig } from '../config.ts';
import type { Notification, OutgoingRequest } from './channel.ts';
import { pagerduty } from './pagerduty.ts';
import { goTemplates } from './templates.ts';

const integration = parseAlertingConfig(
  "route: { receiver: a }\nreceivers: [{ name: a, pagerduty_configs: [{ service_key: geheim, description: '{{ .Status }}', client: c, client_url: 'http://c', details: { more: x, text: \"Tenant: acme  Level: L2\\nFiring (2)\\n• Disk: full\", map: 'a: 1' } }] }]\n",
  { templates: goTemplates },
).receivers.get('a')!.integrations[0]!;

async function sent(resolved: boolean, status = 200): Promise<{ request: OutgoingRequest; outcome: unknown }> {
  let request: OutgoingRequest | undefined;
  const notification: Notification = {
    config: integration.config,
    http: integration.http,
    receiver: 'a',
    groupKey: '{}:{}',
    data: {
      receiver: 'a',
      status: resolved ? 'resolved' : 'firing',
      alerts: [],
      groupLabels: Labels.EMPTY,
      commonLabels: Labels.EMPTY,
      commonAnnotations: Labels.EMPTY,
      externalURL: '',
      notificationReason: '',
    },
    alerts: [],
    resolved,
    templates: goTemplates([]),
    nowMs: 0,
    flushedAtMs: 0,
    signal: AbortSignal.timeout(5_000),
    ports: {
      mail: async () => {},
      http: async (r) => {
        request = r;
        return { status, headers: {}, body: '' };
      },
    },
    idempotencyKey: 'k',
  };
  const outcome = await pagerduty.send(notification);
  return { request: request!, outcome };
}

it('triggers and resolves by the service key', async () => {
  const { request, outcome } = await sent(false);
  expect(outcome).toEqual({ kind: 'sent' });
  expect(request.url).toBe('https://events.pagerduty.com/generic/2010-04-15/create_event.json');
  const body = JSON.parse(request.body) as Record<string, unknown>;
  expect(body).toEqual({
    service_key: 'geheim',
    event_type: 'trigger',
    incident_key: expect.stringMatching(/^[0-9a-f]{64}$/),
    description: 'firing',
    client: 'c',
    client_url: 'http://c',
    details: {
      firing: [],
      resolved: [],
      num_firing: 0,
      num_resolved: 0,
      more: 'x',
      // no YAML, so it stays the text that it is
      text: 'Tenant: acme  Level: L2\nFiring (2)\n• Disk: full',
      map: { a: 1 },
    },
  });
  const end = JSON.parse((await sent(true)).request.body) as Record<string, unknown>;
  expect(end).toMatchObject({ event_type: 'resolve', incident_key: body['incident_key'] });
  expect(end).not.toHaveProperty('client');
});

it.each([
  [403, true],
  [500, true],
  [400, false],
])('after %i tries again: %s', async (status, retry) => {
  expect((await sent(false, status)).outcome).toMatchObject({ kind: 'failed', retry });
});
