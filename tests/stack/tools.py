"""The linters, which come as Python packages with their programs in them."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

BESIDE = Path(sys.executable).parent
"""Where the environment's programs are, also when it is not activated."""


def run(
    program: str, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment, or of the system, and return what it said."""
    path = f"{BESIDE}{os.pathsep}{os.environ['PATH']}"
    words: Sequence[str] = [str(BESIDE / program) if (BESIDE / program).exists() else program, *arguments]
    return subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, **(env or {}), "PATH": path},
    )
