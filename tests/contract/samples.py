"""The sample payloads of the Admin API and how to serve them."""

import json
from pathlib import Path
from typing import Any

import httpx

FOLDER = Path(__file__).parent.parent / "fixtures" / "api"


def body(name: str) -> bytes:
    """Return the bytes of a sample."""
    return (FOLDER / f"{name}.json").read_bytes()


def answer(name: str) -> httpx.Response:
    """Return a sample as a response: an `error_*` file holds its status and headers too."""
    sample: dict[str, Any] = json.loads(body(name))
    if name.startswith("error_"):
        return httpx.Response(sample["status"], headers=sample["headers"], json=sample["body"])
    return httpx.Response(200, content=body(name), headers={"content-type": "application/json"})


NOT_READ = {
    "analytics_cost_report_legacy": "for Enterprise organisations, with another kind of key",
    "analytics_summaries_v2023-06-01": "for Enterprise organisations, with another kind of key",
    "analytics_summaries_v2026-10-21": "for Enterprise organisations, with another kind of key",
    "analytics_usage_report_legacy": "for Enterprise organisations, with another kind of key",
    "analytics_user_cost_report_legacy": "for Enterprise organisations, with another kind of key",
    "analytics_user_usage_report_legacy": "for Enterprise organisations, with another kind of key",
    "analytics_users": "for Enterprise organisations, with another kind of key",
    "rate_limits_v2023-06-01": "limits of inference, and no use",
    "rate_limits_v2026-10-21": "limits of inference, and no use",
    "spend_limits_effective": "for Enterprise organisations",
    "spend_limits_list_beta": "limits, and no use; in beta",
    "usage_messages_1m_bucket": "tokens of all use by the minute: the page shows days",
    "workspace_get_default": "the default workspace is called default on the page",
}
"""Samples of what this exporter does not read, and why. Its readers refuse them."""
