// Grafana's libraries look at a browser's globals when they are loaded; in Node, jsdom stands for the browser.
import { JSDOM } from 'jsdom';

const { window } = new JSDOM('<!doctype html><body></body>', { url: 'http://grafana.example.test/', pretendToBeVisual: true });
window.matchMedia = () => ({ matches: false, addEventListener() {}, removeEventListener() {}, addListener() {} });
window.grafanaBootData = { settings: { featureToggles: {} }, user: { timezone: 'utc', weekStart: 'monday' } };
const NAMES = 'document Node Element HTMLElement SVGElement DocumentFragment Event CustomEvent MutationObserver location history';
globalThis.window = window;
for (const name of NAMES.split(' ')) globalThis[name] ??= window[name];
globalThis.navigator ??= window.navigator;
globalThis.localStorage = globalThis.sessionStorage = window.localStorage;
for (const name of ['getComputedStyle', 'requestAnimationFrame', 'cancelAnimationFrame', 'matchMedia']) globalThis[name] = window[name];
globalThis.ResizeObserver = globalThis.IntersectionObserver = class { observe() {} disconnect() {} unobserve() {} };
Object.assign(window, { ResizeObserver, IntersectionObserver, fetch });
