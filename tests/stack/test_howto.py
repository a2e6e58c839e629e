"""What the how-to guides tell people to write and run, and the Kubernetes manifests."""

import re
import textwrap
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.stack.repository import ROOT, run, stages

GUIDES = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "docs/how-to").glob("*.md"))}
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/exporter.yml").read_text("utf-8")))


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language in all guides, without their indentation."""
    fence = re.compile(rf"^ *```{language}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for guide in GUIDES.values() for text in fence.findall(guide)]


@pytest.mark.parametrize("script", blocks("sh"))
def test_shellcheck_accepts_every_command(script: str) -> None:
    """Variables that the reader sets, such as $REGISTRY, count as set."""
    done = run("shellcheck", "--shell=sh", "--exclude=SC2154", "-", stdin=script)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("text", blocks("yaml"))
def test_prometheus_accepts_every_scrape_configuration(text: str) -> None:
    """Every block is YAML. Scrapes are at most two minutes apart, because an instant value lives for five."""
    jobs = yaml.safe_load(text).get("scrape_configs")
    if jobs:
        done = run("promtool", "check", "config", "--syntax-only", "/dev/stdin", stdin=text)
        assert done.returncode == 0, done.stderr
        assert [(job["scrape_interval"], job["scrape_timeout"]) for job in jobs] == [("60s", "30s")]


@pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)
def test_files_that_a_guide_names_exist(guide: str) -> None:
    """Its links are checked in test_docs.py."""
    files = re.findall(r"\b((?:deploy|grafana|prometheus)/[\w./-]+\.(?:yml|json|py))\b", guide)
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("version", ["1.30", "1.35"])
def test_kubernetes_accepts_the_manifests(version: str) -> None:
    """Each manifest matches the schema of an older and a newer release, without unknown fields."""
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)


def deployment() -> dict[str, Any]:
    """Return the specification of the Deployment."""
    (found,) = (manifest["spec"] for manifest in MANIFESTS if manifest["kind"] == "Deployment")
    return dict(found)


def test_the_pod_meets_the_restricted_standard() -> None:
    """It runs as the image's user and can write to its volume alone."""
    pod = deployment()["template"]["spec"]
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


def test_a_rotated_key_arrives() -> None:
    """No mount uses subPath, which would keep the old file."""
    (container,) = deployment()["template"]["spec"]["containers"]
    assert not any("subPath" in mount for mount in container["volumeMounts"])


def test_one_pod_owns_the_data() -> None:
    """There is one replica, and the old pod ends before the new one starts."""
    assert (deployment()["replicas"], deployment()["strategy"]) == (1, {"type": "Recreate"})
