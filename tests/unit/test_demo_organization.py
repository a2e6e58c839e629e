"""The simulated organisation: deterministic, and alive."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from statistics import mean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.demo.organization import Organization
from exporter.demo.people import CLAUDE_CODE, PLATFORM, SUPPORT, people
from exporter.demo.story import Story

ANCHOR = date(2026, 11, 22)
DAY = timedelta(days=1)
LATER = datetime(2028, 1, 1, tzinfo=UTC)
A_WEEK_OF_ANCHORS = [ANCHOR + number * DAY for number in range(7)]
WINDOW = [ANCHOR - age * DAY for age in reversed(range(90))]


@pytest.fixture(scope="module")
def organization() -> Organization:
    """Return an organisation that no test changes."""
    return Organization(ANCHOR)


def at(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """Return a UTC time of a day."""
    return datetime.combine(day, time(hour, minute), UTC)


def users(records: Iterable[dict[str, Any]]) -> set[str]:
    """Return the addresses in some records."""
    return {record["actor"]["email_address"] for record in records if record["actor"]["type"] == "user_actor"}


def dollars(results: Iterable[dict[str, Any]]) -> Decimal:
    """Return the sum of some billed amounts."""
    return sum((Decimal(result["amount"]) for result in results), Decimal()) / 100


def daily_users(organization: Organization, days: Iterable[date]) -> list[int]:
    """Return how many people were active on each day, when all is known."""
    return [len(users(organization.claude_code_records(day, LATER))) for day in days]


def weekdays(days: Iterable[date], *without: date) -> list[date]:
    """Return the days from Monday to Friday."""
    return [day for day in days if day.weekday() < 5 and day not in without]


def sizes(records: Iterable[dict[str, Any]]) -> Counter[str]:
    """Return some sums by source, for comparisons in time."""
    sums: Counter[str] = Counter()
    for record in records:
        name = f"{record['actor']}{record['terminal_type']}{record['is_remote']}{record['customer_type']}"
        sums[f"{name} sessions"] += record["core_metrics"]["num_sessions"]
        sums[f"{name} lines"] += record["core_metrics"]["lines_of_code"]["added"]
        for entry in record["model_breakdown"]:
            sums[f"{name} {entry['model']}"] += sum(entry["tokens"].values())
    return sums


DIGEST = """
from datetime import UTC, date, datetime
from exporter.demo.organization import Organization
organization, now = Organization(date(2026, 11, 22)), datetime(2026, 11, 20, 12, tzinfo=UTC)
shown = [organization.claude_code_records(now.date(), now), organization.cost_results(now.date(), now)]
print(repr(shown))
"""


def test_the_same_numbers_come_from_every_process(organization: Organization) -> None:
    """Two processes with different hash seeds give the records that this one gives."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    shown = [organization.claude_code_records(now.date(), now), organization.cost_results(now.date(), now)]
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, ("", *sys.path)))}
        answer = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, check=True)
        assert answer.stdout.decode().strip() == repr(shown)


def test_adoption_ramps_from_about_60_to_about_105(organization: Organization) -> None:
    """People join over the window: weekday actives grow by three quarters."""
    story = organization.story
    days = weekdays(WINDOW, *story.dip, story.public_holiday)
    assert 55 <= mean(daily_users(organization, days[:10])) <= 70
    assert 98 <= mean(daily_users(organization, days[-10:])) <= 112


@pytest.mark.parametrize("anchor", A_WEEK_OF_ANCHORS, ids=str)
def test_the_story_keeps_its_place_whatever_weekday_the_anchor_is(anchor: date) -> None:
    """The spike falls on a weekday 5 to 8 days before the anchor, the dip fills a working week, they never meet."""
    story = Story(anchor)
    assert story.spike.weekday() < 5
    assert 5 <= (anchor - story.spike).days <= 8
    assert [day.weekday() for day in story.dip] == [0, 1, 2, 3, 4]
    assert all(15 <= (anchor - day).days <= 25 for day in story.dip)
    assert story.public_holiday.weekday() < 5
    assert (anchor - story.public_holiday).days > 45
    assert story.empty_holiday.weekday() == story.quiet_sunday.weekday() == 6
    assert 30 < (anchor - story.quiet_sunday).days < (anchor - story.empty_holiday).days < 89


