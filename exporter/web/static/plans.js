// What each chart draws: series of numbers from the body of /api/v1/report, by the key of the section. Pure.

/** @typedef {{label: string, color: string, values: (number | null)[]}} Series */
/** @typedef {{unit: "money" | "count", series: Series[]}} Plan */
/** A role (main, second, good, bad, none) or a model to its colour. @typedef {Map<string, string>} Colors */

const ACTOR_TYPES = new Map([["user", "Users"], ["api_key", "API keys"]]);
const ACTOR_ROLES = new Map([["user", "main"], ["api_key", "second"]]);

/** @type {Record<string, (report: Report, colors: Colors) => Plan>} */
export const PLANS = {
  "active-users": (report, colors) => counts(report, colors, "active_users", [["user", "Users", "main"]]),
  "lines-total": (report, colors) => counts(report, colors, "lines_of_code", [["added", "Added", "good"]]),
  spend: (report, colors) => ({
    unit: "money",
    series: [line("Billed", colors.get("main"), report.days.map((day) => day.cost_usd && total(day.cost_usd)))],
  }),
  cost: (report, colors) => byModel(report, colors, "cost_usd", report.models.map((model) => model.model), "money"),
  models: (report, colors) => ({
    unit: "money",
    series: [line("Billed cost", colors.get("none"), report.models.map((model) => model.cost_usd))],
  }),
  lines: (report, colors) => {
    const { unit, series: [added, removed] } = counts(report, colors, "lines_of_code", [
      ["added", "Added", "good"], ["removed", "Removed", "bad"],
    ]);
    return { unit, series: [added, { ...removed, values: removed.values.map((value) => value && -value) }] };
  },
  activity: (report, colors) => {
    const others = new Set(report.days.flatMap((day) => Object.keys(day.active_users ?? {})));
    const types = new Set([...ACTOR_TYPES.keys(), ...[...others].sort()]);
    return counts(report, colors, "active_users", [...types].map(
      (type) => [type, ACTOR_TYPES.get(type) ?? type, ACTOR_ROLES.get(type) ?? "none"]));
  },
  tokens: (report, colors) => {
    const used = new Set(report.days.flatMap((day) => Object.keys(day.tokens ?? {})));
    const billed = report.models.map((model) => model.model).filter((model) => used.has(model));
    const models = new Set([...billed, ...[...used].sort()]);
    return byModel(report, colors, "tokens", [...models], "count");
  },
  actions: (report, colors) => counts(report, colors, "tool_actions", [
    ["accepted", "Accepted", "good"], ["rejected", "Rejected", "bad"],
  ]),
};

/** Return the places of the days without a number. @param {Plan} plan @returns {number[]} */
export function gaps(plan) {
  const [first] = plan.series;
  return first ? first.values.flatMap((value, index) => (value === null ? [index] : [])) : [];
}

/**
 * @param {Report} report @param {Colors} colors @param {"active_users" | "lines_of_code" | "tool_actions"} field
 * @param {string[][]} parts name in the field, label, role
 * @returns {Plan}
 */
function counts(report, colors, field, parts) {
  return {
    unit: "count",
    series: parts.map(([name, label, role]) => line(label, colors.get(role), valuesOf(report, field, name))),
  };
}

/**
 * @param {Report} report @param {Colors} colors @param {"cost_usd" | "tokens"} field
 * @param {string[]} models @param {Plan["unit"]} unit
 * @returns {Plan}
 */
function byModel(report, colors, field, models, unit) {
  // Without a model there is no bar, but there may still be days that were not read.
  const names = models.length ? models : ["none"];
  return { unit, series: names.map((model) => line(model, colors.get(model), valuesOf(report, field, model))) };
}

/**
 * Return a number of each day: null where the day was not read.
 * @param {Report} report @param {"active_users" | "lines_of_code" | "tool_actions" | "cost_usd" | "tokens"} field
 * @param {string} name
 */
function valuesOf(report, field, name) {
  return report.days.map((day) => {
    const found = day[field];
    return found && (found[name] ?? 0);
  });
}

/** @param {string} label @param {string | undefined} color @param {(number | null)[]} values @returns {Series} */
const line = (label, color, values) => ({ label, color: color ?? "#8e8e8e", values });

/** @param {Record<string, number>} amounts */
const total = (amounts) => Object.values(amounts).reduce((sum, amount) => sum + amount, 0);
