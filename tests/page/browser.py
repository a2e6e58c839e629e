"""Chromium with the page open, and what a test asks it. Whatever a browser complains about is kept."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Locator, Page, sync_playwright

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_VIOLATIONS = "document.addEventListener('securitypolicyviolation', e => console.error('policy:', e.violatedDirective))"
_SERIES = """() => Object.fromEntries([...document.querySelectorAll("canvas")].map((canvas) => {
    const {data, options} = Chart.getChart(canvas);
    const series = Object.fromEntries(data.datasets.map((set) => [set.label, set.data]));
    return [document.getElementById(canvas.getAttribute("aria-labelledby")).textContent,
            {labels: data.labels, series, gaps: options.plugins.notRead.places,
             colors: data.datasets.map((set) => set.backgroundColor)}];
}))"""
_TABLES = """() => Object.fromEntries([...document.querySelectorAll("section")].map((section) => [
    section.querySelector("h2").textContent,
    [...section.querySelectorAll("table")].map((table) =>
        [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent)))]))"""
_AXE = """() => axe.run({resultTypes: ["violations"]}).then(({violations}) => violations
    .filter(({impact}) => ["serious", "critical"].includes(impact))
    .map(({id, nodes}) => `${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`))"""


class Watched:
    """A page in the browser. `complaints` are console messages, errors, failed requests and requests to other hosts."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.add_init_script(_VIOLATIONS)
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        page.on("request", lambda request: self._check_host(request.url))

    def _check_host(self, url: str) -> None:
        if not url.startswith((self.url, "data:")):
            self.complaints.append(f"another host: {url}")

    def open(self, query: str = "") -> "Watched":
        """Open the page and wait until its charts are drawn."""
        self.page.goto(f"{self.url}/{query}")
        return self.drawn()

    def drawn(self) -> "Watched":
        """Wait until the numbers that were asked for are shown."""
        self.page.wait_for_selector("main[aria-busy=false]")
        return self

    def series(self) -> dict[str, Any]:
        """Return what each chart draws, by the title of its section."""
        found: dict[str, Any] = self.page.evaluate(_SERIES)
        return found

    def tables(self) -> dict[str, list[list[list[str]]]]:
        """Return the tables of each section, by its title, as rows of texts."""
        found: dict[str, list[list[list[str]]]] = self.page.evaluate(_TABLES)
        return found

    def text(self, selector: str) -> str:
        """Return the text of an element, with single spaces."""
        return " ".join(self.page.locator(selector).inner_text().split())

    def tile(self, title: str) -> str:
        """Return the text of a section's head."""
        return " ".join(self.section(title).inner_text().split())

    def section(self, title: str) -> Locator:
        """Return a section by its title."""
        return self.page.get_by_role("region", name=title, exact=True)

    def barriers(self) -> list[str]:
        """Return what axe-core finds that is serious or critical."""
        self.page.evaluate(AXE.read_text("utf-8"))
        found: list[str] = self.page.evaluate(_AXE)
        return found


def missing() -> str:
    """Return what these tests need and is not there; in CI it must be."""
    if os.environ.get("CI") or (shutil.which("chromium") and AXE.is_file()):
        return ""
    return "needs chromium, and `make tests/page/node_modules/.ready`"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*_FLAGS])
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    theme: Literal["light", "dark"] = "light",
    width: int = 1280,
    scripts: bool = True,
) -> Iterator[Watched]:
    """Yield a page of its own context; there must be nothing that the browser complains about."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, java_script_enabled=scripts
    )
    watched = Watched(context.new_page(), url)
    yield watched
    context.close()
    assert watched.complaints == [], watched.complaints