@pytest.mark.parametrize("anchor", A_WEEK_OF_ANCHORS[:3], ids=str)
def test_in_the_dip_about_a_third_is_active(anchor: date) -> None:
    """Each day of the dip has 25 to 47 % of the actives of the two weeks before it."""
    organization = Organization(anchor)
    monday = organization.story.dip[0]
    before = mean(daily_users(organization, weekdays(monday - age * DAY for age in range(1, 15))))
    assert all(0.25 <= number / before <= 0.47 for number in daily_users(organization, organization.story.dip))


@pytest.mark.parametrize("anchor", A_WEEK_OF_ANCHORS, ids=str)
def test_the_spike_costs_about_three_days_and_one_key_in_one_workspace_does_it(anchor: date) -> None:
    """Without the Platform workspace, and without ci-code-review, the day is an ordinary one."""
    organization = Organization(anchor)
    spike = organization.story.spike
    days = weekdays((spike + number * DAY for number in (-4, -3, -2, -1, 1, 2, 3, 4)), spike)
    bills = {day: organization.cost_results(day, LATER) for day in (spike, *days)}
    normal = mean(dollars(bills[day]) for day in days)
    assert Decimal("2.5") <= dollars(bills[spike]) / normal <= Decimal("3.6")
    elsewhere = {day: dollars(one for one in bill if one["workspace_id"] != PLATFORM) for day, bill in bills.items()}
    assert elsewhere[spike] / mean(elsewhere[day] for day in days) < Decimal("1.2")
    names = Counter[str]()
    for record in organization.claude_code_records(spike, LATER):
        cents = sum(entry["estimated_cost"]["amount"] for entry in record["model_breakdown"])
        names[record["actor"].get("api_key_name", "people")] += round(cents)
    assert names["ci-code-review"] > names["people"]


def test_normal_weekdays_are_quiet(organization: Organization) -> None:
    """A normal weekday costs within a quarter of the mean of the five normal weekdays before it."""
    story = organization.story
    days = weekdays(WINDOW, *story.dip, story.public_holiday, story.spike)
    costs = [dollars(organization.cost_results(day, LATER)) for day in days]
    ratios = [cost / mean(costs[number : number + 5]) for number, cost in enumerate(costs[5:])]
    assert max(ratios) < Decimal("1.25")
    assert min(ratios) > Decimal("0.75")


def test_weekends_and_holidays_are_nearly_or_wholly_quiet(organization: Organization) -> None:
    """At weekends few work; one Sunday has one small session; on one holiday there is nothing in either report."""
    story = organization.story
    quiet = [day for day in WINDOW if day.weekday() > 4 or day == story.public_holiday]
    assert max(daily_users(organization, quiet)) <= 15
    assert organization.claude_code_records(story.empty_holiday, LATER) == []
    assert organization.cost_results(story.empty_holiday, LATER) == []
    (record,) = organization.claude_code_records(story.quiet_sunday, LATER)
    assert record["core_metrics"]["num_sessions"] == 1
    assert 0 < dollars(organization.cost_results(story.quiet_sunday, LATER)) < 5


def test_the_newcomer_appears_30_days_before_the_anchor_and_not_earlier(organization: Organization) -> None:
    """Both reports know claude-opus-5-5 from day -30 on; four models are in use in the end."""
    for day in WINDOW:
        billed = {result["model"] for result in organization.cost_results(day, LATER)}
        used = {
            entry["model"]
            for record in organization.claude_code_records(day, LATER)
            for entry in record["model_breakdown"]
        }
        newest = day >= ANCHOR - 30 * DAY
        assert ("claude-opus-5-5" in billed) == (newest and day != organization.story.empty_holiday)
        assert newest or "claude-opus-5-5" not in used
    assert used | billed == {"claude-opus-5", "claude-opus-5-5", "claude-sonnet-5", "claude-haiku-4-5", None}


