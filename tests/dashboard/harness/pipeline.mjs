// What Grafana does between the answer of Prometheus and a drawn panel, done by Grafana's own libraries: the table
// conversion of @grafana/prometheus, the transformations and the field overrides of @grafana/data.
//
// Two steps of a Grafana server are not in any library, and are written here:
// - vectorToFrames and matrixToFrames: the data source's back end, which turns each series of an answer into a frame;
// - optionRegistry: the list of field options, which Grafana fills when it loads its panels.
import './globals.mjs';
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  createTheme,
  FieldConfigOptionsRegistry,
  FieldType,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';
import { transformV2 } from '../node_modules/@grafana/prometheus/dist/esm/result_transformer.mjs';

const transformers = [...new Map(Object.values(standardTransformers).map((t) => [t.id, t])).values()];
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

export const KNOWN_TRANSFORMATIONS = transformers.map((t) => t.id);

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
  if (!result.length) {
    return [{ refId: target.refId, meta: { custom: { resultType } }, fields: [], length: 0 }];
  }
  return result.map((series) =>
    resultType === 'vector'
      ? seriesToFrame(target, series.metric, [series.value], 'numeric-multi')
      : seriesToFrame(target, series.metric, series.values, 'timeseries-multi')
  );
}

const STANDARD = 'unit decimals min max displayName color thresholds mappings noValue links description filterable';

function optionRegistry({ defaults = {}, overrides = [] }) {
  const paths = new Set(STANDARD.split(' '));
  Object.keys(defaults.custom ?? {}).forEach((key) => paths.add(`custom.${key}`));
  overrides.forEach(({ properties }) => properties.forEach(({ id }) => paths.add(id)));
  const registry = new FieldConfigOptionsRegistry();
  for (const id of paths) {
    registry.register({
      id,
      name: id,
      path: id.replace(/^custom\./, ''),
      isCustom: id.startsWith('custom.'),
      process: (value) => value,
      shouldApply: () => true,
      override: () => null,
      editor: () => null,
      getItemsCount: () => 0,
      settings: {},
    });
  }
  return registry;
}

export const theme = createTheme({ colors: { mode: 'dark' } });

/** Returns the frames of a panel. `answers`: for each refId the `data` of Prometheus's answer. */
export async function framesOf(panel, answers, timeZone) {
  const known = new Set(KNOWN_TRANSFORMATIONS);
  for (const { id } of panel.transformations) {
    if (!known.has(id)) throw new Error(`no such transformation: ${id}`);
  }
  const data = panel.targets.flatMap((target) => answerToFrames(target, answers[target.refId]));
  const tables = transformV2({ data }, { targets: panel.targets, app: 'dashboard' }, {}).data;
  const context = { interpolate: (text) => text };
  const transformed = await firstValueFrom(transformDataFrame(panel.transformations, tables, context));
  const frames = applyFieldOverrides({
    data: transformed,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: optionRegistry(panel.fieldConfig),
    replaceVariables: (text) => text,
    theme,
    timeZone,
  });
  cacheFieldDisplayNames(frames); // as the panels do before they draw
  return frames;
}
