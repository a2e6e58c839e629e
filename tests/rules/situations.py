"""The situations in which the rules have to be right: what happens, and which alerts fire when, all others silent."""

import functools
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from tests.rules.replay import DAY, HOUR, ByDay, Health, Organization, Replay

SPEND, WORKSPACE = "AnthropicSpendHigh", "AnthropicWorkspaceSpendHigh"
DROP, IDLE = "AnthropicAdoptionDrop", "AnthropicUsersIdle"
DOWN, KEY, FAILING = "AnthropicExporterDown", "AnthropicKeyRefused", "AnthropicReportFailing"
STALLED, COVERAGE = "AnthropicUpstreamStalled", "AnthropicCoverageLow"
STALE, STORE = "AnthropicPageStale", "AnthropicStoreFailing"
EXPIRES = "AnthropicApiKeyExpires"
CACHE = "AnthropicCacheReadShareDrop"


@dataclass(frozen=True)
class Situation:
    """A replay, and for each alert the first and the last day on which it may begin. It begins once."""

    name: str
    replay: Replay
    begins: Mapping[str, tuple[str, str]]


def day(text: str) -> date:
    """Return a date of 2026, or of another year when it is given."""
    return date.fromisoformat(text if len(text) > 5 else f"2026-{text}")


def days(first: str, last: str) -> set[date]:
    """Return all dates from one to another, inclusive."""
    return {day(first) + DAY * number for number in range((day(last) - day(first)).days + 1)}


def week(usual: float, *, weekend: float = 0.05, noise: float = 0.0, off: Collection[int] = (5, 6)) -> ByDay:
    """Return a working week: `usual` on each working day, a part of it on the days off (0 is Monday)."""

    @functools.cache
    def of(day: date) -> float:
        chance = 1 + noise * _chance(f"{day} {usual}")
        return usual * chance * (weekend if day.weekday() in off else 1)

    return of


def _chance(seed: str) -> float:
    """Return a number from -1 to 1 that looks like chance and is always the same."""
    return zlib.crc32(seed.encode()) / 2**31 - 1


def but(usual: ByDay, dates: Collection[date], *, times: float = 1.0, plus: float = 0.0) -> ByDay:
    """Return the usual days, those of `dates` multiplied and raised."""
    return lambda day: usual(day) * times + plus if day in dates else usual(day)


def since(usual: ByDay, first: str, then: ByDay) -> ByDay:
    """Return the usual days, and others from a day on."""
    return lambda at: then(at) if at >= day(first) else usual(at)


def growing(usual: ByDay, first: str, a_day: float, last: str = "2099-01-01") -> ByDay:
    """Return usual days multiplied by `a_day` once more on each day from `first` to `last`."""
    return lambda at: usual(at) * a_day ** max((min(at, day(last)) - day(first)).days, 0)


def spend(usd: ByDay, **more: object) -> Organization:
    """Return an organisation with these dollars and no report on people."""
    return replace(Organization(dollars=usd), **more)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    """Return a moment of 2026 (UTC), such as 11-13T15."""
    return datetime.fromisoformat(f"2026-{text}:00+00:00")


def situation(
    name: str,
    what: Organization | tuple[Organization, ...],
    first: str,
    last: str,
    begins: Mapping[str, tuple[str, str] | str] | None = None,
    *,
    hours: float = 12,
    **more: object,
) -> Situation:
    """Return a situation; a single day means that day and the next one."""
    expected = {
        alert: (span, str(day(span) + DAY)) if isinstance(span, str) else span for alert, span in (begins or {}).items()
    }
    organizations = what if isinstance(what, tuple) else (what,)
    replay = Replay(organizations, day(first), day(last), step=HOUR * hours, **more)  # type: ignore[arg-type]
    return Situation(name, replay, expected)


def runs(now: datetime) -> bool:
    """Return whether Prometheus runs: it is down for 30 of 48 hours."""
    return (now - at("11-09T00")) % (2 * DAY) >= 30 * HOUR


