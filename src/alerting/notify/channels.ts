/** The channels that are built, and by name those that Alertmanager knows and Vigie refuses. */
import type { Channel } from './channel.ts';
import { discord } from './discord.ts';
import { email } from './email.ts';
import { pagerduty } from './pagerduty.ts';
import { slack } from './slack.ts';
import { telegram } from './telegram.ts';
import { webhook } from './webhook.ts';

export const CHANNELS: readonly Channel[] = [discord, email, pagerduty, slack, telegram, webhook];

export const channelOf = (kind: string): Channel | undefined => CHANNELS.find((c) => c.kind === kind);

/** Accepted by Alertmanager, not built here: configurations that use one are refused by name. */
export const CHANNELS_NOT_BUILT: readonly string[] = [
  'incidentio',
  'jira',
  'mattermost',
  'msteams',
  'msteamsv2',
  'opsgenie',
  'pushover',
  'rocketchat',
  'sns',
  'victorops',
  'webex',
  'wechat',
];
