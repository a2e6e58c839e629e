"""`check`: try the key once against the organisation and each report, and say in plain words what works."""

from collections.abc import Awaitable, Callable
from datetime import date

from exporter.api.transport import Client
from exporter.errors import ApiError
from exporter.model import DAY

Say = Callable[[str], None]


async def check(client: Client, today: date, say: Say) -> bool:
    """Return whether everything works; a line for each thing that was tried goes to `say`."""
    yesterday = today - DAY
    tried = [
        await _tried(_organisation(client), say),
        await _tried(_usage(client, yesterday), say),
        await _tried(_bills(client, yesterday), say),
    ]
    say("All reports can be read." if all(tried) else "Not everything can be read: see above.")
    return all(tried)


async def _tried(attempt: Awaitable[str], say: Say) -> bool:
    try:
        found = await attempt
    except ApiError as error:
        say(f"FAIL  {error}")
        return False
    say(f"ok    {found}")
    return True


async def _organisation(client: Client) -> str:
    directory = await client.directory()
    name = directory.organization.name if directory.organization else "unnamed"
    return f"organisation: {name}, {len(directory.workspaces)} workspaces"


async def _usage(client: Client, day: date) -> str:
    rows = (await client.claude_code(day)).rows or []
    found = f"{len(rows)} records" if rows else "readable, and empty, as it is where nobody used Claude Code"
    return f"claude_code {day}: {found}"


async def _bills(client: Client, day: date) -> str:
    rows = (await client.cost(day, day)).get(day, [])
    if isinstance(rows, ApiError):
        raise rows
    return f"cost {day}: {len(rows)} billed lines"
