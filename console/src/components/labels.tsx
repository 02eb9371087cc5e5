/** A label set as small tags: plain elements, because lists hold thousands of them. */
export function Labels({
  labels,
  without = [],
}: {
  readonly labels: Readonly<Record<string, string>>;
  readonly without?: readonly string[];
}) {
  return (
    <span className="labels">
      {Object.entries(labels)
        .filter(([k]) => !without.includes(k))
        .map(([k, v]) => (
          <code key={k} className="label">
            {k}="{v}"
          </code>
        ))}
    </span>
  );
}
