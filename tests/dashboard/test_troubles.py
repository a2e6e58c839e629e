"""What the dashboard shows when something is wrong: the numbers that are known, and in words what is missing."""

from collections.abc import Mapping

import pytest

from tests.dashboard.conftest import Databases
from tests.dashboard.judging import SAVED
from tests.dashboard.library import Grafana, Seen, State
from tests.dashboard.test_proof import sentences, wrong
from tests.dashboard.world import DASHBOARD, DEAD_SINCE, NOW, Pages, troubles

pytestmark = pytest.mark.integration

JOBS = ("dead", "filling", "failing", "down", "started", "known", "withheld")
KNOWN = "What is known of API tokens"
NO_PAGE = "No page of an exporter is near this range. Does Prometheus scrape one?"


@pytest.fixture(scope="module", name="looked", params=["prometheus", "victoria-metrics"])
def what_was_seen(
    request: pytest.FixtureRequest, grafana: Grafana, pages: Pages, databases: Databases
) -> dict[str, Seen]:
    """Return the dashboard of each job: in a range that ends in the future, and on the other database in one of now."""
    start, end = {"prometheus": ("now/y", "now/y"), "victoria-metrics": ("now-90d", "now")}[request.param]
    states = {job: State(start, end, {"job": [job]}) for job in JOBS}
    with databases(request.param, troubles(pages)) as url:
        return grafana.look(url, DASHBOARD, states)


def test_one_of_two_exporters_is_dead(looked: Mapping[str, Seen], pages: Pages) -> None:
    """The panels show the other one, and it is said that the dead one's numbers are left out."""
    seen = looked["dead"]
    assert wrong(seen, pages.first.samples) == {}
    assert sentences(seen) == ["The exporter stopped answering: its numbers are left out."]


def test_the_only_exporter_is_down(looked: Mapping[str, Seen], pages: Pages) -> None:
    """The panels show its last page, and it is said that it is the last. The alert about it is counted."""
    seen = looked["down"]
    assert wrong(seen, pages.second_before.samples) == {}
    assert sentences(seen) == ["The exporter stopped answering: the numbers are those of its last page."]
    assert 0 <= float(seen.variables["as_of"]["value"]) - (NOW - DEAD_SINCE).timestamp() <= 300
    assert seen.frames["Data as of"][0][1].text == ["2 days ago"]
    assert seen.frames["Alerts firing"][0][1].values == [1]
    alerts = {event["title"] for event in seen.events}
    assert "AnthropicTest" in alerts


def test_the_first_fill(looked: Mapping[str, Seen], pages: Pages) -> None:
    """Only days that were read are shown; nothing is compared with days that were not; it is said that sums are low."""
    seen = looked["filling"]
    assert wrong(seen, pages.filling.samples) == {}
    assert seen.frames["Coverage"][0][1].text == ["33%"]
    text = "Not every day of the report {} was read yet: sums are too low."
    assert sorted(sentences(seen)) == [text.format(report) for report in ("claude_code", "cost", "messages")]


def test_a_report_fails(looked: Mapping[str, Seen], pages: Pages) -> None:
    """The numbers stay, and it is said which report fails and why."""
    seen = looked["failing"]
    assert wrong(seen, pages.failing.samples) == {}
    assert sentences(seen) == ["The report cost (unauthorized) fails: newer numbers cannot be read."]
    (states,) = seen.frames["State of each report"]
    shown = {field.name: field.text for field in states}
    assert sorted(zip(shown["Report"], shown["State"], strict=True)) == [
        ("API tokens", "works"),
        ("Claude Code", "works"),
        ("Cost", "unauthorized"),
    ]


def test_nothing_was_read_yet(looked: Mapping[str, Seen]) -> None:
    """A new exporter whose key is refused: no number is shown, and it is said what fails."""
    seen = looked["started"]
    assert seen.errors == {}
    fails = "The report cost (unauthorized) fails: newer numbers cannot be read."
    assert {fails, NO_PAGE} & {*sentences(seen)}
    assert (NO_PAGE in sentences(seen)) == (seen.end > NOW)
    assert [title for title in ("Total spend", "Cost over time") for frame in seen.frames[title] if frame] == []


def test_tokens_are_not_for_this_key(looked: Mapping[str, Seen], pages: Pages) -> None:
    """No token is shown as zero: the row says why it is empty, and at the top nothing is said to be wrong."""
    seen = looked["withheld"]
    assert wrong(seen, pages.withheld.samples) == {}
    assert sentences(seen, KNOWN) == ["The key may not read this report: its tokens are not known."]
    assert sentences(seen) == ["Every report works, and every day of the window was read."]
    titles = [title for title in seen.frames if "API tokens" in title and title != KNOWN]
    assert len(titles) == 6
    assert [
        title for title in (*titles, SAVED) for frame in seen.frames[title] for field in frame if field.values
    ] == []


def test_what_is_known_of_tokens(looked: Mapping[str, Seen]) -> None:
    """The row on tokens says whether all of them are there."""
    known = {job: sentences(looked[job], KNOWN) for job in ("dead", "filling", "failing", "down")}
    every, partly = "Every day of the window was read.", "Not every day of the window was read yet: sums are too low."
    assert known == {"dead": [every], "filling": [partly], "failing": [every], "down": [every]}


def test_days_as_known_now(looked: Mapping[str, Seen], pages: Pages) -> None:
    """Days that an older page showed otherwise are shown as the newest page has them."""
    seen = looked["known"]
    assert wrong(seen, pages.second.samples) == {}
