"""Write the references that are generated from the code, or with `--check` only test whether they are up to date.

Usage: python -m docs.generate [--check]
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from exporter import catalogue
from exporter.model import Family
from exporter.settings import described

REFERENCE = Path(__file__).parent / "reference"
SECTIONS: Mapping[str, tuple[str, tuple[Family, ...]]] = {
    "Claude Code by day": (
        "A day that was read and is empty is 0 in families without open labels. A day that was not read has no series.",
        catalogue.DAILY,
    ),
    "Cost by day": ("Two splits of the same total: never add the two families.", catalogue.COST),
    "Distinct users": (
        "Each family is one number per actor type. Distinct users of several windows or days cannot be added.",
        catalogue.DISTINCT,
    ),
    "Users": (
        "Absent with `EXPORTER_USER_LABEL=none`. Users beyond `EXPORTER_MAX_USERS` are summed into the user `other`.",
        catalogue.USERS,
    ),
    "Join keys": ("For selecting dates by time, and for names of ids.", catalogue.JOINS),
    "Health of the data": ("Whether the numbers above are current and complete.", catalogue.HEALTH),
    "The exporter itself": (
        "The page also has the `process_*` and `python_*` families of prometheus-client.",
        catalogue.EXPORTER,
    ),
}


def metrics() -> str:
    """Return docs/reference/metrics.md: every family, in the order of the page."""
    lines = [
        "# Metrics",
        "",
        "Generated from `exporter/catalogue.py` by `make docs`. Dates are UTC days, amounts are US dollars. A family",
        "with the label `date` has one sample per day of the window and combination of its other labels. `actor_type`",
        "is `user`, `api_key`, or the API's own word for another kind of actor.",
    ]
    for title, (lead, families) in SECTIONS.items():
        lines += ["", f"## {title}", "", lead, "", "| family | type | labels | meaning |", "|---|---|---|---|"]
        lines += _rows((f"`{one.name}`", one.kind, _code(one.labels), one.help) for one in families)
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Return docs/reference/settings.md: every setting with its default and its meaning."""
    lines = [
        "# Settings",
        "",
        "Generated from `exporter/settings.py` by `make docs`. Settings are environment variables. A file `.env` in",
        "the working directory is also read; environment variables take precedence. An empty value means the default.",
        "Invalid values are printed, one per line, and the exporter exits with code 2. Unknown `EXPORTER_*` names are",
        "logged.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    lines += _rows(
        (f"`{name}`", _code([default] if default else []), meaning) for name, default, meaning in described()
    )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Return the exit code: 1 if `--check` finds a file that is not up to date, else 0."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description="Write docs/reference/.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")
    check: bool = parser.parse_args().check
    stale = []
    for name, text in (("metrics.md", metrics()), ("settings.md", settings())):
        path = REFERENCE / name
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        sys.stderr.write(f"docs/reference/{name} is not up to date: run python -m docs.generate\n")
    return 1 if stale else 0


def _rows(rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    sys.exit(main())
