"""The sums of a user over the window, and of all those who are shown as `other`."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import reduce
from heapq import nsmallest
from operator import attrgetter, or_

from msgspec import Struct

from exporter.reports.sums import Group, add, subtract, total
from exporter.reports.usage_rows import Actor, Row

OTHER = "other"
_AT_ONCE = 1000
"""Users that are combined in one step, which holds the interpreter."""


class User(Struct, array_like=True):
    """The sums of one user over the window. `dates` has a bit for each day with a row, from `users.Users.base` on."""

    dates: int = 0
    sessions: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    commits: int = 0
    pull_requests: int = 0
    accepted: int = 0
    rejected: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_creation: int = 0
    models: dict[str, Group] = {}
    """Days with the model, and cents, by model."""

    @property
    def cents(self) -> Decimal:
        """The estimated cost of all models."""
        return total(group.cents for group in self.models.values())

    def change(self, row: Row, sign: int) -> None:
        """Add a row, or subtract it with `sign=-1`. The caller changes `dates`."""
        self.sessions += sign * row.sessions
        self.lines_added += sign * row.lines_added
        self.lines_removed += sign * row.lines_removed
        self.commits += sign * row.commits
        self.pull_requests += sign * row.pull_requests
        for tool in row.tools:
            self.accepted += sign * tool.accepted
            self.rejected += sign * tool.rejected
        change_model = add if sign > 0 else subtract
        for model in row.models:
            self.input += sign * model.input
            self.output += sign * model.output
            self.cache_read += sign * model.cache_read
            self.cache_creation += sign * model.cache_creation
            change_model(self.models, model.name, (), model.cents)


_DATES, *_COUNTS = map(attrgetter, User.__struct_fields__[:-1])


def folded(users: Mapping[Actor, User], limit: int) -> tuple[set[Actor], dict[Actor, User]]:
    """Return the users that keep their name, and the sums of the others as `other` of each actor type.

    The `limit` most expensive users keep it; equal ones in the order of their names, so that a page does not flicker.
    A user whose name is `other` is one of the others as soon as there are any.
    """
    if len(users) <= limit:
        return set(users), {}
    ranked = nsmallest(limit, users, key=lambda actor: (-users[actor].cents, actor))
    named = {actor for actor in ranked if actor.name != OTHER}
    rest: dict[str, list[User]] = {}
    for actor, user in users.items():
        if actor not in named:
            rest.setdefault(actor.actor_type, []).append(user)
    return named, {Actor(actor_type, OTHER): combined(of_type) for actor_type, of_type in rest.items()}


def combined(users: Sequence[User]) -> User:
    """Return the sums of several users, who are shown as one."""
    if len(users) > _AT_ONCE:
        steps = range(0, len(users), _AT_ONCE)
        return combined([combined(users[start : start + _AT_ONCE]) for start in steps])
    groups: dict[str, list[Group]] = {}
    for user in users:
        for model, group in user.models.items():
            groups.setdefault(model, []).append(group)
    counts = [sum(map(count, users)) for count in _COUNTS]
    result = User(reduce(or_, map(_DATES, users)), *counts)
    result.models = {model: _merged(found) for model, found in groups.items()}
    return result


def _merged(groups: Sequence[Group]) -> Group:
    return Group(sum([group.rows for group in groups]), (), total([group.cents for group in groups]))
