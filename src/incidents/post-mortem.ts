/** A draft of the post-mortem in Markdown, from what the incident recorded. It leaves gaps for what only people know. */
import type { Incident } from './incident.ts';
import { timeToResolveMs } from './statistics.ts';

export function postMortem(incident: Incident, objectiveMs: number): string {
  const ttr = timeToResolveMs(incident);
  const names = [...new Set(incident.alerts.map((a) => a.labels['alertname'] ?? 'unnamed'))];
  const lines = [
    `# ${incident.id}: ${escaped(incident.title)}`,
    '',
    '| | |',
    '|---|---|',
    `| Criticality | ${incident.criticality} (${escaped(incident.criticalityWords.join(', '))}) |`,
    `| State | ${incident.state} |`,
    `| Who was hit | ${escaped(incident.verdict.words)} |`,
    `| Services | ${escaped(incident.services.join(', ') || 'none named')} |`,
    `| First bad sample | ${time(incident.firstBadAtMs)} |`,
    `| Opened | ${time(incident.openedAtMs)} |`,
    `| Acknowledged | ${incident.acknowledgedAtMs === undefined ? 'never' : `${time(incident.acknowledgedAtMs)} by ${escaped(incident.acknowledgedBy ?? 'nobody named')}, after ${span(incident.acknowledgedAtMs - incident.openedAtMs)}`} |`,
    `| Recovered | ${incident.recoveredAtMs === undefined ? 'not yet' : time(incident.recoveredAtMs)} |`,
    `| Time to resolution | ${ttr === undefined ? 'not over' : `${span(ttr)} (objective ${span(objectiveMs)}: ${ttr <= objectiveMs ? 'met' : 'missed'})`} |`,
    '',
    '## Summary',
    '',
    '_What happened, in two sentences, for somebody who was not there._',
    '',
    '## Impact',
    '',
    `${escaped(incident.verdict.words)}. ${incident.alerts.length} alerts of ${names.length} rules: ${escaped(names.join(', '))}.`,
    '',
    '## Likely cause',
    '',
    ...(incident.causes.length === 0 ? ['No ranking is available.'] : []),
    ...incident.causes.map(
      (c, i) =>
        `${i + 1}. **${escaped(c.component)}** (${Math.round(c.score * 100)} %): ${escaped(c.evidence.join('; '))}`,
    ),
    '',
    '_Confirmed cause: to be written._',
    '',
    '## Changes around the begin',
    '',
    ...(incident.changes.length === 0 ? ['None recorded.'] : []),
    ...incident.changes.map((c) => `- ${time(c.atMs)} ${escaped(`${c.type} ${c.subject} (${c.source})`)}`),
    '',
    '## Time line',
    '',
    ...incident.timeline.map(
      (e) => `- ${time(e.atMs)} **${e.kind}** ${escaped(e.text)}${e.actor === 'vigie' ? '' : ` (${escaped(e.actor)})`}`,
    ),
    ...(incident.timelineDropped > 0 ? [`- (${incident.timelineDropped} entries in the middle were not kept)`] : []),
    '',
    '## What went well, what did not, where we were lucky',
    '',
    '_To be written._',
    '',
    '## Actions',
    '',
    '- [ ] _what, who, by when_',
    '',
  ];
  return lines.join('\n');
}

const time = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

function span(ms: number): string {
  const s = Math.round(ms / 1000);
  return s < 120 ? `${s} s` : s < 7_200 ? `${Math.round(s / 60)} min` : `${(s / 3_600).toFixed(1)} h`;
}

/** Text from alerts must not become markup, or a new line of the table. */
const escaped = (text: string): string => text.replace(/[\\`*_[\]<>|#]/g, '\\$&').replace(/\s*\n\s*/g, ' ');
