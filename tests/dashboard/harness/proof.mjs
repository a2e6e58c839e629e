// Reads {url, now, dashboard, states: [{from, to, choices}]} as JSON, writes {known, log, states} as JSON: for each state the
// range, the variables, and of each panel its frames or its error: values as the library holds them (times in ms), and
// the text that it shows. A state to `draw` has the frames before the field options instead.
import { KNOWN_TRANSFORMATIONS, loaded } from './scenes.mjs';
import { readFileSync } from 'node:fs';
import { FieldType, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { withOptions } from './pipeline.mjs';

const shown = (field, frame, frames) => ({
  name: getFieldDisplayName(field, frame, frames),
  type: field.type,
  unit: field.config.unit,
  values: Array.from(field.values, (value) => value ?? null),
  text: Array.from(field.values, (value) => formattedValueToString(field.display(value))),
  colour: field.type === FieldType.number && field.values.length ? field.display(field.values[0]).color : undefined,
});

const plain = ({ refId, name, fields }) => ({
  refId,
  name,
  fields: fields.map(({ name, type, labels, config, values }) => ({ name, type, labels, config, values: Array.from(values) })),
});

function panelResult(panel, data, draw) {
  if (data.errors?.length) return { error: data.errors.map(({ message }) => message).join('; ') };
  if (draw) return { series: data.series.map(plain) };
  const frames = withOptions(panel, data.series);
  return { frames: frames.map((frame) => frame.fields.map((field) => shown(field, frame, frames))) };
}

const flat = (panels) => panels.flatMap((panel) => (panel.type === 'row' ? flat(panel.panels) : [panel]));

async function main() {
  const { url, now, dashboard, states } = JSON.parse(readFileSync(0, 'utf8'));
  Date.now = () => now;
  const log = [];
  console.error = console.warn = (...said) => log.push(said.join(' '));
  const panels = flat(dashboard.panels);
  const results = [];
  for (const state of states) {
    const { panels: data, events, ...rest } = await loaded(url, dashboard, panels, state);
    rest.events = events.map(({ title, time, timeEnd, color }) => ({ title, time, timeEnd, color }));
    results.push({ ...rest, panels: panels.map((panel, index) => panelResult(panel, data[index], state.draw)) });
  }
  return { known: KNOWN_TRANSFORMATIONS, states: results, log };
}

main().then(
  (result) => process.stdout.write(JSON.stringify(result), () => process.exit(0)),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  }
);
