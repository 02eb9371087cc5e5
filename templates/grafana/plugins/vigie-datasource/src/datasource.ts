/** The data source: asks Vigie through Grafana's proxy, so that no credential reaches the browser. */
import {
  createDataFrame,
  type DataQuery,
  type DataQueryRequest,
  type DataQueryResponse,
  DataSourceApi,
  type DataSourceInstanceSettings,
  FieldType,
} from '@grafana/data';
import { getBackendSrv, getTemplateSrv } from '@grafana/runtime';
import {
  bandFrames,
  type Forecast,
  type FrameData,
  forecastFrames,
  type Incident,
  incidentFrame,
  type RangeSeries,
} from './frames.ts';

export type QueryKind = 'incidents' | 'forecast' | 'band';
export interface VigieQuery extends DataQuery {
  readonly kind: QueryKind;
  /** Name of a detector; '' asks for all. */
  readonly detector?: string;
}

/** Points of a range query, as Grafana's own Prometheus source bounds them. */
const POINTS_MAX = 11_000;
const INCIDENTS_MAX = 500;

export class VigieDataSource extends DataSourceApi<VigieQuery> {
  readonly #url: string;
  override annotations = {};

  constructor(settings: DataSourceInstanceSettings) {
    super(settings);
    this.#url = settings.url ?? '';
  }

  override async query(request: DataQueryRequest<VigieQuery>): Promise<DataQueryResponse> {
    const from = request.range.from.valueOf();
    const to = request.range.to.valueOf();
    const frames = await Promise.all(
      request.targets
        .filter((t) => !t.hide)
        .map(async (t) => (await this.#frames(t, from, to, request)).map((f) => toGrafana(f, t.refId))),
    );
    return { data: frames.flat() };
  }

  override async testDatasource(): Promise<{ status: string; message: string }> {
    const answer = (await this.#get('/vigie/v1/overview', {})) as { version?: string };
    return { status: 'success', message: `Vigie ${answer.version ?? ''} answers` };
  }

  async #frames(
    query: VigieQuery,
    from: number,
    to: number,
    request: DataQueryRequest<VigieQuery>,
  ): Promise<readonly FrameData[]> {
    const detector = getTemplateSrv().replace(query.detector ?? '', request.scopedVars);
    if (query.kind === 'forecast') {
      const answer = (await this.#get('/vigie/v1/forecasts', detector ? { detector } : {})) as {
        forecasts: Forecast[];
      };
      return forecastFrames(answer.forecasts);
    }
    if (query.kind === 'band') {
      const selector = detector ? `{detector=${JSON.stringify(detector)}}` : '';
      const step = Math.max(request.intervalMs / 1_000, (to - from) / 1_000 / POINTS_MAX, 1);
      const ask = async (name: string): Promise<RangeSeries[]> => {
        const answer = (await this.#get('/api/v1/query_range', {
          query: `${name}${selector}`,
          start: String(from / 1_000),
          end: String(to / 1_000),
          step: String(step),
        })) as { data: { result: RangeSeries[] } };
        return answer.data.result;
      };
      return bandFrames(...(await Promise.all([ask('vigie_anomaly_lower'), ask('vigie_anomaly_upper')])));
    }
    const answer = (await this.#get('/vigie/v1/incidents', { limit: String(INCIDENTS_MAX) })) as {
      incidents: Incident[];
    };
    return [incidentFrame(answer.incidents, from, to)];
  }

  #get(path: string, params: Readonly<Record<string, string>>): Promise<unknown> {
    return getBackendSrv().get(this.#url + path, params);
  }
}

function toGrafana(frame: FrameData, refId: string): unknown {
  const types = { time: FieldType.time, number: FieldType.number, string: FieldType.string };
  return createDataFrame({
    refId,
    name: frame.name,
    fields: frame.fields.map(({ kind, ...field }) => ({ ...field, type: types[kind] })),
  });
}
