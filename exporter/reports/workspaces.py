"""Which workspace ids are those of the default workspace. Classic reports call it null, the other endpoints by its id.

No list holds it; Get Workspace knows it by its id and names it `Default` (guide of the Admin API, Workspaces).
"""

import re
from collections.abc import Callable, Collection

from msgspec import Struct

from exporter.api.bodies import Decoder, Text
from exporter.api.paging import Getter, Request
from exporter.errors import ApiForbidden, ApiNotFound

MOST_ASKED = 20
"""Ids to ask for at a time: few are missing in the list, unless the key may not list workspaces."""


class _Workspace(Struct):
    name: Text


_decode = Decoder(_Workspace)


WorkspaceIds = Callable[[], Collection[str] | None]
"""Returns the ids in the list of workspaces, None where the list could not be read."""


class Workspaces:
    """Asks for workspaces that are not `listed`, and remembers the answers."""

    def __init__(self, listed: WorkspaceIds) -> None:
        self._listed = listed
        self._is_default: dict[str, bool] = {}

    async def default_of(self, ids: Collection[str], api: Getter, report: str) -> list[str]:
        """Return the ids that are those of the default workspace. Raises ApiError."""
        unknown = sorted(set(ids) - set(self._listed() or ()) - self._is_default.keys())
        for workspace_id in unknown[:MOST_ASKED]:
            self._is_default[workspace_id] = await _is_default(workspace_id, api, report)
        return sorted(of for of in set(ids) if self._is_default.get(of))


async def _is_default(workspace_id: str, api: Getter, report: str) -> bool:
    """Ask for a workspace. One that the key may not see, and what is no id, keeps its name."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", workspace_id):
        return False
    try:
        body = await api.get(Request(f"/workspaces/{workspace_id}"), report)
    except (ApiForbidden, ApiNotFound):
        return False
    return _decode(body).name == "Default"
