"""The story of the simulated organisation: what kind of day each date is.

Every incident has a fixed distance to the anchor, which is "today" of the story, and is moved to a suitable weekday.
Before day -89 and after the anchor there are ordinary days only.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

HISTORY_DAYS = 400
"""Days of data before the anchor: enough for a window of a year."""

RAMP_DAYS = 89
"""Days before the anchor over which people join."""

NEWCOMER_DAYS = 30
"""Days before the anchor on which the newest model appears."""

_SATURDAY, _SUNDAY = 5, 6
_WEEKDAY_ATTENDANCE = (1.0, 1.0, 1.0, 1.0, 0.95, 0.06, 0.04)
_WEEKDAY_TRAFFIC = (1.0, 1.0, 1.0, 1.0, 0.97, 0.38, 0.34)
_DIP_ATTENDANCE = 0.35


@dataclass(frozen=True)
class StoryDay:
    """One date of the story.

    `offset` is the number of days after the anchor (negative before it). `attendance` scales how many people work,
    `traffic` how much programs use the API. `lone` is the Sunday on which one person did one small thing, `closed` a
    date on which nothing at all happens, `runaway` the date of the spend spike.
    """

    date: date
    offset: int
    attendance: float
    traffic: float
    lone: bool = False
    closed: bool = False
    runaway: bool = False

    @property
    def working(self) -> bool:
        """Whether the date is Monday to Friday."""
        return self.date.weekday() < _SATURDAY


class View(NamedTuple):
    """What of a day can be seen at a moment: its first `minute` minutes, `final` or not, restated by `factor`.

    Two moments with equal views show the same numbers.
    """

    day: date
    minute: int
    final: bool
    factor: Decimal = Decimal(1)


class Story:
    """The dates on which something happens, for one anchor."""

    def __init__(self, anchor: date) -> None:
        self.anchor = anchor
        self.first = anchor - timedelta(days=HISTORY_DAYS)
        self.spike = _nearest_weekday(anchor - timedelta(days=6))
        dip_monday = _weekday_from(anchor - timedelta(days=25), 0)
        self.dip = tuple(dip_monday + timedelta(days=number) for number in range(5))
        self.public_holiday = _nearest_weekday(anchor - timedelta(days=52))
        self.empty_holiday = _weekday_from(anchor - timedelta(days=70), _SUNDAY)
        self.quiet_sunday = _weekday_from(anchor - timedelta(days=42), _SUNDAY)

    def day(self, day: date) -> StoryDay:
        """Return what kind of day a date is."""
        offset = (day - self.anchor).days
        if day < self.first or day == self.empty_holiday:
            return StoryDay(day, offset, 0.0, 0.0, closed=True)
        if day == self.quiet_sunday:
            return StoryDay(day, offset, 0.0, 0.004, lone=True)
        attendance, traffic = _WEEKDAY_ATTENDANCE[day.weekday()], _WEEKDAY_TRAFFIC[day.weekday()]
        if day == self.public_holiday:  # like a Saturday
            attendance, traffic = _WEEKDAY_ATTENDANCE[_SATURDAY], _WEEKDAY_TRAFFIC[_SATURDAY]
        if day in self.dip:
            attendance *= _DIP_ATTENDANCE
        return StoryDay(day, offset, attendance, traffic, runaway=day == self.spike)


def _weekday_from(day: date, weekday: int) -> date:
    """Return the first date from `day` on that falls on a weekday (0 is Monday)."""
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def _nearest_weekday(day: date) -> date:
    return day + timedelta(days={_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0))
