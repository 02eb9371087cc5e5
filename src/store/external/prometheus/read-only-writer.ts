/** Stands where a writer stands while nothing may be written: what Vigie itself makes is dropped, what others send is refused. */
import { VigieError } from '../../../lib/errors.ts';
import type { Sample } from '../../../model/sample.ts';
import type { MetricsWriter, WriteBatch, WriteResult } from '../../metrics.ts';

/** `url` is shown without credentials and path. */
export const onlyRead = (url: string): VigieError =>
  new VigieError('unsupported', `${new URL(url).host} is only read: prometheus_read_only is set`);

export class ReadOnlyWriter implements MetricsWriter {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async append(batch: WriteBatch): Promise<WriteResult> {
    const refused = batch.sampleStart[batch.seriesCount]! + (batch.histograms?.length ?? 0);
    return {
      samplesAccepted: 0,
      histogramsAccepted: 0,
      exemplarsAccepted: 0,
      rejected: { read_only: refused },
      examples: [onlyRead(this.#url).message],
    };
  }

  async appendSamples(samples: readonly Sample[]): Promise<WriteResult> {
    const histograms = samples.filter((s) => s.histogram).length;
    return {
      samplesAccepted: samples.length - histograms,
      histogramsAccepted: histograms,
      exemplarsAccepted: 0,
      rejected: {},
      examples: [],
    };
  }
}
