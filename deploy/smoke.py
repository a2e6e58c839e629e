"""Check through Grafana that a viewer of the running compose stack sees the numbers. Exit code 0 if so.

The workflow `image` runs this after `docker compose up --wait`. Each check is retried for two minutes, because
Prometheus scrapes once a minute.
"""

# ruff: noqa: INP001, T201 - a script, which prints

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

GRAFANA = "http://127.0.0.1:3000"
PROMETHEUS = "/api/datasources/proxy/uid/prometheus/api/v1"
PATIENCE_SECONDS = 120
PAUSE_SECONDS = 5


def main() -> int:
    """Print each check with its result, and return the exit code."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    claims: dict[str, Callable[[], bool]] = {
        "the dashboard is there": lambda: bool(_get("/api/dashboards/uid/claude-usage")["dashboard"]["panels"]),
        "nobody may change it": lambda: _get("/api/dashboards/uid/claude-usage")["meta"]["canSave"] is False,
        "the exporter is scraped": lambda: _value("up{job=~'anthropic.*'}") == 1,
        "90 days are there": lambda: _value("count(count by (date) (anthropic_date_timestamp_seconds))") == 90,  # noqa: PLR2004
        "there is spend": lambda: _value("sum(anthropic_cost_usd)") > 0,
        "every rule works": lambda: {rule["health"] for rule in _rules()} == {"ok"},
    }
    held = [_holds(claim, deadline) for claim in claims.values()]
    for claim, outcome in zip(claims, held, strict=True):
        print(f"{'ok  ' if outcome else 'FAIL'} {claim}")
    return 0 if all(held) else 1


def _holds(claim: Callable[[], bool], deadline: float) -> bool:
    while True:
        try:
            if claim():
                return True
        except (OSError, urllib.error.HTTPError, ValueError, KeyError, IndexError) as error:
            print(f"     {error!r}", file=sys.stderr)
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)


def _get(path: str) -> Any:  # noqa: ANN401 - JSON
    with urllib.request.urlopen(GRAFANA + path, timeout=10) as answer:  # noqa: S310 - a literal http address
        return json.load(answer)


def _value(query: str) -> float:
    """Return the first value of a query, sent through Grafana's data source."""
    answer = _get(f"{PROMETHEUS}/query?query={urllib.parse.quote(query)}")
    return float(answer["data"]["result"][0]["value"][1])


def _rules() -> list[dict[str, Any]]:
    return [rule for group in _get(f"{PROMETHEUS}/rules")["data"]["groups"] for rule in group["rules"]]


if __name__ == "__main__":
    sys.exit(main())
