"""The oracle: its sums on records that are small enough to add by hand, and its comparison."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from exporter.demo.organization import Organization
from tests.bodies import message
from tests.oracle import Key, Samples, differences, expected_samples, scrape_samples

TODAY, YESTERDAY = date(2026, 11, 20), date(2026, 11, 19)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def record(address: str, terminal: str, cents: float, sessions: int = 1) -> dict[str, Any]:
    """Return a record as the API has it."""
    tokens = {"input": 1, "output": 2, "cache_read": 3, "cache_creation": 4}
    return {
        "actor": {"type": "user_actor", "email_address": address},
        "terminal_type": terminal,
        "core_metrics": {
            "num_sessions": sessions,
            "lines_of_code": {"added": 10, "removed": 5},
            "commits_by_claude_code": 2,
            "pull_requests_by_claude_code": 1,
        },
        "tool_actions": {"edit_tool": {"accepted": 7, "rejected": 1}},
        "model_breakdown": [{"model": "m", "tokens": tokens, "estimated_cost": {"amount": cents}}],
    }


class TwoDays:
    """An organisation with two records today and one yesterday, all by hand."""

    def claude_code_records(self, day: date, _now: datetime) -> list[dict[str, Any]]:
        """Return ana at two terminals today, bo yesterday, and one person on each day at the edge of a window."""
        edges = {TODAY - timedelta(days=age): [record(f"edge{age}", "tmux", 1)] for age in (6, 7, 29, 30)}
        today = [record("ana", "tmux", 30), record("ana", "vscode", 0.37, sessions=2)]
        return {TODAY: today, YESTERDAY: [record("bo", "tmux", 20)], **edges}.get(day, [])

    def cost_results(self, day: date, _now: datetime) -> list[dict[str, Any]]:
        """Return two lines of one label set in two workspaces today."""
        line = {"model": None, "cost_type": "web_search", "token_type": None}
        if day != TODAY:
            return []
        return [
            {**line, "amount": "0.1", "workspace_id": None},
            {**line, "amount": "0.2", "workspace_id": "w"},
        ]

    def messages_results(self, day: date, _now: datetime) -> list[dict[str, Any]]:
        """Return two results of one model on two tiers today."""
        return [message(1), message(2, service_tier="batch", api_key_id=None)] if day == TODAY else []

    def me(self) -> dict[str, str]:
        """Return a name."""
        return {"id": "o", "name": "O"}

    def workspaces(self, *, include_archived: bool) -> list[dict[str, str]]:
        """Return one workspace."""
        return [{"id": "w", "name": "W"}] if include_archived else []

    def api_keys(self) -> list[dict[str, Any]]:
        """Return one that expires."""
        known = {"name": "K", "status": "active", "expires_at": "2026-11-21T00:00:00Z"}
        return [{"id": "k", "workspace_id": None, **known}]

    def users(self) -> list[dict[str, Any]]:
        """Return two of one role."""
        return [{"email": email, "role": "developer"} for email in ("Ana", "idle")]


def key(name: str, **labels: str) -> Key:
    """Return the key of a sample."""
    return name, frozenset(labels.items())


def claude(samples: Samples, name: str, **labels: str) -> Decimal | None:
    """Return a sample of a Claude Code family, or None."""
    return samples.get(key(f"anthropic_claude_code_{name}", **labels))


@pytest.fixture
def expect() -> Callable[..., Samples]:
    """Return the oracle of the two days."""
    organization = cast("Organization", TwoDays())
    return lambda **options: expected_samples(organization, NOON, window_days=3, **options)


def test_records_of_one_label_set_are_summed(expect: Callable[..., Samples]) -> None:
    """Two terminals of one person are one user; money is exact."""
    samples = expect()
    assert claude(samples, "sessions", date="2026-11-20") == 3
    assert claude(samples, "daily_active_users", date="2026-11-20", actor_type="user") == 1
    assert claude(samples, "estimated_cost_usd", date="2026-11-20", model="m") == Decimal("0.3037")
    assert samples[
        key("anthropic_cost_usd", date="2026-11-20", model="none", cost_type="web_search", token_type="none")
    ] == (Decimal("0.003"))
    assert samples[key("anthropic_workspace_cost_usd", date="2026-11-20", workspace_id="default")] == Decimal("0.001")
    assert samples[key("anthropic_service_tier_tokens", date="2026-11-20", service_tier="batch")] == 30
    outputs = {"model": "opus", "token_type": "output_tokens"}
    assert samples[key("anthropic_tokens", date="2026-11-20", **outputs)] == 3
    assert samples[key("anthropic_api_key_tokens", api_key_id="none", **outputs)] == 2
    assert samples[key("anthropic_members", role="developer")] == 2
    assert samples[key("anthropic_member_info", user="ana", role="developer")] == 1
    assert samples[key("anthropic_api_key_expiry_timestamp_seconds", api_key_id="k")] == 1795219200
    assert samples[key("anthropic_workspace_info", workspace_id="w", workspace_name="W")] == 1


def test_an_empty_day_is_zero_where_labels_are_closed(expect: Callable[..., Samples]) -> None:
    """Users, sessions and lines of the empty day are 0; it has no tokens or cost, and no searches."""
    samples = expect()
    assert claude(samples, "sessions", date="2026-11-18") == 0
    assert claude(samples, "lines_of_code", date="2026-11-18", change="removed") == 0
    assert {name for name, labels in samples if ("date", "2026-11-18") in labels} == {
        "anthropic_date_timestamp_seconds",
        "anthropic_web_searches",
        *(
            f"anthropic_claude_code_{name}"
            for name in ("daily_active_users", "sessions", "commits", "pull_requests", "lines_of_code")
        ),
    }


def test_users_are_summed_over_the_window(expect: Callable[..., Samples]) -> None:
    """Each has its sums, its number of days and its newest day."""
    samples, bo = expect(), {"user": "bo", "actor_type": "user"}
    assert claude(samples, "user_sessions", user="ana", actor_type="user") == 3
    assert claude(samples, "user_tokens", token_type="cache_read", **bo) == 3
    assert claude(samples, "user_active_dates", user="ana", actor_type="user") == 1
    assert claude(samples, "user_last_active_timestamp_seconds", **bo) == 1795046400
    assert claude(samples, "active_users", actor_type="user") == 2
    assert claude(samples, "weekly_active_users", actor_type="api_key") == 0


def test_distinct_users_have_windows_of_7_and_30_days() -> None:
    """Today counts: someone who was active 6 or 29 days ago is in, 7 or 30 days ago is not."""
    samples = expected_samples(cast("Organization", TwoDays()), NOON, window_days=40)
    numbers = [claude(samples, f"{name}active_users", actor_type="user") for name in ("weekly_", "monthly_", "")]
    assert numbers == [3, 5, 6]


def test_cheap_users_fold_into_other(expect: Callable[..., Samples]) -> None:
    """With one name allowed, ana keeps her name; distinct users stay two."""
    samples = expect(max_users=1)
    users = {dict(labels)["user"] for name, labels in samples if name.endswith("user_sessions")}
    assert users == {"ana", "other"}
    assert claude(samples, "user_estimated_cost_usd", user="other", actor_type="user", model="m") == Decimal("0.2")
    assert claude(samples, "active_users", actor_type="user") == 2


def test_users_can_be_hidden_or_renamed(expect: Callable[..., Samples]) -> None:
    """With `none` no family has the label; a function gives other names."""
    assert not any(dict(labels).get("user") for _, labels in expect(user_label="none"))
    samples = expect(user_label=str.upper)
    assert {dict(labels).get("user") for _, labels in samples} == {None, "ANA", "BO", "IDLE"}
    with pytest.raises(TypeError):
        expect(user_label="nickname")


def test_a_page_is_compared_sample_by_sample() -> None:
    """Missing, superfluous and wrong samples are named; the nearest float is right; health is left out."""
    expected = {key("a", date="d"): Decimal("0.1") + Decimal("0.2"), key("b"): Decimal(1), key("c"): Decimal(3)}
    page = 'a{date="d"} 0.3\nc 4\nd{x="y"} 1\nanthropic_up{report="cost"} 1\nprocess_cpu_seconds_total 5\n'
    lines = differences(expected, scrape_samples(page))
    assert lines == ["b{}: expected 1, shown none", "c{}: expected 3, shown 4.0", 'd{x="y"}: expected none, shown 1.0']
    assert differences(expected, expected) == []


def test_a_sample_that_stands_twice_is_an_error() -> None:
    """Prometheus would drop one of them without a word."""
    with pytest.raises(ValueError, match="twice"):
        scrape_samples("a 1\na 1\n")


def test_parts_equal_totals_in_the_simulated_organisation() -> None:
    """Cost by line and by workspace, usage by day and by user: the sums are the same, folded or not."""
    samples = expected_samples(Organization(TODAY, people=30), NOON, max_users=5)
    totals: dict[str, Decimal] = {}
    for (name, _), value in samples.items():
        totals[name] = totals.get(name, Decimal()) + value
    assert totals["anthropic_cost_usd"] == totals["anthropic_workspace_cost_usd"] > 0
    for name in (
        "sessions",
        "commits",
        "pull_requests",
        "lines_of_code",
        "tool_actions",
        "tokens",
        "estimated_cost_usd",
    ):
        assert totals[f"anthropic_claude_code_{name}"] == totals[f"anthropic_claude_code_user_{name}"] > 0
