"""Listing `members`: who is a member of the organisation, and in which role, read once a day.

anthropic_member_info{user="ana@example.test",role="developer"} 1
"""

from collections import Counter
from datetime import timedelta
from functools import partial

from msgspec import Struct

from exporter.api.bodies import Decoder, Text
from exporter.api.paging import Getter, Request, listed
from exporter.model import Family, Samples
from exporter.reports.names import Names
from exporter.reports.report import Listing

NAME = "members"
FAMILIES = (
    Family("anthropic_members", "Members of the organisation by role. Source: /v1/organizations/users.", ("role",)),
    Family(
        "anthropic_member_info",
        "Always 1; who is a member, in which role. Source: /v1/organizations/users.",
        ("user", "role"),
    ),
)


class _User(Struct):
    id: Text
    email: Text | None
    role: Text | None


class _Page(Struct):
    data: list[_User]


class Members(Struct):
    """How many members each role has, and their (user, role), where users are shown."""

    roles: dict[str, int]
    users: list[tuple[str, str]]


_decode_page = Decoder(_Page)


async def fetch(names: Names, api: Getter) -> Members:
    """Return the members, named as `names` says. Raises ApiError."""
    found: dict[str, _User] = {}
    async for body in listed(api, Request("/users", {"limit": "1000"}), NAME):
        found.update({user.id: user for user in _decode_page(body).data})
    roles = Counter(user.role or "none" for user in found.values())
    users = {(names.of("user", (user.email or "none").lower()), user.role or "none") for user in found.values()}
    return Members(dict(roles), sorted(users) if names.shown else [])


def samples(members: Members) -> Samples:
    """Return the families of members."""
    return {
        "anthropic_members": [((role,), count) for role, count in sorted(members.roles.items())],
        "anthropic_member_info": [(pair, 1) for pair in members.users],
    }


def listing(names: Names) -> Listing[Members]:
    """Return the listing, with users named as `names` says."""
    return Listing(
        name=NAME,
        families=FAMILIES,
        every=timedelta(days=1),
        fetch=partial(fetch, names),
        type=Members,
        samples=samples,
        format=names.format if names.shown else "unnamed",
        optional=True,
    )
