"""Any records are read exactly, and no bytes do more harm than an `ApiShapeChanged`."""

import copy
import json
import re
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from exporter.api import refusals
from exporter.api.bodies import Decoder
from exporter.errors import ApiShapeChanged
from exporter.exposition.pieces import Pieces
from exporter.model import Window
from exporter.reports import claude_code, cost, families, messages
from exporter.reports.directory import _decode_organization, _decode_page
from exporter.reports.names import Names
from exporter.reports.report import Report
from exporter.reports.usage_rows import Actor
from tests.bodies import TODAY, Number, cost_rows, message_rows, model, record, result, usage_page, usage_rows
from tests.contract.samples import NOT_READ, body
from tests.property.strategies import (
    cost_bodies,
    cost_days,
    messages_bodies,
    messages_days,
    text,
    usage_bodies,
    usage_days,
)

Json = dict[str, Any]
DAY = date(2026, 11, 20)
REPORTS: list[Report[Any]] = [claude_code.report(), cost.report(), messages.report()]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PAGES = [
    "claude_code_2026-11-20_page1",
    "claude_code_hostile_forward_compat",
    "cost_report_grouped_page1",
    "usage_messages_grouped_1d",
]
PARSED = [json.loads(body(name)) for name in [*PAGES, "workspaces_list", "organizations_me"]]
MESSAGES_COUNTS = (
    "uncached_input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "web_search_requests",
)
FIELDS = ["amount", "currency", "num_sessions", "email_address", "type", "date", "model", "accepted", "tool_actions"]
DECODERS: list[Decoder[Any]] = [_decode_organization, _decode_page]


def shown(report: Report[Any], rows: list[Any]) -> bytes:
    """Return the page of what was read: what cannot be stored and shown should have been refused."""
    view, pieces = report.view(), Pieces(families(REPORTS, ()))
    view.replace(DAY, (), report.unpack(report.pack(rows)))
    pieces.change("x", view.changes(Window(DAY, 1), {DAY}))
    return pieces.page().body


def harmless(content: bytes) -> None:
    """Read a body as each report and listing; raise where that ends in another error than the one that is foreseen."""
    for report, span in zip(REPORTS, [(DAY, DAY), *[(date.min, date.max)] * 2], strict=True):
        with suppress(ApiShapeChanged):
            for rows in report.source.read([content], *span).values():
                if isinstance(rows, list):
                    shown(report, rows)
    for decode in DECODERS:
        with suppress(ApiShapeChanged):
            decode(content)
    refusals.error_message(content)


def oracle(records: list[Json]) -> dict[tuple[Any, ...], Fraction | int]:
    """Return the sums of records by actor and field, counted from the JSON alone."""
    sums: dict[tuple[Any, ...], Any] = Counter()
    for one in records:
        kind, name = one["actor"].values()
        actor = {"user_actor": "user", "api_actor": "api_key", "": "none"}.get(kind, kind), name or "none"
        core = one["core_metrics"]
        sums[*actor] += 1
        for field in ("num_sessions", "commits_by_claude_code", "pull_requests_by_claude_code"):
            sums[*actor, field] += core[field]
        for change in ("added", "removed"):
            sums[*actor, change] += core["lines_of_code"][change]
        for tool, actions in one["tool_actions"].items():
            for action, count in actions.items():
                sums[*actor, "tool", tool or "none", action] += count
        for entry in one["model_breakdown"]:
            used = (*actor, "model", entry["model"] or "none")
            sums[*used, "cents"] += Fraction(entry["estimated_cost"]["amount"].strip(Number.MARK))
            for kind, count in entry["tokens"].items():
                sums[*used, kind] += count
    return {key: value for key, value in sums.items() if len(key) > 2}


