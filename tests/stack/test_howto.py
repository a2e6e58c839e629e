"""What the how-to documents of the stack tell people to write and run."""

import re
import textwrap
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.stack.dockerfile import ROOT, stages
from tests.stack.tools import run

NAMES = ("run-with-compose", "kubernetes", "existing-prometheus-and-grafana", "release")
DOCUMENTS = {name: ROOT / f"docs/how-to/{name}.md" for name in NAMES}
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/exporter.yml").read_text("utf-8")))


def blocks(language: str) -> list[tuple[str, str]]:
    """Return (document, text) of each fenced block of a language, without its indentation."""
    fence = re.compile(rf"^ *```{language}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    texts = {name: fence.findall(path.read_text("utf-8")) for name, path in DOCUMENTS.items()}
    return [(name, textwrap.dedent(text)) for name, found in texts.items() for text in found]


@pytest.mark.parametrize(("name", "script"), blocks("sh"))
def test_commands_are_right_by_shellcheck(name: str, script: str) -> None:
    """ShellCheck finds nothing; what a reader sets, such as $REGISTRY, is taken as set."""
    done = run("shellcheck", "--shell=sh", "--exclude=SC2154", "-", stdin=script)
    assert done.returncode == 0, f"{name}:\n{done.stdout}"


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, t in blocks("yaml") if "scrape_configs" in t])
@pytest.mark.integration
def test_scrapes_are_right_by_promtool(tmp_path: Path, name: str, text: str) -> None:
    """Prometheus takes the scrape, and it is not rarer than an instant value lives."""
    file = tmp_path / "prometheus.yml"
    file.write_text(text)
    done = run("promtool", "check", "config", str(file))
    assert done.returncode == 0, f"{name}:\n{done.stderr}"
    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert (job["scrape_interval"], job["scrape_timeout"]) == ("60s", "30s")


def test_every_block_of_yaml_can_be_read() -> None:
    """No block is broken, and the documents have as many as are looked at here."""
    found = [yaml.safe_load(text) for _, text in blocks("yaml")]
    assert len(found) == 6
    assert all(isinstance(block, dict) for block in found)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
@pytest.mark.parametrize("version", ["1.30", "1.35"])
def test_manifests_are_right_by_the_schemas(manifest: dict[str, Any], version: str) -> None:
    """Each manifest is valid, with no word that Kubernetes does not know, in an older and a newer release."""
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_pod_is_as_confined_as_the_image() -> None:
    """The pod fits the standard `restricted`, has the image's user, and can write its volume alone."""
    pod = next(manifest for manifest in MANIFESTS if manifest["kind"] == "Deployment")["spec"]["template"]["spec"]
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
    assert not any("subPath" in mount for mount in container["volumeMounts"])


def test_only_one_pod_owns_the_data() -> None:
    """There is one pod, and the old one ends before the new one begins."""
    deployment = next(manifest for manifest in MANIFESTS if manifest["kind"] == "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_paths_that_are_named_exist() -> None:
    """Files and documents that the how-tos name are in the repository."""
    for path in DOCUMENTS.values():
        text = path.read_text("utf-8")
        links = re.findall(r"\]\(([\w.-]+\.md)\)", text)
        assert [link for link in links if not (path.parent / link).exists()] == []
        files = re.findall(r"\b((?:deploy|grafana|prometheus)/[\w./-]+\.(?:yml|json|py))\b", text)
        assert [file for file in files if not (ROOT / file).exists()] == []
