// Takes over what a newer page says: elements with data-swap are replaced by those with the same id.

/** @param {string} html */
export function swap(html) {
  const focused = document.activeElement?.id;
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const old of document.querySelectorAll("[data-swap]")) {
    const update = fresh.getElementById(old.id);
    if (update && !update.isEqualNode(old)) {
      old.replaceWith(document.adoptNode(update));
    }
  }
  document.title = fresh.title;
  for (const id of ["from", "to"]) {
    takeDate(/** @type {HTMLInputElement} */ (document.getElementById(id)), fresh);
  }
  if (focused && document.activeElement?.id !== focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

/**
 * Take over a date and its limits, unless somebody is choosing it.
 * @param {HTMLInputElement} input @param {Document} fresh
 */
function takeDate(input, fresh) {
  const update = /** @type {HTMLInputElement | null} */ (fresh.getElementById(input.id));
  if (!update || input === document.activeElement) {
    return;
  }
  input.min = update.min;
  input.max = update.max;
  if (input.defaultValue !== update.defaultValue) {
    input.defaultValue = input.value = update.defaultValue;
  }
}
