"""The compose file: valid for Docker Compose itself, confined, and consistent with the files that it mounts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.settings import Settings
from tests.stack.compose import config, resolved
from tests.stack.dockerfile import ROOT, stages

SERVICES = {"exporter", "prometheus", "grafana"}
WRITABLE = {"exporter": {"/data"}, "prometheus": {"/prometheus"}, "grafana": {"/var/lib/grafana"}}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services, as they run when nothing is set."""
    found: dict[str, Any] = resolved()["services"]
    return found


def mounts(service: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the mounts of a service by their path in the container."""
    return {mount["target"]: mount for mount in service["volumes"]}


def test_a_misspelt_word_is_refused(tmp_path: Path) -> None:
    """Compose checks against its schema: the file as it is passes, with a letter changed it does not."""
    broken = tmp_path / "docker-compose.yml"
    broken.write_text((ROOT / "docker-compose.yml").read_text("utf-8").replace("cap_drop", "cap_drob"))
    done = config(broken)
    assert done.returncode != 0
    assert "cap_drob" in done.stderr


def test_every_service_is_confined(services: dict[str, Any]) -> None:
    """No service can write its own files, gain rights or fork without end; each is restarted, and its log bounded."""
    assert set(services) == SERVICES
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0, name
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"]["max-size"], name
        assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service), name


def test_ports_are_this_machines_only(services: dict[str, Any]) -> None:
    """Each service listens on 127.0.0.1, on the port that its documents say."""
    ports = {
        name: [(port["host_ip"], port["target"]) for port in service["ports"]] for name, service in services.items()
    }
    expected = {"exporter": 10918, "prometheus": 9090, "grafana": 3000}
    assert ports == {name: [("127.0.0.1", port)] for name, port in expected.items()}


def test_images_have_exact_versions(services: dict[str, Any]) -> None:
    """What is not built here is named by its full version."""
    assert services["exporter"]["build"]["context"] == str(ROOT)
    for name in SERVICES - {"exporter"}:
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", services[name]["image"]), name


def test_every_service_has_a_health_check(services: dict[str, Any]) -> None:
    """Each waits for the health of the one before; the exporter's check is the image's own."""
    assert stages()[-1].values("HEALTHCHECK")
    for name, port in (("prometheus", "9090/-/healthy"), ("grafana", "3000/api/health")):
        assert services[name]["healthcheck"]["test"][-1] == f"http://127.0.0.1:{port}"
    waits = {name: service.get("depends_on", {}) for name, service in services.items()}
    assert {name: {other: how["condition"] for other, how in wait.items()} for name, wait in waits.items()} == {
        "exporter": {},
        "prometheus": {"exporter": "service_healthy"},
        "grafana": {"prometheus": "service_healthy"},
    }


def test_what_is_mounted_exists_and_is_read_only(services: dict[str, Any]) -> None:
    """Files of the repository are mounted read-only; what is written goes to a named volume, at the expected place."""
    volumes = resolved()["volumes"]
    for name, service in services.items():
        written = set()
        for target, mount in mounts(service).items():
            if mount["type"] == "bind":
                assert mount["read_only"] is True, target
                assert Path(mount["source"]).is_dir(), mount["source"]
                assert any(Path(mount["source"]).iterdir()), mount["source"]
            else:
                assert mount["source"] in volumes
                written.add(target)
        assert written == WRITABLE[name]


def test_the_key_is_a_file(services: dict[str, Any]) -> None:
    """The key reaches the exporter alone, as a file; with none it is /dev/null."""
    assert resolved()["secrets"]["anthropic_admin_key"]["file"] == "/dev/null"
    given = resolved({"ANTHROPIC_ADMIN_KEY_FILE": "./secrets/key"})
    assert given["secrets"]["anthropic_admin_key"]["file"] == str(ROOT / "secrets/key")
    assert [name for name, service in services.items() if "secrets" in service] == ["exporter"]
    assert services["exporter"]["secrets"][0]["target"] == "/run/secrets/anthropic_admin_key"


def test_settings_are_handed_on(services: dict[str, Any]) -> None:
    """Every name is a setting; nothing is set that was not given, and what is given arrives."""
    environment = services["exporter"]["environment"]
    assert {name.lower() for name in environment} <= set(Settings.model_fields)
    assert set(environment.values()) == {None}
    given = resolved({"EXPORTER_USER_LABEL": "hash"})["services"]["exporter"]["environment"]
    assert given["EXPORTER_USER_LABEL"] == "hash"


def test_grafana_never_replaces_its_plugins(services: dict[str, Any]) -> None:
    """On a read-only file system Grafana 13 would lose the Prometheus data source at its start."""
    environment = services["grafana"]["environment"]
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    assert environment["GF_PLUGINS_PREINSTALL_AUTO_UPDATE"] == "false"


def test_grafana_lets_nobody_change_anything(services: dict[str, Any]) -> None:
    """Without a log-in there is only the right to look, and there is no account with a known password."""
    environment = services["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"


def test_the_data_source_is_prometheus(services: dict[str, Any]) -> None:
    """Grafana asks the Prometheus of this stack, under the name that links use, at the interval of its scrapes."""
    (source,) = provisioned("datasources")["datasources"]
    assert (source["uid"], source["type"], source["editable"]) == ("prometheus", "prometheus", False)
    assert source["url"] == f"http://prometheus:{services['prometheus']['ports'][0]['target']}"
    assert source["jsonData"]["timeInterval"] == scrape()["scrape_interval"]


def test_the_dashboard_is_read_only_and_found(services: dict[str, Any]) -> None:
    """Grafana reads the committed dashboard from where it is mounted, lets nobody change it, and opens with it."""
    (provider,) = provisioned("dashboards")["providers"]
    assert (provider["disableDeletion"], provider["allowUiUpdates"]) == (True, False)
    mount = mounts(services["grafana"])[provider["options"]["path"]]
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == mount["target"]
    dashboard = json.loads(Path(mount["source"], home.name).read_text("utf-8"))
    assert (dashboard["uid"], dashboard.get("id")) == ("claude-usage", None)


def test_prometheus_scrapes_the_exporter(services: dict[str, Any]) -> None:
    """The mounted configuration names this exporter, and rule files that exist at the mounted place."""
    mount = mounts(services["prometheus"])["/etc/prometheus"]
    assert Path(mount["source"]) == ROOT / "prometheus"
    assert "--config.file=/etc/prometheus/prometheus.yml" in services["prometheus"]["command"]
    targets = [target for static in scrape()["static_configs"] for target in static["targets"]]
    assert targets == [f"exporter:{services['exporter']['ports'][0]['target']}"]
    for pattern in prometheus_config()["rule_files"]:
        assert list((ROOT / "prometheus").glob(pattern.removeprefix("/etc/prometheus/"))), pattern


def provisioned(kind: str) -> dict[str, Any]:
    """Return the provisioning file of a kind; there is one of each."""
    (file,) = (ROOT / "grafana/provisioning" / kind).iterdir()
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    assert "$" not in file.read_text("utf-8"), "Grafana would expand it"
    return found


def prometheus_config() -> dict[str, Any]:
    """Return Prometheus's configuration."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
    return found


def scrape() -> dict[str, Any]:
    """Return the scrape of the exporter, with the global interval where it has none."""
    loaded = prometheus_config()
    (found,) = (job for job in loaded["scrape_configs"] if "anthropic" in job["job_name"])
    return {**loaded.get("global", {}), **found}
