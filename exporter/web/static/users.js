// The table of users: sorted, searched and shown a page at a time.

import { count, money } from "./format.js";

const PAGE = 25;
const table = /** @type {HTMLTableElement} */ (document.getElementById("users-table"));
const search = /** @type {HTMLInputElement} */ (document.getElementById("users-search"));
const previous = /** @type {HTMLButtonElement} */ (document.getElementById("users-previous"));
const next = /** @type {HTMLButtonElement} */ (document.getElementById("users-next"));
const status = /** @type {HTMLElement} */ (document.getElementById("users-count"));
const columns = [...table.querySelectorAll("th[data-key]")].map((heading) => ({
  heading: /** @type {HTMLElement} */ (heading),
  key: /** @type {keyof User} */ (heading.getAttribute("data-key")),
  kind: heading.getAttribute("data-kind") ?? "text",
  summed: heading.hasAttribute("data-total"),
}));
/** @typedef {typeof columns[number]} Column */

/** @type {User[]} */
let users = [];
let sorted = /** @type {Column} */ (columns.find((column) => column.key === "estimated_cost_usd"));
let descending = true;
let page = 0;

/** Show other users; sort, search and page stay. @param {User[]} fresh */
export function showUsers(fresh) {
  users = fresh;
  document.getElementById("users-tools")?.toggleAttribute("hidden", !users.length);
  document.getElementById("users-scroll")?.toggleAttribute("hidden", !users.length);
  render();
}

/** Make the table interactive. */
export function startUsers() {
  for (const column of columns) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = column.heading.textContent;
    button.addEventListener("click", () => sortBy(column));
    column.heading.replaceChildren(button);
  }
  search.addEventListener("input", () => turnTo(0));
  previous.addEventListener("click", () => turnTo(page - 1));
  next.addEventListener("click", () => turnTo(page + 1));
}

/** @param {Column} column */
function sortBy(column) {
  descending = column === sorted ? !descending : column.kind !== "text";
  sorted = column;
  turnTo(0);
}

/** @param {number} number */
function turnTo(number) {
  page = number;
  render();
}

function render() {
  const wanted = search.value.trim().toLowerCase();
  const found = users.filter((user) => user.user.toLowerCase().includes(wanted)).sort(compare);
  page = Math.max(0, Math.min(page, Math.ceil(found.length / PAGE) - 1));
  const shown = found.slice(page * PAGE, (page + 1) * PAGE);
  table.tBodies[0].replaceChildren(...shown.map((user) => row(columns.map((column) => cell(user, column)))));
  const last = row(columns.map((column) => (column.summed ? text(sum(found, column.key), column) : "")));
  last.cells[0].textContent = wanted ? "Total found" : "Total";
  table.tFoot?.replaceChildren(last);
  columns.forEach(({ heading }) => heading.removeAttribute("aria-sort"));
  sorted.heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  previous.disabled = page === 0;
  next.disabled = (page + 1) * PAGE >= found.length;
  document.getElementById("users-rest")?.remove();
  const first = page * PAGE + 1;
  const range = found.length > shown.length ? `${count(first)} to ${count(first + shown.length - 1)} of ` : "";
  status.textContent = `${range}${count(found.length)} ${wanted ? "found" : "users and API keys"}`;
}

/** Equal ones stay in the exporter's order. @param {User} left @param {User} right */
function compare(left, right) {
  const [a, b] = [left[sorted.key], right[sorted.key]];
  const order = a < b ? -1 : a > b ? 1 : 0;
  return descending ? -order : order;
}

/** @param {User[]} found @param {keyof User} key */
const sum = (found, key) => found.reduce((total, user) => total + Number(user[key]), 0);

/** @param {User} user @param {Column} column */
const cell = (user, column) => text(user[column.key], column);

/** @param {string | number} value @param {Column} column */
function text(value, column) {
  if (column.kind === "money") {
    return money(Number(value));
  }
  return column.kind === "count" ? count(Number(value)) : String(value);
}

/** @param {string[]} texts */
function row(texts) {
  const made = document.createElement("tr");
  made.append(...texts.map((content, index) => {
    const element = document.createElement(index ? "td" : "th");
    element.textContent = content;
    element.className = columns[index].kind;
    if (index === 0) {
      element.setAttribute("scope", "row");
      element.title = content; // a long name is cut
    }
    return element;
  }));
  return made;
}
