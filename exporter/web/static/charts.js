// Draws the plans of plans.js with Chart.js.

import { count, longDay, money, share, shortCount, shortDay, shortMoney } from "./format.js";
import { gaps, PLANS } from "./plans.js";

const ROLES = ["main", "second", "good", "bad", "none"];
const TILES = new Set(["active-users", "lines-total", "spend"]);
const FADED = "73"; // of a day that is not over: alpha in hexadecimal
const BAR_HEIGHT = 30;

/** Draw all charts, or draw them again. @param {Report} report @param {Record<string, string>} models colours */
export function draw(report, models) {
  const style = getComputedStyle(document.documentElement);
  const variable = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`);
  const colors = new Map(Object.entries(models));
  ROLES.forEach((role) => colors.set(role, variable(role)));
  const look = { text: variable("muted"), grid: variable("grid"), hatch: variable("hatch") };
  for (const [key, planOf] of Object.entries(PLANS)) {
    const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById(`${key}-chart`));
    const plan = planOf(report, colors);
    if (key === "models") {
      const box = /** @type {HTMLElement} */ (canvas.parentElement);
      box.style.minHeight = `${BAR_HEIGHT * report.models.length}px`;
      show(canvas, shares(report, plan, colors, look));
    } else {
      show(canvas, days(report, plan, look, TILES.has(key)));
    }
  }
}

/** @param {HTMLCanvasElement} canvas @param {Bars} made */
function show(canvas, made) {
  const chart = Chart.getChart(canvas);
  if (!chart) {
    new Chart(canvas, made);
    return;
  }
  chart.data = made.data;
  chart.options = made.options ?? {};
  chart.update("none");
}

/**
 * Return stacked bars, one for each day.
 * @param {Report} report @param {import("./plans.js").Plan} plan @param {Look} look @param {boolean} tile
 * @returns {Bars}
 */
function days(report, plan, look, tile) {
  const known = plan.series.some(({ values }) => values.some((value) => value !== null));
  const today = report.days.findIndex((day) => day.date === report.today);
  const [long, short] = plan.unit === "money" ? [money, shortMoney] : [count, shortCount];
  return {
    type: "bar",
    data: {
      labels: report.days.map((day) => day.date),
      datasets: plan.series.map(({ label, color, values }) => ({
        label,
        data: values,
        backgroundColor: values.map((_, index) => (index === today ? color + FADED : color)),
        categoryPercentage: 1,
        barPercentage: report.days.length > 45 ? 0.84 : 0.72,
        maxBarThickness: 48,
      })),
    },
    options: {
      ...common(look),
      interaction: { mode: "index", intersect: false },
      scales: {
        x: {
          display: !tile, stacked: true, grid: { display: false }, border: { color: look.grid },
          ticks: {
            color: look.text,
            maxRotation: 0,
            autoSkipPadding: 16,
            callback: (_, index) => shortDay(report.days[index].date),
          },
        },
        y: {
          display: !tile, stacked: true, grid: { color: look.grid }, border: { display: false },
          ticks: {
            color: look.text,
            display: known,
            maxTicksLimit: 6,
            precision: plan.unit === "count" ? 0 : undefined,
            callback: (value) => short(Number(value)),
          },
        },
      },
      plugins: {
        legend: { display: false },
        notRead: { places: gaps(plan), color: look.hatch },
        tooltip: {
          filter: (item) => plan.series.length === 1 || item.raw !== 0,
          callbacks: {
            title: ([item]) => longDay(item.label) + (item.dataIndex === today ? ", not over yet" : ""),
            label: (item) => `${item.dataset.label}: ${long(Math.abs(Number(item.raw)))}`,
            footer: (items) => {
              const values = items.map((item) => Number(item.raw));
              return isSum(values) ? `Total: ${long(values.reduce((sum, value) => sum + value, 0))}` : "";
            },
          },
        },
      },
    },
  };
}

/**
 * Return a bar for each model, with its share.
 * @param {Report} report @param {import("./plans.js").Plan} plan @param {Map<string, string>} colors @param {Look} look
 * @returns {Bars}
 */
function shares(report, plan, colors, look) {
  const [{ label, values }] = plan.series;
  return {
    type: "bar",
    data: {
      labels: report.models.map((model) => model.model),
      datasets: [{
        label,
        data: values,
        backgroundColor: report.models.map((model) => colors.get(model.model)),
        maxBarThickness: 22,
      }],
    },
    options: {
      ...common(look),
      indexAxis: "y",
      scales: {
        x: {
          display: report.models.length > 0,
          grid: { color: look.grid },
          border: { display: false },
          ticks: { color: look.text, maxTicksLimit: 4, maxRotation: 0, callback: (value) => shortMoney(Number(value)) },
        },
        y: {
          grid: { display: false },
          border: { color: look.grid },
          ticks: {
            color: look.text,
            autoSkip: false,
            callback: (_, index) => [report.models[index].model, share(report.models[index].share)],
          },
        },
      },
      plugins: {
        legend: { display: false },
        notRead: { places: [], color: look.hatch },
        tooltip: {
          callbacks: {
            label: ({ raw, dataIndex: at }) => `${money(Number(raw))}, ${share(report.models[at].share)} of the bill`,
          },
        },
      },
    },
  };
}

/** Return whether the sum of numbers means something: not of lines added and removed. @param {number[]} values */
const isSum = (values) => values.length > 1 && values.every((value) => value >= 0);

/** @typedef {{text: string, grid: string, hatch: string}} Look */

/** @param {Look} look */
const common = (look) => ({
  animation: /** @type {false} */ (false),
  responsive: true,
  maintainAspectRatio: false,
  color: look.text,
  font: { family: "system-ui, sans-serif", size: 12 },
});

/** Hatches the days that were not read. */
const notRead = {
  id: "notRead",
  /** @param {ChartOnCanvas} chart @param {unknown} _ @param {any} options */
  beforeDatasetsDraw({ ctx, chartArea: area, scales }, _, { places, color }) {
    const width = (area.right - area.left) / Math.max(1, scales.x.ticks.length && scales.x.max - scales.x.min + 1);
    ctx.save();
    ctx.beginPath();
    for (const place of places) {
      ctx.rect(scales.x.getPixelForValue(place) - width / 2, area.top, width, area.bottom - area.top);
    }
    ctx.clip();
    ctx.beginPath();
    const height = area.bottom - area.top;
    for (let x = area.left - height; places.length && x < area.right; x += 8) {
      ctx.moveTo(x, area.bottom);
      ctx.lineTo(x + height, area.top);
    }
    ctx.strokeStyle = color;
    ctx.lineWidth = 1;
    ctx.stroke();
    ctx.restore();
  },
};
Chart.register(notRead);
