// Stands for @grafana/runtime, of which @grafana/prometheus takes the settings of a Grafana server, and other data sources
// for links from exemplars to traces. We have neither.
export const config = { featureToggles: {} };

export function getDataSourceSrv() {
  throw new Error('no links to other data sources here');
}