def test_a_day_is_restated_once_at_six_the_next_morning(organization: Organization) -> None:
    """Before 06:00 some numbers are off, down for some days and up for others; afterwards nothing changes."""
    changes = []
    for day in weekdays(WINDOW[-30:]):
        early, final = at(day + DAY, 5, 59), at(day + DAY, 6)
        assert organization.claude_code_records(day, final) == organization.claude_code_records(day, LATER)
        assert organization.cost_results(day, final) == organization.cost_results(day, LATER)
        assert organization.claude_code_records(day, early) == organization.claude_code_records(
            day, early - timedelta(hours=4)
        )
        before, after = (dollars(organization.cost_results(day, moment)) for moment in (early, final))
        assert before != after
        assert abs(after / before - 1) < Decimal("0.05")
        programs = [
            dollars(one for one in organization.cost_results(day, moment) if one["workspace_id"] == SUPPORT)
            for moment in (early, final)
        ]
        assert programs[0] != programs[1]
        changes.append(after > before)
    assert set(changes) == {True, False}


def test_sessions_too_are_restated_downwards_on_some_days(organization: Organization) -> None:
    """A count that every record has falls overnight on some day, and rises on another."""
    changes = set()
    for day in weekdays(WINDOW[-30:]):
        early, final = (
            sum(record["core_metrics"]["num_sessions"] for record in organization.claude_code_records(day, moment))
            for moment in (at(day + DAY, 5), at(day + DAY, 7))
        )
        changes.add((final > early) - (final < early))
    assert {1, -1} <= changes


MINUTES = st.integers(0, 1559)


@settings(max_examples=30, deadline=None)
@given(first=MINUTES, second=MINUTES, age=st.integers(0, 7))
def test_today_grows_and_never_shrinks(organization: Organization, first: int, second: int, age: int) -> None:
    """Until the restatement, every sum of a day and every line of its bill at one moment is at most that of a later."""
    day = ANCHOR - age * DAY
    early, late = sorted(at(day) + timedelta(minutes=minute) for minute in (first, second))
    assert sizes(organization.claude_code_records(day, early)) <= sizes(organization.claude_code_records(day, late))
    bills = []
    for moment in (early, late):
        results = organization.cost_results(day, moment)
        amounts = {
            tuple(sorted((k, str(v)) for k, v in one.items() if k != "amount")): one["amount"] for one in results
        }
        bills.append({line: Decimal(amount) for line, amount in amounts.items()})
    assert all(cents <= bills[1].get(line, 0) for line, cents in bills[0].items())


def test_the_last_hour_is_withheld_and_the_future_is_empty(organization: Organization) -> None:
    """A day shows nothing of itself before 01:00; a future day shows nothing at all."""
    day = ANCHOR - 3 * DAY
    assert organization.claude_code_records(day, at(day, 1)) == []
    assert organization.cost_results(day, at(day, 0, 5)) == []
    assert organization.cost_results(day, at(day, 1)) != []
    noon = at(day, 12)
    assert 0 < len(organization.claude_code_records(day, noon)) < len(organization.claude_code_records(day, LATER))
    assert organization.claude_code_records(day + DAY, noon) == organization.cost_results(day + DAY, noon) == []


def test_one_actor_has_several_records_that_differ_in_each_dimension(organization: Organization) -> None:
    """Terminal, local or remote, and customer type each split some actor's day."""
    split = set()
    for day in weekdays(WINDOW):
        seen: dict[str, list[tuple[str, bool, str]]] = {}
        for record in organization.claude_code_records(day, LATER):
            source = (record["terminal_type"], record["is_remote"], record["customer_type"])
            seen.setdefault(str(record["actor"]), []).append(source)
        for sources in seen.values():
            assert len(set(sources)) == len(sources)
            split |= {tuple(a != b for a, b in zip(one, other, strict=True)) for one in sources for other in sources}
    assert {(True, False, False), (False, True, False), (False, False, True)} <= split


