"""How users are named, on the page and on disk: by their own name, or by a keyed digest that is not reversible."""

import hashlib
import hmac
from typing import NamedTuple


class Names(NamedTuple):
    """The user names of EXPORTER_USER_LABEL.

    `key` is None where names are shown as the API gives them. `shown` is False where no family has a `user` label.
    """

    key: bytes | None = None
    shown: bool = True

    @property
    def format(self) -> str:
        """The part of a report's `format` that depends on the names: days stored with other names are deleted."""
        return "plain" if self.key is None else f"digest {hashlib.sha256(self.key).hexdigest()[:8]}"

    def of(self, actor_type: str, name: str) -> str:
        """Return the name to store and to show."""
        if self.key is None:
            return name
        return hmac.new(self.key, f"{actor_type}\0{name}".encode(), hashlib.sha256).hexdigest()[:16]
