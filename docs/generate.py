"""Write the references that are made from the code, or with `--check` only tell whether the files are up to date.

Usage: python -m docs.generate [--check]
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from exporter import reports, telemetry
from exporter.model import Family
from exporter.reports import Sources, health
from exporter.settings import described
from exporter.web.report import Report

REFERENCE = Path(__file__).parent / "reference"
LEADS: Mapping[str, str] = {
    "claude_code": "A day that was read and is empty is 0 in the families without open labels; a day that was not read "
    "has no series. The families of distinct users are one number per actor type and cannot be added. Families with a "
    "`user` are absent with `EXPORTER_USER_LABEL=none`; users beyond `EXPORTER_MAX_USERS` are summed into `other`.",
    "cost": "Several views of the same bill: never add two families. Only `EXPORTER_COST_SOURCE=analytics` knows "
    "products, list prices and API keys.",
    "claude_code_cost": "Only with `EXPORTER_COST_SOURCE=analytics`. A part of the bill by who caused it; cost by API "
    "key is another split: never add the two. An API key is shown by its name, or by its id where the name is not "
    "known; the API's null actor and deleted accounts are `none`. Absent with `EXPORTER_USER_LABEL=none`; users beyond "
    "`EXPORTER_MAX_USERS` are summed into `other`.",
    "messages": "Several views of the same tokens, of which Claude Code's are a part: never add two families. "
    "`token_type` is spelled as in `anthropic_cost_usd`, so cost divided by tokens is a price. `api_key_id` is `none` "
    "where the API names no key, as for the Workbench and OAuth. Absent when the key may not "
    "read this report. Only `EXPORTER_USAGE_SOURCE=analytics` counts requests.",
    "directory": "Joins ids to names.",
    "api_keys": "Absent when the key may not list API keys. A key of the whole organisation has `workspace_id` `none`. "
    "`api_key_name` obeys `EXPORTER_USER_LABEL`.",
    "members": "Absent when the key may not list users. `user` is in lower case, obeys `EXPORTER_USER_LABEL`, and "
    "joins with the families per user.",
}
"""What a reader must know of a report or listing, by its name."""


def sections() -> Iterator[tuple[str, str, Iterable[Family]]]:
    """Return (title, lead, families) of each section, in the order of the page."""
    for report in reports.reports(sources=Sources("analytics", "analytics")):
        yield f"Report `{report.name}`", LEADS[report.name], report.families
    yield "Dates", "Selects the families above by age.", (health.DATES,)
    for listing in reports.listings():
        yield f"Listing `{listing.name}`", LEADS[listing.name], listing.families
    yield "Health of the data", "Whether the numbers above can be trusted.", health.FAMILIES
    process = "The page also holds `process_*` and `python_*` of the process."
    yield "The exporter itself", process, telemetry.FAMILIES


def metrics() -> str:
    """Return docs/reference/metrics.md: every family, in the order of the page."""
    lines = [
        "# Metrics",
        "",
        "Generated from `exporter/reports/` by `make docs`. Dates are UTC days, money is US dollars. Families with a",
        "`date` hold one sample for each day of the window and each combination of their other labels.",
        "`actor_type` is `user`, `api_key`, or the API's own word for another kind of actor.",
    ]
    for title, lead, families in sections():
        lines += ["", f"## {title}", "", lead, "", "| family | type | labels | meaning |", "|---|---|---|---|"]
        lines += _rows((f"`{one.name}`", one.kind, _code(one.labels), one.help) for one in families)
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Return docs/reference/settings.md: every setting with its flag, its default and its meaning."""
    lines = [
        "# Settings",
        "",
        "Generated from `exporter/settings.py` by `make docs`. In order of precedence, a setting is a flag, an",
        "environment variable, or a line in a file `.env` in the working directory. Secrets have no flag: every",
        "user of the machine can read command lines. An empty value is the default.",
        "",
        "`anthropic-exporter config` prints the settings in use and where each comes from. A wrong value ends the",
        "start with exit code 2 and one line for each. A name that looks like a misspelt setting, also in `.env`, is a",
        "warning with the right name. A duration is seconds (`90`), or numbers with units, as in `90s` and `1m30s`.",
        "",
        "| setting | flag | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += _rows(
        (f"`{row.name}`", *(_code([text] if text else []) for text in (row.flag, row.default)), row.meaning)
        for row in described()
    )
    return "\n".join(lines) + "\n"


def report_schema() -> str:
    """Return docs/reference/report.schema.json: the JSON Schema of `/api/v1/report`."""
    return json.dumps(msgspec.json.schema(Report), indent=2) + "\n"


def main() -> int:
    """Return the exit code: 0, or 1 when `--check` finds another file than would be written."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description="Write docs/reference/.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    check: bool = parser.parse_args().check
    stale = []
    written = (("metrics.md", metrics()), ("settings.md", settings()), ("report.schema.json", report_schema()))
    for name, text in written:
        path = REFERENCE / name
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        sys.stderr.write(f"docs/reference/{name} is out of date: run python -m docs.generate\n")
    return 1 if stale else 0


def _rows(rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    sys.exit(main())
