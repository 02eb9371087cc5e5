/**
 * The folders of the catalogue, row by row as they are promised (TP1 to TP26), and whether their content runs today.
 * A test compares this table with the tree of `templates/`, both ways.
 */
export interface TemplateFolder {
  readonly id: string;
  readonly path: string;
  readonly title: string;
  /** `built`: content and engine are there. `place`: the folder, its loader and a README that says what is missing. */
  readonly state: 'built' | 'place';
}

const folder = (id: string, path: string, title: string, state: TemplateFolder['state'] = 'built'): TemplateFolder => ({
  id,
  path,
  title,
  state,
});

export const TEMPLATE_FOLDERS: readonly TemplateFolder[] = [
  folder('TP1', 'prometheus/rules', 'alerting and recording rules with their unit tests'),
  folder('TP2', 'prometheus/dashboards', 'a dashboard per pack on Prometheus data alone'),
  folder('TP3', 'prometheus/exporters', 'exporters of our own and scrape configuration'),
  folder('TP4', 'grafana/dashboards', 'the six main dashboards'),
  folder('TP5', 'grafana/datasources', 'data sources per tenant'),
  folder('TP6', 'grafana/plugins', 'the Grafana plugin that shows incidents, forecasts and anomaly bands'),
  folder('TP7', 'alertmanager/routes', 'routing trees per tenant, severity and level'),
  folder('TP8', 'alertmanager/receivers', 'Slack, email, PagerDuty, Discord, webhook'),
  folder('TP9', 'alertmanager/templates', 'notification templates in English, French and German'),
  folder('TP10', 'jaeger/collectors', 'OpenTelemetry collector pipelines and sampling strategies'),
  folder('TP11', 'jaeger/analyzers', 'trace analysis', 'place'),
  folder('TP12', 'elasticsearch/indices', 'index templates and life-cycle policies'),
  folder('TP13', 'elasticsearch/mappings', 'field mappings with the names of the Elastic Common Schema'),
  folder('TP14', 'elasticsearch/queries', 'saved queries'),
  folder('TP15', 'ml_monitoring/model_drift', 'data, prediction and concept drift', 'place'),
  folder('TP16', 'ml_monitoring/data_quality', 'completeness, validity, freshness, schema', 'place'),
  folder('TP17', 'ml_monitoring/performance', 'model performance with delayed labels', 'place'),
  folder('TP18', 'security/intrusion_detection', 'detection rules in the Sigma format', 'place'),
  folder('TP19', 'security/compliance', 'control sets and checks', 'place'),
  folder('TP20', 'security/audit', 'audit pipelines, retention, reports', 'place'),
  folder('TP21', 'business_intelligence/kpis', 'KPI definitions and targets'),
  folder('TP22', 'business_intelligence/reports', 'scheduled reports', 'place'),
  folder('TP23', 'business_intelligence/predictive', 'KPI forecasts, churn risk, outlook', 'place'),
  folder('TP24', 'automation/remediation', 'playbooks'),
  folder('TP25', 'automation/scaling', 'scaling policies'),
  folder('TP26', 'automation/maintenance', 'maintenance windows and upkeep', 'place'),
];
