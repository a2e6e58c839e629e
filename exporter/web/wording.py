"""Numbers, days and changes as a person reads them. Pure."""

from collections.abc import Mapping
from datetime import date, datetime

NOT_READ = "not read yet"
_ACTOR_TYPES = {"user": ("user", "users"), "api_key": ("API key", "API keys")}
_HALF_A_CENT = 0.005
_SIZES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))


def money(dollars: float | None) -> str:
    """Return dollars with two places; less than half a cent is $0.00."""
    if dollars is None:
        return NOT_READ
    if abs(dollars) < _HALF_A_CENT:
        return "$0.00"
    return f"{'-' if dollars < 0 else ''}${abs(dollars):,.2f}"


def count(number: float | None) -> str:
    """Return a whole number with its thousands grouped."""
    return NOT_READ if number is None else f"{number:,}"


def short(number: float | None) -> str:
    """Return a large number in few digits, as in 2.4 billion."""
    for size, name in _SIZES:
        if number is not None and number >= size:
            return f"{number / size:,.1f} {name}"
    return count(number)


def share(part: float) -> str:
    """Return a share in per cent."""
    return f"{part:.1%}"


def day(of: date) -> str:
    """Return a day, as in 20 Nov 2026."""
    return f"{of.day} {of:%b %Y}"


def day_of(of: date, first: date, last: date) -> str:
    """Return a day of a range, with its year where the range has two."""
    return day(of) if first.year != last.year else f"{of.day} {of:%b}"


def span(first: date, last: date) -> str:
    """Return a range of days."""
    return day(first) if first == last else f"{day(first)} to {day(last)}"


def as_of(moment: datetime | None, today: date) -> str:
    """Return when the numbers were read, with the day unless it is today."""
    if moment is None:
        return NOT_READ
    return f"as of {moment:%H:%M} UTC" if moment.date() == today else f"as of {day(moment.date())}, {moment:%H:%M} UTC"


def days(number: int) -> str:
    """Return a number of days."""
    return plural(number, "day")


def duration(seconds: float) -> str:
    """Return a duration in seconds, or in minutes from two on."""
    minutes = round(seconds / 60)
    return plural(minutes, "minute") if minutes > 1 else plural(round(seconds), "second")


def actors(counts: Mapping[str, int] | None) -> str:
    """Return numbers of users by actor type, as in: 120 users, 5 API keys."""
    if counts is None:
        return NOT_READ
    order = [*_ACTOR_TYPES, *sorted(counts.keys() - _ACTOR_TYPES.keys())]
    return ", ".join(f"{counts.get(kind, 0):,} {_actor_type(kind, counts.get(kind, 0))}" for kind in order)


def _actor_type(kind: str, number: int) -> str:
    one, many = _ACTOR_TYPES.get(kind, (kind, kind))
    return one if number == 1 else many


def plural(number: float | None, noun: str) -> str:
    """Return a number of things."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def change(now: float, before: float) -> str:
    """Return the change in per cent, as in +12%; nothing where there was nothing before."""
    if not before:
        return ""
    percent = round(100 * (now - before) / before)
    return "no change" if percent == 0 else f"{percent:+,}%"
