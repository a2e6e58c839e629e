"""The Alertmanager example in a real Alertmanager: who hears of which alert, and that one event is one message."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.processes import free_port, wait_for

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "prometheus" / "alertmanager.example.yml"
RECEIVERS = {"critical": "on-call", "warning": "team", "info": "digest"}
FASTER = 20_000
"""Half an hour is 90 ms, six hours are 1.1 s and twelve 2.2 s."""
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

Messages = list[tuple[str, list[str]]]
"""Receiver and names of the alerts of each message."""

Received = list[tuple[str, str, list[str]]]
"""The same with the organisation."""


def severities() -> set[tuple[str, str]]:
    """Return the shipped alerts with their severities."""
    return {
        (rule["alert"], rule["labels"]["severity"])
        for file in (ROOT / "prometheus" / "rules").glob("alerts-*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def route(**labels: str) -> str:
    """Return the receiver that amtool finds for an alert with these labels."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    command = ["amtool", "config", "routes", "test", f"--config.file={EXAMPLE}", *pairs]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def inbox() -> Iterator[tuple[str, Received]]:
    """Yield the address of a receiver of webhooks, and what it receives."""
    messages: Received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            labels = [alert["labels"] for alert in body["alerts"]]
            names = sorted(one["alertname"] for one in labels)
            messages.append((self.path[1:], labels[0]["organization_id"], names))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", messages
        server.shutdown()


def configuration(address: str) -> str:
    """Return the example, faster, with its receivers replaced by webhooks."""

    def faster(found: re.Match[str]) -> str:
        return f"{int(found[1]) * UNITS[found[2]] / FASTER / timedelta(milliseconds=1):.0f}ms"

    content = yaml.safe_load(re.sub(r"(?<=: )(\d+)([mhd])$", faster, EXAMPLE.read_text(), flags=re.MULTILINE))
    for receiver in content["receivers"]:
        settings = receiver.get("email_configs", receiver.get("webhook_configs"))[0]
        hook = {"url": f"{address}/{receiver['name']}", "send_resolved": settings.get("send_resolved", False)}
        receiver.pop("email_configs", None)
        receiver["webhook_configs"] = [hook]
    return yaml.safe_dump(content)


@contextmanager
def alertmanager(folder: Path) -> Iterator[tuple[httpx.Client, Received]]:
    """Yield a client of an Alertmanager with the example, and the messages that it sends."""
    port = free_port()
    with inbox() as (address, messages):
        (folder / "alertmanager.yml").write_text(configuration(address))
        command = ["prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}"]
        options = [f"--storage.path={folder}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        with (
            subprocess.Popen([*command, *options, "--cluster.listen-address="]) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            try:
                wait_for(lambda: is_ready(client))
                yield client, messages
            finally:
                process.terminate()


def is_ready(client: httpx.Client) -> bool:
    """Return whether Alertmanager answers."""
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False


def alert(name: str, severity: str = "warning", **labels: str) -> dict[str, str]:
    """Return the labels of an alert."""
    return {"alertname": f"Anthropic{name}", "severity": severity, **labels}


EVENTS: Mapping[str, tuple[Sequence[dict[str, str]], Messages]] = {
    "one workspace and the whole": (
        [
            alert("SpendHigh"),
            alert("WorkspaceSpendHigh", workspace_id="x"),
            alert("WorkspaceSpendHigh", workspace_id="y"),
        ],
        [("team", ["AnthropicSpendHigh"])],
    ),
    "two workspaces": (
        [alert("WorkspaceSpendHigh", workspace_id="x"), alert("WorkspaceSpendHigh", workspace_id="y")],
        [("team", ["AnthropicWorkspaceSpendHigh", "AnthropicWorkspaceSpendHigh"])],
    ),
    "a team leaves": ([alert("AdoptionDrop"), alert("UsersIdle", "info")], [("team", ["AnthropicAdoptionDrop"])]),
    "usage stalls at Anthropic": (
        [alert("UpstreamStalled", report="claude_code"), alert("AdoptionDrop"), alert("UsersIdle", "info")],
        [("team", ["AnthropicUpstreamStalled"])],
    ),
    "an outage of the API": (
        [alert("ReportFailing", report=report) for report in ("cost", "claude_code")]
        + [alert("CoverageLow", report="cost")],
        [("team", ["AnthropicReportFailing", "AnthropicReportFailing"])],
    ),
    "a refresh that hangs": (
        [alert("PageStale"), alert("ReportFailing", report="cost")],
        [("team", ["AnthropicPageStale"])],
    ),
    "an exporter that has been down for a day": (
        [alert("ExporterDown"), alert("ExporterDown", "critical")],
        [("on-call", ["AnthropicExporterDown"])],
    ),
    "seats go idle": ([alert("UsersIdle", "info")], [("digest", ["AnthropicUsersIdle"])]),
}


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Messages]:
    """Return the messages about each event; each is of an organisation of its own, and all begin together.

    They are sent again and again, as Prometheus does, until the digests have come. Two group intervals are over then.
    """
    labels = {name: {"job": name, "instance": name, "organization_id": name} for name in EVENTS}
    alerts = [{"labels": {**one, **labels[name]}} for name, (event, _) in EVENTS.items() for one in event]

    def digest_came() -> bool:
        client.post("/api/v2/alerts", json=alerts).raise_for_status()
        return any(receiver == "digest" for receiver, _, _ in received)

    with alertmanager(tmp_path_factory.mktemp("alertmanager")) as (client, received):
        wait_for(digest_came)
        return {
            name: [(receiver, alerts) for receiver, organization, alerts in received if organization == name]
            for name in EVENTS
        }


@pytest.mark.parametrize("name", EVENTS)
def test_one_event_is_one_message(messages: Mapping[str, Messages], name: str) -> None:
    """What belongs together is one message, which is not sent again, whatever happens in other organisations."""
    assert messages[name] == EVENTS[name][1]


def test_amtool_accepts_the_example() -> None:
    """`amtool check-config` finds no fault."""
    done = subprocess.run(["amtool", "check-config", EXAMPLE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "severity"), sorted(severities()))
def test_severity_decides_who_hears(name: str, severity: str) -> None:
    """Critical alerts go on call, warnings to the team, the rest into the digest."""
    assert route(alertname=name, severity=severity, job="claude", instance="a:10918") == RECEIVERS[severity]


def test_other_alerts_are_left_alone() -> None:
    """A critical alert from another system does not go to our receiver."""
    assert route(alertname="NodeDown", severity="critical") == "team"


def test_the_example_names_alerts_that_exist() -> None:
    """Every alert that a route or an inhibition names is one of the rules."""
    text = EXAMPLE.read_text().replace(
        "Anthropic(Workspace)?SpendHigh", "AnthropicSpendHigh|AnthropicWorkspaceSpendHigh"
    )
    assert set(re.findall(r"Anthropic[A-Z]\w+", text)) <= {name for name, _ in severities()}
