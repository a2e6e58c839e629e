"""Every sample payload: those that are read give these rows, those that are not are refused."""

import re
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from exporter import wire
from exporter.errors import ApiShapeChanged
from exporter.model import Actor, CostRow, ModelUse, Organization, ToolUse, UsageRow
from tests.contract.samples import FOLDER, NOT_READ, body

NAMES = sorted(path.stem for path in FOLDER.iterdir())
DAY = date(2026, 11, 20)
ANA = Actor("user", "ana@example.test")
BO = Actor("user", "bo@example.test")
PLATFORM = "wrkspc_01SIMaaaaaaaaaaaaaaaaaaaa"
CLAUDE_CODE = "wrkspc_01SIMbbbbbbbbbbbbbbbbbbbb"
OLD = "wrkspc_01SIMcccccccccccccccccccc"
OPUS_INPUT = CostRow(PLATFORM, "claude-opus-5", "tokens", "uncached_input_tokens", Decimal("1237.8912"))
OPUS_OUTPUT = CostRow(PLATFORM, "claude-opus-5", "tokens", "output_tokens", Decimal("4120.5"))
OPUS_CACHE = CostRow("default", "claude-opus-5", "tokens", "cache_read_input_tokens", Decimal("310.02"))


def cents(text: str) -> ModelUse:
    """Return a model that was used for no tokens."""
    return ModelUse(0, 0, 0, 0, Decimal(text))


def tools(edit: tuple[int, int], write: tuple[int, int] = (0, 0), **more: tuple[int, int]) -> dict[str, ToolUse]:
    """Return the four documented tools, and more."""
    known = {"edit_tool": edit, "multi_edit_tool": (0, 0), "write_tool": write, "notebook_edit_tool": (0, 0)}
    return {name: ToolUse(*numbers) for name, numbers in {**known, **more}.items()}


USAGE: dict[str, tuple[date, str | None, list[UsageRow]]] = {
    "claude_code_2026-11-20_page1": (
        DAY,
        "page_U0lNLWN1cnNvci0wMDE=",
        [
            UsageRow(
                ANA,
                4,
                812,
                301,
                6,
                1,
                tools((31, 4), (7, 1)),
                {
                    "claude-opus-5": ModelUse(184000, 41200, 2210400, 96300, Decimal(412)),
                    "claude-haiku-4-5": ModelUse(52100, 6400, 88000, 0, Decimal(9)),
                },
            ),
            UsageRow(
                ANA,
                2,
                96,
                12,
                1,
                0,
                tools((5, 0)),
                {"claude-opus-5": ModelUse(22100, 5100, 301200, 12000, Decimal(58))},
            ),
            UsageRow(
                ANA,
                1,
                40,
                3,
                1,
                1,
                tools((2, 0)),
                {"claude-sonnet-5": ModelUse(15000, 3900, 120000, 8000, Decimal(21))},
            ),
        ],
    ),
    "claude_code_2026-11-20_page2": (
        DAY,
        None,
        [
            UsageRow(
                Actor("api_key", "ci-code-review"),
                37,
                0,
                0,
                0,
                0,
                tools((0, 0)),
                {"claude-sonnet-5": ModelUse(910200, 70400, 4100000, 210000, Decimal(655))},
            ),
            UsageRow(
                BO,
                3,
                155,
                80,
                2,
                0,
                tools((9, 2), (1, 0)),
                {"claude-sonnet-5": ModelUse(61000, 14000, 700100, 31000, Decimal(74))},
            ),
        ],
    ),
    "claude_code_empty_day": (DAY, None, []),
    "claude_code_hostile_forward_compat": (
        DAY,
        None,
        [
            UsageRow(Actor("service_account_actor", "svac_01SIM0000000000000000000"), 1, 0, 0, 0, 0, tools((0, 0)), {}),
            UsageRow(
                Actor("api_key", 'Ünïcode "key"\nname'),
                1,
                1,
                1,
                0,
                0,
                tools((1, 0), bash_tool=(3, 1)),
                {"claude-mythos-6-preview": ModelUse(10, 5, 0, 0, Decimal("0.37"))},
            ),
        ],
    ),
    "claude_code_pre_2026-08_shape": (
        date(2025, 9, 8),
        None,
        [
            UsageRow(
                Actor("user", "old@example.test"),
                5,
                1543,
                892,
                12,
                2,
                tools((45, 5)),
                {"claude-sonnet-4-20250514": ModelUse(100000, 35000, 10000, 5000, Decimal(141))},
            )
        ],
    ),
}

