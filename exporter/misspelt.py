"""Find names of settings that were misspelt, in the environment and in the `.env` file."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic_settings import DotEnvSettingsSource

from exporter.settings import ENV_FILE, Settings

KUBERNETES = re.compile(r"EXPORTER_(PORT(_\d+_.*)?|SERVICE_.*)")
"""Names that Kubernetes sets in every pod if the namespace has a service called `exporter`."""
_OTHERS = {"ANTHROPIC_API_KEY", "ANTHROPIC_AWS_BASE_URL"}
"""Similar names that other programs use."""
_SIMILAR, _OURS_SIMILAR = 0.88, 0.5
"""How similar a name must be to a setting; `EXPORTER_*` are this exporter's alone."""


def warnings(names: Iterable[str] | None = None, env_file: Path = ENV_FILE) -> Iterator[str]:
    """Yield a warning for each name that is not a setting but looks like one, with the most similar setting.

    `names` are those of the environment.
    """
    for name in sorted(os.environ if names is None else names):
        yield from _warning(name, name)
    for name in sorted(DotEnvSettingsSource(Settings, env_file=env_file).env_vars):
        yield from _warning(name, f"{env_file}: {name.upper()}")


def _warning(name: str, shown: str) -> Iterator[str]:
    known, upper = [field.upper() for field in Settings.model_fields], name.upper()
    if upper in known or upper in _OTHERS or KUBERNETES.fullmatch(upper):
        return
    ours = upper.startswith("EXPORTER_")
    near = difflib.get_close_matches(upper, known, n=1, cutoff=_OURS_SIMILAR if ours else _SIMILAR)
    if ours or near:
        yield f"{shown} is not a setting" + (f"; did you mean {near[0]}?" if near else "")