def test_suggestions_are_mostly_accepted_and_tools_may_be_missing(organization: Organization) -> None:
    """Each weekday 85 to 92 % are accepted; all four tools occur; some records name fewer than four."""
    names, numbers = set(), set()
    for day in weekdays(WINDOW, organization.story.public_holiday):
        answers = Counter[str]()
        for record in organization.claude_code_records(day, LATER):
            names |= record["tool_actions"].keys()
            numbers.add(len(record["tool_actions"]))
            for answer in record["tool_actions"].values():
                answers.update(answer)
        assert 0.85 <= answers["accepted"] / answers.total() <= 0.92
    assert names == {"edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool"}
    assert 4 in numbers
    assert min(numbers) < 4


def test_money_is_written_as_the_api_writes_it(organization: Organization) -> None:
    """Bills are plain decimal strings with several decimals; estimates are whole cents mostly, decimals for some."""
    day = ANCHOR - 3 * DAY
    amounts = [result["amount"] for result in organization.cost_results(day, LATER)]
    assert all(amount.replace(".", "", 1).isdigit() for amount in amounts)
    assert max(len(amount.partition(".")[2]) for amount in amounts) >= 4
    estimates = Counter(
        type(entry["estimated_cost"]["amount"])
        for record in organization.claude_code_records(day, LATER)
        for entry in record["model_breakdown"]
    )
    assert estimates[int] > estimates[float] > 0


def test_the_bill_fits_the_estimate(organization: Organization) -> None:
    """In the Claude Code workspace the bill is the list price of what API customers used, less about a tenth."""
    day = ANCHOR - 3 * DAY
    billed = dollars(one for one in organization.cost_results(day, LATER) if one["workspace_id"] == CLAUDE_CODE)
    estimated = sum(
        Decimal(str(entry["estimated_cost"]["amount"]))
        for record in organization.claude_code_records(day, LATER)
        if record["customer_type"] == "api"
        and ("email_address" in record["actor"] or record["actor"]["api_key_name"] == "dependency-updates")
        for entry in record["model_breakdown"]
    )
    assert Decimal("0.88") <= 100 * billed / estimated <= Decimal("0.98")


def test_the_bill_has_every_kind_of_line(organization: Organization) -> None:
    """All cost types, both tiers, the null workspace and null dimensions occur."""
    bill = organization.cost_results(ANCHOR - 3 * DAY, LATER)
    assert {one["cost_type"] for one in bill} == {"tokens", "web_search", "code_execution", "session_usage"}
    assert {one["service_tier"] for one in bill} == {"standard", "batch", None}
    assert {one["context_window"] for one in bill} == {"0-200k", "200k-1M", None}
    assert None in {one["workspace_id"] for one in bill}
    listed = {one["id"] for one in organization.workspaces(include_archived=False)}
    assert {one["workspace_id"] for one in bill} - {None} <= listed


def test_one_workspace_is_archived_and_was_used_before(organization: Organization) -> None:
    """The archived workspace is listed on demand only, and had cost earlier in the window."""
    known, live = (
        {one["id"] for one in organization.workspaces(include_archived=archived)} for archived in (True, False)
    )
    (archived,) = known - live
    assert archived in {one["workspace_id"] for one in organization.cost_results(WINDOW[0], LATER)}


def test_addresses_are_unique_and_lead_nowhere() -> None:
    """10,000 people have 10,000 addresses, all of example.test."""
    names = {source.name for person in people(10_000, 7) for source in person.sources}
    assert len(names) == 10_000
    assert all(name.endswith("@example.test") for name in names)
