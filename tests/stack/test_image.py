"""The Dockerfile, and a rehearsal of its steps with bubblewrap where there is no Docker.

The rehearsal runs on this machine's system and Python instead of the base image, and as one user. On any machine it
finds a step that fails, a file that is not copied, and a package that the wheel lacks. image.yml runs the real image.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.integration.processes import upstream
from tests.stack.repository import ROOT, Stage, stages
from tests.support import KEY

SECRET = "run/secrets/anthropic_admin_key"
SYSTEM_PATH = "/base/bin:/usr/local/bin:/usr/bin:/bin"
LISTENING = re.compile(r"msg=listening .*http://(\S+)")
NEEDED_BY_PIP = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def test_both_stages_start_from_one_exact_release() -> None:
    """The base image is named by its full version. CI tests this Python: see test_workflows.py."""
    (base,) = {stage.base for stage in stages()}
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", base)


def test_the_labels_equal_the_package_metadata() -> None:
    """Registries show the labels."""
    labels = stages()[-1].values("LABEL")[-1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for label, key in (("title", "name"), ("description", "description"), ("licenses", "license")):
        assert f'org.opencontainers.image.{label}="{project[key]}"' in labels


def test_the_image_needs_no_shell() -> None:
    """What starts the exporter and what asks whether it is healthy are programs of its own environment."""
    words = [stages()[-1].words(name) for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK")]  # none is in shell form
    assert [first for first, *_ in words] == ["anthropic-exporter", "serve", "python"]


def test_only_copied_files_reach_the_build() -> None:
    """.dockerignore refuses everything but the sources of COPY, which exist: no key can get in by accident."""
    copies = [value.split()[:-1] for stage in stages() for value in stage.values("COPY") if "--from=" not in value]
    sources = {source for names in copies for source in names}
    assert [source for source in sources if not (ROOT / source).exists()] == []
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == sources


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_image_serves_with_a_read_only_root(tmp_path: Path) -> None:
    """The wheel is complete, no installer is left, and the default command serves, writing to /data alone."""
    root, stage = build(tmp_path)
    (site,) = root.glob("opt/exporter/lib/python3*/site-packages")
    assert modules(site / "exporter") == modules(ROOT / "exporter")
    assert [path.name for path in site.iterdir() if path.name.startswith(("pip", "setuptools", "wheel"))] == []
    data = tmp_path / "data"
    data.mkdir()
    (root / SECRET).write_text(KEY)
    with upstream() as api:
        settings = {"ANTHROPIC_BASE_URL": api.url, "EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0"}
        environment = {**stage.environment(), **settings}
        environment["PATH"] = environment["PATH"].replace("$PATH", SYSTEM_PATH)
        mounts = ["--ro-bind", str(root), "/", "--bind", str(data), "/data"]
        check = stage.words("HEALTHCHECK")
        assert subprocess.run(sandbox(mounts, environment, check), check=False, capture_output=True).returncode == 1
        command = sandbox(mounts, environment, stage.words("ENTRYPOINT") + stage.words("CMD"))
        # bubblewrap forwards no signal, so both get it as one process group.
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
            try:
                address = next(found[1] for line in process.stderr or () if (found := LISTENING.search(line)))
                environment["EXPORTER_LISTEN_ADDRESS"] = address
                subprocess.run(sandbox(mounts, environment, check), check=True, capture_output=True)
                pages = [get(f"http://{address}{path}") for path in ("/", "/metrics")]
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                log = process.communicate(timeout=30)[1]
    assert "msg=stopped" in log
    assert 'anthropic_report_coverage_ratio{report="cost"} 1.0' in pages[1]
    assert "days.sqlite" in {path.name for path in data.iterdir()}
    assert KEY not in log + "".join(pages)


def get(url: str) -> str:
    """Return a page as Prometheus would get it."""
    request = urllib.request.Request(url, headers={"X-Prometheus-Scrape-Timeout-Seconds": "60"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=90) as response:  # noqa: S310 - a literal http address
        return str(response.read().decode())


def modules(package: Path) -> set[str]:
    """Return the files of a package but for compiled ones, those behind links included."""
    files = [*package.rglob("*.*"), *package.glob("share/*/*")]
    return {str(path.relative_to(package)) for path in files if path.suffix != ".pyc"}


def build(folder: Path) -> tuple[Path, Stage]:
    """Carry out the Dockerfile's steps, each stage in a root folder of its own, and return the last."""
    for_pip = {name: value for name, value in os.environ.items() if name.upper().startswith(NEEDED_BY_PIP)}
    roots: dict[str, Path] = {}
    for stage in stages():
        root, workdir = folder / f"root-{stage.name}", "/"
        lay_base(root)
        for instruction, value in stage.steps:
            match instruction, value.split():
                case "WORKDIR", [workdir]:
                    inside(root, workdir).mkdir(parents=True)
                case "COPY", [origin, source, target] if origin.startswith("--from="):
                    copy(inside(roots[origin.removeprefix("--from=")], source), inside(root, target))
                case "COPY", [*sources, target]:
                    for source in sources:
                        name = Path(source).name if target.endswith("/") else ""
                        copy(ROOT / source, inside(root, workdir, target, name))
                case "RUN", _:
                    mounts = ["--bind", str(root), "/", "--chdir", workdir]
                    command = sandbox(mounts, {"PATH": SYSTEM_PATH, **for_pip}, ["sh", "-ec", value])
                    done = subprocess.run(command, capture_output=True, text=True, check=False)
                    assert done.returncode == 0, f"RUN {value}\n{done.stdout}\n{done.stderr}"
        roots[stage.name] = root
    return root, stage


def lay_base(root: Path) -> None:
    """Make what replaces the base image: mount points, and a `python`."""
    for name in ("usr", "etc", "proc", "dev", "tmp", "base/bin", "run/secrets"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    python = root / "base/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.base_prefix}/bin/python3.{sys.version_info.minor} "$@"\n')
    python.chmod(0o755)


def sandbox(mounts: Sequence[str], environment: Mapping[str, str], command: Sequence[str]) -> list[str]:
    """Return the command that runs another as the image's user without capabilities, on this machine's network."""
    user = stages()[-1].values("USER")[-1].partition(":")[0]
    words = ["bwrap", "--unshare-user", "--unshare-ipc", "--uid", user, "--gid", user, "--cap-drop", "ALL"]
    words += [*mounts, "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc"]
    if not sys.base_prefix.startswith("/usr"):
        words += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    words += ["--clearenv", *(word for pair in environment.items() for word in ("--setenv", *pair))]
    return [*words, "--", *command]


def inside(root: Path, *parts: str) -> Path:
    """Return a path of the image, on this machine."""
    return root / os.path.normpath(Path("/", *parts)).lstrip("/")


def copy(source: Path, target: Path) -> None:
    """Copy as COPY does: a folder's content, or a file."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
