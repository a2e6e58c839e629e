"""The ten numbers of the status page, as a person reads them. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from exporter.model import EXACT
from exporter.reports.sums import CostSums, DaySums, UserBook

NOT_READ = "not read yet"


def headlines(
    days: Mapping[date, DaySums], bills: Mapping[date, CostSums], book: UserBook, yesterday: date
) -> list[tuple[str, str]]:
    """Return (title, text) of the ten metrics over the days given; what was not read says so, and is no zero."""
    return [*_totals(days, bills, book), *_yesterdays(days.get(yesterday), bills.get(yesterday)), *_mixes(days, book)]


def _totals(days: Mapping[date, DaySums], bills: Mapping[date, CostSums], book: UserBook) -> list[tuple[str, str]]:
    added = sum(day.lines_added for day in days.values())
    removed = sum(day.lines_removed for day in days.values())
    spend = _sum(cents for bill in bills.values() for cents in bill.lines.values())
    people = sum(actor.actor_type == "user" for actor in book.users)
    return [
        ("Total active users", f"{people:,} users, {len(book.users) - people:,} API keys" if days else NOT_READ),
        ("Lines of code accepted", f"{added:,} added, {removed:,} removed" if days else NOT_READ),
        ("Total spend", _dollars(spend) if bills else NOT_READ),
    ]


def _yesterdays(day: DaySums | None, bill: CostSums | None) -> list[tuple[str, str]]:
    return [
        ("Cost yesterday", _dollars(_sum(bill.lines.values())) if bill else NOT_READ),
        ("Lines of code yesterday", f"{day.lines_added:,} added, {day.lines_removed:,} removed" if day else NOT_READ),
        ("Active yesterday", f"{sum(day.active_users.values()):,}, {day.sessions:,} sessions" if day else NOT_READ),
    ]


def _mixes(days: Mapping[date, DaySums], book: UserBook) -> list[tuple[str, str]]:
    accepted = sum(tool.accepted for day in days.values() for tool in day.tools.values())
    rejected = sum(tool.rejected for day in days.values() for tool in day.tools.values())
    by_model: dict[str, Decimal] = {}
    tokens = 0
    for day in days.values():
        for model, use in day.models.items():
            by_model[model] = EXACT.add(by_model.get(model, Decimal(0)), use.cents)
            tokens += use.input + use.output + use.cache_read + use.cache_creation
    estimate = _sum(by_model.values())
    top = max(by_model, key=lambda model: by_model[model], default="")
    per_user = estimate / len(book.users) if book.users else Decimal(0)
    return [
        ("Model used most", f"{top}, {_share(by_model[top], estimate)} of the estimated cost" if top else NOT_READ),
        ("Tokens", f"{tokens:,}" if days else NOT_READ),
        (
            "Tool actions",
            f"{accepted + rejected:,}, {_share(accepted, accepted + rejected)} accepted" if days else NOT_READ,
        ),
        ("Estimated cost per user", _dollars(per_user) if days else NOT_READ),
    ]


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for cents in amounts:
        total = EXACT.add(total, cents)
    return total


def _share(part: Decimal | int, whole: Decimal | int) -> str:
    return f"{part / whole:.0%}" if whole else "nothing"


def _dollars(cents: Decimal) -> str:
    return f"${cents / 100:,.2f}"
