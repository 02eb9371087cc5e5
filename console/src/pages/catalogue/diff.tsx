/** A unified difference, its lines coloured; the sign at the start of a line says the same without colour. */
export function Diff({ text }: { readonly text: string }) {
  return (
    <pre className="mono" style={{ margin: 0, overflowX: 'auto', fontSize: 12 }}>
      {text
        .trimEnd()
        .split('\n')
        // the names of the two files say nothing here
        .slice(2)
        .map((line, i) => (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: lines of a text have no other identity
            key={i}
            style={{
              background: line.startsWith('+')
                ? 'color-mix(in srgb, var(--mantine-color-green-6) 18%, transparent)'
                : line.startsWith('-')
                  ? 'color-mix(in srgb, var(--mantine-color-red-6) 18%, transparent)'
                  : undefined,
            }}
          >
            {line || ' '}
          </div>
        ))}
    </pre>
  );
}
