// Reads {timeZone, panels: [{panel, answers}]} as JSON, writes {known, panels: [frames]} as JSON: values as the library
// holds them (times in ms), and the text that it shows.
import { readFileSync } from 'node:fs';
import { FieldType, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { framesOf, KNOWN_TRANSFORMATIONS } from './pipeline.mjs';

const shown = (field, frame, frames) => ({
  name: getFieldDisplayName(field, frame, frames),
  type: field.type,
  unit: field.config.unit,
  values: Array.from(field.values, (value) => value ?? null),
  text: Array.from(field.values, (value) => formattedValueToString(field.display(value))),
  colour: field.type === FieldType.number && field.values.length ? field.display(field.values[0]).color : undefined,
});

async function tried({ panel, answers }, timeZone) {
  try {
    const frames = await framesOf(panel, answers, timeZone);
    return { frames: frames.map((frame) => frame.fields.map((field) => shown(field, frame, frames))) };
  } catch (error) {
    return { error: String(error) };
  }
}

const { timeZone, panels } = JSON.parse(readFileSync(0, 'utf8'));
const results = await Promise.all(panels.map((one) => tried(one, timeZone)));
process.stdout.write(JSON.stringify({ known: KNOWN_TRANSFORMATIONS, panels: results }));
