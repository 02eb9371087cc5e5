/** Labels of the series a detector writes: those of its source, its own, and `detector`; made once per series. */
import { Labels, METRIC_NAME } from '../model/labels.ts';

export function outputBase(source: Labels, detector: string, own: Readonly<Record<string, string>>): Labels {
  return source.without(METRIC_NAME).merge(Labels.from({ ...own, detector }));
}

/** Labels by series name for one source series. */
export class OutputLabels {
  readonly #base: Labels;
  readonly #byName = new Map<string, Labels>();

  constructor(base: Labels) {
    this.#base = base;
  }

  of(name: string, extra?: Labels): Labels {
    const key = extra ? `${name}\u0000${extra.key}` : name;
    let labels = this.#byName.get(key);
    if (!labels)
      this.#byName.set(key, (labels = (extra ? this.#base.merge(extra) : this.#base).with(METRIC_NAME, name)));
    return labels;
  }
}
