/** A label set as small tags. */
import { Code } from '@mantine/core';

export function Labels({
  labels,
  without = [],
}: {
  readonly labels: Readonly<Record<string, string>>;
  readonly without?: readonly string[];
}) {
  return (
    <span style={{ display: 'inline-flex', flexWrap: 'wrap', gap: 4 }}>
      {Object.entries(labels)
        .filter(([k]) => !without.includes(k))
        .map(([k, v]) => (
          <Code key={k} fz={12} c="inherit" style={{ overflowWrap: 'anywhere', whiteSpace: 'normal' }}>
            {k}="{v}"
          </Code>
        ))}
    </span>
  );
}
