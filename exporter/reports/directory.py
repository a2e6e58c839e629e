"""Listing `directory`: the organisation's name and the names of its workspaces, read once a day."""

from collections.abc import Collection
from datetime import timedelta

from msgspec import Struct

from exporter.api.bodies import Decoder, Text
from exporter.api.paging import Getter, Request, listed
from exporter.errors import ApiForbidden, ApiNotFound
from exporter.model import Family, Samples
from exporter.reports.report import Listing

NAME = "directory"
FAMILIES = (
    Family(
        "anthropic_organization_info",
        "Always 1. Source: /v1/organizations/me.",
        ("organization_id", "organization_name"),
    ),
    Family(
        "anthropic_workspace_info",
        "Always 1; joins a workspace's name to its id. Source: /v1/organizations/workspaces.",
        ("workspace_id", "workspace_name"),
    ),
)
DEFAULT = "default"


class _Named(Struct):
    id: Text
    name: Text


class _Page(Struct):
    data: list[_Named]


class Directory(Struct):
    """The (id, name) of the organisation, and its workspaces (id -> name), `default` included.

    With a key that may not list workspaces their list is `refused`.
    """

    organization: tuple[str, str]
    workspaces: dict[str, str]
    refused: bool = False


_decode_organization, _decode_page = Decoder(_Named), Decoder(_Page)


async def fetch(api: Getter) -> Directory:
    """Return the organisation and the names of its workspaces, archived ones included. Raises ApiError.

    With a key that may not list workspaces the organisation is known all the same.
    """
    me = _decode_organization(await api.get(Request("/me"), NAME))
    names = {DEFAULT: DEFAULT}
    request = Request("/workspaces", {"limit": "1000", "include_archived": "true"})
    try:
        async for body in listed(api, request, NAME):
            names.update({workspace.id: workspace.name for workspace in _decode_page(body).data})
    except (ApiForbidden, ApiNotFound):
        return Directory((me.id, me.name), names, refused=True)
    return Directory((me.id, me.name), names)


def workspace_ids(directory: Directory | None) -> Collection[str] | None:
    """Return the ids of the workspaces that are listed, None where the list could not be read."""
    return directory.workspaces.keys() - {DEFAULT} if directory and not directory.refused else None


def samples(directory: Directory) -> Samples:
    """Return the families that give names to ids."""
    return {
        "anthropic_organization_info": [(directory.organization, 1)],
        "anthropic_workspace_info": [(pair, 1) for pair in sorted(directory.workspaces.items())],
    }


def listing() -> Listing[Directory]:
    """Return the listing."""
    return Listing(NAME, FAMILIES, timedelta(days=1), fetch, Directory, samples)
