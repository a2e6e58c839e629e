"""The variables at the top of the dashboard. All of them begin with everything chosen."""

from grafana.panels import DATASOURCE
from grafana.promql import AS_OF_QUERY, SCOPE
from grafana.transforms import Json

_ON_TIME_RANGE_CHANGE = 2
_HIDDEN = 2
_QUERY_RESULT, _LABEL_VALUES = 3, 1
_ALL: Json = {"selected": True, "text": ["All"], "value": ["$__all"]}

_COST, _TOKENS = "anthropic_cost_usd", "anthropic_claude_code_tokens"


def variables() -> list[Json]:
    """Return the variables, each after those that its query names."""
    return [
        _datasource(),
        _choice("job", "Job", "label_values(anthropic_exporter_build_info, job)", "Prometheus job of the exporter."),
        _choice(
            "instance",
            "Instance",
            'label_values(anthropic_exporter_build_info{job=~"$job"}, instance)',
            "One exporter for each organisation. Two that read the same organisation count twice: choose one.",
        ),
        _as_of(),
        _choice(
            "model",
            "Model",
            f'label_values({{__name__=~"{_COST}|{_TOKENS}", {SCOPE}}}, model)',
            "For the panels that know models; cost that belongs to no model is `none`.",
        ),
        _choice(
            "token_type",
            "Token type",
            f"label_values({_TOKENS}{{{SCOPE}}}, token_type)",
            "For Token usage over time.",
        ),
        _choice(
            "workspace",
            "Workspace",
            f"label_values(anthropic_workspace_info{{{SCOPE}}}, workspace_name)",
            "For Spend by workspace: no other report knows workspaces.",
        ),
        _choice(
            "user",
            "User",
            f"label_values(anthropic_claude_code_user_sessions{{{SCOPE}}}, user)",
            "For User usage breakdown: the other panels know no users.",
        ),
    ]


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "description": "The Prometheus that scrapes the exporter.",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "skipUrlSync": False,
    }


def _choice(name: str, label: str, query: str, description: str) -> Json:
    return {
        **_query(name, query, _LABEL_VALUES),
        "label": label,
        "description": description,
        "allValue": ".+",
        "current": _ALL,
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "skipUrlSync": False,
        "sort": 1,
    }


def _as_of() -> Json:
    """Return the hidden variable with the time of the newest scrape: one sample, of which the value is taken."""
    return {
        **_query("as_of", f"query_result({AS_OF_QUERY})", _QUERY_RESULT),
        "label": "As of",
        "description": "Unix time of the newest scrape that Prometheus has: the panels show the days as known then.",
        "current": {},
        "hide": _HIDDEN,
        "includeAll": False,
        "multi": False,
        "regex": "/ ([0-9.]+) /",
        "skipUrlSync": True,
        "sort": 0,
    }


def _query(name: str, query: str, kind: int) -> Json:
    return {
        "name": name,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"qryType": kind, "query": query, "refId": f"variable-{name}"},
        "options": [],
        "refresh": _ON_TIME_RANGE_CHANGE,
        "regex": "",
    }
