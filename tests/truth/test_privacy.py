"""EXPORTER_USER_LABEL: names as digests or not at all, on the page, in the store, in the log and on the status page."""

import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.demo.organization import Organization
from exporter.reports import claude_code
from tests.support import DAY, TODAY, Api, Exporter, MovableTime, api_of

pytestmark = pytest.mark.anyio
HASH_KEY = "a key that the operator gave"


def names_of(organization: Organization, time: MovableTime, days: int) -> set[str]:
    """Return every name of an actor that the API gave over some days."""
    return {
        name
        for age in range(days)
        for record in organization.claude_code_records(TODAY - age * DAY, time.now())
        for field, name in record["actor"].items()
        if field != "type"
    }


def digest(key: bytes) -> Any:  # noqa: ANN401 - a function from a name to its label
    """Return how a name is shown under a key: HMAC-SHA-256 of the actor type and the name, 16 digits of it."""

    def label(name: str) -> str:
        kind = "user" if "@" in name else "api_key"
        return hmac.new(key, f"{kind}\0{name}".encode(), hashlib.sha256).hexdigest()[:16]

    return label


async def everything(exporter: Exporter, folder: Path, lines: list[Any]) -> bytes:
    """Return all that leaves the process: page, status page, log lines, and every file of the data folder."""
    status = (await exporter.get("/")).content + (await exporter.get("/api/v1/report")).content
    files = await asyncio.to_thread(lambda: [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()])
    usage = claude_code.report()
    rows = [usage.unpack(exporter.store.rows(usage.name, day)) for day in exporter.store.entries(usage.name)]
    return b"\n".join([exporter.refresher.page.body, status, repr((lines, rows)).encode(), *files])


async def filled(api: Api, folder: Path) -> bytes:
    """Fill an exporter, scrape it twice, make it fail once; return all that leaves it."""
    with capture_logs() as lines:
        async with api.exporter(folder) as exporter:
            await exporter.fill()
            await exporter.scrape_later()
            api.faults.add(kind="wrong_shape", path="claude_code", times=1, field="data.0.actor")
            await exporter.scrape_later()
            await exporter.scrape_later()
            return await everything(exporter, folder, lines)


@pytest.mark.parametrize("given", [HASH_KEY, None])
async def test_digests(few: Organization, time: MovableTime, tmp_path: Path, given: str | None) -> None:
    """Users are told apart by a keyed digest that is the same after a restart; no name is anywhere."""
    settings = {"exporter_user_label": "hash", "exporter_user_hash_key": given, "exporter_window_days": 10}
    async with api_of(few, time, **settings) as api:
        out = await filled(api, tmp_path)
        assert [name for name in names_of(few, time, 10) if name.encode() in out] == []
        assert b"example.test" not in out
        key = given.encode() if given else (tmp_path / "user-hash.key").read_bytes()
        assert out.count(key) == (0 if given else 1)
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter, user_label=digest(key)) == []


async def test_no_users_at_all(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """No family per user, distinct users still right, and no name stored."""
    async with api_of(few, time, exporter_user_label="none", exporter_window_days=10) as api:
        out = await filled(api, tmp_path)
        assert [name for name in names_of(few, time, 10) if name.encode() in out] == []
        assert b"claude_code_user_" not in out
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter, user_label="none") == []


@pytest.mark.parametrize("label", ["hash", "none"])
async def test_a_changed_mind(few: Organization, time: MovableTime, tmp_path: Path, label: str) -> None:
    """From e-mail to digests and back: the names leave the files at once, the days are read again, all is right."""
    async with api_of(few, time, exporter_window_days=5) as api:
        names = names_of(few, time, 5)
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            out = await everything(exporter, tmp_path, [])
            assert [name for name in names if name.encode() not in out] == []
            blobs = exporter.store._db.execute("SELECT rows FROM day WHERE report = 'claude_code'").fetchall()
        api.given["exporter_user_label"] = label
        with capture_logs() as lines:
            async with api.exporter(tmp_path) as exporter:
                out = await everything(exporter, tmp_path, [])
                assert [name for name in names if name.encode() in out] == []
                assert [blob for (blob,) in blobs if blob in out] == []
                await exporter.fill()
                key = (tmp_path / "user-hash.key").read_bytes()
                assert api.wrong(exporter, user_label=digest(key) if label == "hash" else "none") == []
        assert "stored days have another format" in lines[0]["event"]
        api.given["exporter_user_label"] = "email"
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert api.wrong(exporter) == []
