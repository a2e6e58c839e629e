"""The wheel and the source distribution: reproducible, complete, and enough to run every command."""

import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from exporter import __version__, cli
from tests.integration.processes import environment, upstream, wait_for
from tests.stack.repository import ROOT, run
from tests.stack.test_installation import locked

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
EPOCH = "1700000000"
FORGE_ONLY = (".ci/", ".github/", "exporter/share/")
"""What the source distribution need not contain: the forge's files, and links, in whose place are the files."""
MOST_MEGABYTES = 75
MOST_PACKAGES = 35


def build(folder: Path, umask: int) -> list[Path]:
    """Build both files and return them, the wheel first."""
    script = [sys.executable, str(ROOT / "tools/build.py"), str(folder)]
    subprocess.run(script, check=True, capture_output=True, umask=umask, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the wheel and the source distribution."""
    return build(tmp_path_factory.mktemp("dist"), 0o022)


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    """Return the names of the files in git."""
    return set(run("git", "-C", str(ROOT), "ls-files").stdout.splitlines())


def test_two_builds_are_equal(built: list[Path], tmp_path: Path) -> None:
    """At another time, in another folder and with another umask, the bytes are the same."""
    assert [path.read_bytes() for path in built] == [path.read_bytes() for path in build(tmp_path, 0o077)]


def test_the_source_distribution_is_complete(built: list[Path], tracked: set[str]) -> None:
    """It has every tracked file, and the rules and dashboards as files instead of links; nothing else is in it."""
    with tarfile.open(built[1]) as archive:
        entries = {entry.name.partition("/")[2]: entry for entry in archive if not entry.isdir()}
    shipped = {name for name in tracked if not name.startswith(FORGE_ONLY)}
    assert shipped - set(entries) == set()
    assert all(entry.isfile() for entry in entries.values())
    extra = {name for name in set(entries) - tracked if ".egg-info/" not in name}
    share = {f"exporter/share/{path.parent.name}/{path.name}" for path in (ROOT / "exporter/share").glob("*/*")}
    assert extra == share | {"PKG-INFO", "setup.cfg"}


def test_the_index_page_has_absolute_links(built: list[Path]) -> None:
    """Each leads to the released version of a file that exists."""
    with zipfile.ZipFile(built[0]) as wheel:
        text = wheel.read(f"anthropic_exporter-{__version__}.dist-info/METADATA").decode()
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    paths = [found[1] for link in links if (found := re.search(rf"/v{re.escape(__version__)}/([^#]+)", link))]
    assert len(paths) > 20
    assert [link for link in links if not link.startswith("https://")] == []
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.fixture(scope="module")
def installed(built: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new virtual environment with the wheel and the locked packages that it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder)
    (site,) = folder.glob("lib/python3*/site-packages")
    for name in locked("requirements.txt"):
        link_package(name, site)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin/python")]
    subprocess.run([*pip, "install", "--quiet", "--no-index", str(built[0])], check=True)  # refuses a missing package
    return folder


def link_package(name: str, site: Path) -> None:
    """Put a package of this environment into another one, as its wheel would be."""
    for file in importlib.metadata.files(name) or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file.locate(), target)


def test_it_is_small(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What an installation adds is at most 75 MB and 35 packages."""
    (site,) = installed.glob("lib/python3*/site-packages")
    packages = len(list(importlib.metadata.distributions(path=[str(site)])))
    megabytes = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6
    with capsys.disabled():
        print(f"\nthe wheel and its requirements: {megabytes:.1f} MB in {packages} packages")  # noqa: T201
    assert packages <= MOST_PACKAGES
    assert megabytes <= MOST_MEGABYTES


def test_it_writes_rules_and_dashboards(installed: Path, tmp_path: Path) -> None:
    """They are those of the repository, readable by others, and each path is printed."""
    for name, folder in (("rules", "prometheus/rules"), ("dashboards", "grafana/dashboards")):
        done = run(str(installed / "bin/anthropic-exporter"), name, "--output", str(tmp_path / "new" / name))
        assert done.returncode == 0, done.stderr
        written = sorted((tmp_path / "new" / name).iterdir())
        assert done.stdout.splitlines() == [str(path) for path in written]
        assert {path.name: path.read_bytes() for path in written} == {
            path.name: path.read_bytes() for path in (ROOT / folder).iterdir()
        }
        assert {path.stat().st_mode & 0o777 for path in written} == {0o644}


def test_a_folder_that_cannot_be_written_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path and the reason are printed, and the exit code is 2."""
    monkeypatch.setattr(os, "umask", lambda _: 0)  # the command sets its own
    file = tmp_path / "file"
    file.touch()
    assert cli.main(["rules", "--output", str(file)]) == 2
    assert capsys.readouterr().err == (
        f"anthropic-exporter: --output: {file}/alerts-adoption.yml cannot be written: File exists\n"
    )


def test_it_checks_serves_and_exports(installed: Path, tmp_path: Path) -> None:
    """`check` finds reports readable, `config` shows the settings, `serve` reads, `export` writes what is stored."""
    command = str(installed / "bin/anthropic-exporter")
    with upstream() as api:
        environ = environment(api.url)
        del environ["PYTHONPATH"]  # the repository's code
        checked = subprocess.run([command, "check"], env=environ, cwd=tmp_path, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stdout
        shown = subprocess.run([command, "config"], env=environ, cwd=tmp_path, capture_output=True, check=True)
        assert api.url.encode() in shown.stdout
        with subprocess.Popen([command], env=environ, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            try:
                page = get(next(found[1] for line in process.stderr or () if (found := LISTENING.search(line))))
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)
    assert 'anthropic_report_coverage_ratio{report="cost"} 1.0' in page
    assert process.returncode == 0
    exported = subprocess.run([command, "export", "cost"], env=environ, cwd=tmp_path, capture_output=True, check=True)
    assert exported.stdout.startswith(b"date,workspace_id,")
    assert exported.stdout.count(b"\n") > 3


def test_it_runs_the_demo(installed: Path, tmp_path: Path) -> None:
    """It prints an address that serves metrics, and leaves no file."""
    environ = {"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0", "EXPORTER_WINDOW_DAYS": "3"}
    command = [str(installed / "bin/anthropic-exporter"), "demo"]
    with subprocess.Popen(
        command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            url = next(found[1] for line in process.stdout or () if (found := INVITATION.search(line)))
            wait_for(lambda: "\nanthropic_cost_usd{" in get(url))
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
    assert list(tmp_path.iterdir()) == []


LISTENING = re.compile(r"msg=listening .*(http://127\.0\.0\.1:\d+)")
INVITATION = re.compile(r"organisation is at (http://127\.0\.0\.1:\d+)/")


def get(url: str) -> str:
    """Return the page that Prometheus would get."""
    request = urllib.request.Request(f"{url}/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "30"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=40) as response:  # noqa: S310 - a literal http address
        return str(response.read().decode())
