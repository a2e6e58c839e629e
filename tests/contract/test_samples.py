"""Every sample payload: those that are read give these rows, the others are refused."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import astuple

from exporter.errors import ApiShapeChanged
from exporter.reports import claude_code, cost, directory, messages
from exporter.reports.usage_rows import Actor, Model, Row, Tool
from tests.contract.samples import FOLDER, NOT_READ, body

NAMES = sorted(path.stem for path in FOLDER.iterdir())
DAY = date(2026, 11, 20)
ANA = Actor("user", "ana@example.test")
BO = Actor("user", "bo@example.test")
PLATFORM = "wrkspc_01SIMaaaaaaaaaaaaaaaaaaaa"
CLAUDE_CODE = "wrkspc_01SIMbbbbbbbbbbbbbbbbbbbb"
OLD = "wrkspc_01SIMcccccccccccccccccccc"
OPUS_INPUT = cost.Row(PLATFORM, "claude-opus-5", "tokens", "uncached_input_tokens", Decimal("1237.8912"))
OPUS_OUTPUT = cost.Row(PLATFORM, "claude-opus-5", "tokens", "output_tokens", Decimal("4120.5"))
OPUS_CACHE = cost.Row("default", "claude-opus-5", "tokens", "cache_read_input_tokens", Decimal("310.02"))


def used(name: str, cents: str, *tokens: int) -> Model:
    """Return a model's use, with its tokens in the order of TOKEN_TYPES."""
    sent, received, cache_read, cache_creation = tokens
    return Model(name, sent, received, cache_read, cache_creation, Decimal(cents))


def tools(edit: tuple[int, int], write: tuple[int, int] = (0, 0), *more: Tool) -> tuple[Tool, ...]:
    """Return the four documented tools, and more."""
    edits, notebooks = Tool("edit_tool", *edit), Tool("notebook_edit_tool", 0, 0)
    return (*more, edits, Tool("multi_edit_tool", 0, 0), notebooks, Tool("write_tool", *write))


USAGE: dict[str, tuple[date, list[Row]]] = {
    "claude_code_2026-11-20_page1": (
        DAY,
        [
            Row(
                ANA,
                *(7, 948, 316, 8, 2),
                tools((38, 4), (7, 1)),
                (
                    used("claude-haiku-4-5", "9", 52100, 6400, 88000, 0),
                    used("claude-opus-5", "470", 206100, 46300, 2511600, 108300),
                    used("claude-sonnet-5", "21", 15000, 3900, 120000, 8000),
                ),
            ),
        ],
    ),
    "claude_code_2026-11-20_page2": (
        DAY,
        [
            Row(
                Actor("api_key", "ci-code-review"),
                *(37, 0, 0, 0, 0),
                tools((0, 0)),
                (used("claude-sonnet-5", "655", 910200, 70400, 4100000, 210000),),
            ),
            Row(
                BO,
                *(3, 155, 80, 2, 0),
                tools((9, 2), (1, 0)),
                (used("claude-sonnet-5", "74", 61000, 14000, 700100, 31000),),
            ),
        ],
    ),
    "claude_code_empty_day": (DAY, []),
    "claude_code_hostile_forward_compat": (
        DAY,
        [
            Row(
                Actor("api_key", 'Ünïcode "key"\nname'),
                *(1, 1, 1, 0, 0),
                tools((1, 0), (0, 0), Tool("bash_tool", 3, 1)),
                (used("claude-mythos-6-preview", "0.37", 10, 5, 0, 0),),
            ),
            Row(Actor("service_account_actor", "svac_01SIM0000000000000000000"), *(1, 0, 0, 0, 0), tools((0, 0)), ()),
        ],
    ),
    "claude_code_pre_2026-08_shape": (
        date(2025, 9, 8),
        [
            Row(
                Actor("user", "old@example.test"),
                *(5, 1543, 892, 12, 2),
                tools((45, 5)),
                (used("claude-sonnet-4-20250514", "141", 100000, 35000, 10000, 5000),),
            )
        ],
    ),
}

