"""The variables at the top of the dashboard. All of them begin with everything chosen."""

from grafana.panels import DATASOURCE
from grafana.promql import AS_OF_QUERY, JOB, known, of_others, within_a_year
from grafana.transforms import Json

_ON_TIME_RANGE_CHANGE = 2
_HIDDEN = 2
_QUERY_RESULT = 3
_ALL: Json = {"selected": True, "text": ["All"], "value": ["$__all"]}

_SEEN = "anthropic_exporter_build_info"
_COST, _TOKENS, _API_TOKENS = "anthropic_cost_usd", "anthropic_claude_code_tokens", "anthropic_tokens"


def variables() -> list[Json]:
    """Return the variables, each after those that its query names.

    The last four offer what is on the page that the panels read, so a choice stays when the time range changes.
    """
    return [
        _datasource(),
        _choice(
            "organization",
            "Organisation",
            "organization_name",
            within_a_year("organization_name", "anthropic_organization_info{}"),
            "What the Admin API calls it. An exporter that may not read the name belongs to every choice.",
        ),
        _choice("job", "Job", "job", within_a_year("job", f"{_SEEN}{{}}"), "Prometheus job of the exporter."),
        _choice(
            "instance",
            "Instance",
            "instance",
            within_a_year("instance", f"{_SEEN}{{{JOB}}}", of_others(JOB)),
            "One exporter for each organisation. Two that read the same organisation count twice: choose one.",
        ),
        _as_of(),
        _choice(
            "model",
            "Model",
            "model",
            f"count by (model) ({known(_COST)} or {known(_TOKENS)} or {known(_API_TOKENS)})",
            "For the panels that know models; cost that belongs to no model is `none`.",
        ),
        _choice(
            "token_type",
            "Token type",
            "token_type",
            f"count by (token_type) ({known(_TOKENS)})",
            "For Token usage over time.",
        ),
        _choice(
            "workspace",
            "Workspace",
            "workspace_name",
            f"count by (workspace_name) ({known('anthropic_workspace_info')})",
            "For Spend by workspace and API tokens by workspace: the other panels know no workspaces.",
        ),
        _choice(
            "user",
            "User",
            "user",
            f"count by (user) ({known('anthropic_claude_code_user_sessions')})",
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
        "current": {"selected": True, "text": "default", "value": "default"},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "skipUrlSync": False,
    }


def _choice(name: str, label: str, values_of: str, query: str, description: str) -> Json:
    """Return a variable that offers the values of the label `values_of` in the answer to `query`.

    A value with a quote or a newline is not offered, since Grafana does not escape them: All shows it.
    """
    return {
        **_query(name, query),
        "label": label,
        "description": description,
        "allValue": "(?s).+",
        "current": _ALL,
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "regex": f'/{values_of}="([^"\\n]*)"}} \\S+ \\S+$/',
        "skipUrlSync": False,
        "sort": 1,
    }


def _as_of() -> Json:
    """Return the hidden variable with the time of the newest scrape: one sample, of which the value is taken."""
    return {
        **_query("as_of", AS_OF_QUERY),
        "label": "As of",
        "description": "Unix time of the newest scrape that Prometheus has: the panels show the days as known then.",
        "current": {"selected": True, "text": "end()", "value": "end()"},
        "hide": _HIDDEN,
        "includeAll": False,
        "multi": False,
        "regex": "/ ([0-9.]+) /",
        "skipUrlSync": True,
        "sort": 0,
    }


def _query(name: str, query: str) -> Json:
    query = f"query_result({query})"
    return {
        "name": name,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"qryType": _QUERY_RESULT, "query": query, "refId": f"variable-{name}"},
        "options": [],
        "refresh": _ON_TIME_RANGE_CHANGE,
    }
