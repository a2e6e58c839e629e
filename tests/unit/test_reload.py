"""Reloading: an explicit answer, and a metric that is 1 only when every part was last read without error."""

from pathlib import Path

import httpx
import pytest
import trustme
from starlette.applications import Starlette
from structlog.testing import capture_logs

from exporter import service
from exporter.clock import Clock
from exporter.reload import Reload
from exporter.settings import load
from exporter.telemetry import Telemetry
from exporter.web import reload as web
from tests.bodies import NOW

pytestmark = pytest.mark.anyio
KEY = "sk-ant-admin01-for-the-tests"


class Situation:
    """A key file, a web configuration, and what a client sees of them."""

    def __init__(self, folder: Path, web_text: str = "{}") -> None:
        self.key, self.web, self.telemetry = folder / "key", folder / "web.yml", Telemetry(["cost"])
        self.key.write_text(KEY)
        self.web.write_text(web_text)
        config = load(None, {"anthropic_admin_key_file": str(self.key)})
        reload = Reload(config.admin_key, self.telemetry, Clock(now=lambda: NOW, monotonic=lambda: 0.0))
        app = Starlette(routes=web.routes(reload))
        self.app = service._server_config(app, self.web, self.telemetry, reload).app

    async def reload(self, method: str = "POST", **more: tuple[str, str]) -> httpx.Response:
        """Return the answer to a reload."""
        transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]  # the ASGI application of uvicorn's type
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, "/-/reload", **more)  # type: ignore[arg-type]

    def shown(self) -> tuple[float | None, float | None]:
        """Return whether the last reload worked, and when one last did."""
        value, name = self.telemetry.registry.get_sample_value, "anthropic_exporter_config_last_reload_success"
        return value(f"{name}ful"), value(f"{name}_timestamp_seconds")


@pytest.fixture
def situation(tmp_path: Path) -> Situation:
    """Return one in which everything can be read."""
    return Situation(tmp_path)


async def test_a_reload_that_works(situation: Situation) -> None:
    """200; the first reading at the start counted as one."""
    assert situation.shown() == (1, NOW.timestamp())
    answer = await situation.reload()
    assert (answer.status_code, answer.text) == (200, "Configuration reloaded.\n")
    assert situation.shown() == (1, NOW.timestamp())


async def test_a_broken_file_keeps_the_last_good_one(situation: Situation) -> None:
    """500 with every reason in one line, in the log too, each time; the metric is 1 again when all are repaired."""
    situation.key.write_text("two words")
    situation.web.write_text("basic_auth_users: [")
    for _ in range(2):
        with capture_logs() as lines:
            answer = await situation.reload()
        assert answer.status_code == 500
        key, file = f"{situation.key}: is not a key; expected 8 to 512", f"{situation.web}: is not valid YAML at line 1"
        assert answer.text.startswith(f"Reload failed, the previous configuration stays: {key}")
        assert f"; {file}" in answer.text
        assert answer.text.count("\n") == 1
        reasons = " ".join(line["reason"] for line in lines if line["log_level"] == "error")
        assert key in reasons
        assert file in reasons
        assert situation.shown()[0] == 0
    situation.web.write_text("{}")
    assert (await situation.reload()).status_code == 500
    assert situation.shown()[0] == 0
    situation.key.write_text(KEY)
    assert (await situation.reload()).status_code == 200
    assert situation.shown()[0] == 1


async def test_a_broken_certificate_is_a_reason_too(tmp_path: Path) -> None:
    """It is read at each handshake; a reload tells before the next one."""
    leaf = trustme.CA().issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    situation = Situation(tmp_path, "tls_server_config: {cert_file: both.pem, key_file: both.pem}")
    assert (await situation.reload()).status_code == 200
    (tmp_path / "both.pem").write_text("no certificate")
    answer = await situation.reload()
    assert answer.status_code == 500
    assert "are not a certificate and its key in PEM format" in answer.text
    assert situation.shown()[0] == 0


async def test_a_change_that_is_followed_by_itself_is_shown(situation: Situation) -> None:
    """Without a reload, at the next request."""
    situation.web.write_text("[")
    await situation.reload("GET")
    assert situation.shown()[0] == 0


async def test_it_is_a_post_and_obeys_the_passwords(situation: Situation) -> None:
    """A GET changes nothing, and a stranger is refused."""
    assert (await situation.reload("GET")).status_code == 405
    hashed = "$2b$04$mT6rSXwNYpU4eK9Gg.Lk1eYTnRkIu/jYVGcI1Ds0pI5Yv4nFPxV9W"
    situation.web.write_text(f"basic_auth_users: {{alice: '{hashed}'}}")
    assert (await situation.reload()).status_code == 401
