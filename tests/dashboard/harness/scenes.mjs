// Loads the dashboard's JSON as a Grafana server does, with @grafana/scenes: variables, queries and transformations.
import './dom.mjs';
import { DataFrameView, getDefaultTimeRange, LoadingState, standardTransformers, standardTransformersRegistry } from '@grafana/data';
import { setRunRequest, setTemplateSrv } from '@grafana/runtime';
import {
  dataLayers,
  DataSourceVariable,
  QueryVariable,
  SceneDataNode,
  SceneDataTransformer,
  sceneGraph,
  SceneObjectBase,
  SceneQueryRunner,
  SceneTimeRange,
  SceneVariableSet,
} from '@grafana/scenes';
import { catchError, from, map, of } from 'rxjs';
import { serve } from './datasource.mjs';

const transformers = [...new Map(Object.values(standardTransformers).map((t) => [t.id, t])).values()];
export const KNOWN_TRANSFORMATIONS = transformers.map((t) => t.id);
standardTransformersRegistry.setInit(() =>
  transformers.map((t) => ({
    id: t.id,
    name: t.name,
    description: t.description,
    transformation: () => t,
    editor: () => null,
    imageDark: '',
    imageLight: '',
  }))
);

// Grafana's core gives these two to its libraries.
setTemplateSrv({
  replace: (text, scopedVars, format) => {
    const object = scopedVars?.__sceneObject?.value.valueOf();
    return object ? sceneGraph.interpolate(object, text, scopedVars, format) : text;
  },
  getVariables: () => [],
});
setRunRequest((source, request, query) =>
  from(query ? query(request) : source.query(request)).pipe(
    map(({ data }) => ({ state: LoadingState.Done, series: data, timeRange: request.range, request })),
    catchError((error) => of({ state: LoadingState.Error, series: [], timeRange: request.range, request, error, errors: [error] }))
  )
);

function sceneVariable({ type, name, label, current, multi, query, choice, ...rest }) {
  const { value, text } = choice ? { value: choice, text: choice } : current;
  const common = { name, label, value, text, isMulti: multi, includeAll: rest.includeAll, defaultToAll: rest.includeAll };
  if (type === 'datasource') {
    return new DataSourceVariable({ ...common, pluginId: query, regex: rest.regex, defaultOptionEnabled: value === 'default' });
  }
  const { datasource, regex, sort, refresh, allValue } = rest;
  return new QueryVariable({ ...common, query, datasource, regex, sort, refresh, allValue });
}

function scenePanel({ datasource, targets, transformations }) {
  const unknown = transformations.filter(({ id }) => !KNOWN_TRANSFORMATIONS.includes(id)); // Grafana skips these silently
  if (unknown.length) return new SceneObjectBase({ $data: new SceneDataNode({ data: failed(`no such transformation: ${unknown[0].id}`) }) });
  const queries = new SceneQueryRunner({ datasource, queries: targets, maxDataPoints: 1000 });
  return new SceneObjectBase({ $data: new SceneDataTransformer({ $data: queries, transformations }) });
}

const failed = (message) => ({ state: LoadingState.Error, series: [], timeRange: getDefaultTimeRange(), errors: [{ message }] });
const settled = (data) => [LoadingState.Done, LoadingState.Error].includes(data?.state);

async function waitUntil(condition, seconds = 120) {
  const end = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('the dashboard does not load');
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}

class Dashboard extends SceneObjectBase {}

/** Returns {from, to, variables, panels, events}: what a browser has of the dashboard in a range, with some variables chosen. */
export async function loaded(url, dashboard, panels, { from: start, to: end, choices = {} }) {
  serve(url);
  const list = dashboard.templating.list.map((one) => sceneVariable({ ...one, choice: choices[one.name] }));
  const children = panels.map(scenePanel);
  const ours = (dashboard.annotations?.list ?? []).filter(({ expr }) => expr);
  const layers = ours.map((query) => new dataLayers.AnnotationsDataLayer({ name: query.name, query: { ...query } }));
  const scene = new Dashboard({
    $timeRange: new SceneTimeRange({ from: start, to: end, timeZone: 'utc', weekStart: 'monday' }),
    $variables: new SceneVariableSet({ variables: list }),
    children,
    layers,
  });
  const stop = [scene, ...children, ...layers].map((object) => object.activate());
  const data = () => [...children.map(({ state }) => state.$data.state.data), ...layers.map(({ state }) => state.data)];
  await waitUntil(() => data().every(settled));
  const range = sceneGraph.getTimeRange(scene).state.value;
  const result = {
    from: range.from.valueOf(),
    to: range.to.valueOf(),
    variables: Object.fromEntries(
      list.map((one) => [one.state.name, { value: one.state.value, options: (one.state.options ?? []).map((o) => o.value), error: one.state.error }])
    ),
    panels: children.map(({ state }) => state.$data.state.data),
    events: layers.flatMap(({ state }) => state.data.series.flatMap((frame) => new DataFrameView(frame).toArray())),
  };
  stop.forEach((deactivate) => deactivate());
  return result;
}
