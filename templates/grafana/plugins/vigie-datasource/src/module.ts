/** What Grafana loads. */
import { DataSourcePlugin } from '@grafana/data';
import { VigieDataSource } from './datasource.ts';
import { ConfigEditor, QueryEditor } from './editors.ts';

export const plugin = new DataSourcePlugin(VigieDataSource).setConfigEditor(ConfigEditor).setQueryEditor(QueryEditor);
