"""The truth about a page: every sample that it must show, computed in the plainest way from the API's JSON records.

It shares no code with the exporter, the simulated organisation excepted. Money is exact: dollars as Decimal.
All days of the window count as read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from exporter.demo.organization import Organization

Key = tuple[str, frozenset[tuple[str, str]]]
Samples = dict[Key, Decimal]
UserLabel = str | Callable[[str], str]

_CLAUDE_CODE = "anthropic_claude_code_"
_ACTOR_TYPES = {"user_actor": "user", "api_actor": "api_key"}
_ALWAYS_SHOWN = {"user", "api_key"}
_TOKENS = ("input", "output", "cache_read", "cache_creation")
_LEFT_OUT = ("anthropic_exporter_", "anthropic_up", "anthropic_report_", "process_", "python_")
_CENT = Decimal("0.01")


class _Actor(NamedTuple):
    actor_type: str
    name: str


class _Use(NamedTuple):
    """One record, with its day, its actor, and (model, tokens, dollars) of each model."""

    day: date
    actor: _Actor
    record: Mapping[str, Any]
    models: list[tuple[str, Mapping[str, int], Decimal]]


def expected_samples(
    organization: Organization,
    now: datetime,
    *,
    window_days: int = 90,
    max_users: int = 2000,
    user_label: UserLabel = "email",
    cost_source: str = "cost_report",
    usage_source: str = "usage_report",
) -> Samples:
    """Return all samples of sections 2.1 to 2.7 that a page must show at `now` (UTC), the health of reports excepted.

    The key is the family and its labels, the value is exact. `user_label` is `email`, `none`, or a function from a
    name to its label, as for `hash`. Of more than `max_users` users the most expensive keep their name.
    """
    today = now.astimezone(UTC).date()
    days = [today - timedelta(days=age) for age in reversed(range(window_days))]
    uses = [
        _Use(day, _actor(record["actor"]), record, _models(record))
        for day in days
        for record in organization.claude_code_records(day, now)
    ]
    samples = _Sums()
    _daily(samples, days, uses)
    for day in days:
        _costs(samples, day, organization.cost_results(day, now))
        _messages(samples, day, organization.messages_results(day, now))
    _distinct(samples, today, uses)
    if user_label != "none":
        _users(samples, uses, max_users, user_label)
    if cost_source == "analytics":
        _bill(samples, days, organization, now)
        if user_label != "none":
            _billed_users(samples, days, organization, now, max_users, user_label)
    if usage_source == "analytics":
        for day in days:
            for row in organization.analytics_usage(day, now, ["model", "product"]):
                if row["group"]["product"] is not None:
                    model = row["group"]["model"] or "none"
                    samples.add("anthropic_requests", row["usage"]["requests"], date=str(day), model=model)
    _joins(samples, days, organization)
    _names(samples, organization, user_label)
    return samples.samples()


def scrape_samples(text: str) -> Samples:
    """Return all samples of an exposition page (text format 0.0.4) by family and labels; a repeated one is an error."""
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            if key in samples:
                raise ValueError(f"{_shown(key)} is on the page twice")
            samples[key] = Decimal(repr(float(sample.value)))
    return samples


def differences(expected: Samples, shown: Samples) -> list[str]:
    """Return one line for each sample that is missing, too much or of another value than the nearest float.

    What the exporter says about itself and its reports is left out.
    """
    return sorted(
        f"{_shown(key)}: expected {expected.get(key, 'none')}, shown {shown.get(key, 'none')}"
        for key in expected.keys() | shown.keys()
        if not key[0].startswith(_LEFT_OUT) and not _same(expected.get(key), shown.get(key))
    )


class _Sums:
    """Samples that grow by addition; to add 0 makes a sample appear."""

    def __init__(self) -> None:
        self._values: defaultdict[tuple[str, tuple[tuple[str, str], ...]], Decimal | int] = defaultdict(int)

    def add(self, name: str, value: Decimal | int, **labels: str) -> None:
        """Add to a sample."""
        self._values[name, tuple(labels.items())] += value

    def samples(self) -> Samples:
        """Return all sums; the order in which labels were named does not matter."""
        samples: defaultdict[Key, Decimal] = defaultdict(Decimal)
        for (name, labels), value in self._values.items():
            samples[name, frozenset(labels)] += value
        return dict(samples)


def _same(expected: Decimal | None, shown: Decimal | None) -> bool:
    return expected is not None and shown is not None and float(expected) == float(shown)


def _shown(key: Key) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(key[1]))
    return f"{key[0]}{{{labels}}}"


def _actor(actor: Mapping[str, Any]) -> _Actor:
    """Return the type and the name; an unknown actor is named by its first string beside `type`."""
    kind = actor["type"]
    names = [value for field, value in actor.items() if field != "type" and isinstance(value, str)]
    name = (names[0] if names else "") or "none"
    return _Actor(_ACTOR_TYPES.get(kind, kind or "none"), name.lower() if kind == "user_actor" else name)


def _timestamp(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _dollars(cents: float | str) -> Decimal:
    return Decimal(str(cents)) * _CENT


def _zeros(samples: _Sums, days: Iterable[date]) -> None:
    """Add 0 to the families without open labels, and to people, so that a day without use is shown."""
    for day in days:
        samples.add(_CLAUDE_CODE + "daily_active_users", 0, date=str(day), actor_type="user")
        for name in ("sessions", "commits", "pull_requests"):
            samples.add(_CLAUDE_CODE + name, 0, date=str(day))
        for change in ("added", "removed"):
            samples.add(_CLAUDE_CODE + "lines_of_code", 0, date=str(day), change=change)


def _daily(samples: _Sums, days: Iterable[date], uses: Iterable[_Use]) -> None:
    _zeros(samples, days)
    used = {(use.day, use.actor) for use in uses}
    for day, actor in used:
        samples.add(_CLAUDE_CODE + "daily_active_users", 1, date=str(day), actor_type=actor.actor_type)
    for use in uses:
        label = str(use.day)
        _counts(samples, "", use.record, date=label)
        for tool, answers in use.record["tool_actions"].items():
            for action in ("accepted", "rejected"):
                name = _CLAUDE_CODE + "tool_actions"
                samples.add(name, answers[action], date=label, tool=tool or "none", action=action)
        for model, tokens, cost in use.models:
            for token_type in _TOKENS:
                name = _CLAUDE_CODE + "tokens"
                samples.add(name, tokens[token_type], date=label, model=model, token_type=token_type)
            samples.add(_CLAUDE_CODE + "estimated_cost_usd", cost, date=label, model=model)


def _counts(samples: _Sums, prefix: str, record: Mapping[str, Any], **labels: str) -> None:
    core = record["core_metrics"]
    name = _CLAUDE_CODE + prefix
    samples.add(name + "sessions", core["num_sessions"], **labels)
    samples.add(name + "commits", core["commits_by_claude_code"], **labels)
    samples.add(name + "pull_requests", core["pull_requests_by_claude_code"], **labels)
    for change in ("added", "removed"):
        samples.add(name + "lines_of_code", core["lines_of_code"][change], change=change, **labels)


def _models(record: Mapping[str, Any]) -> list[tuple[str, Mapping[str, int], Decimal]]:
    return [
        (entry["model"] or "none", entry["tokens"], _dollars(entry["estimated_cost"]["amount"]))
        for entry in record["model_breakdown"]
    ]


def _costs(samples: _Sums, day: date, results: Iterable[Mapping[str, Any]]) -> None:
    for result in results:
        dollars = _dollars(result["amount"])
        line = {name: result[name] or "none" for name in ("model", "cost_type", "token_type")}
        samples.add("anthropic_cost_usd", dollars, date=str(day), **line)
        workspace = result["workspace_id"] or "default"
        samples.add("anthropic_workspace_cost_usd", dollars, date=str(day), workspace_id=workspace)


def _bill(samples: _Sums, days: Iterable[date], organization: Organization, now: datetime) -> None:
    """Add what only `/analytics/cost` knows: products and list prices by day, and keys over all days."""
    for day in days:
        for row in organization.analytics_cost(day, now, ["product"]):
            product = row["group"]["product"] or "none"
            samples.add("anthropic_product_cost_usd", _dollars(row["cost"]["amount"]), date=str(day), product=product)
        for row in organization.analytics_cost(day, now, ["model"]):
            model, dollars = row["group"]["model"] or "none", _dollars(row["cost"]["list_amount"])
            samples.add("anthropic_list_cost_usd", dollars, date=str(day), model=model)
        for row in organization.analytics_cost(day, now, ["api_key_id"]):
            key, dollars = row["group"]["api_key_id"] or "none", _dollars(row["cost"]["amount"])
            samples.add("anthropic_api_key_cost_usd", dollars, api_key_id=key)


def _billed_users(
    samples: _Sums,
    days: Iterable[date],
    organization: Organization,
    now: datetime,
    max_users: int,
    user_label: UserLabel,
) -> None:
    """Add the bill of Claude Code by user: keys by name, deleted accounts as `none`, the cheapest as `other`."""
    label = str if user_label == "email" else user_label
    names = {key["id"]: key["name"] for key in organization.api_keys()}
    bill: defaultdict[tuple[_Actor, str], Decimal] = defaultdict(Decimal)
    for day in days:
        for row in organization.analytics_cost(day, now, ["actor", "model"], "claude_code"):
            actor = row["group"]["actor"]
            if actor["type"] == "api_actor":
                who = _Actor("api_key", label(names[actor["api_key_id"]]))  # type: ignore[operator]
            else:
                address = actor["email_address"]
                who = _Actor("user", "none" if address is None else label(address))  # type: ignore[operator]
            bill[who, row["group"]["model"]] += _dollars(row["cost"]["amount"])
    costs: defaultdict[_Actor, Decimal] = defaultdict(Decimal)
    for (who, _), dollars in bill.items():
        costs[who] += dollars
    kept = sorted(costs, key=lambda who: (-costs[who], who))[:max_users]
    for (who, model), dollars in bill.items():
        user = who.name if who in kept else "other"
        name = "anthropic_claude_code_user_cost_usd"
        samples.add(name, dollars, user=user, actor_type=who.actor_type, model=model)


def _messages(samples: _Sums, day: date, results: Iterable[Mapping[str, Any]]) -> None:
    """Add the tokens of the whole API: by model, workspace and tier on a day, and by key over all days."""
    samples.add("anthropic_web_searches", 0, date=str(day))
    for result in results:
        on, tier = {"date": str(day)}, result["service_tier"] or "none"
        key, model = result["api_key_id"] or "none", result["model"] or "none"
        samples.add("anthropic_web_searches", result["server_tool_use"]["web_search_requests"], **on)
        counts = {kind: result[kind] for kind in ("uncached_input_tokens", "output_tokens", "cache_read_input_tokens")}
        for kind, count in result["cache_creation"].items():
            counts[f"cache_creation.{kind}"] = count
        for kind, count in counts.items():
            workspace = result["workspace_id"] or "default"
            samples.add("anthropic_tokens", count, model=model, token_type=kind, **on)
            samples.add("anthropic_workspace_tokens", count, workspace_id=workspace, token_type=kind, **on)
            samples.add("anthropic_service_tier_tokens", count, service_tier=tier, **on)
            samples.add("anthropic_api_key_tokens", count, api_key_id=key, model=model, token_type=kind)


def _distinct(samples: _Sums, today: date, uses: Iterable[_Use]) -> None:
    windows = {"active_users": None, "monthly_active_users": 30, "weekly_active_users": 7}
    for name, length in windows.items():
        for actor_type in _ALWAYS_SHOWN | {use.actor.actor_type for use in uses}:
            samples.add(_CLAUDE_CODE + name, 0, actor_type=actor_type)
        for actor in {use.actor for use in uses if length is None or use.day > today - timedelta(days=length)}:
            samples.add(_CLAUDE_CODE + name, 1, actor_type=actor.actor_type)


def _users(samples: _Sums, uses: Iterable[_Use], max_users: int, user_label: UserLabel) -> None:
    labels = _user_labels(uses, max_users, user_label)
    dates: defaultdict[_Actor, set[date]] = defaultdict(set)
    for use in uses:
        shown = labels[use.actor]
        dates[shown].add(use.day)
        who = {"user": shown.name, "actor_type": shown.actor_type}
        _counts(samples, "user_", use.record, **who)
        _user_details(samples, use, who)
    for actor, active in dates.items():
        who = {"user": actor.name, "actor_type": actor.actor_type}
        samples.add(_CLAUDE_CODE + "user_active_dates", len(active), **who)
        samples.add(_CLAUDE_CODE + "user_last_active_timestamp_seconds", _timestamp(max(active)), **who)


def _user_details(samples: _Sums, use: _Use, who: Mapping[str, str]) -> None:
    for action in ("accepted", "rejected"):
        number = sum(answers[action] for answers in use.record["tool_actions"].values())
        samples.add(_CLAUDE_CODE + "user_tool_actions", number, action=action, **who)
    for token_type in _TOKENS:
        number = sum(tokens[token_type] for _, tokens, _ in use.models)
        samples.add(_CLAUDE_CODE + "user_tokens", number, token_type=token_type, **who)
    for model, _, cost in use.models:
        samples.add(_CLAUDE_CODE + "user_estimated_cost_usd", cost, model=model, **who)


def _user_labels(uses: Iterable[_Use], max_users: int, user_label: UserLabel) -> dict[_Actor, _Actor]:
    """Return how each actor is shown: by its label, or as `other` of its type when it is not expensive enough.

    Equal costs go by type and name. Of `other`, dates are counted as those of one user.
    """
    label = str if user_label == "email" else user_label
    if not callable(label):
        raise TypeError("user_label is email, none, or a function")
    costs: defaultdict[_Actor, Decimal] = defaultdict(Decimal)
    for use in uses:
        actor = use.actor._replace(name=label(use.actor.name))
        costs[actor] += sum((cost for _, _, cost in use.models), Decimal())
    kept = set(sorted(costs, key=lambda actor: (-costs[actor], actor))[:max_users])
    shown = {}
    for actor in {use.actor for use in uses}:
        named = actor._replace(name=label(actor.name))
        shown[actor] = named if named in kept else actor._replace(name="other")
    return shown


def _joins(samples: _Sums, days: Iterable[date], organization: Organization) -> None:
    for day in days:
        samples.add("anthropic_date_timestamp_seconds", _timestamp(day), date=str(day))
    me = organization.me()
    samples.add("anthropic_organization_info", 1, organization_id=me["id"], organization_name=me["name"])
    samples.add("anthropic_workspace_info", 1, workspace_id="default", workspace_name="default")
    for workspace in organization.workspaces(include_archived=True):
        labels = {"workspace_id": workspace["id"], "workspace_name": workspace["name"]}
        samples.add("anthropic_workspace_info", 1, **labels)


def _names(samples: _Sums, organization: Organization, user_label: UserLabel) -> None:
    """Add the API keys and the members."""
    for key in organization.api_keys():
        name = user_label(key["name"]) if callable(user_label) else key["name"] if user_label == "email" else "none"
        labels = {"api_key_id": key["id"], "api_key_name": name, "status": key["status"]}
        samples.add("anthropic_api_key_info", 1, workspace_id=key["workspace_id"] or "default", **labels)
        if key["expires_at"]:
            moment = datetime.fromisoformat(key["expires_at"]).timestamp()
            samples.add("anthropic_api_key_expiry_timestamp_seconds", int(moment), api_key_id=key["id"])
    for user in organization.users():
        samples.add("anthropic_members", 1, role=user["role"])
        if user_label != "none":
            name = user["email"].lower()
            shown = user_label(name) if callable(user_label) else name
            samples.add("anthropic_member_info", 1, user=shown, role=user["role"])
