/** The channels that are built, and by name those that Alertmanager knows and Vigie refuses. */
import type { Channel } from './channel.ts';
import { discord } from './discord.ts';
import { email } from './email.ts';
import { msteams, msteamsv2 } from './msteams.ts';
import { opsgenie } from './opsgenie.ts';
import { pagerduty } from './pagerduty.ts';
import { slack } from './slack.ts';
import { telegram } from './telegram.ts';
import { victorops } from './victorops.ts';
import { webex } from './webex.ts';
import { webhook } from './webhook.ts';

export const CHANNELS: readonly Channel[] = [
  discord,
  email,
  msteams,
  msteamsv2,
  opsgenie,
  pagerduty,
  slack,
  telegram,
  victorops,
  webex,
  webhook,
];

export const channelOf = (kind: string): Channel | undefined => CHANNELS.find((c) => c.kind === kind);

/** Accepted by Alertmanager, not built here: configurations that use one are refused by name. */
export const CHANNELS_NOT_BUILT: readonly string[] = [
  'incidentio',
  'jira',
  'mattermost',
  'pushover',
  'rocketchat',
  'sns',
  'wechat',
];
