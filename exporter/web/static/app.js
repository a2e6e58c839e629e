// The page: asks for the numbers of the URL's range and models, draws them, and asks again every minute.

import { draw } from "./charts.js";
import { swap } from "./swap.js";
import { showUsers, startUsers } from "./users.js";

const EVERY = 60_000;
const EVERY_WHILE_FILLING = 4_000;
const form = /** @type {HTMLFormElement} */ (document.getElementById("controls"));
const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const message = /** @type {HTMLElement} */ (document.getElementById("message"));

/** @type {Report | undefined} */
let report;
let asked = 0;
let loadedAt = 0;
/** @type {number | undefined} */
let timer;

/** Ask for the numbers of the URL and show them; a later call takes precedence. */
async function load() {
  const call = ++asked;
  clearTimeout(timer);
  main.ariaBusy = "true";
  try {
    const query = location.search;
    const numbers = /** @type {Report} */ (JSON.parse(await get(`api/v1/report${query}`)));
    // The first time the page is as new as the numbers.
    const html = report ? await get(`./${query}`) : undefined;
    if (call !== asked) {
      return;
    }
    const preset = document.querySelector("#presets [aria-current]")?.id ?? "";
    const nextDay = report && report.today !== numbers.today;
    html && swap(html);
    report = numbers;
    const link = /** @type {HTMLAnchorElement | null} */ (document.getElementById(preset));
    if (nextDay && link && !link.ariaCurrent) {
      go(link.href); // the last 7 days are other days now
      return;
    }
    redraw();
    showUsers(report.users);
    message.hidden = true;
  } catch (error) {
    if (call !== asked) {
      return;
    }
    message.textContent = error instanceof Refused ? error.message : "Not updated: the exporter cannot be reached.";
    message.hidden = false;
  }
  main.ariaBusy = "false";
  loadedAt = Date.now();
  timer = setTimeout(refresh, interval());
}

class Refused extends Error {}

/** @param {string} url */
async function get(url) {
  const response = await fetch(url, { headers: { accept: "*/*" } });
  const body = await response.text();
  if (!response.ok) {
    throw new Refused(response.status < 500 && body.length < 500 ? body : `Not updated: HTTP ${response.status}.`);
  }
  return body;
}

function redraw() {
  report && draw(report, JSON.parse(state("colors")));
}

function refresh() {
  // A page that nobody sees waits until somebody does.
  if (!document.hidden) {
    load();
  }
}

const interval = () => (state("filling") === "true" ? EVERY_WHILE_FILLING : EVERY);

/** @param {string} name */
const state = (name) => document.getElementById("state")?.dataset[name] ?? "";

/** Show another range or other models, and put them into the URL. @param {string} href */
function go(href) {
  history.replaceState(null, "", href);
  load();
}

form.addEventListener("click", (event) => {
  const link = event.target instanceof Element && event.target.closest("a");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    go(link.href);
  }
});
form.addEventListener("change", (event) => {
  const box = event.target;
  if (box instanceof HTMLInputElement && box.name === "model") {
    const query = new URLSearchParams(location.search);
    query.delete("model");
    form.querySelectorAll("[name=model]:checked").forEach((checked) => {
      query.append("model", /** @type {HTMLInputElement} */ (checked).value);
    });
    go(query.size ? `?${query}` : "./");
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(`?${new URLSearchParams(/** @type {any} */ (new FormData(form)))}`);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && Date.now() - loadedAt >= interval()) {
    load();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
// On paper the charts are those of the light theme.
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(false));

/** @param {boolean} on */
function print(on) {
  document.documentElement.toggleAttribute("data-print", on);
  redraw();
}

startUsers();
load();
