// Numbers and days as text, as `exporter/web/wording.py` writes them.

const LOCALE = "en-US";
const HALF_A_CENT = 0.005;
// Python rounds halves to even too.
const MONEY = new Intl.NumberFormat(LOCALE, { style: "currency", currency: "USD", roundingMode: "halfEven" });
const COUNT = new Intl.NumberFormat(LOCALE);
const SHORT = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const SHORT_MONEY = new Intl.NumberFormat(LOCALE, {
  style: "currency", currency: "USD", notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 2,
});
const PARTS = new Intl.DateTimeFormat(LOCALE, {
  weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});

/** @param {number} dollars */
export const money = (dollars) => MONEY.format(Math.abs(dollars) < HALF_A_CENT ? 0 : dollars);

/** @param {number} number */
export const count = (number) => COUNT.format(number);

/** @param {number} part */
export const share = (part) => `${(100 * part).toFixed(1)}%`;

/** For an axis. @param {number} number */
export const shortCount = (number) => SHORT.format(number);

/** For an axis. @param {number} dollars */
export const shortMoney = (dollars) => SHORT_MONEY.format(dollars);

/** @param {string} date YYYY-MM-DD */
export function shortDay(date) {
  const { day, month } = parts(date);
  return `${day} ${month}`;
}

/** @param {string} date YYYY-MM-DD */
export function longDay(date) {
  const { weekday, day, month, year } = parts(date);
  return `${weekday}, ${day} ${month} ${year}`;
}

/** @param {string} date */
const parts = (date) => Object.fromEntries(
  PARTS.formatToParts(new Date(`${date}T00:00:00Z`)).map(({ type, value }) => [type, value]));