USUAL = week(1000, noise=0.1)
FLAT = week(1000)
CHRISTMAS = days("2026-12-21", "2027-01-03")
BATCH = 3000.0


def ends_of_months(*, working: bool) -> set[date]:
    """Return the last days of months, or the last Mondays to Fridays."""
    found = set()
    for month in range(1, 25):
        last = date(2026 + month // 12, month % 12 + 1, 1) - DAY
        while working and last.weekday() >= 5:
            last -= DAY
        found.add(last)
    return found


MONTH_ENDS, LAST_WORKING_DAYS = ends_of_months(working=False), ends_of_months(working=True)
FIRSTS = {at for at in days("01-01", "2027-12-31") if at.day in {1, 15}}
MONDAYS = {at for at in days("01-01", "2027-12-31") if at.weekday() == 0}
FIRST_MONDAYS = {at for at in MONDAYS if at.day <= 7}

# A table: one situation is a line or two.
# fmt: off
SPEND_SILENT = [
    situation("noise of 20 % at every hour", spend(week(1000, noise=0.2)), "11-06", "11-09", hours=1),
    situation("noise of 20 %, seven weeks", spend(week(3000, noise=0.2, weekend=0.4)), "10-01", "11-20"),
    situation("weekends at nothing", spend(week(500, weekend=0, noise=0.2)), "11-06", "11-12"),
    situation("a week from Sunday to Thursday", spend(week(500, off=(4, 5), noise=0.2)), "11-05", "11-12"),
    situation("two-week shutdown and return", spend(but(USUAL, days("10-19", "11-01"), times=0.05)), "10-30",
        "11-12"),
    situation("three-week shutdown and return", spend(but(USUAL, days("10-12", "11-01"), times=0)), "10-30",
        "11-12"),
    situation("Christmas and New Year", spend(but(USUAL, CHRISTMAS, times=0.1)), "12-20", "2027-01-12"),
    situation("a holiday week", spend(but(USUAL, days("10-26", "10-30"), times=0.1)), "10-29", "11-06"),
    situation("a Monday batch from its third time on", spend(but(USUAL, MONDAYS & days("10-26", "12-31"),
        plus=BATCH)), "11-09", "11-25"),
    situation("an end of month from its third time on", spend(but(FLAT, MONTH_ENDS, plus=BATCH)), "10-29",
        "11-05"),
    situation("the end of month of a working calendar", spend(but(FLAT, LAST_WORKING_DAYS, plus=BATCH)),
        "10-29", "11-05"),
    situation("the end of a month of 28 days", spend(but(FLAT, LAST_WORKING_DAYS, plus=BATCH)), "2027-02-25",
        "2027-03-03"),
    situation("a Monday batch on Tuesday after a holiday", spend(but(USUAL, MONDAYS - {day("11-09")} |
        {day("11-10")}, plus=BATCH)), "11-09", "11-13"),
    situation("a batch on the first Monday of a month", spend(but(USUAL, FIRST_MONDAYS, plus=BATCH)), "11-01", "11-05"),
    situation("a batch on the 1st and the 15th", spend(but(USUAL, FIRSTS, plus=BATCH)), "10-30", "11-03"),
    situation("prices fall by 30 %", spend(since(USUAL, "11-10", week(700, noise=0.1))), "11-09", "11-18"),
    situation("a model migration", spend(USUAL, model=lambda at: "sonnet" if at >= day("11-10") else "opus"),
        "11-09", "11-13"),
    situation("5 % a week", spend(growing(USUAL, "06-01", 1.05 ** (1 / 7))), "11-10", "11-14"),
    situation("half a day of lag", spend(USUAL, lag=HOUR * 12), "11-10", "11-15"),
    situation("scrape gaps of 30 hours", spend(USUAL), "11-08", "11-15", {DOWN: "2026-11-09"}, scraped=runs),
    situation("a fill that stays at a fifth of the window", spend(week(20000), known=lambda at, now: (now.date()
        - at).days < 18), "11-12", "11-12", {COVERAGE: "2026-11-12"}, hours=0.25),
    situation("a refund", spend(but(USUAL, {day("11-11")}, plus=-5000)), "11-10", "11-13"),
    situation("40 dollars after 5", spend(since(week(5), "11-10", week(40))), "11-08", "11-14"),
    situation("a workspace is renamed", Organization(workspaces={"default": USUAL}, health=lambda one, now:
        {one.series("anthropic_workspace_info", workspace_id="default", workspace_name="The default"): None,
        one.series("anthropic_workspace_info", workspace_id="default", workspace_name="New"): 1.0} if now >=
        at("11-12T00") else {}), "11-11", "11-13"),
]

RUNAWAY = {day("11-13")}
SPIKE = but(USUAL, RUNAWAY, times=3)


def spent(first: str, last: str = "") -> Mapping[str, tuple[str, str]]:
    """Return that the spend alert begins from one day to another."""
    return {SPEND: (str(day(first)), str(day(last) if last else day(first) + DAY))}


SPEND_FIRES = [
    situation("a spike, and the weeks after it", spend(SPIKE), "11-12", "11-30", spent("11-13")),
    situation("a Prometheus installed on the day of the spike", spend(SPIKE), "11-13", "11-14", spent("11-13")),
    situation("a Prometheus installed three days later", spend(SPIKE), "11-16", "11-18", spent("11-16")),
    situation("a Friday spike, the exporter down until Monday", spend(SPIKE, up=lambda now: not at("11-13T00")
        <= now < at("11-16T08")), "11-11", "11-24", {**spent("11-16", "11-17"), DOWN: ("2026-11-13",
        "2026-11-14")}),
    situation("a spike, then the exporter down over the weekend", spend(SPIKE, up=lambda now: not at("11-13T20")
        <= now < at("11-16T08")), "11-11", "11-24", {**spent("11-13"), DOWN: ("2026-11-13", "2026-11-14")},
        hours=2),
    situation("a spike and scrape gaps of 30 hours", spend(SPIKE), "11-08", "11-26", {**spent("11-13", "11-15"),
        DOWN: "2026-11-09"}, scraped=runs, hours=6),
    situation("a day restated upwards two days later", spend(but(USUAL, RUNAWAY, times=3), restated=lambda at_,
        now: 1 / 3 if at_ in RUNAWAY and now < at("11-15T12") else 1), "11-12", "11-24", spent("11-15",
        "11-16")),
    situation("a spike with half a day of lag", spend(SPIKE, lag=HOUR * 12), "11-12", "11-24", spent("11-13",
        "11-15")),
    situation("the first and the second Monday batch are one alert", spend(but(USUAL, MONDAYS & days("10-26",
        "12-31"), plus=BATCH)), "10-25", "11-20", spent("10-26")),
    situation("the second end of month", spend(but(FLAT, MONTH_ENDS & days("09-01", "12-31"), plus=BATCH)),
        "10-30", "11-16", spent("10-31")),
    situation("a step that stays", spend(since(USUAL, "10-20", week(2000, noise=0.1))), "10-19", "12-06",
        spent("10-20", "10-21")),
    situation("a doubling within ten days", spend(growing(USUAL, "11-02", 2 ** (1 / 10), "11-12")), "11-02",
        "12-08", spent("11-05", "11-13")),
    situation("40 % a week", spend(growing(USUAL, "10-19", 1.4 ** (1 / 7))), "10-19", "11-16", spent("10-26",
        "11-05")),
    situation("15 % a week", spend(growing(USUAL, "10-01", 1.15 ** (1 / 7))), "10-12", "11-20", spent("10-15",
        "11-10")),
    situation("growth that stops", spend(growing(USUAL, "10-19", 1.4 ** (1 / 7), "11-09")), "10-26", "12-14",
        spent("10-26", "11-05")),
    situation("a new organisation, 50 to 5,000", spend(lambda at: 0 if at < day("11-05") else 5000 if at >=
        day("11-12") else 50), "11-06", "11-20", {SPEND: "2026-11-12"}),
    situation("20 to 100", spend(since(week(20), "11-10", week(100))), "11-08", "11-14", {SPEND: "2026-11-10"}),
    situation("50k to 95k", spend(since(week(50000, noise=0.05), "11-10", week(95000, noise=0.05))), "11-08",
        "11-14", spent("11-10")),
    situation("a Sunday at a weekday's level", spend(but(USUAL, {day("11-15")}, plus=950)), "11-14", "11-20",
        spent("11-15")),
    situation("a weekend at ten times", spend(but(USUAL, days("11-14", "11-15"), plus=10000)), "11-13", "11-18",
        spent("11-14")),
    situation("a third spike after two others", spend(but(USUAL, {day("09-10"), day("10-20"), day("11-13")},
        times=3)), "11-12", "11-16", spent("11-13")),
    situation("a third spike after two of two days", spend(but(USUAL, days("09-10", "09-11") | days("10-20",
        "10-21") | RUNAWAY, times=3)), "11-12", "11-16", spent("11-13")),
    situation("a spike after three weeks of vacation", spend(but(but(USUAL, days("10-12", "11-01"), times=0.05),
        {day("11-04")}, times=3)), "11-02", "11-10", spent("11-04")),
    situation("a quarter's end, whose last is out of the window", spend(but(USUAL, {day("06-30"), day("09-30")},
        plus=BATCH)), "09-29", "10-05", spent("09-30")),
]


def large(name: str, usd: ByDay) -> Organization:
    """Return a large organisation with one workspace of interest."""
    return Organization(dollars=week(50000, noise=0.05), workspaces={name: usd})


WORKSPACES = [
    situation("a workspace at 20 times in a large organisation", large("small", but(week(300), RUNAWAY,
        times=20)), "11-12", "11-18", {WORKSPACE: "2026-11-13"}),
    situation("a new workspace", large("new", since(lambda _: 0, "11-10", week(9000))), "11-09", "12-10",
        {WORKSPACE: "2026-11-10"}),
    situation("a small new workspace", large("new", since(lambda _: 0, "11-10", week(900))), "11-09", "11-16"),
    situation("a workspace is deleted", large("old", since(week(9000), "11-10", lambda _: 0)), "11-09", "11-16"),
    situation("a workspace used on some days of a week", large("rare", lambda at: 6000 * (_chance(str(at)) >
        0.4)), "11-05", "11-20"),
]

ACME = spend(USUAL)
OTHER = spend(USUAL, name="Beta", instance="b:10918")
SEVERAL = [
    situation("two organisations, of which one has a spike", (ACME, spend(SPIKE, name="Beta",
        instance="b:10918")), "11-11", "11-20", spent("11-13")),
    situation("two exporters of one organisation", (ACME, spend(USUAL, instance="b:10918", job="second")),
        "11-11", "11-14"),
    situation("a second exporter is installed after a spike", (spend(SPIKE), spend(SPIKE, instance="b:10918",
        job="second", up=lambda now: now >= at("11-14T12"), health=lambda one, now: {one.series("up"): None} if
        now < at("11-14T12") else {})), "11-11", "11-20", spent("11-13")),
]


TEAM = week(1, weekend=0)
PEOPLE = week(60, noise=0.1)


def people(users: ByDay, **more: object) -> Organization:
    """Return an organisation with so many users and no cost."""
    return Organization(users=users, **more)  # type: ignore[arg-type]


def teams(**teams: tuple[ByDay, int]) -> Organization:
    """Return an organisation of teams, with a report on each person."""
    return Organization(people=teams)


ADOPTION = [
    situation("people, with noise of 20 %", people(week(60, noise=0.2)), "11-01", "11-20"),
    situation("people, a holiday week", people(but(PEOPLE, days("10-26", "10-30"), times=0.2)), "10-28",
        "11-14"),
    situation("people, a holiday week with half at work", people(but(PEOPLE, days("10-26", "10-30"),
        times=0.5)), "10-28", "11-14"),
    situation("people, Christmas with a slow return", people(but(but(PEOPLE, CHRISTMAS, times=0.1),
        days("2027-01-04", "2027-01-08"), times=0.6)), "12-30", "2027-01-24"),
    situation("people, Christmas with a third at work", people(but(PEOPLE, CHRISTMAS, times=0.35)), "12-30",
        "2027-01-16"),
    situation("people, three-week shutdown", people(but(PEOPLE, days("10-12", "11-01"), times=0)), "10-28",
        "11-08"),
    situation("people, a training week before", people(but(PEOPLE, days("09-28", "10-02"), times=2)), "10-10",
        "10-30"),
    situation("people, a small organisation stops", people(since(week(9), "11-02", week(0))), "11-12", "12-04"),
    situation("people, half a day of lag", people(PEOPLE, lag=HOUR * 12), "11-10", "11-14"),
    situation("people, scrape gaps", people(PEOPLE, up=lambda now: now.day % 3 != 0), "11-01", "11-08", {DOWN:
        ("2026-11-03", "2026-11-04")}),
    situation("half of the people leave at once", people(since(PEOPLE, "10-26", week(30, noise=0.1))), "10-30",
        "12-01", {DROP: ("2026-11-05", "2026-11-16")}),
    situation("half of the people leave within three weeks", people(growing(PEOPLE, "10-12", 0.5 ** (1 / 21),
        "11-02")), "10-26", "12-01", {DROP: ("2026-10-26", "2026-11-12")}),
    situation("almost all people leave", people(since(PEOPLE, "10-26", week(5))), "11-08", "12-01", {DROP:
        ("2026-11-15", "2026-11-24")}),
    situation("a team of a fifth leaves", teams(here=(TEAM, 40), gone=(since(TEAM, "10-26", lambda _: 0), 10)),
        "11-02", "11-24", {IDLE: ("2026-11-05", "2026-11-16")}),
    situation("a team is on vacation for two weeks", teams(here=(TEAM, 40), gone=(but(TEAM, days("10-24",
        "11-08"), times=0), 10)), "11-02", "11-16"),
    situation("teams, Christmas", teams(here=(but(TEAM, CHRISTMAS, times=0), 40), late=(but(TEAM,
        days("2026-12-19", "2027-01-10"), times=0), 10)), "12-30", "2027-01-18"),
    situation("four of twenty leave", teams(here=(TEAM, 20), gone=(since(TEAM, "10-26", lambda _: 0), 4)),
        "11-06", "11-16"),
]


def healthy(**more: object) -> Organization:
    """Return an organisation of which only the exporter matters: two days of it are enough."""
    return replace(Organization(dollars=FLAT, window=2), **more)  # type: ignore[arg-type]


def is_so(first: str, last: str = "12-31T00") -> Callable[[datetime], bool]:
    """Return whether a moment lies between two."""
    return lambda now: at(first) <= now < at(last)


def not_so(first: str, last: str = "12-31T00") -> Callable[[datetime], bool]:
    """Return whether a moment does not lie between two."""
    return lambda now: not at(first) <= now < at(last)


def failing(reason: str, report: str = "cost", *, since: str, never: bool = False) -> Health:
    """Return the health of an exporter that cannot read a report from a moment on."""

    def health(one: Organization, now: datetime) -> Mapping[str, float | None]:
        if now < at(since):
            return {}
        success = one.series("anthropic_report_last_success_timestamp_seconds", report=report)
        return {
            one.series("anthropic_up", report=report): 0.0,
            one.series("anthropic_exporter_report_failing", report=report, reason=reason): 1.0,
            success: None if never else at(since).timestamp(),
        }

    return health


def instead(family: str, value: Callable[[datetime], float | None], **labels: str) -> Health:
    """Return the health of an exporter of which one family shows something else."""
    return lambda one, now: {one.series(family, **labels): value(now)}


def refreshed_each(interval: timedelta, until: str = "12-31T00") -> Health:
    """Return the health of an exporter that refreshes everything at an interval, until a moment."""

    def health(one: Organization, now: datetime) -> Mapping[str, float]:
        refreshed = min(now, at(until))
        refreshed -= (refreshed - at("11-01T00")) % interval
        reports = [
            one.series("anthropic_report_last_success_timestamp_seconds", report=report)
            for report in ("cost", "claude_code")
        ]
        names = [*reports, one.series("anthropic_exporter_page_timestamp_seconds")]
        return {
            **dict.fromkeys(names, refreshed.timestamp()),
            one.series("anthropic_exporter_refresh_interval_seconds"): interval.total_seconds(),
        }

    return health


def api_key(expires: str, status: str = "active") -> Health:
    """Return the health of an exporter that lists a key which expires at a moment."""
    labels = {"api_key_id": "apikey_1"}
    return lambda one, _: {
        one.series("anthropic_api_key_expiry_timestamp_seconds", **labels): at(expires).timestamp(),
        one.series(
            "anthropic_api_key_info", api_key_name="ci", workspace_id="default", status=status, **labels
        ): 1.0,
    }


SOON = ("2026-11-12", "2026-11-12")

EXPORTER = [
    situation("down for ten minutes", healthy(up=lambda now: not at("11-12T01") <= now <= at("11-12T01") + HOUR
        / 6), "11-12", "11-12", hours=1 / 12),
    situation("down for half an hour", healthy(up=lambda now: not at("11-12T01") <= now <= at("11-12T01") + HOUR
        / 2), "11-12", "11-12", {DOWN: SOON}, hours=1 / 12),
    situation("down under another job name, and for long", healthy(job="claude", up=not_so("11-12T01")),
        "11-12", "11-20", {DOWN: ("2026-11-12", "2026-11-13")}, hours=1),
    situation("its target is gone", healthy(job="claude", target=not_so("11-12T01")), "11-12", "11-18", {DOWN:
        ("2026-11-12", "2026-11-13")}, hours=1),
    situation("the job is renamed", (healthy(target=not_so("11-12T04")), healthy(job="claude", instance="b:1",
        target=is_so("11-12T04"))), "11-12", "11-14", hours=1),
    situation("a pod is replaced", (healthy(target=not_so("11-12T04")), healthy(instance="b:1",
        target=is_so("11-12T04"))), "11-12", "11-14", hours=1),
    situation("a pod is replaced after a spike", (spend(SPIKE, target=not_so("11-14T12")), spend(SPIKE,
        instance="b:1", target=is_so("11-14T12"))), "11-12", "11-20", spent("11-13"), hours=6),
    situation("the key is refused", healthy(health=failing("unauthorized", since="11-12T01")), "11-12", "11-12",
        {KEY: SOON}, hours=1 / 6),
    situation("the key may not read a report", healthy(health=failing("forbidden", since="11-12T00",
        never=True)), "11-12", "11-12", {KEY: SOON}, hours=1 / 6),
    situation("rate limited for long", healthy(health=failing("throttled", since="11-12T01")), "11-12", "11-12",
        {FAILING: SOON}, hours=1 / 6),
    situation("a report was never read", healthy(health=failing("server", since="11-12T00", never=True)),
        "11-12", "11-12", {FAILING: SOON}, hours=1 / 6),
    situation("every other attempt fails", healthy(health=instead("anthropic_up", lambda now: now.minute // 10 %
        2, report="cost")), "11-12", "11-12", hours=1 / 6),
    situation("a refresh hangs", healthy(health=lambda one, now: {name: at("11-12T02").timestamp() for name in
        (one.series("anthropic_exporter_page_timestamp_seconds"),
        one.series("anthropic_report_last_success_timestamp_seconds", report="cost"),
        one.series("anthropic_report_last_success_timestamp_seconds", report="claude_code"))} if now >
        at("11-12T02") else {}), "11-12", "11-12", {STALE: SOON}, hours=1 / 6),
    situation("two hours between the refreshes of a large organisation", healthy(health=refreshed_each(2 * HOUR)),
        "11-12", "11-12", hours=1 / 6),
    situation("a large organisation, of which a refresh hangs", healthy(health=refreshed_each(2 * HOUR,
        until="11-12T06")), "11-12", "11-12", {STALE: SOON}, hours=1 / 6),
    situation("the data folder cannot be written",
        healthy(health=instead("anthropic_exporter_store_failures_total", lambda now: max((now - at("11-12T02"))
        // HOUR * 6, 0))), "11-12", "11-12", {STORE: SOON}, hours=1 / 6),
    situation("days are not read", healthy(known=lambda at_, _: at_ != day("11-11")), "11-12", "11-12",
        {COVERAGE: SOON}, hours=1 / 2),
    situation("an API key expires", healthy(health=api_key("12-01T00")), "11-12", "11-20", {EXPIRES: "11-17"},
        hours=1),
    situation("an archived API key expires, or one that has expired is listed still", (healthy(health=api_key(
        "12-01T00", "archived")), healthy(instance="b:1", health=api_key("11-15T00", "expired"))), "11-12", "11-20",
        hours=6),
    situation("the first fill", healthy(known=lambda _, now: now > at("11-12T02")), "11-12", "11-12", hours=1 /
        2),
    situation("usage stalls, cost goes on", Organization(dollars=USUAL, users=since(PEOPLE, "11-02", lambda _:
        0)), "11-01", "11-20", {STALLED: ("2026-11-06", "2026-11-08")}),
    situation("cost stalls, usage goes on", Organization(dollars=since(USUAL, "11-02", lambda _: 0),
        users=PEOPLE), "11-01", "11-20", {STALLED: ("2026-11-06", "2026-11-08")}),
    situation("neither usage nor cost: a shutdown", Organization(dollars=but(USUAL, days("10-12", "11-01"),
        times=0.05), users=but(PEOPLE, days("10-12", "11-01"), times=0)), "10-20", "11-08"),
    situation("a long weekend", Organization(dollars=but(USUAL, days("11-06", "11-09"), times=0.05),
        users=but(PEOPLE, days("11-06", "11-09"), times=0)), "11-05", "11-12"),
]


INPUT = week(100e6, weekend=0.1, noise=0.2)
HIGH, LOW = 0.9, 0.1


def caching(cached: ByDay = lambda _: HIGH, tokens: ByDay = INPUT, **more: object) -> Organization:
    """Return an organisation with so many input tokens and such a share of them read from the cache."""
    return Organization(tokens=tokens, cached=cached, **more)  # type: ignore[arg-type]


def both(interactive: ByDay, batch: ByDay, **more: object) -> Organization:
    """Return an organisation whose interactive input is read from the cache, and whose batches are not."""
    def tokens(at: date) -> float:
        return interactive(at) + batch(at)

    return caching(lambda at: HIGH * interactive(at) / (tokens(at) or 1), tokens, **more)


def on(dates: Collection[date], low: float = LOW) -> ByDay:
    """Return the share of an organisation whose cache is not read on some dates."""
    return lambda at: low if at in dates else HIGH


COLLAPSE = on(days("11-10", "12-31"))
THIRD_DAY = {CACHE: "2026-11-13"}

CACHING = [
    situation("input with noise of 20 %", caching(tokens=week(100e6, weekend=0.1, noise=0.2)), "10-25", "11-20"),
    situation("weekends without the cache", caching(lambda at: LOW if at.weekday() > 4 else HIGH), "11-05", "11-20"),
    situation("a batch every day, people on working days", both(week(100e6, weekend=0), lambda _: 60e6), "11-05",
        "11-20"),
    situation("Christmas without the cache", caching(on(CHRISTMAS), but(INPUT, CHRISTMAS, times=0.2)), "12-20",
        "2027-01-12"),
    situation("three-week shutdown without the cache", caching(on(days("10-12", "11-01")), but(INPUT, days("10-12",
        "11-01"), times=0.2)), "10-12", "11-12"),
    situation("two days without the cache", caching(on(days("11-10", "11-11"))), "11-09", "11-20"),
    situation("a small organisation stops caching", caching(COLLAPSE, week(8e6)), "11-09", "11-20"),
    situation("an organisation that never caches", caching(lambda _: 0), "11-09", "11-14"),
    situation("an organisation that caches little stops", caching(lambda at: 0.15 if at < day("11-10") else 0), "11-09",
        "11-20"),
    situation("a switch of models", caching(model=lambda at: "sonnet" if at >= day("11-10") else "opus"), "11-09",
        "11-20"),
    situation("new work that does not cache", both(INPUT, lambda at: 300e6 if at >= day("11-10") else 0), "11-09",
        "11-20"),
    situation("a new organisation stops caching", caching(COLLAPSE, since(lambda _: 0, "10-29", INPUT)), "11-01",
        "11-14"),
    situation("days without the cache are not read", caching(COLLAPSE, known=lambda at_, _: at_ < day("11-11")),
        "11-13", "11-14", {COVERAGE: "2026-11-13"}, hours=1),
    situation("a fill that has read ten days without the cache", caching(on(days("10-01", "12-31")), known=lambda at_,
        now: (now.date() - at_).days < 14), "11-12", "11-12", {COVERAGE: "2026-11-12"}, hours=1),
    situation("the cache, half a day of lag", caching(lag=HOUR * 12), "11-09", "11-20"),
    situation("a share that varies between 30 and 70 %", caching(week(0.5, weekend=1, noise=0.4)), "10-05", "11-20"),
    situation("a weekend of much input without the cache", caching(on(days("11-07", "11-08")), week(100e6,
        weekend=0.9)), "11-05", "11-20"),
    situation("twice the input, all the share", caching(tokens=since(INPUT, "11-10", week(200e6))), "11-09", "11-20"),
    situation("fewer tokens, all the share", caching(tokens=since(INPUT, "11-10", week(20e6))), "11-09", "12-10"),
    situation("the cache is not read any more", caching(COLLAPSE), "11-09", "12-20", THIRD_DAY),
    situation("a week without the cache, seen by a new Prometheus", caching(COLLAPSE), "11-18", "11-20", {CACHE:
        "2026-11-18"}),
    situation("not read from a Friday on", caching(on(days("11-13", "12-31"))), "11-12", "11-24", {CACHE:
        "2026-11-18"}),
    situation("not read from the day before a holiday on", caching(on(days("11-11", "12-31")), but(INPUT, days("11-12",
        "11-13"), times=0.1)), "11-10", "11-24", {CACHE: "2026-11-18"}),
    situation("a new model that does not cache", caching(COLLAPSE, model=lambda at: "sonnet" if at >= day("11-10") else
        "opus"), "11-09", "11-20", THIRD_DAY),
    situation("not read any more, half a day of lag", caching(COLLAPSE, lag=HOUR * 12), "11-09", "11-20", THIRD_DAY),
    situation("not read any more after a shutdown", caching(COLLAPSE, but(INPUT, days("10-19", "11-01"), times=0)),
        "11-09", "11-20", THIRD_DAY),
    situation("not read any more while the input triples", caching(COLLAPSE, since(INPUT, "11-10", week(300e6))),
        "11-09", "11-20", THIRD_DAY),
    situation("the share falls to a third", caching(on(days("11-10", "12-31"), 0.3)), "11-09", "12-20", THIRD_DAY),
    situation("not read for two weeks, then again", caching(on(days("11-10", "11-23"))), "11-09", "12-10", THIRD_DAY),
    situation("one of the days was not read", caching(COLLAPSE, known=lambda at_, _: at_ != day("11-11")), "11-13",
        "11-15", {CACHE: "2026-11-14", COVERAGE: "2026-11-13"}, hours=1),
    situation("two organisations, of which one stops caching", (caching(), caching(COLLAPSE, name="Beta",
        instance="b:10918")), "11-09", "11-20", THIRD_DAY),
    situation("two exporters of one that stops caching", (caching(COLLAPSE), caching(COLLAPSE, instance="b:10918",
        job="second")), "11-09", "11-20", THIRD_DAY),
]
# fmt: on

ALL = [*SPEND_SILENT, *SPEND_FIRES, *WORKSPACES, *SEVERAL, *ADOPTION, *EXPORTER, *CACHING]
