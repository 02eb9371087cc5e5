/** The little of Grafana's plugin interface that is used here; Grafana itself provides the modules at run time. */
declare module '@grafana/data' {
  export interface DataSourceInstanceSettings<J = object> {
    readonly uid: string;
    readonly name: string;
    readonly url?: string;
    readonly jsonData: J;
  }
  export interface DataQuery {
    readonly refId: string;
    readonly hide?: boolean;
  }
  export interface DateTime {
    valueOf(): number;
  }
  export interface DataQueryRequest<Q> {
    readonly targets: readonly Q[];
    readonly range: { readonly from: DateTime; readonly to: DateTime };
    readonly intervalMs: number;
    readonly maxDataPoints?: number;
    readonly scopedVars?: object;
  }
  export interface Field {
    readonly name: string;
    readonly type: string;
    readonly values: readonly unknown[];
    readonly labels?: Readonly<Record<string, string>>;
    readonly config?: object;
  }
  export interface DataFrameInput {
    readonly refId?: string;
    readonly name?: string;
    readonly fields: readonly Field[];
    readonly meta?: object;
  }
  export interface DataQueryResponse {
    readonly data: readonly unknown[];
  }
  export const FieldType: { readonly time: string; readonly number: string; readonly string: string };
  export function createDataFrame(input: DataFrameInput): unknown;
  export class DataSourceApi<Q = DataQuery> {
    constructor(settings: DataSourceInstanceSettings);
    readonly uid: string;
    annotations?: object;
    query(request: DataQueryRequest<Q>): Promise<DataQueryResponse>;
    testDatasource(): Promise<{ readonly status: string; readonly message: string }>;
  }
  export class DataSourcePlugin {
    constructor(api: unknown);
    setConfigEditor(editor: unknown): this;
    setQueryEditor(editor: unknown): this;
  }
}
declare module '@grafana/runtime' {
  export function getBackendSrv(): {
    get(url: string, params?: Readonly<Record<string, string>>): Promise<unknown>;
  };
  export function getTemplateSrv(): { replace(text: string, scopedVars?: object): string };
}
