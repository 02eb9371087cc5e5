/** The one door to the exposition decoders: a body and its format in, columns out. Holds one parser of each kind. */
import type {
  Exposition,
  ExpositionFormat,
  ExpositionParser,
  ParseExpositionOptions,
  SeriesMemory,
} from '../../model/exposition.ts';
import { ProtobufParser } from './protobuf-parser.ts';
import type { RawSeriesMemory } from './series-memory.ts';
import { TextParser } from './text-parser.ts';

export function createExpositionParser(): ExpositionParser {
  const text = new TextParser();
  let protobuf: ProtobufParser | undefined;
  return {
    parse(
      body: Uint8Array,
      format: ExpositionFormat,
      memory: SeriesMemory,
      options: ParseExpositionOptions = {},
    ): Exposition {
      const own = memory as RawSeriesMemory;
      if (format === 'PrometheusProto') {
        protobuf ??= new ProtobufParser();
        protobuf.parse(body, own, options.classicHistograms ?? false);
        const { columns, metadata } = protobuf;
        return {
          count: columns.count,
          ids: columns.ids,
          values: columns.values,
          timestamps: columns.timestamps,
          histograms: protobuf.histograms,
          exemplars: protobuf.exemplars,
          metadataHash: protobuf.metadataHash,
          metadata: () => metadata,
        };
      }
      text.parse(body, format === 'OpenMetricsText', own);
      const { columns } = text;
      return {
        count: columns.count,
        ids: columns.ids,
        values: columns.values,
        timestamps: columns.timestamps,
        histograms: [],
        exemplars: text.exemplars,
        metadataHash: text.metadataHash,
        metadata: () => text.metadata(),
      };
    },
  };
}
