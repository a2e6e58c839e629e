"""The PromQL of the dashboard: which series, which days, as known when.

Two rules make a panel right in every time range although its families carry days as a label:

- `chosen` keeps the days of which any part lies in the picker's range, by `anthropic_date_timestamp_seconds`.
- Every selector reads at `@ ${as_of}`, the newest scrape that Prometheus has near the picker's range (see
  `AS_OF_QUERY`), not at the right edge of the picker. So last month's days are shown as they are known now, and a range
  that ends in the future, such as "this week", shows what is known today.

`${as_of}` stands only after `@`: while the variable has not loaded it is `end()`, which is valid nowhere else.
In a replacement the group is `${1}` with braces: `$1T00` would be the group named 1T00, which is empty.
"""

from collections.abc import Mapping

JOB = 'job=~"$job"'
SCOPE = f'{JOB}, instance=~"$instance"'
MODEL = 'model=~"$model"'
USER = 'user=~"$user"'
CHOSEN_KINDS = 'token_type=~"$token_type"'

SCALE, ALL_DAYS = "scale", "0"
LAST_SUCCESS = "anthropic_report_last_success_timestamp_seconds"
DATES = "anthropic_date_timestamp_seconds"
_OFFSETS = tuple(f" offset {days}d" if days else "" for days in range(-93, 342, 31))


def _by(*labels: str) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""


def within_a_year(label: str, selector: str, others: str = "") -> str:
    """Return the values that `label` has in a selector near the picker's range, as a vector.

    From a year before its right edge to 93 days after it, asked for in pieces, the newest first, since managed services
    refuse a range of more than 32 days. Exporters of which the selector `others` has a series are left out.
    """
    return " or ".join(f"group by ({label}) ({_present(selector, others, offset)})" for offset in _OFFSETS)


def _present(selector: str, others: str, offset: str) -> str:
    found = f"present_over_time({selector}[31d]{offset})"
    return f"{found} unless on (job, instance) present_over_time({others}[31d]{offset})" if others else found


def live(family: str, *matchers: str) -> str:
    """Return a selector of the chosen jobs and instances."""
    return f"{family}{{{', '.join((*matchers, SCOPE))}}}"


def at_newest(family: str, *matchers: str, window: str = "") -> str:
    """Return a selector at the newest scrape, or of the samples in a `window` before it."""
    return f"{live(family, *matchers)}{f'[{window}]' if window else ''} @ ${{as_of}}"


def of_others(scope: str = SCOPE) -> str:
    """Return a selector of the exporters that are known to read an organisation that was not chosen.

    An exporter whose key may not read the organisation's name belongs to every choice.
    """
    return f'anthropic_organization_info{{organization_name!~"$organization", {scope}}}'


def now(vector: str) -> str:
    """Return `vector`, which was read at the newest scrape, of the chosen organisations only."""
    return f"({vector} unless on (job, instance) {of_others()} @ ${{as_of}})"


def known(family: str, *matchers: str) -> str:
    """Return the series of the chosen organisations, jobs and instances, as known at the newest scrape."""
    return now(at_newest(family, *matchers))


def age(family: str) -> str:
    """Return the seconds from the time that a family holds to the newest scrape."""
    return now(f"timestamp({at_newest(family)}) - {at_newest(family)}")


def last_day(family: str) -> str:
    """Return how much a counter grew in the 24 hours before the newest scrape."""
    return now(f"increase({at_newest(family, window='24h')})")


def _last_seen(offset: str) -> str:
    """Return by exporter the newest step of 5 minutes in 31 days at which its page was known.

    `timestamp()` would be exact, but in a subquery Prometheus 2.42 takes more than five times as long for it.
    """
    seen = f"max by (job, instance) (max_over_time((time() + 0 * {live(LAST_SUCCESS)})[31d:5m]{offset}))"
    return f"{seen} unless on (job, instance) present_over_time({of_others()}[31d]{offset})"


