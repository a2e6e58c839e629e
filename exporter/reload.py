"""Read the key and the web configuration again, because an operator asks for it or because a file has changed."""

from collections.abc import Callable
from typing import Literal

import structlog

from exporter.clock import Clock
from exporter.errors import SettingsError
from exporter.telemetry import Telemetry

log = structlog.get_logger()


class Reload:
    """Rereads its parts when called, and counts as failed until the last attempt at every part has worked.

    A part that cannot be read keeps its last good value. The first reading at the start counts as a reload.
    """

    def __init__(self, key: Callable[[], str], telemetry: Telemetry, clock: Clock) -> None:
        self._key, self._telemetry, self._clock = key, telemetry, clock
        self._failed: set[str] = set()
        self.web: list[Callable[[], None]] = []
        """Reread the parts of the web configuration; each raises SettingsError and calls its `noted`."""
        self.noted("key")("applied")

    def __call__(self) -> str | None:
        """Read everything again, and return why that failed in one line, or None if it worked."""
        problems = []
        for reread in (self._reread_key, *self.web):
            try:
                reread()
            except SettingsError as error:
                problems.append(str(error))
        return "; ".join(problems) or None

    def noted(self, part: str) -> Callable[[Literal["applied", "refused"]], None]:
        """Return the function that notes how an attempt at a part has ended."""

        def note(outcome: Literal["applied", "refused"]) -> None:
            (self._failed.discard if outcome == "applied" else self._failed.add)(part)
            self._telemetry.reloaded(self._clock.now().timestamp(), successful=not self._failed)

        return note

    def _reread_key(self) -> None:
        try:
            self._key()
        except SettingsError as error:
            log.error("reload failed, the previous key stays", source="key", reason=str(error))  # noqa: TRY400 - one line
            self.noted("key")("refused")
            raise
        log.info("configuration reloaded", source="key")
        self.noted("key")("applied")
