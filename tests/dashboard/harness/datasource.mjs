// A Grafana server's data source: Grafana's own Prometheus data source, whose requests go to a real Prometheus at once
// instead of through Grafana's proxy. Two steps of the server are not in any library, and are written here: the frames
// that the data source's back end makes of an answer, and the list of data sources.
import { FieldType } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';
import { from } from 'rxjs';
import { PrometheusDatasource } from '../node_modules/@grafana/prometheus/dist/esm/datasource.mjs';
import { transformV2 } from '../node_modules/@grafana/prometheus/dist/esm/result_transformer.mjs';

const stepOf = ({ from, to }) => Math.max(300, Math.ceil((to - from) / 1000 / 11000 / 60) * 60); // seconds

const named = (legend, labels) => legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');

function seriesToFrame({ refId, format, legendFormat }, labels, samples, type) {
  const displayNameFromDS = format !== 'table' && legendFormat ? named(legendFormat, labels) : undefined;
  return {
    refId,
    meta: { type, typeVersion: [0, 1], custom: { resultType: type === 'numeric-multi' ? 'vector' : 'matrix' } },
    length: samples.length,
    fields: [
      { name: 'Time', type: FieldType.time, config: {}, values: samples.map(([time]) => time * 1000) },
      {
        name: labels.__name__ ?? 'Value',
        type: FieldType.number,
        labels,
        config: displayNameFromDS ? { displayNameFromDS } : {},
        values: samples.map(([, value]) => Number(value)),
      },
    ],
  };
}

function answerToFrames(target, { resultType, result }) {
  if (target.format === 'table') result.reverse(); // a vector has no order: nothing may be right by chance
  if (!result.length) {
    return [{ refId: target.refId, meta: { custom: { resultType } }, fields: [], length: 0 }];
  }
  return result.map((series) =>
    resultType === 'vector'
      ? seriesToFrame(target, series.metric, [series.value], 'numeric-multi')
      : seriesToFrame(target, series.metric, series.values, 'timeseries-multi')
  );
}

async function asked(url, path, params) {
  const answer = await fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams(params) });
  const text = await answer.text();
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    throw new Error(`${answer.status}: ${text}`);
  }
  if (said.status !== 'success') throw new Error(said.error);
  return said;
}

export class Prometheus extends PrometheusDatasource {
  async metadataRequest(path, params) {
    return { data: await asked(this.url, path, params) };
  }

  query(request) {
    return from(this.answered(request));
  }

  async answered(request) {
    const { range, scopedVars } = request;
    const variables = { ...scopedVars, ...this.getRangeScopedVars(range) };
    const targets = request.targets.map((target) => this.applyTemplateVariables(target, variables));
    const answers = await Promise.all(targets.map((target) => this.answer(target, range)));
    const data = targets.flatMap((target, index) => answerToFrames(target, answers[index].data));
    if (!targets[0].instant) data.forEach((frame) => (frame.meta.executedQueryString = `Step: ${stepOf(range)}s`));
    return transformV2({ data }, { ...request, targets }, {});
  }

  answer({ expr, instant }, range) {
    const [start, end] = [range.from.valueOf() / 1000, range.to.valueOf() / 1000];
    if (instant) return asked(this.url, '/api/v1/query', { query: expr, time: end });
    return asked(this.url, '/api/v1/query_range', { query: expr, start, end, step: stepOf(range) });
  }
}

let source;

export function serve(url) {
  const settings = { uid: 'prometheus', name: 'Prometheus', type: 'prometheus', isDefault: true, url, jsonData: {}, meta: {} };
  source = new Prometheus(settings, getTemplateSrv());
  source.meta = { id: 'prometheus' };
}

/** What @grafana/plugin-compat asks a Grafana server for. */
export async function getDataSourceInstance(ref, scopedVars) {
  const uid = getTemplateSrv().replace(ref?.uid ?? 'default', scopedVars);
  if (uid !== 'prometheus' && uid !== 'default') throw new Error(`no data source ${uid}`);
  return source;
}
export const getDataSourceInstanceList = async () => [{ name: 'Prometheus', uid: 'prometheus', isDefault: true, meta: {} }];
export const getDefaultDataSourceInstanceListItem = async (list) => list[0];