_EXPORTERS = " or ".join(map(_last_seen, _OFFSETS))

AS_OF_QUERY = f"min(({_EXPORTERS}) >= on () group_left () (max({_EXPORTERS}) - 300)) or vector(${{__to}} / 1000)"
"""Unix time at which the newest page is known; without one, the picker's right edge.

It is looked for as in `within_a_year`. Where the newest pages of two exporters lie on both sides of a step, it is the
earlier step, at which both are known.
"""


def chosen(vector: str) -> str:
    """Return `vector`, only the days (UTC) of which any part lies in the time picker's range."""
    days = f"{known(DATES)} > ${{__from}} / 1000 - 86400 <= ${{__to}} / 1000"
    return f"({vector} and on (job, instance, date) ({days}))"


def total(vector: str, *by: str) -> str:
    """Return the sum of `vector` over the chosen days, by the labels `by`."""
    return f"sum{_by(*by)}({chosen(vector)})"


def daily(vector: str, *by: str) -> str:
    """Return the sums of `vector` by day and `by`; label `day` is an ISO time, so that every zone reads it alike."""
    day = f'label_replace({chosen(vector)}, "day", "${{1}}T00:00:00Z", "date", "(.+)")'
    return f"sum{_by('day', *by)}({day})"


def with_scale(vector: str, column: str) -> str:
    """Return `vector` (by day and `column`) and the highest sum of a day, on each day, as the column `SCALE`.

    Grafana fits the axis to the days that begin in the range: the first one, which began before it, would be cut off.
    """
    days = f"sum by (day) ({vector})"
    highest = f"{days} * 0 + on () group_left () max({days})"
    return f'{vector} or label_replace({highest}, "{column}", "{SCALE}", "", "")'


def stacked(vector: str, column: str) -> str:
    """Return `vector` (by day and `column`) with its scale, and its sums over all days as the day `ALL_DAYS`."""
    sums = f'label_replace(sum by ({column}) ({vector}), "day", "{ALL_DAYS}", "", "")'
    return f"{with_scale(vector, column)} or {sums}"


def named(vector: str, name: str) -> str:
    """Return `vector` (by day) with the label `series` set to `name`, to stand beside others in one answer."""
    return f'label_replace({vector}, "series", "{name}", "day", ".*")'


def shown_as(vector: str, label: str, names: Mapping[str, str]) -> str:
    """Return `vector` with the label `series`: the value of `label`, or what `names` says for it."""
    vector = f'label_replace({vector}, "series", "${{1}}", "{label}", "(.+)")'
    for value, name in names.items():
        vector = f'label_replace({vector}, "series", "{name}", "{label}", "{value}")'
    return vector


def with_row(vector: str) -> str:
    """Return `vector` with the same label `row` on each sample: what `one_field_each` takes as its one row."""
    return f'label_replace({vector}, "row", "all", "row", ".*")'


def ratio(part: str, whole: str) -> str:
    """Return part / whole, with no sample where the whole is zero (a NaN would be drawn as a value)."""
    return f"{part} / ({whole} > 0)"


def by_name(of: str, family: str, *matchers: str, chosen: str = "") -> str:
    """Return a family with the label `workspace_name` or `api_key_name`; what has no known name goes by its id.

    With `chosen`, only those whose name, or id if it has none, a variable of this name allows.
    """
    on, info = f"on (job, instance, {of}_id)", f"anthropic_{of}_info"
    names, ids = ([f'{of}_{label}=~"${chosen}"'] if chosen else [] for label in ("name", "id"))
    with_name = f"{known(family, *matchers)} * {on} group_left ({of}_name) {known(info, *names)}"
    without = f"{known(family, *matchers, *ids)} unless {on} {known(info)}"
    return f'({with_name} or label_replace({without}, "{of}_name", "${{1}}", "{of}_id", "(.+)"))'
