"""Listings of API keys and members in both versions of the API, from the sample payloads."""

from collections.abc import Collection
from typing import Any

import pytest

from exporter.api.paging import Request
from exporter.errors import ApiShapeChanged
from exporter.reports import api_keys, members
from exporter.reports.api_keys import Key
from exporter.reports.names import Names
from tests.bodies import page
from tests.contract.samples import body

pytestmark = pytest.mark.anyio
FIRST, SECOND, THIRD = (f"apikey_01SIM{str(number) * 19}" for number in (1, 2, 3))
PLATFORM = "wrkspc_01SIMaaaaaaaaaaaaaaaaaaaa"
KEY = {"id": "k", "name": "K", "status": "active", "expires_at": None, "workspace_id": None}


class Bodies:
    """An API that answers with these bodies, one after the other."""

    def __init__(self, *bodies: bytes) -> None:
        self._bodies = list(bodies)

    async def get(self, _request: Request, _report: str, _cursor: str | None = None) -> bytes:
        """Return the next body."""
        return self._bodies.pop(0)


async def keys_of(
    *bodies: bytes,
    names: Names = Names(),  # noqa: B008 - immutable
    listed: Collection[str] | None = (PLATFORM,),
) -> dict[str, Key]:
    """Return the keys in some bodies, with the ids of the workspaces that are listed."""
    return await api_keys.listing(names, lambda: listed).fetch(Bodies(*bodies))


async def test_api_keys_of_both_versions() -> None:
    """The null workspace is `default`; a key of the whole organisation belongs to none; the expiry is a timestamp."""
    first = Key("ci-code-review", PLATFORM, "active", None)
    assert await keys_of(body("api_keys_v2023-06-01")) == {
        FIRST: first,
        SECOND: Key("legacy", "default", "expired", 1780272000.0),
    }
    assert await keys_of(body("api_keys_v2026-10-21")) == {
        FIRST: first,
        THIRD: Key("personal", "none", "active", None),
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"workspace_id": 1}, "data[0].workspace_id: Expected `str | null`, got `int`"),
        ({"expires_at": "2026-11-20T00:00:00"}, "data[0].expires_at: Expected `datetime` with a timezone component"),
        ({"scope": {}}, "data[0].scope: Object missing required field `type`"),
    ],
)
async def test_a_key_in_an_unknown_shape(wrong: dict[str, Any], message: str) -> None:
    """It is refused with its place, and not its value."""
    with pytest.raises(ApiShapeChanged) as caught:
        await keys_of(page({**KEY, **wrong}))
    assert str(caught.value) == message
    with pytest.raises(ApiShapeChanged, match=r"^data\[0\] has neither workspace_id nor scope$"):
        await keys_of(page({name: value for name, value in KEY.items() if name != "workspace_id"}))


async def test_the_default_workspace_is_the_one_that_is_never_listed() -> None:
    """A scope has its real id. Where the list could not be read, every id stays as it is."""
    plain = {name: value for name, value in KEY.items() if name != "workspace_id"}
    scoped = {**plain, "scope": {"type": "workspace", "workspace_id": "wrkspc_real"}}
    assert (await keys_of(page(scoped)))["k"].workspace_id == "default"
    assert (await keys_of(page(scoped), listed=None))["k"].workspace_id == "wrkspc_real"
    both = {**scoped, "workspace_id": None}  # version 2023-06-01 has both fields
    assert (await keys_of(page(both), listed=None))["k"].workspace_id == "default"


async def test_names_of_keys_obey_the_user_label() -> None:
    """The Console names a key after the person it is for. The digest is that of the families per user."""
    names = Names(b"key")
    assert (await keys_of(page(KEY), names=names))["k"].name == names.of("api_key", "K")
    assert (await keys_of(page(KEY), names=Names(b"key", shown=False)))["k"].name == "none"
    assert (await keys_of(page({**KEY, "name": None}), names=names))["k"].name == "none"


async def test_members() -> None:
    """All pages; addresses in lower case; a user that occurs twice, since the list moved meanwhile, counts once."""
    listing = members.listing(Names())
    found = await listing.fetch(Bodies(body("users_page1"), body("users_page2_last")))
    assert found.users[:2] == [("ana@example.test", "admin"), ("bo@example.test", "claude_code_user")]
    assert sum(found.roles.values()) == len(found.users)
    twice = {"id": "u", "email": "Ana.B@Example.test", "role": None}
    found = await listing.fetch(Bodies(page(twice, twice)))
    assert (found.roles, found.users) == ({"none": 1}, [("ana.b@example.test", "none")])
    assert (await listing.fetch(Bodies(body("users_empty")))).users == []
    hidden = await members.listing(Names(b"key", shown=False)).fetch(Bodies(body("users_page1"), body("users_empty")))
    assert (hidden.roles, hidden.users) == ({"admin": 1, "claude_code_user": 1}, [])
