"""Files: cells that a spreadsheet would execute, exact amounts, and a day without rows."""

from datetime import date
from decimal import Decimal

import pytest

from exporter.model import Window
from exporter.reports.cost import Row as Bill
from exporter.reports.usage_rows import Actor, Model, Row
from exporter.web.backfill import daily_name
from exporter.web.export import FORMATS, parts

DAY = date(2026, 11, 20)


def file(name: str, form: str, *rows: Row | Bill) -> str:
    """Return a file of one day with these rows."""
    return "".join(parts(name, FORMATS[form], Window(DAY, 1), lambda _name, _day: rows, {}, users_shown=True))


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_execute(name: str) -> None:
    """It gets an apostrophe in CSV and stays as it is in JSON; a number keeps its sign."""
    row = Row(Actor("user", name), 1, 0, 0, 0, 0, (), (Model("m", 1, 1, 1, 1, Decimal(-5)),))
    assert f"'{name}" in file("usage", "csv", row)
    assert ",-0.05\n" in file("usage", "csv", row)
    assert "'" + name not in file("usage", "jsonl", row)


@pytest.mark.parametrize("name", ["ana@example.test", "a=b", "", " =1"])
def test_other_text_stays(name: str) -> None:
    """An address has its @ in the middle."""
    assert f"2026-11-20,{name},user," in file("usage", "csv", Row(Actor("user", name), 1, 0, 0, 0, 0))


def test_amounts_are_exact() -> None:
    """Every digit of the API's decimal is there, equal lines are summed, and an unknown workspace has no name."""
    bills = [
        Bill("w", "m", "tokens", "input", Decimal("0.00000000000000000001")),
        Bill("w", "m", "tokens", "input", Decimal(7)),
    ]
    assert file("cost", "csv", *bills).splitlines()[1] == "2026-11-20,w,none,m,tokens,input,0.0700000000000000000001"
    assert '"cost_usd":0.0700000000000000000001}' in file("cost", "jsonl", *bills)


def test_a_day_without_rows() -> None:
    """It is a header in CSV and nothing in JSON lines."""
    assert [file(name, "jsonl") for name in ("cost", "usage", "users")] == ["", "", ""]
    assert [len(file(name, "csv").splitlines()) for name in ("cost", "usage", "users")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("family", "daily"),
    [
        ("anthropic_cost_usd", "anthropic_daily_cost_usd"),
        ("anthropic_claude_code_tokens", "anthropic_daily_tokens"),
        ("anthropic_claude_code_daily_active_users", "anthropic_daily_active_users"),
        ("anthropic_workspace_cost_usd", "anthropic_daily_workspace_cost_usd"),
    ],
)
def test_names_of_daily_series(family: str, daily: str) -> None:
    """They cannot be mistaken for those of the page."""
    assert daily_name(family) == daily
