"""Any rows survive the way through JSON, and no bytes do more harm than an `ApiShapeChanged`."""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import wire
from exporter.api import refusals as answers
from exporter.errors import ApiShapeChanged
from exporter.exposition.encoder import Pieces
from exporter.model import Actor, CostRow, ModelUse, ToolUse, UsageRow
from exporter.reports.sums import by_actor, cost_sums, day_sums
from exporter.snapshot import cost_samples, day_samples
from tests.contract.samples import NOT_READ, body
from tests.property.strategies import NOW, TODAY, cost_days, cost_page, day, text, usage_days, usage_page

SAMPLE_DAY = date(2026, 11, 20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PAGES = ["claude_code_2026-11-20_page1", "claude_code_hostile_forward_compat", "cost_report_grouped_page1"]
PARSED = [json.loads(body(name)) for name in [*PAGES, "workspaces_list", "organizations_me"]]
READERS: list[Callable[[bytes], object]] = [
    lambda page: _usage_page(wire.claude_code(page, SAMPLE_DAY).rows),
    lambda page: [_bill_page(rows) for rows in wire.cost(page).days.values()],
    wire.organization,
    wire.workspaces,
]


def _usage_page(rows: list[UsageRow]) -> bytes:
    """Return the page of what was read: what can not be shown should not have been taken."""
    pieces = Pieces()
    pieces.put("x", day_samples(SAMPLE_DAY, day_sums(by_actor(rows))))
    return pieces.page().body


def _bill_page(rows: list[CostRow] | ApiShapeChanged) -> bytes:
    """Return the page of what was read, empty for a day that was refused."""
    pieces = Pieces()
    pieces.put("x", {} if isinstance(rows, ApiShapeChanged) else cost_samples(SAMPLE_DAY, cost_sums(rows)))
    return pieces.page().body


def harmless(page: bytes) -> None:
    """Read a body as each report; raise where that ends in another error than the one that is foreseen."""
    for read in READERS:
        with suppress(ApiShapeChanged):
            read(page)


@given(usage_days)
def test_usage_rows_come_back_from_their_page(rows: list[UsageRow]) -> None:
    """Every digit, every count, every character of every name."""
    page = wire.claude_code(usage_page(rows), TODAY)
    assert page.rows == rows
    assert [[str(use.cents.normalize()) for use in row.models.values()] for row in page.rows] == [
        [str(use.cents.normalize()) for use in row.models.values()] for row in rows
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_name_comes_back(name: str) -> None:
    """Of an actor, its unknown type, a tool, a model and a workspace."""
    row = UsageRow(
        Actor(f"x{name}", name), 1, 1, 1, 1, 1, {name: ToolUse(1, 1)}, {name: ModelUse(1, 1, 1, 1, Decimal(1))}
    )
    bill = CostRow(name, name, name, name, Decimal(1))
    assert wire.claude_code(usage_page([row]), TODAY).rows == [row]
    assert wire.cost(cost_page({TODAY: [bill]})).days == {TODAY: [bill]}


@given(st.dictionaries(st.integers(0, 40).map(day), cost_days, max_size=4))
def test_bills_come_back_from_their_page(days: dict[date, list[CostRow]]) -> None:
    """With null where a dimension is absent."""
    page = wire.cost(cost_page(days))
    assert page.days == days
    assert [str(row.cents) for rows in page.days.values() if isinstance(rows, list) for row in rows] == [
        str(row.cents) for rows in days.values() for row in rows
    ]


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda said: said.encode(errors="surrogatepass")))
def test_any_bytes_are_refused_and_do_no_harm(page: bytes) -> None:
    """No crash, whatever a proxy sends in the place of a page."""
    harmless(page)
    wire.error_message(page)


@given(st.sampled_from(PARSED).flatmap(lambda page: st.tuples(st.just(page), st.data())), JSON)
def test_a_page_with_one_value_changed_is_read_or_refused(page_and_data: tuple[Any, st.DataObject], value: Any) -> None:  # noqa: ANN401 - JSON
    """Somewhere in the page stands another JSON value, or nothing: it is a row that can be shown, or a refusal."""
    page, data = copy.deepcopy(page_and_data[0]), page_and_data[1]
    at = page
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(at[key], dict | list) and data.draw(st.integers(0, 5)):
            at = at[key]
            continue
        if data.draw(st.booleans()):
            at[key] = value
        else:
            del at[key]
        break
    harmless(json.dumps(page).encode())


@given(st.sampled_from([body(name) for name in [*PAGES, *NOT_READ]]), st.integers(0, 10_000), st.binary(max_size=3))
def test_a_page_with_damaged_bytes_is_read_or_refused(page: bytes, at: int, junk: bytes) -> None:
    """Bytes lost, added or changed on the way."""
    at %= len(page)
    harmless(page[:at])
    harmless(page[:at] + junk + page[at:])
    harmless(page[:at] + junk + page[at + len(junk) :])


@given(text, st.sampled_from(["amount", "num_sessions", "email_address", "date", "model", "accepted"]))
def test_no_refusal_shows_a_value(secret: str, field: str) -> None:
    """Wherever a value stands that should not be there, the message holds its place and not itself."""
    value = f"SECRET{secret}SECRET"
    page = body(PAGES[0]).decode()
    start = page.index(f'"{field}"')
    end = page.index("\n", start)
    spoiled = page[:start] + f'"{field}": {json.dumps([value])}' + ("," if page[end - 1] == "," else "") + page[end:]
    with pytest.raises(ApiShapeChanged) as caught:
        wire.claude_code(spoiled.encode(), SAMPLE_DAY)
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
    """Headers come from outside too: nothing that they say makes us ask at once, or never again."""
    error = answers.refusal(status, headers, said, key="sk-ant-admin01-x", now=NOW, with_cursor=False)
    assert error.pause is None or 1 <= error.pause <= 3600
    assert str(error).isprintable()
