// Reads {query, regex, answer} as JSON, writes {text, value}: the option that Grafana's Prometheus data source makes of the
// answer to a query_result() variable, and what the variable's regular expression takes from it.
import './globals.mjs';
import { readFileSync } from 'node:fs';
import { dateTime, stringToJsRegex } from '@grafana/data';
import { PrometheusMetricFindQuery } from '../node_modules/@grafana/prometheus/dist/esm/metric_find_query.mjs';

const { query, regex, answer } = JSON.parse(readFileSync(0, 'utf8'));
const asked = [];
const datasource = {
  metadataRequest: async (url, params) => {
    asked.push(params.query);
    return { data: { data: answer } };
  },
};
const range = { from: dateTime(0), to: dateTime(0) };
const [option] = await new PrometheusMetricFindQuery(datasource, query).process(range);
const [, value] = option.text.match(stringToJsRegex(regex));
process.stdout.write(JSON.stringify({ asked: asked[0], value }));
