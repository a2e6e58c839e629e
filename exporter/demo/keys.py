"""The API keys of the simulated organisation: one for each program, some of which expire."""

from typing import NamedTuple

from exporter.demo import people
from exporter.demo.people import PLATFORM, RESEARCH, SUPPORT


class Key(NamedTuple):
    """An API key. `expires` is in days after the anchor, None for never; `archived` keys are used no more."""

    name: str
    workspace_id: str | None
    expires: int | None = None
    archived: bool = False


def id_of(name: str) -> str:
    """Return the id of the key with this name."""
    return f"apikey_01SIM{name.replace('-', '')}"


CHAT, ROUTER, SUMMARIES = map(id_of, ("support-chat", "support-router", "support-summaries"))
EVALUATION, NOTEBOOKS = map(id_of, ("model-evaluation", "research-notebooks"))
SEARCH, PROTOTYPE = map(id_of, ("site-search", "old-prototype"))
KEYS = (
    *(Key(one.source.name, one.source.workspace_id) for one in people.api_keys()),
    Key("support-chat", SUPPORT),
    Key("support-router", SUPPORT, expires=160),
    Key("support-summaries", SUPPORT, expires=9),
    Key("model-evaluation", RESEARCH, expires=45),
    Key("research-notebooks", RESEARCH),
    Key("site-search", PLATFORM),
    Key("old-prototype", people.PROTOTYPE, archived=True),
    Key("last-summer", None, expires=-95),
)
