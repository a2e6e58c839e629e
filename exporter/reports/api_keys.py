"""Listing `api_keys`: names, workspaces, status and expiry of API keys, read once a day.

anthropic_api_key_info{api_key_id="apikey_1",api_key_name="ci",workspace_id="default",status="active"} 1
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from exporter.api.bodies import Decoder, Text
from exporter.api.paging import Getter, Request, listed
from exporter.errors import ApiShapeChanged
from exporter.model import Family, Samples
from exporter.reports.names import Names
from exporter.reports.report import Listing
from exporter.reports.workspaces import WorkspaceIds

NAME = "api_keys"
FAMILIES = (
    Family(
        "anthropic_api_key_info",
        "Always 1; joins the name of an API key to its id. Source: /v1/organizations/api_keys.",
        ("api_key_id", "api_key_name", "workspace_id", "status"),
    ),
    Family(
        "anthropic_api_key_expiry_timestamp_seconds",
        "When an API key expires; absent for keys that do not. Source: /v1/organizations/api_keys, expires_at.",
        ("api_key_id",),
    ),
)


class _Scope(Struct):
    type: Text
    workspace_id: Text | None = None


class _Key(Struct):
    """A key in either shape: with `workspace_id` (null is the default workspace), or since 2026-10-21 with `scope`."""

    id: Text
    name: Text | None
    status: Text
    expires_at: Annotated[datetime, Meta(tz=True)] | None
    workspace_id: Text | UnsetType | None = UNSET
    scope: _Scope | UnsetType = UNSET


class _Page(Struct):
    data: list[_Key]


class Key(Struct):
    """An API key. `expires` is a Unix timestamp."""

    name: str
    workspace_id: str
    status: str
    expires: float | None


_decode_page = Decoder(_Page)


async def fetch(names: Names, workspaces: WorkspaceIds, api: Getter) -> dict[str, Key]:
    """Return the API keys by id, archived ones included. Raises ApiError.

    Names of keys are shown as those of users are, since the Console names a key after the person it is for.
    """
    keys: dict[str, Key] = {}
    async for body in listed(api, Request("/api_keys", {"limit": "1000"}), NAME):
        for number, key in enumerate(_decode_page(body).data):
            expires = key.expires_at.timestamp() if key.expires_at else None
            name = names.of("api_key", key.name) if key.name and names.shown else "none"
            workspace = _workspace(key, workspaces(), f"data[{number}]")
            keys[key.id] = Key(name, workspace, key.status or "none", expires)
    return keys


def shown_names(keys: Mapping[str, Key] | None) -> Mapping[str, str]:
    """Return the names of keys by id, as they are shown; none where no keys are known."""
    return {of: key.name for of, key in (keys or {}).items()}


def _workspace(key: _Key, listed: Collection[str] | None, where: str) -> str:
    """Return the workspace of a key; `none` for a key of the whole organisation.

    A scope holds the real id of the default workspace, the one that is never listed.
    """
    if key.scope is not UNSET:
        if key.scope.type != "workspace":
            return "none"
        of = key.scope.workspace_id
        return of if of and key.workspace_id is not None and (listed is None or of in listed) else "default"
    if key.workspace_id is UNSET:
        raise ApiShapeChanged(f"{where} has neither workspace_id nor scope")
    return key.workspace_id or "default"


def samples(keys: dict[str, Key]) -> Samples:
    """Return the families that describe keys."""
    ordered = sorted(keys.items())
    return {
        "anthropic_api_key_info": [((of, key.name, key.workspace_id, key.status), 1) for of, key in ordered],
        "anthropic_api_key_expiry_timestamp_seconds": [
            ((of,), key.expires) for of, key in ordered if key.expires is not None
        ],
    }


def listing(names: Names, workspaces: WorkspaceIds) -> Listing[dict[str, Key]]:
    """Return the listing, with keys named as `names` says."""
    return Listing(
        name=NAME,
        families=FAMILIES,
        every=timedelta(days=1),
        fetch=partial(fetch, names, workspaces),
        type=dict[str, Key],
        samples=samples,
        format=names.format if names.shown else "unnamed",
        optional=True,
    )
