"""Users over a range of days, most expensive first. Pure.

The sums of a range are added up from the rows of its days, or subtracted from the sums of the window by the rows of the
other days, whichever are fewer.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from exporter.model import EXACT, ZERO, dollars
from exporter.reports.usage_rows import Actor, Row
from exporter.reports.user_sums import OTHER, User
from exporter.reports.users import Users
from exporter.web.report import Query, UserUse

_plus, _minus = EXACT.add, EXACT.subtract


class UserTotals(Struct):
    """The sums of one user that a report shows."""

    sessions: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    commits: int = 0
    pull_requests: int = 0
    accepted: int = 0
    rejected: int = 0
    tokens: int = 0
    cents: Decimal = ZERO


def of_window(user: User) -> UserTotals:
    """Return the sums of a user over the window."""
    return UserTotals(
        user.sessions,
        user.lines_added,
        user.lines_removed,
        user.commits,
        user.pull_requests,
        user.accepted,
        user.rejected,
        user.input + user.output + user.cache_read + user.cache_creation,
        user.cents,
    )


def change(totals: dict[Actor, UserTotals], rows: Iterable[Row], query: Query, sign: int) -> None:
    """Add the rows of a day, or subtract them with `sign=-1`. Models that the query filters out are skipped."""
    plus = _plus if sign > 0 else _minus
    for row in rows:
        user = totals.get(row.actor)
        if user is None:
            user = totals[row.actor] = UserTotals()
        user.sessions += sign * row.sessions
        user.lines_added += sign * row.lines_added
        user.lines_removed += sign * row.lines_removed
        user.commits += sign * row.commits
        user.pull_requests += sign * row.pull_requests
        for tool in row.tools:
            user.accepted += sign * tool.accepted
            user.rejected += sign * tool.rejected
        for model in row.models:
            if query.counts(model.name):
                user.tokens += sign * (model.input + model.output + model.cache_read + model.cache_creation)
                user.cents = plus(user.cents, model.cents)


def ranked(totals: Mapping[Actor, UserTotals], users: Users, query: Query, max_users: int) -> list[UserUse]:
    """Return the users with a row in the range, most expensive first; equal ones in the order of their names.

    Those beyond `max_users` are one `other`, of type `none` if their types differ.
    """
    dates = {actor: dates for actor in totals if (dates := users.dates(actor, query.span))}
    order = sorted(dates, key=lambda actor: (-totals[actor].cents, actor))
    named = order if len(order) <= max_users else [actor for actor in order[:max_users] if actor.name != OTHER]
    shown = [(actor, dates[actor], totals[actor]) for actor in named]
    if rest := dates.keys() - set(named):
        types = {actor.actor_type for actor in rest}
        other = Actor(types.pop() if len(types) == 1 else "none", OTHER)
        shown.append((other, *_summed(dates, totals, rest)))
        shown.sort(key=lambda item: (-item[2].cents, item[0]))
    return [_use(actor, days, of, query) for actor, days, of in shown]


def _summed(
    dates: Mapping[Actor, int], totals: Mapping[Actor, UserTotals], actors: Iterable[Actor]
) -> tuple[int, UserTotals]:
    days, result = 0, UserTotals()
    for actor in actors:
        days |= dates[actor]
        for name in UserTotals.__struct_fields__[:-1]:
            setattr(result, name, getattr(result, name) + getattr(totals[actor], name))
        result.cents = _plus(result.cents, totals[actor].cents)
    return days, result


def _use(actor: Actor, dates: int, totals: UserTotals, query: Query) -> UserUse:
    return UserUse(
        user=actor.name,
        actor_type=actor.actor_type,
        sessions=totals.sessions,
        lines_added=totals.lines_added,
        lines_removed=totals.lines_removed,
        commits=totals.commits,
        pull_requests=totals.pull_requests,
        accepted=totals.accepted,
        rejected=totals.rejected,
        tokens=totals.tokens,
        estimated_cost_usd=dollars(totals.cents),
        active_days=dates.bit_count(),
        last_active=query.first + timedelta(days=dates.bit_length() - 1),
    )
