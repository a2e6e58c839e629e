"""`check`: try the key once against the organisation and each report, and say in plain words what works."""

from collections.abc import Awaitable, Callable
from datetime import date

from exporter.client import Client
from exporter.errors import ApiError
from exporter.model import DAY

Say = Callable[[str], None]


async def check(client: Client, today: date, say: Say) -> bool:
    """Return whether everything works; a line for each thing that was tried goes to `say`."""
    yesterday = today - DAY
    tried = [
        await _tried("organisation", lambda: _organisation(client), say),
        await _tried("claude_code", lambda: _usage(client, yesterday), say),
        await _tried("cost", lambda: _bills(client, yesterday), say),
    ]
    say("All reports can be read." if all(tried) else "Not everything can be read: see above.")
    return all(tried)


async def _tried(name: str, attempt: Callable[[], Awaitable[str]], say: Say) -> bool:
    try:
        found = await attempt()
    except ApiError as error:
        say(f"FAIL  {name}: {error}")
        return False
    say(f"ok    {name}: {found}")
    return True


async def _organisation(client: Client) -> str:
    directory = await client.directory()
    name = directory.organization.name if directory.organization else "unnamed"
    return f"{name}, {len(directory.workspaces)} workspaces"


async def _usage(client: Client, day: date) -> str:
    rows = (await client.claude_code(day)).rows or []
    if not rows:
        return f"readable, and empty on {day} (that is normal for an organisation without Claude Code)"
    return f"{len(rows)} records on {day}"


async def _bills(client: Client, day: date) -> str:
    rows = (await client.cost(day, day)).get(day, [])
    if isinstance(rows, ApiError):
        raise rows
    return f"{len(rows)} billed lines on {day}"
