// Draws the views of `window.WORK` with Grafana's own components, one below the other, each panel at its place of the
// dashboard's grid. When all is on the page, the document's title becomes `drawn`, and the body's data-ink tells for each
// view and chart the share of its pixels that were drawn upon. After a mistake the title is `failed: ...`.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { dateTime, getDisplayValueAlignmentFactors, getFieldDisplayValues, ThemeContext, toDataFrame } from '@grafana/data';
import { BarGauge, BigValue, PanelChrome, TimeSeries, useTheme2, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { themes, withOptions } from './pipeline.mjs';

const CELL_HEIGHT = 30;
const GAP = 8;
const COLUMNS = 24;
const { width, now, views } = window.WORK;
Date.now = () => now; // so that `3 hours ago` is said of the time of the drawing
const cell = (width + GAP) / COLUMNS;

function place({ x, y, w, h }, top) {
  return {
    left: x * cell,
    top: (y - top) * (CELL_HEIGHT + GAP),
    width: w * cell - GAP,
    height: h * (CELL_HEIGHT + GAP) - GAP,
  };
}

function displayValues(panel, frames, theme) {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: frames,
    timeZone: 'utc',
  });
}

function Nothing({ panel }) {
  const theme = useTheme2();
  return <div style={{ padding: 16, color: theme.colors.text.secondary }}>{panel.fieldConfig.defaults.noValue}</div>;
}

function Repeated({ panel, frames, width, height, render, itemSpacing = 8 }) {
  const theme = useTheme2();
  return (
    <VizRepeater
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      getValues={() => displayValues(panel, frames, theme)}
      source={frames}
      width={width}
      height={height}
      orientation={panel.options.orientation}
      itemSpacing={itemSpacing}
      minVizHeight={panel.options.minVizHeight}
      maxVizHeight={panel.options.maxVizHeight}
      autoGrid={false}
      renderValue={render}
    />
  );
}

function Stat({ panel, frames, width, height }) {
  const theme = useTheme2();
  const { colorMode, graphMode, justifyMode, textMode, wideLayout, text } = panel.options;
  const look = { colorMode, graphMode, justifyMode, textMode, text, disableWideLayout: !wideLayout };
  const render = ({ value, width, height, count }) => (
    <BigValue {...look} value={value.display} count={count} width={width} height={height} theme={theme} />
  );
  return <Repeated {...{ panel, frames, width, height, render }} />;
}

function Gauges({ panel, frames, width, height }) {
  const theme = useTheme2();
  const { orientation, displayMode, valueMode, namePlacement, showUnfilled } = panel.options;
  const render = ({ value, width, height, alignmentFactors }) => (
    <BarGauge
      value={value.display}
      field={value.field}
      display={value.view?.getFieldDisplayProcessor(value.colIndex)}
      width={width}
      height={height}
      itemSpacing={8}
      lcdCellWidth={8}
      theme={theme}
      {...{ orientation, displayMode, valueDisplayMode: valueMode, namePlacement, showUnfilled, alignmentFactors }}
    />
  );
  return <Repeated {...{ panel, frames, width, height, render }} />;
}

