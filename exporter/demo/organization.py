"""The simulated organisation as its reports show it at a given moment. Pure: `now` is always an argument (UTC)."""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, lru_cache

from exporter.demo import analytics
from exporter.demo.analytics import Fact
from exporter.demo.keys import KEYS
from exporter.demo.listings import api_key, default_workspace, members, workspaces
from exporter.demo.people import people as make_people
from exporter.demo.records import ORGANIZATION_ID, Record, cost_result, messages_results, usage_records
from exporter.demo.sessions import MINUTES, Session, day_sessions
from exporter.demo.story import Story, View
from exporter.demo.traffic import PROTOTYPE_DAYS, Use, billed_units, units_of_actors, used_units

USAGE_DELAY = timedelta(hours=1)
"""Records younger than this are withheld (Claude Code Analytics API guide)."""

COST_DELAY = timedelta(minutes=5)
"""Costs appear about this long after they arose (Usage and Cost API guide)."""

FINAL_AFTER = timedelta(days=1, hours=6)
"""How long after its 00:00 UTC a day is restated once, and is then final."""

_MINUTE = timedelta(minutes=1)
_CACHED_PERSON_DAYS = 12_000


class Organization:
    """An organisation of `people` people (and five API keys) whose story ends at `anchor`, a UTC date.

    It is deterministic: the same arguments give the same numbers in every process. There is data from 400 days before
    the anchor on, and after it.
    """

    def __init__(self, anchor: date, *, people: int = 120, seed: int = 7) -> None:
        self.anchor = anchor
        self.people = make_people(people, seed)
        self.seed = seed
        self.story = Story(anchor)
        self._restatements: list[tuple[date, Decimal]] = []
        # A day is requested again for its next page, or a minute later: keep the sessions of as many days as fit.
        days = max(3, _CACHED_PERSON_DAYS // max(1, people))
        self._sessions = lru_cache(maxsize=days)(self._make_sessions)
        self._final_use = cache(self._make_use)

    @property
    def revision(self) -> int:
        """The number of restatements so far."""
        return len(self._restatements)

    def restate(self, day: date, factor: Decimal | float | str) -> None:
        """Multiply all numbers of a day by a factor from now on; 0 removes every record, 1 restores them."""
        self._restatements.append((day, Decimal(str(factor))))

    def claude_code_records(self, day: date, now: datetime) -> list[Record]:
        """Return the records of `usage_report/claude_code` for a UTC day, as the API shows them at `now` (UTC)."""
        return self.usage_of(self.view(day, now - USAGE_DELAY, now))

    def cost_results(self, day: date, now: datetime) -> list[Record]:
        """Return the results of `cost_report` for a UTC day at `now`, grouped by description and workspace.

        `amount` is an exact decimal string of cents. A day without cost has no results.
        """
        return self.costs_of(self.view(day, now - COST_DELAY, now))

    def messages_results(self, day: date, now: datetime) -> list[Record]:
        """Return the results of `usage_report/messages` for a UTC day at `now`, grouped by key, workspace, model, tier.

        A combination may have several results, as the API has at times.
        """
        return self.messages_of(self.view(day, now - COST_DELAY, now))

    def analytics_cost(self, day: date, now: datetime, group_by: Collection[str], product: str = "") -> list[Record]:
        """Return the rows of `/analytics/cost` for a UTC day at `now`, of one product or of all."""
        view, products = self.view(day, now - COST_DELAY, now), frozenset({product} - {""})
        return [row for group in self.analytics_cost_of(view, frozenset(group_by), products) for row in group]

    def analytics_usage(self, day: date, now: datetime, group_by: Collection[str]) -> list[Record]:
        """Return the rows of `/analytics/usage` for a UTC day at `now`."""
        view = self.view(day, now - COST_DELAY, now)
        return [row for group in self.analytics_usage_of(view, frozenset(group_by), frozenset()) for row in group]

    def view(self, day: date, known_until: datetime, now: datetime, revision: int | None = None) -> View:
        """Return what of a day is visible at `now`: what ended before `known_until`.

        With a `revision`, later restatements are left out.
        """
        begin = datetime.combine(day, time(), UTC)
        minute = min(max((known_until - begin) // _MINUTE, 0), MINUTES)
        factors = [factor for restated, factor in self._restatements[:revision] if restated == day]
        return View(day, minute, now >= begin + FINAL_AFTER, factors[-1] if factors else Decimal(1))

    def usage_of(self, view: View) -> list[Record]:
        """Return the Claude Code records of a view, in the order of the people."""
        if not view.factor or not view.minute:
            return []
        shown = (session for session in self._sessions(view.day) if session.ended < view.minute)
        return usage_records(view.day, shown, final=view.final, factor=view.factor)

    def costs_of(self, view: View) -> list[Record]:
        """Return the cost results of a view, ordered by their dimensions."""
        bill = billed_units(self._used(view))
        ordered = sorted(bill.items(), key=lambda item: tuple(part or "" for part in item[0]))
        return [cost_result(line, units, view.factor) for line, units in ordered if units]

    def messages_of(self, view: View) -> list[Record]:
        """Return the message results of a view: the tokens and searches that its bill counts."""
        return messages_results(self._used(view), view.factor)

    def analytics_cost_of(self, view: View, group_by: frozenset[str], products: frozenset[str]) -> list[list[Record]]:
        """Return the rows of `/analytics/cost` of a view, by group."""
        return analytics.cost_rows(view.day, self._facts(view, group_by, products), group_by, view.factor)

    def analytics_usage_of(self, view: View, group_by: frozenset[str], products: frozenset[str]) -> list[list[Record]]:
        """Return the rows of `/analytics/usage` of a view, by group."""
        return analytics.usage_rows(view.day, self._facts(view, group_by, products), group_by, view.factor)

    def _facts(self, view: View, group_by: frozenset[str], products: frozenset[str]) -> list[Fact]:
        if not view.factor or not view.minute:
            return []
        if "actor" in group_by:  # of other products the actors are not known
            used = units_of_actors(view, self._sessions(view.day))
            return list(analytics.facts_of_actors(used, self.deleted_account))
        facts = analytics.facts_of_use(self._used(view))
        return [fact for fact in facts if not products or fact.dimensions["product"] in products]

    @property
    def deleted_account(self) -> str:
        """The address of somebody whose account was deleted, or nothing."""
        return self.people[-1].sources[0].name if self.people else ""

    def workspace(self, workspace_id: str) -> Record | None:
        """Return one workspace, which may be the default one; None for an id of no workspace."""
        every = [*self.workspaces(include_archived=True), default_workspace()]
        return next((one for one in every if one["id"] == workspace_id), None)

    def me(self) -> Record:
        """Return `/v1/organizations/me`."""
        return {"id": ORGANIZATION_ID, "type": "organization", "name": "Sim Org"}

    def workspaces(self, *, include_archived: bool) -> list[Record]:
        """Return the workspaces as the API lists them; the default one is not among them."""
        listed = workspaces(self.anchor - timedelta(days=PROTOTYPE_DAYS))
        return [one for one in listed if include_archived or one["archived_at"] is None]

    def api_keys(self) -> list[Record]:
        """Return the API keys as API version 2023-06-01 lists them, archived and expired ones included."""
        return [api_key(key, self.anchor) for key in KEYS]

    def users(self) -> list[Record]:
        """Return the members, of whom two never use Claude Code; some addresses are in mixed case."""
        return members([person.sources[0].name for person in self.people])

    def _make_sessions(self, day: date) -> tuple[Session, ...]:
        return day_sessions(self.story.day(day), self.people, self.seed)

    def _used(self, view: View) -> Counter[Use]:
        if not view.factor or not view.minute:
            return Counter()
        return self._final_use(view._replace(factor=Decimal(1))) if view.final else self._make_use(view)

    def _make_use(self, view: View) -> Counter[Use]:
        story_day, sessions = self.story.day(view.day), self._sessions(view.day)
        return used_units(story_day, view, sessions, people=len(self.people), seed=self.seed)
