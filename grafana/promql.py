"""The PromQL of the dashboard: which series, which days, as known when.

Two rules make a panel obey the time picker although its families carry days as a label:

- `chosen` keeps the days of which any part lies in the picker's range, by `anthropic_date_timestamp_seconds`.
- Every data selector reads at `@ ${as_of}`, the newest scrape that Prometheus has (see `AS_OF_QUERY`), not at the
  right edge of the picker. So zooming into last month shows last month's days as they are known now, also where
  Prometheus itself was installed today.

In a replacement the group is `${1}` with braces: `$1T00` would be the group named 1T00, which is empty.
"""

from collections.abc import Mapping

SCOPE = 'job=~"$job", instance=~"$instance"'
MODEL = 'model=~"$model"'
USER = 'user=~"$user"'
CHOSEN_KINDS = 'token_type=~"$token_type"'
WORKSPACE_ID = 'workspace_id=~"$workspace"'

AS_OF_QUERY = (
    f"max(max_over_time(timestamp(anthropic_report_last_success_timestamp_seconds{{{SCOPE}}})[91d:5m] offset -90d))"
    " or vector(${__to} / 1000)"
)
"""Unix time of the newest scrape with data, from a day before the picker's right edge to 90 days after it.

The day before: so the days stay on the panels while the exporter is down. Without such a scrape it is that edge.
A sample is found up to 5 minutes after its time, so steps of 5 minutes miss none.
"""


def live(family: str, *matchers: str) -> str:
    """Return a selector of the chosen jobs and instances, read at the picker's right edge or over its range."""
    return f"{family}{{{', '.join((*matchers, SCOPE))}}}"


def known(family: str, *matchers: str) -> str:
    """Return a selector of the chosen jobs and instances, as known at the newest scrape."""
    return f"{live(family, *matchers)} @ ${{as_of}}"


def chosen(vector: str) -> str:
    """Return `vector`, only the days (UTC) of which any part lies in the time picker's range."""
    days = known("anthropic_date_timestamp_seconds")
    return f"({vector} and on (job, instance, date) ({days} > ${{__from}} / 1000 - 86400 <= ${{__to}} / 1000))"


def total(vector: str, *by: str) -> str:
    """Return the sum of `vector` over the chosen days, by the labels `by`."""
    return f"sum{_by(*by)}({chosen(vector)})"


def daily(vector: str, *by: str) -> str:
    """Return the sums of `vector` by day and `by`; label `day` is an ISO time, so that every zone reads it alike."""
    day = f'label_replace({chosen(vector)}, "day", "${{1}}T00:00:00Z", "date", "(.+)")'
    return f"sum{_by('day', *by)}({day})"


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


def by_workspace() -> str:
    """Return the daily cost with `workspace_name`; a workspace without a known name goes by its id."""
    cost, info = "anthropic_workspace_cost_usd", "anthropic_workspace_info"
    on = "on (job, instance, workspace_id)"
    name = known(info, 'workspace_name=~"$workspace"')
    with_name = f"{known(cost)} * {on} group_left (workspace_name) {name}"
    without = f"{known(cost, WORKSPACE_ID)} unless {on} {known(info)}"
    return f'({with_name} or label_replace({without}, "workspace_name", "${{1}}", "workspace_id", "(.+)"))'


def _by(*labels: str) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