COST: dict[str, dict[date, list[cost.Row]]] = {
    "cost_report_grouped_page1": {
        date(2026, 11, 19): [
            OPUS_INPUT,
            OPUS_OUTPUT,
            OPUS_CACHE,
            cost.Row(
                "default",
                "claude-sonnet-5",
                "tokens",
                "cache_creation.ephemeral_5m_input_tokens",
                Decimal("88.125"),
            ),
            cost.Row(
                "default", "claude-sonnet-5", "tokens", "cache_creation.ephemeral_1h_input_tokens", Decimal("12.5")
            ),
            cost.Row(PLATFORM, "none", "web_search", "none", Decimal("230.0")),
            cost.Row("default", "none", "code_execution", "none", Decimal("45.0")),
            cost.Row(PLATFORM, "none", "session_usage", "none", Decimal("19.75")),
        ]
    },
    "cost_report_grouped_page2": {DAY: [OPUS_INPUT, OPUS_OUTPUT, OPUS_CACHE]},
    "cost_report_hostile_forward_compat": {
        DAY: [
            cost.Row(PLATFORM, "none", "adjustment_new", "none", Decimal("-50.00")),
            cost.Row("default", "claude-x", "tokens", "reasoning_tokens", Decimal("1e2")),
        ]
    },
    "cost_report_ungrouped": {
        date(2026, 11, 18): [cost.Row("default", "none", "none", "none", Decimal("15230.4471"))],
        date(2026, 11, 19): [],
        DAY: [cost.Row("default", "none", "none", "none", Decimal("20987.01"))],
    },
}


MESSAGES: dict[str, dict[date, list[messages.Row]]] = {
    "usage_messages_grouped_1d": {
        DAY: [
            messages.Row(
                *("apikey_01SIM1111111111111111111", PLATFORM, "claude-opus-5", "standard"),
                (700_000, 210_000, 5_000_000, 120_000, 0),
                10,
            ),
            messages.Row(
                *("apikey_01SIM2222222222222222222", "default", "claude-sonnet-5", "priority_on_demand"),
                (12_000, 900, 0, 0, 0),
                0,
            ),
            messages.Row("none", "default", "claude-sonnet-5", "batch", (90_000, 30_000, 0, 0, 0), 0),
        ]
    },
    "usage_messages_ungrouped_1d": {
        date(2026, 11, 19): [
            messages.Row("none", "default", "none", "none", (1_500_000, 420_000, 9_100_000, 310_000, 20_000), 23)
        ],
        DAY: [],
    },
}


def read_usage(name: str, day: date) -> Sequence[object]:
    """Return the rows of a sample."""
    return claude_code.report().source.read([body(name)], day, day)[day]  # type: ignore[return-value]


def read_cost(name: str) -> Mapping[date, Sequence[object] | ApiShapeChanged | None]:
    """Return the rows of a sample by day."""
    return cost.report().source.read([body(name)], date(2026, 11, 1), DAY)


@pytest.mark.parametrize("name", USAGE)
def test_usage_samples_give_these_rows(name: str) -> None:
    """Literal rows, one per actor."""
    day, rows = USAGE[name]
    assert read_usage(name, day) == rows


@pytest.mark.parametrize("name", COST)
def test_cost_samples_give_these_rows(name: str) -> None:
    """Literal rows by day, with the digits of the sample; an empty day is there, and is empty."""
    found = read_cost(name)
    assert found == {day: sorted(rows, key=lambda row: astuple(row)[:-1]) for day, rows in COST[name].items()}
    assert repr(found) == repr(
        {day: sorted(rows, key=lambda row: astuple(row)[:-1]) for day, rows in COST[name].items()}
    )


def read_messages(name: str) -> Mapping[date, Sequence[object] | ApiShapeChanged | None]:
    """Return the rows of a sample by day."""
    return messages.report().source.read([body(name)], date(2026, 11, 1), DAY)


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_samples_give_these_rows(name: str) -> None:
    """Literal rows by day; an empty day is there, and is empty."""
    assert read_messages(name) == MESSAGES[name]


def test_the_directory_samples_give_these_names() -> None:
    """The archived workspace too: its past cost has its name."""
    me = directory._decode_organization(body("organizations_me"))
    assert (me.id, me.name) == ("7c1f0e52-3a6b-4d0e-9f3e-2b8c55d0a911", "Sim Org")
    workspaces = directory._decode_page(body("workspaces_list")).data
    assert [(one.id, one.name) for one in workspaces] == [
        (PLATFORM, "Platform"),
        (CLAUDE_CODE, "Claude Code"),
        (OLD, "Old"),
    ]


@pytest.mark.parametrize("name", NOT_READ)
def test_no_row_is_taken_from_another_report(name: str) -> None:
    """Our readers refuse it. A list that is empty tells nobody what it is of."""
    reads = (lambda: [read_usage(name, DAY)], lambda: read_cost(name).values(), lambda: read_messages(name).values())
    for read in reads:
        with suppress(ApiShapeChanged):
            assert all(isinstance(found, ApiShapeChanged) or found == [] for found in read())


def test_every_sample_is_named_by_a_test(request: pytest.FixtureRequest) -> None:
    """A new file in the folder needs rows of its own here, or a reason why it is not read."""
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py")]
    named = {name for name in NAMES if any(f'"{name}"' in text for text in texts)}
    assert set(NAMES) == named
    assert set(NOT_READ) <= set(NAMES)