// Grafana's panel draws its annotations itself: a region is shaded, a moment is a dashed line.
function drawEvents(plot, events) {
  const { ctx, bbox } = plot;
  const x = (time) => Math.min(Math.max(plot.valToPos(time, 'x', true), bbox.left), bbox.left + bbox.width);
  ctx.save();
  for (const { time, timeEnd, color } of events) {
    ctx.fillStyle = ctx.strokeStyle = color;
    ctx.globalAlpha = 0.2;
    ctx.fillRect(x(time), bbox.top, x(timeEnd) - x(time), bbox.height);
    ctx.globalAlpha = 1;
    ctx.setLineDash([5, 5]);
    ctx.beginPath();
    ctx.moveTo(x(time), bbox.top);
    ctx.lineTo(x(time), bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function Events({ config, events }) {
  config.addHook('draw', (plot) => drawEvents(plot, events));
  return null;
}

function Chart({ panel, frames, from, to, events, width, height }) {
  const theme = useTheme2();
  const [start, end] = [dateTime(from), dateTime(to)];
  const timeRange = { from: start, to: end, raw: { from: start, to: end } };
  return (
    <TimeSeries
      frames={frames}
      structureRev={1}
      timeRange={timeRange}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options.legend}
      theme={theme}
      replaceVariables={(text) => text}
    >
      {(config) => <Events config={config} events={events} />}
    </TimeSeries>
  );
}

function Rows({ panel, frames, width, height }) {
  const { footer, showHeader, sortBy } = panel.options;
  for (const { config, state } of footer?.show ? frames[0].fields : []) {
    // As Grafana 13 changes an older dashboard's footer when it loads it.
    if (footer.fields.includes(state.displayName)) config.custom = { ...config.custom, footer: { reducers: footer.reducer } };
  }
  return <TableNG width={width} height={height} data={frames[0]} noHeader={!showHeader} initialSortBy={sortBy} />;
}

const KINDS = { stat: Stat, bargauge: Gauges, timeseries: Chart, table: Rows };

function Drawn({ panel, series, from, to, events, top }) {
  const { width, height, ...at } = place(panel.gridPos, top);
  const Kind = KINDS[panel.type];
  const frames = withOptions(panel, series.map(toDataFrame), useTheme2());
  const shown = frames.some((frame) => frame.length);
  return (
    <div style={{ position: 'absolute', ...at }} data-panel={panel.title}>
      <PanelChrome title={panel.title} width={width} height={height} >
        {(w, h) => (shown ? <Kind {...{ panel, frames, from, to, events }} width={w} height={h} /> : <Nothing panel={panel} />)}
      </PanelChrome>
    </div>
  );
}

function Heading({ panel, top }) {
  const { height, ...at } = place(panel.gridPos, top);
  return <div style={{ position: 'absolute', fontWeight: 500, lineHeight: `${height}px`, ...at }}>⌄ {panel.title}</div>;
}

function View({ name, title, subtitle, height, colours, panels }) {
  const top = Math.min(...panels.map(({ panel }) => panel.gridPos.y));
  const theme = themes[colours];
  return (
    <ThemeContext.Provider value={theme}>
      <div data-view={name} style={{ height, padding: 16, color: theme.colors.text.primary, background: theme.colors.background.canvas }}>
        <div style={{ height: 40, fontSize: 18, fontWeight: 500 }}>
          {title} <span style={{ fontSize: 14, color: theme.colors.text.secondary }}>&nbsp; {subtitle}</span>
        </div>
        <div style={{ position: 'relative', width }}>
          {panels.map((one) =>
            one.panel.type === 'row' ? (
              <Heading key={one.panel.id} panel={one.panel} top={top} />
            ) : (
              <Drawn key={one.panel.id} {...one} top={top} />
            )
          )}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

function inked(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const drawn = data.filter((alpha, index) => index % 4 === 3 && alpha > 0).length;
  return drawn / (canvas.width * canvas.height);
}

function inkOf(view) {
  const charts = [...view.querySelectorAll('[data-panel]')].filter((panel) => panel.querySelector('canvas'));
  return Object.fromEntries(charts.map((panel) => [panel.dataset.panel, inked(panel.querySelector('canvas'))]));
}

function tellInk() {
  const drawn = [...document.querySelectorAll('[data-view]')].map((view) => [view.dataset.view, inkOf(view)]);
  document.body.dataset.ink = JSON.stringify(Object.fromEntries(drawn));
  document.title = 'drawn';
}

const failed = (error) => {
  document.title = `failed: ${error.stack ?? error}`;
};
window.addEventListener('error', (event) => failed(event.error ?? event.message));
createRoot(document.getElementById('root')).render(views.map((view) => <View key={view.name} {...view} />));
setTimeout(tellInk, 1500);