@given(usage_bodies, st.randoms())
def test_rows_are_the_sums_of_the_records_of_each_actor(records: list[Json], random: Any) -> None:  # noqa: ANN401
    """Every digit, count and name, whichever order and page they come in; each actor, tool and model once, sorted."""
    rows = usage_rows(*records)
    found: dict[tuple[Any, ...], Any] = {}
    for row in rows:
        core = ("num_sessions", row.sessions), ("added", row.lines_added), ("removed", row.lines_removed)
        more = ("commits_by_claude_code", row.commits), ("pull_requests_by_claude_code", row.pull_requests)
        found |= {(*row.actor, field): count for field, count in (*core, *more)}
        for tool in row.tools:
            counts = {"accepted": tool.accepted, "rejected": tool.rejected}
            found |= {(*row.actor, "tool", tool.name, action): count for action, count in counts.items()}
        for used in row.models:
            kinds = ("input", "output", "cache_read", "cache_creation")
            counts = {"cents": Fraction(used.cents)} | {kind: getattr(used, kind) for kind in kinds}
            found |= {(*row.actor, "model", used.name, kind): count for kind, count in counts.items()}
        for entries in (row.tools, row.models):
            assert [entry.name for entry in entries] == sorted({entry.name for entry in entries})
    assert found == oracle(records)
    assert [row.actor for row in rows] == sorted({row.actor for row in rows})
    random.shuffle(records)
    pages = [usage_page(TODAY, *records[:1]), usage_page(TODAY, *records[1:])]
    assert claude_code.report().source.read(pages, TODAY, TODAY) == {TODAY: rows}


@given(cost_bodies)
def test_bills_are_read_digit_by_digit(results: list[Json]) -> None:
    """With `none` where a dimension is null or empty, and `default` for the workspace."""
    expected = Counter(
        (
            one["workspace_id"] or "default",
            *(one[field] or "none" for field in ("model", "cost_type", "token_type")),
            one["amount"],
        )
        for one in results
    )
    assert Counter((*to_builtins(row)[:4], f"{row.cents:f}") for row in cost_rows(*results)) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_name_comes_back(name: str) -> None:
    """Of an actor, its unknown type, a tool, a model and a workspace."""
    (row,) = usage_rows(record(Actor(f"x{name}", name), tools={name: (1, 1)}, models=[model(name=name)]))
    assert (row.actor, row.tools[0].name, row.models[0].name) == (Actor(f"x{name}", name), name, name)
    (bill,) = cost_rows(result(workspace_id=name, model=name, cost_type=name, token_type=name))
    assert {bill.workspace_id, bill.model, bill.cost_type, bill.token_type} == {name}


@given(messages_bodies)
def test_messages_are_added_up_exactly(results: list[Json]) -> None:
    """The results of one key, workspace, model and tier, whatever they are called."""
    expected: Counter[Any] = Counter()
    for one in results:
        named = (one["api_key_id"] or "none", one["workspace_id"] or "default", one["model"] or "none")
        flat = one | one["cache_creation"] | one["server_tool_use"]
        for place, field in enumerate(MESSAGES_COUNTS):
            expected[*named, one["service_tier"] or "none", place] += flat[field]
    found = {
        (row.api_key_id, row.workspace_id, row.model, row.service_tier, place): count
        for row in message_rows(*results)
        for place, count in enumerate((*row.tokens, row.web_searches))
    }
    assert found == expected


@given(usage_days, cost_days, messages_days)
def test_stored_rows_come_back(usage: list[Any], bills: list[Any], tokens: list[Any]) -> None:
    """Every digit, count and character."""
    for report, rows in zip(REPORTS, (usage, bills, tokens), strict=True):
        assert repr(report.unpack(report.pack(rows))) == repr(rows)


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda said: said.encode(errors="surrogatepass")))
def test_any_bytes_are_refused_and_do_no_harm(content: bytes) -> None:
    """No crash, whatever a proxy sends in the place of a page."""
    harmless(content)
    for report in REPORTS:
        with suppress(ValueError):
            report.unpack(content)


