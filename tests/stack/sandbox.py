"""The image without Docker: the Dockerfile's own steps in a bubblewrap sandbox, on this machine's Python.

The sandbox gives what a container gives: another user, a root file system of its own that can be read only, no
capability, no new privileges, its own processes and network. It differs in this: the base image is this machine's
system and Python, and the steps of the build run as the image's user too, since no other can be mapped without root.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.stack.dockerfile import ROOT, Stage, copied, stages

USER = "65532"
DRIVER = Path(__file__).with_name("inside.py")
SYSTEM_PATH = "/base/bin:/usr/local/bin:/usr/bin:/bin"
_HANDED_ON = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""How this machine reaches the package index."""


@dataclass(frozen=True)
class Image:
    """A root file system and how a container of it starts."""

    root: Path
    stage: Stage

    def run(
        self, command: Sequence[str], *, env: Mapping[str, str], data: Path, mounts: Mapping[str, Path], api: bool
    ) -> dict[str, Any]:
        """Run a container, let `inside.py` try it, and return what it found.

        `data` is the only folder that can be written, `mounts` are read-only files by their path in the container.
        With `api`, the simulated Admin API runs beside the exporter, on the container's own loopback.
        """
        environment = {**_resolved(self.stage.environment()), **env}
        plan = {"command": command, "healthcheck": self.stage.words("HEALTHCHECK"), "api": api}
        arguments = ["--unshare-all", "--ro-bind", str(self.root), "/", *_system(), "--bind", str(data), "/data"]
        arguments += [word for path, file in mounts.items() for word in ("--dev-bind", str(file), path)]
        arguments += ["--ro-bind", str(DRIVER), "/base/inside.py", "--clearenv", *_setenv(environment)]
        done = _bwrap([*arguments, "--", "python", "-I", "/base/inside.py", json.dumps(plan)])
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


@dataclass
class _Build:
    """One stage under way: its folder, and where its next RUN happens."""

    root: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})

    def do(self, instruction: str, value: str, others: Mapping[str, Path]) -> None:
        """Carry out one instruction; those that only describe the image change nothing here."""
        match instruction:
            case "WORKDIR":
                self.workdir = value
                self._path(value).mkdir(parents=True)
            case "RUN":
                self._run(value)
            case "COPY" if value.startswith("--from="):
                stage, source, destination = value.removeprefix("--from=").split()
                _copy(others[stage] / source.lstrip("/"), self._path(destination))

    def _path(self, inside: str) -> Path:
        return self.root / os.path.normpath(Path(self.workdir, inside)).lstrip("/")

    def copy_in(self, sources: Sequence[str], destination: str) -> None:
        """Copy from the repository as COPY does: a folder's content, a file into a folder that ends with a slash."""
        target = self._path(destination)
        for source in sources:
            into = target / Path(source).name if destination.endswith("/") else target
            _copy(ROOT / source, into)

    def _run(self, command: str) -> None:
        handed_on = {name: value for name, value in os.environ.items() if name.upper().startswith(_HANDED_ON)}
        arguments = ["--unshare-all", "--share-net", "--bind", str(self.root), "/", *_system(), "--clearenv"]
        arguments += [*_setenv({**handed_on, **self.environment}), "--chdir", self.workdir]
        _bwrap([*arguments, "--", "sh", "-ec", command])


def build(folder: Path) -> Image:
    """Build the repository's Dockerfile under `folder`, stage by stage."""
    roots: dict[str, Path] = {}
    for number, stage in enumerate(stages()):
        build = _Build(folder / str(number))
        _lay_base(build.root)
        copies = iter(copied(stage))
        for instruction, value in stage.steps:
            if instruction == "COPY" and not value.startswith("--from="):
                build.copy_in(*next(copies))
            else:
                build.do(instruction, value, roots)
        roots[stage.name] = build.root
    return Image(build.root, stage)


def _lay_base(root: Path) -> None:
    """Make what stands for the base image: mount points, and `python` by that name."""
    for name in ("bin", "sbin", "lib", "lib64"):
        root.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("usr", "etc", "proc", "dev", "tmp", "base/bin", "run/secrets"):
        (root / name).mkdir(parents=True)
    for name in ("base/inside.py", "run/secrets/anthropic_admin_key"):
        (root / name).touch()
    python = root / "base/bin/python"
    python.write_text(f'#!/bin/sh\nexec {_base_python()} "$@"\n')
    python.chmod(0o755)


def _base_python() -> Path:
    return Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")


def _system() -> list[str]:
    """Return the arguments that show this machine's system and Python, read-only, and a user without rights."""
    words = ["--uid", USER, "--gid", USER, "--cap-drop", "ALL", "--die-with-parent", "--proc", "/proc", "--dev", "/dev"]
    for folder in dict.fromkeys(("/usr", "/etc", sys.base_prefix)):
        words += ["--ro-bind", folder, folder] if not folder.startswith("/usr/") else []
    return words


def _setenv(environment: Mapping[str, str]) -> list[str]:
    return [word for name, value in environment.items() for word in ("--setenv", name, value)]


def _resolved(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value.replace("$PATH", SYSTEM_PATH) for name, value in environment.items()}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _bwrap(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["bwrap", *arguments], capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, f"{arguments[-1]}\n{done.stdout}\n{done.stderr}"
    return done
