/** The channels: every one that a configuration of Alertmanager 0.33 may name. */
import type { Channel } from './channel.ts';
import { discord } from './discord.ts';
import { email } from './email.ts';
import { incidentio } from './incidentio.ts';
import { jira } from './jira.ts';
import { mattermost } from './mattermost.ts';
import { msteams, msteamsv2 } from './msteams.ts';
import { opsgenie } from './opsgenie.ts';
import { pagerduty } from './pagerduty.ts';
import { pushover } from './pushover.ts';
import { rocketchat } from './rocketchat.ts';
import { slack } from './slack.ts';
import { sns } from './sns.ts';
import { telegram } from './telegram.ts';
import { victorops } from './victorops.ts';
import { webex } from './webex.ts';
import { webhook } from './webhook.ts';
import { wechat } from './wechat.ts';

export const CHANNELS: readonly Channel[] = [
  discord,
  email,
  incidentio,
  jira,
  mattermost,
  msteams,
  msteamsv2,
  opsgenie,
  pagerduty,
  pushover,
  rocketchat,
  slack,
  sns,
  telegram,
  victorops,
  webex,
  webhook,
  wechat,
];

export const channelOf = (kind: string): Channel | undefined => CHANNELS.find((c) => c.kind === kind);
