"""Write the rules of prometheus/rules as one PrometheusRule for the Prometheus Operator.

Usage: python -m deploy.generate
"""

# ruff: noqa: INP001 - run as a script

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "deploy/kubernetes/prometheus-operator/prometheus-rule.yaml"
HEADING = "# Made from prometheus/rules by `make docs`, where the rules are explained.\n"


def rendered() -> str:
    """Return the PrometheusRule as text."""
    files = sorted((ROOT / "prometheus/rules").glob("*.yml"))
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "anthropic-exporter", "labels": {"app.kubernetes.io/name": "anthropic-exporter"}},
        "spec": {"groups": [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]},
    }
    return HEADING + yaml.safe_dump(resource, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    OUTPUT.write_text(rendered(), "utf-8")
