"""Write the dashboard's JSON, or with `--check` only tell whether the file is what would be written.

Usage: python -m grafana.generate [--check]
"""

import argparse
import json
import sys
from pathlib import Path

from grafana.dashboard import dashboard

OUTPUT = Path(__file__).parent / "dashboards" / "claude-usage.json"


def rendered() -> str:
    """Return the dashboard as text: the same bytes at each call, keys in the order of the generator."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Return the exit code: 0, or 1 when `--check` finds another file than would be written."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generate", description="Write the Grafana dashboard.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is out of date")
    text = rendered()
    if not parser.parse_args().check:
        OUTPUT.write_text(text, encoding="utf-8")
    elif not OUTPUT.is_file() or OUTPUT.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{OUTPUT.name} is out of date: run python -m grafana.generate\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
