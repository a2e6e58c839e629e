"""`/api/v1/report` and the exports equal what the organisation did, in every range and state."""

import asyncio
import csv
import io
import json
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.organization import Organization
from tests.report_oracle import Json, expected_report
from tests.support import DAY, TODAY, Api, Exporter, MovableTime, api_of
from tests.truth.test_privacy import digest

pytestmark = pytest.mark.anyio
RANGES = [(89, 0), (29, 0), (6, 0), (0, 0), (1, 1), (80, 60), (45, 1)]
"""Ages of the first and last day."""


def same(found: Any, expected: Any, path: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Return a line for each difference; numbers are compared as dollars to a millionth of a cent."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = sorted(expected.keys() | found.keys())
        return [line for key in keys for line in same(found.get(key, ...), expected.get(key, ...), f"{path}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [line for number, (one, other) in pairs for line in same(one, other, f"{path}[{number}]")]
    if isinstance(expected, float) and isinstance(found, int | float):
        return [] if found == pytest.approx(expected, abs=1e-8) else [f"{path}: {found} instead of {expected}"]
    return [] if found == expected else [f"{path}: {found} instead of {expected}"]


async def wrong(api: Api, exporter: Exporter, first: date, last: date, *models: str, **view: Any) -> list[str]:  # noqa: ANN401
    """Return the differences between a report and the truth."""
    query = f"/api/v1/report?from={first}&to={last}" + "".join(f"&model={model}" for model in models)
    response = await exporter.get(query)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json"), response.text
    expected: Json = expected_report(api.organization, api.time.now(), first, last, models, **view)
    return same(response.json(), expected)


@pytest.mark.parametrize("models", [(), ("claude-opus-5",), ("claude-opus-5", "none"), ("nobody",)])
async def test_every_range_and_filter(organization: Organization, time: MovableTime, models: tuple[str, ...]) -> None:
    """The window, 30 and 7 days, today, yesterday, and two ranges in the middle; an unknown model is not an error."""
    async with api_of(organization, time) as api, api.exporter(None) as exporter:
        await exporter.fill()
        for first, last in RANGES:
            assert await wrong(api, exporter, TODAY - first * DAY, TODAY - last * DAY, *models) == []


async def test_restated_and_restarted(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """A restated day shows in a report that was cached, and a restart changes nothing."""
    week = TODAY - 6 * DAY, TODAY
    async with api_of(few, time, exporter_window_days=20) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert await wrong(api, exporter, *week, window_days=20) == []
            few.restate(TODAY - DAY, 3)
            await exporter.scrape_later()
            assert await wrong(api, exporter, *week, window_days=20) == []
        async with api.exporter(tmp_path) as exporter:
            assert await wrong(api, exporter, *week, window_days=20) == []


@pytest.mark.parametrize("label", ["hash", "none"])
async def test_user_labels(few: Organization, time: MovableTime, tmp_path: Path, label: str) -> None:
    """Users are digests or an empty list; distinct users are right all the same."""
    settings = {"exporter_window_days": 8, "exporter_user_label": label}
    async with api_of(few, time, **settings) as api, api.exporter(tmp_path) as exporter:
        await exporter.fill()
        shown = digest((tmp_path / "user-hash.key").read_bytes()) if label == "hash" else label
        for first in (7, 2):
            view = {"window_days": 8, "user_label": shown}
            assert await wrong(api, exporter, TODAY - first * DAY, TODAY, **view) == []


async def test_more_users_than_names(few: Organization, time: MovableTime) -> None:
    """Three users keep their name, the others are one `other`; nothing is lost."""
    async with api_of(few, time, exporter_window_days=8, exporter_max_users=3) as api, api.exporter(None) as exporter:
        await exporter.fill()
        for first in (7, 2):
            assert await wrong(api, exporter, TODAY - first * DAY, TODAY, window_days=8, max_users=3) == []


async def test_what_was_not_read_is_null(few: Organization, time: MovableTime) -> None:
    """Without a single day of cost, its numbers are null and those of Claude Code are there."""
    async with api_of(few, time, exporter_window_days=4) as api, api.exporter(None) as exporter:
        api.faults.add(kind="500", path="cost_report")
        await exporter.fill()
        days = [TODAY - age * DAY for age in range(4)]
        assert await wrong(api, exporter, days[-1], TODAY, window_days=4, unread={"cost": days}) == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=2026-11-20&to=2026-11-19", "from (2026-11-20) is after to (2026-11-19)."),
        ("from=9999-12-31", "from (9999-12-31) is outside the window: choose a date from 2026-11-17 to 2026-11-20."),
        ("to=2026-11-16", "to (2026-11-16) is outside the window: choose a date from 2026-11-17 to 2026-11-20."),
        ("from=yesterday", "from is not a date: write it as 2026-11-20."),
        ("from=20261119", "from is not a date: write it as 2026-11-20."),
        ("from=", "from is not a date: write it as 2026-11-20."),
        ("to=2026-02-30", "to is not a date: write it as 2026-11-20."),
        ("from=2026-11-19&from=2026-11-19", "from is given more than once."),
    ],
)
async def test_a_bad_query_gets_one_sentence(few: Organization, time: MovableTime, query: str, sentence: str) -> None:
    """The report, the page and the files refuse it alike, with 400."""
    async with api_of(few, time, exporter_window_days=4) as api, api.exporter(None) as exporter:
        for path in ("/api/v1/report", "/", "/api/v1/export/cost.csv"):
            response = await exporter.get(f"{path}?{query}")
            assert (response.status_code, response.text) == (400, f"{sentence}\n")


@pytest.mark.parametrize("source", ["cost_report", "analytics"])
async def test_files(organization: Organization, time: MovableTime, source: str) -> None:
    """Every file equals the records of the API to the last digit, in both formats, and has the documented columns."""
    first = TODAY - 40 * DAY
    async with api_of(organization, time, exporter_cost_source=source) as api, api.exporter(None) as exporter:
        await exporter.fill()
        for name, expected in expected_files(organization, time, first).items():
            path, query = f"/api/v1/export/{name}", f"from={first}&to={TODAY}"
            table = list(csv.DictReader(io.StringIO((await exporter.get(f"{path}.csv?{query}")).text)))
            lines = (await exporter.get(f"{path}.jsonl?{query}")).text.splitlines()
            objects = [json.loads(line, parse_float=Decimal) for line in lines]
            assert [normal(row) for row in table] == [normal(row) for row in objects]
            assert sorted(map(normal, table)) == sorted(map(normal, expected)), name
            assert list(table[0]) == list(objects[0]) == list(expected[0])


async def test_files_without_users(few: Organization, time: MovableTime) -> None:
    """With EXPORTER_USER_LABEL=none the files that name users have a header only."""
    settings = {"exporter_window_days": 4, "exporter_user_label": "none"}
    async with api_of(few, time, **settings) as api, api.exporter(None) as exporter:
        await exporter.fill()
        assert len((await exporter.get("/api/v1/export/cost.csv")).text.splitlines()) > 1
        for name in ("usage", "users"):
            assert len((await exporter.get(f"/api/v1/export/{name}.csv")).text.splitlines()) == 1
            assert (await exporter.get(f"/api/v1/export/{name}.jsonl")).text == ""


@pytest.mark.parametrize("path", ["cost.xls", "sales.csv", "cost", "cost.csv.jsonl"])
async def test_an_unknown_file(few: Organization, time: MovableTime, path: str) -> None:
    """It is not found."""
    async with api_of(few, time, exporter_window_days=2) as api, api.exporter(None) as exporter:
        assert (await exporter.get(f"/api/v1/export/{path}")).status_code == 404


def normal(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a row as text, numbers without trailing zeros."""
    return tuple(
        format(Decimal(str(cell)).normalize(), "f") if column.endswith("_usd") else str(cell)
        for column, cell in row.items()
    )


async def test_many_odd_ranges_at_once(few: Organization, time: MovableTime) -> None:
    """Few are cached and few wait; the others get 503 at once, and the next request works."""
    async with api_of(few, time, exporter_window_days=30) as api, api.exporter(None) as exporter:
        await exporter.fill()
        days = [TODAY - age * DAY for age in range(29, -1, -1)]
        ranges = [(first, last) for first in days for last in days if first <= last]
        responses = await asyncio.gather(
            *(exporter.get(f"/api/v1/report?from={first}&to={last}&model=nobody") for first, last in ranges)
        )
        codes = Counter(response.status_code for response in responses)
        assert codes.keys() == {200, 503}
        assert codes[200] < 100
        assert await wrong(api, exporter, *ranges[-1], window_days=30) == []


COUNTS = (
    *("sessions", "lines_added", "lines_removed", "commits", "pull_requests", "accepted", "rejected"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "estimated_cost_usd"),
)


def expected_files(organization: Organization, time: MovableTime, first: date) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each file from the API's records, in the order of the columns."""
    names = {space["id"]: space["name"] for space in organization.workspaces(include_archived=True)}
    cost: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    usage: defaultdict[tuple[str, str, date], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(COUNTS, Decimal()))
    day = first
    while day <= TODAY:
        for result in organization.cost_results(day, time.now()):
            space = result["workspace_id"] or "default"
            name = "default" if space == "default" else names[space]
            key = day, space, name, *(result[field] or "none" for field in ("model", "cost_type", "token_type"))
            cost[key] += Decimal(result["amount"]) / 100
        for record in organization.claude_code_records(day, time.now()):
            kind, name = list(record["actor"].values())[:2]
            add(usage[name, {"user_actor": "user", "api_actor": "api_key"}[kind], day], record)
        day += DAY
    users: defaultdict[tuple[str, str], list[tuple[date, dict[str, Any]]]] = defaultdict(list)
    for (name, kind, day), sums in usage.items():
        users[name, kind].append((day, sums))
    columns = ("date", "workspace_id", "workspace_name", "model", "cost_type", "token_type", "cost_usd")
    return {
        "cost": [dict(zip(columns, (*key, usd), strict=True)) for key, usd in cost.items()],
        "usage": [{"date": day, "user": name, "actor_type": kind, **sums} for (name, kind, day), sums in usage.items()],
        "users": [
            {
                "user": name,
                "actor_type": kind,
                **{column: sum(sums[column] for _, sums in days) for column in COUNTS},
                "active_days": len(days),
                "last_active": max(day for day, _ in days),
            }
            for (name, kind), days in users.items()
        ],
    }


def add(sums: dict[str, Any], record: Any) -> None:  # noqa: ANN401 - JSON
    """Add a record to a user's day."""
    core = record["core_metrics"]
    more = {
        "sessions": core["num_sessions"],
        "lines_added": core["lines_of_code"]["added"],
        "lines_removed": core["lines_of_code"]["removed"],
        "commits": core["commits_by_claude_code"],
        "pull_requests": core["pull_requests_by_claude_code"],
        "accepted": sum(tool["accepted"] for tool in record["tool_actions"].values()),
        "rejected": sum(tool["rejected"] for tool in record["tool_actions"].values()),
        "estimated_cost_usd": sum(
            (Decimal(str(model["estimated_cost"]["amount"])) / 100 for model in record["model_breakdown"]), Decimal()
        ),
    }
    for kind in ("input", "output", "cache_read", "cache_creation"):
        more[f"{kind}_tokens"] = sum(model["tokens"][kind] for model in record["model_breakdown"])
    for column, value in more.items():
        sums[column] += value
