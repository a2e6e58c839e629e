"""The command `check`: a line for each thing that is tried, and what to do about what does not work."""

from collections.abc import AsyncIterator
from datetime import date

import httpx
import pytest
import respx

from exporter.api.transport import Transport
from exporter.check import check
from exporter.reports import NAMES
from exporter.telemetry import Telemetry
from tests.contract.samples import answer, body

pytestmark = pytest.mark.anyio

BASE = "https://api.example.test/v1/organizations"
TODAY = date(2026, 11, 21)


@pytest.fixture
async def api() -> AsyncIterator[Transport]:
    """Yield a transport with a key for the Messages API."""
    made = Transport(
        base_url="https://api.example.test",
        version="2023-06-01",
        key=lambda: "sk-ant-api03-wrong-kind",
        requests_per_minute=100_000,
        telemetry=Telemetry(NAMES),
    )
    yield made
    await made.close()


async def lines(
    api: Transport, *, usage: httpx.Response, cost: httpx.Response, me: httpx.Response | None = None
) -> list[str]:
    """Return what `check` says when the reports answer like this."""
    said: list[str] = []
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        router.get("/me").mock(return_value=me or answer("organizations_me"))
        router.get("/workspaces").mock(return_value=answer("workspaces_list"))
        router.get("/usage_report/claude_code").mock(return_value=usage)
        router.get("/cost_report").mock(return_value=cost)
        works = await check(api, TODAY, said.append)
    assert works == (said[-1] == "All reports can be read.")
    return said


async def test_all_is_well(api: Transport) -> None:
    """What was found is said in numbers, of yesterday."""
    usage = httpx.Response(200, content=body("claude_code_2026-11-20_page2"))
    assert await lines(api, usage=usage, cost=answer("cost_report_grouped_page2")) == [
        "ok    directory listing: 1 anthropic_organization_info, 4 anthropic_workspace_info",
        "ok    claude_code report for 2026-11-20: 2 rows",
        "ok    cost report for 2026-11-20: 3 rows",
        "All reports can be read.",
    ]


async def test_an_empty_report_is_no_failure(api: Transport) -> None:
    """Many organisations have no Claude Code."""
    said = await lines(api, usage=answer("claude_code_empty_day"), cost=answer("cost_report_grouped_page2"))
    assert said[1] == "ok    claude_code report for 2026-11-20: readable, nothing on this day"
    assert said[-1] == "All reports can be read."


async def test_a_key_of_the_wrong_kind(api: Transport) -> None:
    """The one report goes on; of the other it is said what the key looks like."""
    said = await lines(api, usage=answer("error_403_scope"), cost=answer("cost_report_grouped_page2"))
    assert said[1].startswith(
        "FAIL  claude_code report for 2026-11-20: HTTP 403 (permission_error: Missing required scopes."
    )
    assert said[1].endswith("This looks like a key for the Messages API; an Admin key begins with sk-ant-admin.")
    assert said[2:] == ["ok    cost report for 2026-11-20: 3 rows", "Not everything can be read: see above."]


async def test_a_day_that_cannot_be_read(api: Transport) -> None:
    """The message names report and day, whether the whole answer is unreadable or yesterday in it."""
    page = body("cost_report_grouped_page2").replace(b'"USD"', b'"EUR"')
    usage = httpx.Response(200, content=body("cost_report_grouped_page2"))
    said = await lines(api, usage=usage, cost=httpx.Response(200, content=page))
    assert said[1:] == [
        "FAIL  claude_code report for 2026-11-20: data[0]: Object missing required field `date`",
        "FAIL  cost report for 2026-11-20: data[0].results[0].currency: Invalid enum value",
        "Not everything can be read: see above.",
    ]


async def test_a_listing_that_cannot_be_read(api: Transport) -> None:
    """Its message names it, and the reports are tried."""
    cost = answer("cost_report_grouped_page2")
    said = await lines(api, usage=answer("claude_code_empty_day"), cost=cost, me=answer("error_500"))
    assert said[0].startswith("FAIL  directory listing: HTTP 500 (api_error: Internal server error;")
    assert [line[:4] for line in said[1:]] == ["ok  ", "ok  ", "Not "]
