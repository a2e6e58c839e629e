// Draws the panels of `window.WORK` with Grafana's own components, each at its place of the dashboard's grid.
// When all is on the page, the document's title becomes `drawn`, and the body's data-ink tells for each chart the
// share of its pixels that were drawn upon. After a mistake the title is `failed: ...`.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { dateTime, getDisplayValueAlignmentFactors, getFieldDisplayValues, ThemeContext } from '@grafana/data';
import { BarGauge, BigValue, PanelChrome, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { framesOf, theme } from './pipeline.mjs';

const CELL_HEIGHT = 30;
const GAP = 8;
const COLUMNS = 24;
const { title, subtitle, width, panels } = window.WORK;
const cell = (width + GAP) / COLUMNS;

function place({ x, y, w, h }, top) {
  return {
    left: x * cell,
    top: (y - top) * (CELL_HEIGHT + GAP),
    width: w * cell - GAP,
    height: h * (CELL_HEIGHT + GAP) - GAP,
  };
}

function displayValues(panel, frames) {
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
  return <div style={{ padding: 16, color: theme.colors.text.secondary }}>{panel.fieldConfig.defaults.noValue}</div>;
}

function Repeated({ panel, frames, width, height, render, itemSpacing = 8 }) {
  return (
    <VizRepeater
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      getValues={() => displayValues(panel, frames)}
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
  const { colorMode, graphMode, justifyMode, textMode, wideLayout, text } = panel.options;
  const look = { colorMode, graphMode, justifyMode, textMode, wideLayout, text };
  const render = ({ value, width, height, count }) => (
    <BigValue {...look} value={value.display} count={count} width={width} height={height} theme={theme} />
  );
  return <Repeated {...{ panel, frames, width, height, render }} />;
}

function Gauges({ panel, frames, width, height }) {
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

function Chart({ panel, frames, from, to, width, height }) {
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
    />
  );
}

function Rows({ panel, frames, width, height }) {
  const enablePagination = panel.options.footer?.enablePagination;
  const sort = panel.options.sortBy;
  return (
    <TableNG width={width} height={height} data={frames[0]} initialSortBy={sort} enablePagination={enablePagination} />
  );
}

const KINDS = { stat: Stat, bargauge: Gauges, timeseries: Chart, table: Rows };

function Drawn({ panel, frames, from, to, top }) {
  const { width, height, ...at } = place(panel.gridPos, top);
  const Kind = KINDS[panel.type];
  const shown = frames.some((frame) => frame.length);
  return (
    <div style={{ position: 'absolute', ...at }} data-panel={panel.title}>
      <PanelChrome title={panel.title} width={width} height={height} >
        {(w, h) => (shown ? <Kind {...{ panel, frames, from, to }} width={w} height={h} /> : <Nothing panel={panel} />)}
      </PanelChrome>
    </div>
  );
}

function Heading({ panel, top }) {
  const { height, ...at } = place(panel.gridPos, top);
  return <div style={{ position: 'absolute', fontWeight: 500, lineHeight: `${height}px`, ...at }}>⌄ {panel.title}</div>;
}

function Dashboard({ drawn }) {
  const top = Math.min(...drawn.map(({ panel }) => panel.gridPos.y));
  const key = ({ panel }) => panel.id;
  return (
    <ThemeContext.Provider value={theme}>
      <div style={{ padding: 16, color: theme.colors.text.primary, background: theme.colors.background.canvas }}>
        <div style={{ height: 40, fontSize: 18, fontWeight: 500 }}>
          {title} <span style={{ fontSize: 14, color: theme.colors.text.secondary }}>&nbsp; {subtitle}</span>
        </div>
        <div style={{ position: 'relative', width }}>
          {drawn.map((one) =>
            one.panel.type === 'row' ? (
              <Heading key={key(one)} panel={one.panel} top={top} />
            ) : (
              <Drawn key={key(one)} {...one} top={top} />
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

function tellInk() {
  const charts = [...document.querySelectorAll('[data-panel]')].filter((panel) => panel.querySelector('canvas'));
  const ink = charts.map((panel) => [panel.dataset.panel, inked(panel.querySelector('canvas'))]);
  document.body.dataset.ink = JSON.stringify(Object.fromEntries(ink));
  document.title = 'drawn';
}

async function draw() {
  const drawn = [];
  for (const { panel, answers, from, to } of panels) {
    drawn.push({ panel, from, to, frames: panel.type === 'row' ? [] : await framesOf(panel, answers, 'utc') });
  }
  createRoot(document.getElementById('root')).render(<Dashboard drawn={drawn} />);
  setTimeout(tellInk, 1500);
}

const failed = (error) => {
  document.title = `failed: ${error.stack ?? error}`;
};
window.addEventListener('error', (event) => failed(event.error ?? event.message));
draw().catch(failed);