@given(st.sampled_from(PARSED), st.data(), JSON)
def test_a_page_with_one_value_changed_is_read_or_refused(parsed: Any, data: st.DataObject, value: Any) -> None:  # noqa: ANN401 - JSON
    """Somewhere in the page is another JSON value, or nothing: it is a row that can be shown, or a refusal."""
    at = changed = copy.deepcopy(parsed)
    while keys := list(at) if isinstance(at, dict) else list(range(len(at))):
        key = data.draw(st.sampled_from(keys))
        if isinstance(at[key], dict | list) and data.draw(st.integers(0, 5)):
            at = at[key]
            continue
        if data.draw(st.booleans()):
            at[key] = value
        else:
            del at[key]
        break
    harmless(json.dumps(changed).encode())


@given(st.sampled_from([body(name) for name in [*PAGES, *NOT_READ]]), st.integers(0, 10_000), st.binary(max_size=3))
def test_a_page_with_damaged_bytes_is_read_or_refused(content: bytes, at: int, junk: bytes) -> None:
    """Bytes lost, added or changed on the way."""
    at %= len(content)
    harmless(content[:at])
    harmless(content[:at] + junk + content[at:])
    harmless(content[:at] + junk + content[at + len(junk) :])


@given(
    text,
    st.sampled_from(
        [
            *[
                "amount",
                "currency",
                "num_sessions",
                "email_address",
                "type",
                "date",
                "model",
                "accepted",
                "tokens",
                "tool_actions",
            ]
        ]
    ),
)
def test_no_refusal_shows_a_value_or_a_key(secret: str, field: str) -> None:
    """Wherever a value is that should not be there, the message holds its place and not itself."""
    secret = f"SECRET{secret}SECRET"
    content = body(PAGES[0]).decode()
    start = re.search(rf'"{field}": ', content)
    assert start
    _, end = json.JSONDecoder().raw_decode(content, start.end())
    for value in ([secret], {secret: {secret: [secret]}}):
        spoiled = content[: start.end()] + json.dumps(value) + content[end:]
        with pytest.raises(ApiShapeChanged) as caught:
            claude_code.report().source.read([spoiled.encode()], DAY, DAY)
        assert "SECRET" not in str(caught.value)


@given(
    st.dictionaries(
        st.sampled_from(["retry-after-ms", "retry-after", "anthropic-ratelimit-requests-reset", "x-should-retry"]),
        st.text(max_size=30) | st.datetimes().map(str) | st.datetimes().map("{:%a, %d %b %Y %H:%M:%S GMT}".format),
    ),
    st.binary(max_size=50),
    st.integers(100, 599),
)
def test_any_refusal_is_an_error_with_a_bounded_pause(headers: dict[str, str], said: bytes, status: int) -> None:
    """Headers come from outside too: nothing that they say makes us retry at once, or never again."""
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    error = refusals.refusal(status, headers, said, key="sk-ant-admin01-x", now=now, with_cursor=False)
    assert error.pause is None or 1 <= error.pause <= 3600
    assert str(error).isprintable()


@given(usage_bodies)
def test_digests_keep_users_apart_and_their_numbers_together(records: list[Json]) -> None:
    """A day of digests has as many users as one of names, with the same numbers."""
    plain, hashed = usage_rows(*records), usage_rows(*records, names=Names(b"key"))
    assert Counter(repr(to_builtins(row)[1:]) for row in hashed) == Counter(repr(to_builtins(row)[1:]) for row in plain)
    assert {row.actor.name for row in hashed}.isdisjoint(row.actor.name for row in plain)


def test_the_pages_above_are_read_as_they_are() -> None:
    """Otherwise the tests of changed pages would prove nothing."""
    usage, bills, tokens = REPORTS
    for name, report in zip(PAGES, (usage, usage, bills, tokens), strict=True):
        first = date(2026, 11, 19) if report is bills else DAY
        (rows,) = report.source.read([body(name)], first, DAY).values()
        assert len(shown(report, rows).splitlines()) > 10  # type: ignore[arg-type]
