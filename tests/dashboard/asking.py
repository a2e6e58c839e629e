"""Grafana's way of asking: the variables filled in, then Prometheus asked as the panel says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx

Json = dict[str, Any]

ALL = ".+"
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_VALUE = re.compile(r" ([0-9.]+) ")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)")


@dataclass(frozen=True)
class Picked:
    """What stands at the top of the dashboard: the picker's range (UTC), and for each variable its regular expression.

    A variable that is not named has everything chosen.
    """

    start: datetime
    end: datetime
    chosen: Mapping[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """Return `text` with its variables filled in; an unknown name such as `${1}` stays, as in Grafana."""
        values = {
            "__from": str(round(self.start.timestamp() * 1000)),
            "__to": str(round(self.end.timestamp() * 1000)),
            "__rate_interval": "1m",
            "__range": f"{round((self.end - self.start).total_seconds())}s",
            **dict.fromkeys(("job", "instance", "model", "token_type", "workspace", "user"), ALL),
            **self.chosen,
        }
        return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)

    def choose(self, **chosen: str) -> "Picked":
        """Return the same with other choices."""
        return replace(self, chosen={**self.chosen, **chosen})


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API of a Prometheus."""

    http: httpx.Client

    def ask(self, path: str, **params: str | float | Sequence[str]) -> Any:  # noqa: ANN401
        """Return the `data` of an answer, which must be a success."""
        answer = self.http.get(f"/api/v1/{path}", params=params)
        assert answer.is_success, f"{path} {params}: {answer.text}"
        return answer.json()["data"]

    def instant(self, expr: str, at: datetime) -> Json:
        """Return the answer to an instant query."""
        data: Json = self.ask("query", query=expr, time=at.timestamp())
        return data

    def over(self, expr: str, picked: Picked) -> Json:
        """Return the answer to a range query over the picker's range, in about 500 steps."""
        start, end = picked.start.timestamp(), picked.end.timestamp()
        step = max(1.0, (end - start) / 500)
        data: Json = self.ask("query_range", query=expr, start=start, end=end, step=step)
        return data


def range_of(panel: Json, picked: Picked) -> Picked:
    """Return the range of a panel: its own, in hours, or the picker's."""
    if "timeFrom" not in panel:
        return picked
    hours = int(panel["timeFrom"].removesuffix("h"))
    return replace(picked, start=picked.end - timedelta(hours=hours))


def answers(panel: Json, picked: Picked, prometheus: Prometheus) -> dict[str, Json]:
    """Return what Prometheus answers to each target of a panel, by refId."""
    found = {}
    picked = range_of(panel, picked)
    for target in panel["targets"]:
        expr = picked.fill(target["expr"])
        found[target["refId"]] = (
            prometheus.instant(expr, picked.end) if target["instant"] else prometheus.over(expr, picked)
        )
    return found


def with_as_of(dashboard: Json, picked: Picked, prometheus: Prometheus) -> Picked:
    """Return `picked` with the hidden variable `as_of` found as Grafana finds it."""
    found = _VALUE.search(as_option(as_of_sample(dashboard, picked, prometheus)))
    assert found
    return picked.choose(as_of=found[1])


def variable(dashboard: Json, name: str) -> Json:
    """Return the variable of this name."""
    (found,) = [one for one in dashboard["templating"]["list"] if one["name"] == name]
    return dict(found)


def as_of_sample(dashboard: Json, picked: Picked, prometheus: Prometheus) -> Json:
    """Return the one sample of the query of `as_of`."""
    query = _QUERY_RESULT.fullmatch(picked.fill(variable(dashboard, "as_of")["query"]["query"]))
    assert query
    (sample,) = prometheus.instant(query[1], picked.end)["result"]
    return dict(sample)


def as_option(sample: Json) -> str:
    """Return the text that Grafana makes of a sample without labels."""
    time, value = sample["value"]
    return f"{{}} {value} {time * 1000:.15g}"


def panels(dashboard: Json) -> Iterator[Json]:
    """Yield every panel, also those of folded rows; rows themselves are left out."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel
