"""The command `check`: a line for each thing that was tried, and what to do about what does not work."""

from collections.abc import AsyncIterator
from datetime import date

import httpx
import pytest
import respx

from exporter.api.transport import Client
from exporter.check import check
from exporter.telemetry import Telemetry
from tests.contract.samples import answer, body

pytestmark = pytest.mark.anyio

BASE = "https://api.example.test/v1/organizations"
TODAY = date(2026, 11, 21)


@pytest.fixture
async def api() -> AsyncIterator[Client]:
    """Yield a client with a key for the Messages API."""
    made = Client(
        base_url="https://api.example.test",
        version="2023-06-01",
        key=lambda: "sk-ant-api03-wrong-kind",
        requests_per_minute=100_000,
        telemetry=Telemetry(),
    )
    yield made
    await made.close()


async def lines(api: Client, *, usage: httpx.Response, cost: httpx.Response) -> list[str]:
    """Return what `check` says when the reports answer like this."""
    said: list[str] = []
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        router.get("/me").mock(return_value=answer("organizations_me"))
        router.get("/workspaces").mock(return_value=answer("workspaces_list"))
        router.get("/usage_report/claude_code").mock(return_value=usage)
        router.get("/cost_report").mock(return_value=cost)
        works = await check(api, TODAY, said.append)
    assert works == (said[-1] == "All reports can be read.")
    return said


async def test_all_is_well(api: Client) -> None:
    """What was found is said in numbers, of yesterday."""
    usage = httpx.Response(200, content=body("claude_code_2026-11-20_page2"))
    assert await lines(api, usage=usage, cost=answer("cost_report_grouped_page2")) == [
        "ok    organisation: Sim Org, 4 workspaces",
        "ok    claude_code 2026-11-20: 2 records",
        "ok    cost 2026-11-20: 3 billed lines",
        "All reports can be read.",
    ]


async def test_an_empty_report_is_no_failure(api: Client) -> None:
    """Many organisations have no Claude Code."""
    said = await lines(api, usage=answer("claude_code_empty_day"), cost=answer("cost_report_grouped_page2"))
    assert said[1] == "ok    claude_code 2026-11-20: readable, and empty, as it is where nobody used Claude Code"
    assert said[-1] == "All reports can be read."


async def test_a_key_of_the_wrong_kind(api: Client) -> None:
    """The one report goes on; of the other it is said what the key looks like."""
    said = await lines(api, usage=answer("error_403_scope"), cost=answer("cost_report_grouped_page2"))
    assert said[1].startswith("FAIL  claude_code 2026-11-20: HTTP 403, permission_error: Missing required scopes.")
    assert said[1].endswith("this looks like a key for the Messages API; an Admin key begins with sk-ant-admin")
    assert said[2:] == ["ok    cost 2026-11-20: 3 billed lines", "Not everything can be read: see above."]


async def test_a_day_that_can_not_be_read(api: Client) -> None:
    """The answer is a page, and yesterday in it is not."""
    page = body("cost_report_grouped_page2").replace(b'"USD"', b'"EUR"')
    said = await lines(api, usage=answer("claude_code_empty_day"), cost=httpx.Response(200, content=page))
    assert said[2].startswith("FAIL  data[0].results[0].currency: ")
    assert said[-1] == "Not everything can be read: see above."
