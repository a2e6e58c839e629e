"""Workspaces, API keys and members in the shapes of the Admin API."""

from collections.abc import Sequence
from datetime import date, timedelta

from exporter.demo.keys import Key, id_of
from exporter.demo.people import CLAUDE_CODE, DEFAULT_ID, PLATFORM, PROTOTYPE, RESEARCH, SUPPORT
from exporter.demo.records import Record

_CREATED = "2025-03-02T10:00:00Z"
_OFTEN_MIXED = 9


def api_key(key: Key, anchor: date) -> Record:
    """Return an API key as version 2023-06-01 lists it; `anchor` is today of the story."""
    expired = key.expires is not None and key.expires < 0
    return {
        "id": id_of(key.name),
        "type": "api_key",
        "name": key.name,
        "status": "archived" if key.archived else "expired" if expired else "active",
        "created_at": _CREATED,
        "created_by": {"id": "user_01SIM0000", "type": "user"},
        "expires_at": None if key.expires is None else f"{anchor + timedelta(days=key.expires)}T09:30:00Z",
        "partial_key_hint": "sk-ant-api03-abc...wxyz",
        "principal": None,
        "workspace_id": key.workspace_id,
    }


def scoped(record: Record) -> Record:
    """Return an API key as version 2026-10-21 lists it."""
    others = {name: value for name, value in record.items() if name != "workspace_id"}
    return {**others, "scope": {"type": "workspace", "workspace_id": record["workspace_id"] or DEFAULT_ID}}


def members(addresses: Sequence[str]) -> list[Record]:
    """Return the members with these addresses, one who never came, and one for the bills."""
    people = [
        (address.title() if number % _OFTEN_MIXED == 1 else address, "claude_code_user" if number % 4 else "developer")
        for number, address in enumerate(addresses)
    ]
    idle = [("never.came@example.test", "developer"), ("accounts@example.test", "billing")]
    return [
        {
            "id": f"user_01SIM{number:04}",
            "type": "user",
            "email": address,
            "name": address.partition("@")[0].replace(".", " ").title(),
            "role": role,
            "added_at": _CREATED,
        }
        for number, (address, role) in enumerate([*people, *idle])
    ]


def _workspace(workspace_id: str, name: str, created: str, team: str, archived: str | None = None) -> Record:
    return {
        "id": workspace_id,
        "type": "workspace",
        "name": name,
        "display_color": "#6C5BB9",
        "created_at": created,
        "archived_at": archived,
        "compartment_id": f"f8a7b6c5-0000-4f1a-8b9c-{sum(workspace_id.encode()):012x}",
        "data_residency": {
            "allowed_inference_geos": "unrestricted",
            "default_inference_geo": "global",
            "workspace_geo": "us",
        },
        "external_key_id": None,
        "tags": {"team": team},
    }


def default_workspace() -> Record:
    """Return the default workspace, which no list holds."""
    return _workspace(DEFAULT_ID, "Default", "2025-01-02T08:00:00.000000Z", "")


def workspaces(archived_at: date) -> list[Record]:
    """Return all workspaces that the API lists, newest last; one was archived on the date given."""
    archived = f"{archived_at.isoformat()}T09:30:00Z"
    return [
        _workspace(PLATFORM, "Platform", "2025-02-03T09:12:44.105201Z", "platform"),
        _workspace(CLAUDE_CODE, "Claude Code", "2025-02-24T18:00:03.902117Z", "engineering"),
        _workspace(SUPPORT, "Support Assistant", "2025-03-11T14:40:30.118020Z", "support"),
        _workspace(RESEARCH, "Research", "2025-05-20T08:05:59.660241Z", "research"),
        _workspace(PROTOTYPE, "Old Prototype", "2025-01-15T10:22:07.413355Z", "platform", archived),
    ]
