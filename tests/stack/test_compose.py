"""The compose file, as Docker Compose resolves it: the claims that image.yml, which starts it, does not test.

Docker Compose comes as a Python package and needs no daemon for this.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.settings import Settings
from tests.stack.repository import ROOT, run

WRITABLE = {"exporter": {"/data"}, "prometheus": {"/prometheus"}, "grafana": {"/var/lib/grafana"}}


def resolved(**env: str) -> dict[str, Any]:
    """Return the compose file with everything filled in: `env` is set, and nothing else."""
    arguments = ("--env-file", "/dev/null", "--file", str(ROOT / "docker-compose.yml"), "config", "--format", "json")
    done = run("docker-compose", *arguments, env={"HOME": "/nonexistent", **env})
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services with default settings."""
    found: dict[str, Any] = resolved()["services"]
    return found


def test_every_service_is_confined(services: dict[str, Any]) -> None:
    """Each has a read-only root, no capability, bounded processes and log, and a port on loopback only."""
    assert set(services) == set(WRITABLE)
    for name, service in services.items():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0, name
        assert service["logging"]["options"]["max-size"], name
        assert {port["host_ip"] for port in service["ports"]} == {"127.0.0.1"}, name
        assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service), name


def test_files_are_mounted_read_only(services: dict[str, Any]) -> None:
    """Folders of the repository are mounted read-only and exist; each service writes to its own volume alone."""
    for name, service in services.items():
        binds = {mount["source"]: mount for mount in service["volumes"] if mount["type"] == "bind"}
        assert all(mount["read_only"] and any(Path(source).iterdir()) for source, mount in binds.items()), name
        assert {mount["target"] for mount in service["volumes"] if mount["type"] == "volume"} == WRITABLE[name]


def test_images_have_exact_versions(services: dict[str, Any]) -> None:
    """An image that is not built here is named by its full version."""
    images = [service["image"] for service in services.values() if "build" not in service]
    assert [image for image in images if not re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", image)] == []


def test_only_the_exporter_gets_the_key(services: dict[str, Any]) -> None:
    """The key is a file, mounted where the exporter looks for it."""
    file = resolved(ANTHROPIC_ADMIN_KEY_FILE="./secrets/key")["secrets"]["anthropic_admin_key"]["file"]
    assert file == str(ROOT / "secrets/key")
    assert [name for name, service in services.items() if "secrets" in service] == ["exporter"]
    assert services["exporter"]["secrets"][0]["target"] == "/run/secrets/anthropic_admin_key"


@pytest.mark.parametrize(
    ("file", "key", "command"),
    [("/dev/null", "", "demo"), ("/dev/null", "sk-", "serve"), ("key", "", "serve"), ("empty", "", "serve")],
)
def test_simulated_numbers_are_shown_only_without_a_key(
    services: dict[str, Any], tmp_path: Path, file: str, key: str, command: str
) -> None:
    """The demo starts when no key is given. With an empty key file `serve` starts, which refuses it."""
    (tmp_path / "key").write_text("sk-")
    (tmp_path / "empty").touch()
    exporter = tmp_path / "anthropic-exporter"
    exporter.write_text('#!/bin/sh\necho "$@"\n')
    exporter.chmod(0o755)
    service = services["exporter"]
    shell = [word.replace("$$", "$") for word in (*service["entrypoint"], *service["command"])]
    shell[-1] = shell[-1].replace("/run/secrets/anthropic_admin_key", str(tmp_path / file))
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "ANTHROPIC_ADMIN_KEY": key}
    assert subprocess.run(shell, env=env, capture_output=True, text=True, check=True).stdout == f"{command}\n"


def test_settings_are_passed_on(services: dict[str, Any]) -> None:
    """Each variable is a setting. One that is not set keeps the exporter's default; one that is set arrives."""
    environment = services["exporter"]["environment"]
    assert {name.lower() for name in environment} <= set(Settings.model_fields)
    assert set(environment.values()) == {None}
    given = resolved(EXPORTER_USER_LABEL="hash")["services"]["exporter"]["environment"]
    assert given["EXPORTER_USER_LABEL"] == "hash"


def test_grafana_has_no_accounts(services: dict[str, Any]) -> None:
    """Nobody can log in, and there is no administrator with a known password."""
    environment = services["grafana"]["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"


def test_grafana_opens_with_the_dashboard(services: dict[str, Any]) -> None:
    """The home dashboard is the committed one, and the provisioning reads its folder."""
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    folders = {mount["target"]: Path(mount["source"]) for mount in services["grafana"]["volumes"]}
    assert json.loads((folders[str(home.parent)] / home.name).read_text("utf-8"))["uid"] == "claude-usage"
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["options"]["path"] == str(home.parent)


def test_grafana_knows_the_scrape_interval() -> None:
    """The data source's interval is that of Prometheus."""
    (source,) = provisioned("datasources")["datasources"]
    prometheus = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
    (scrape,) = (job for job in prometheus["scrape_configs"] if "anthropic" in job["job_name"])
    assert source["jsonData"]["timeInterval"] == {**prometheus["global"], **scrape}["scrape_interval"]


def provisioned(kind: str) -> dict[str, Any]:
    """Return the provisioning file of a kind."""
    (file,) = (ROOT / "grafana/provisioning" / kind).iterdir()
    text = file.read_text("utf-8")
    assert "$" not in text, "Grafana would expand it"
    found: dict[str, Any] = yaml.safe_load(text)
    return found