COST: dict[str, tuple[str | None, dict[date, list[CostRow]]]] = {
    "cost_report_grouped_page1": (
        "page_U0lNLWNvc3QtMDAy",
        {
            date(2026, 11, 19): [
                OPUS_INPUT,
                OPUS_OUTPUT,
                OPUS_CACHE,
                CostRow(
                    "default",
                    "claude-sonnet-5",
                    "tokens",
                    "cache_creation.ephemeral_5m_input_tokens",
                    Decimal("88.125"),
                ),
                CostRow(
                    "default", "claude-sonnet-5", "tokens", "cache_creation.ephemeral_1h_input_tokens", Decimal("12.5")
                ),
                CostRow(PLATFORM, "none", "web_search", "none", Decimal("230.0")),
                CostRow("default", "none", "code_execution", "none", Decimal("45.0")),
                CostRow(PLATFORM, "none", "session_usage", "none", Decimal("19.75")),
            ]
        },
    ),
    "cost_report_grouped_page2": (None, {DAY: [OPUS_INPUT, OPUS_OUTPUT, OPUS_CACHE]}),
    "cost_report_hostile_forward_compat": (
        None,
        {
            DAY: [
                CostRow(PLATFORM, "none", "adjustment_new", "none", Decimal("-50.00")),
                CostRow("default", "claude-x", "tokens", "reasoning_tokens", Decimal("1e2")),
            ]
        },
    ),
    "cost_report_ungrouped": (
        None,
        {
            date(2026, 11, 18): [CostRow("default", "none", "none", "none", Decimal("15230.4471"))],
            date(2026, 11, 19): [],
            DAY: [CostRow("default", "none", "none", "none", Decimal("20987.01"))],
        },
    ),
}


@pytest.mark.parametrize("name", USAGE)
def test_usage_samples_give_these_rows(name: str) -> None:
    """Literal rows, in the order of the records; the cursor is that of a next page only."""
    day, cursor, rows = USAGE[name]
    assert wire.claude_code(body(name), day) == (rows, cursor)


@pytest.mark.parametrize("name", COST)
def test_cost_samples_give_these_rows(name: str) -> None:
    """Literal rows by day; an empty day is there, and is empty."""
    cursor, days = COST[name]
    page = wire.cost(body(name))
    assert (page.days, page.next_page) == (days, cursor)


def test_money_keeps_the_digits_of_the_samples() -> None:
    """`230.0` stays `230.0`: nothing is converted on the way."""
    amounts = re.findall(r'"amount": "?([^",\s]+)', body("cost_report_grouped_page1").decode())
    (rows,) = wire.cost(body("cost_report_grouped_page1")).days.values()
    assert isinstance(rows, list)
    assert [str(row.cents) for row in rows] == amounts


def test_the_directory_samples_give_these_names() -> None:
    """The archived workspace too: its past cost has its name."""
    assert wire.organization(body("organizations_me")) == Organization(
        "7c1f0e52-3a6b-4d0e-9f3e-2b8c55d0a911", "Sim Org"
    )
    names = {PLATFORM: "Platform", CLAUDE_CODE: "Claude Code", OLD: "Old"}
    assert wire.workspaces(body("workspaces_list")) == (names, None)


@pytest.mark.parametrize("name", NOT_READ)
def test_no_row_is_taken_from_what_is_another_report(name: str) -> None:
    """Our readers refuse it. A list that is empty tells nobody what it is of."""
    for read in (lambda page: wire.claude_code(page, DAY).rows, lambda page: wire.cost(page).days.values()):
        with suppress(ApiShapeChanged):
            assert all(isinstance(found, ApiShapeChanged) or found == [] for found in read(body(name)))


def test_every_sample_is_named_by_a_test(request: pytest.FixtureRequest) -> None:
    """A new file in the folder needs rows of its own here, or a reason why it is not read."""
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py")]
    named = {name for name in NAMES if any(f'"{name}"' in text for text in texts)}
    assert set(NAMES) == named
    assert set(NOT_READ) <= set(NAMES)
