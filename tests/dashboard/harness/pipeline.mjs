// What Grafana does with a panel's data before it is drawn: the field overrides of @grafana/data. The list of field
// options, which Grafana fills when it loads its panels, is not in any library, and is written here.
import { applyFieldOverrides, cacheFieldDisplayNames, createTheme, FieldConfigOptionsRegistry } from '@grafana/data';

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

export const themes = { dark: createTheme({ colors: { mode: 'dark' } }), light: createTheme({ colors: { mode: 'light' } }) };

/** Returns the frames of a panel as it draws them. */
export function withOptions(panel, data, theme = themes.dark, replaceVariables = (text) => text) {
  const frames = applyFieldOverrides({
    data,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: optionRegistry(panel.fieldConfig),
    replaceVariables,
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(frames); // as the panels do before they draw
  return frames;
}
