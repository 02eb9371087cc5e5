/** Writes exposition text 0.0.4: families in order of first use, one HELP and TYPE each. */
type Kind = 'counter' | 'gauge' | 'untyped';

export class ExpositionWriter {
  readonly #families = new Map<string, string[]>();

  add(name: string, kind: Kind, help: string, value: number, labels: Readonly<Record<string, string>> = {}): void {
    if (Number.isNaN(value)) return; // a field the kernel does not have here
    let lines = this.#families.get(name);
    if (!lines) this.#families.set(name, (lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`]));
    const pairs = Object.entries(labels).map(([n, v]) => `${n}="${v.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"`);
    lines.push(
      `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value === Number.POSITIVE_INFINITY ? '+Inf' : value}`,
    );
  }

  counter(name: string, help: string, value: number, labels?: Readonly<Record<string, string>>): void {
    this.add(name, 'counter', help, value, labels);
  }

  gauge(name: string, help: string, value: number, labels?: Readonly<Record<string, string>>): void {
    this.add(name, 'gauge', help, value, labels);
  }

  /** Takes over the families of another writer; their names must not occur here yet. */
  append(other: ExpositionWriter): void {
    for (const [name, lines] of other.#families) this.#families.set(name, lines);
  }

  text(): string {
    return [...this.#families.values()].map((lines) => `${lines.join('\n')}\n`).join('');
  }
}
