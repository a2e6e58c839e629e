"""The command `check`: a line for each thing that is tried, and what to do about what does not work."""

from collections.abc import AsyncIterator, Mapping
from datetime import date

import httpx
import pytest
import respx

from exporter import check
from exporter.api.transport import Transport
from exporter.reports import NAMES
from exporter.settings import load
from exporter.telemetry import Telemetry
from tests.bodies import bucket, message, page
from tests.contract.samples import answer, body

pytestmark = pytest.mark.anyio

KEY = "sk-ant-api03-wrong-kind"
BASE = "https://api.example.test/v1/organizations"
TODAY = date(2026, 11, 21)
REACHED = [
    "ok    network: https://api.example.test answers",
    "ok    key: accepted, from ANTHROPIC_ADMIN_KEY",
]
MESSAGES = page(bucket(date(2026, 11, 20), message(1)))


@pytest.fixture
async def api() -> AsyncIterator[Transport]:
    """Yield a transport with a key for the Messages API."""
    made = Transport(
        base_url="https://api.example.test",
        version="2023-06-01",
        key=lambda: KEY,
        requests_per_minute=100_000,
        telemetry=Telemetry(NAMES),
    )
    yield made
    await made.close()


async def lines(api: Transport, config: Mapping[str, str] | None = None, /, **answers: httpx.Response) -> list[str]:
    """Return what `check` finds with these settings when the reports and listings answer like this."""
    settings = load(None, {"anthropic_base_url": "https://api.example.test", **(config or {})}, key=KEY)
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        router.get("/me").mock(return_value=answers.get("me", answer("organizations_me")))
        router.get("/workspaces").mock(return_value=answer("workspaces_list"))
        router.get("/api_keys").mock(return_value=answer("api_keys_v2026-10-21"))
        router.get("/users").mock(return_value=answers.get("users", answer("users_page2_last")))
        router.get("/usage_report/claude_code").mock(return_value=answers["usage"])
        router.get("/cost_report").mock(return_value=answers["cost"])
        router.get("/usage_report/messages").mock(
            return_value=answers.get("messages", httpx.Response(200, content=MESSAGES))
        )
        router.get(path__regex="/analytics/.+").mock(return_value=answers.get("analytics"))
        return [str(finding) async for finding in check.api(api, settings, TODAY)]


async def test_all_is_well(api: Transport) -> None:
    """What was found is said in numbers, of yesterday."""
    usage = httpx.Response(200, content=body("claude_code_2026-11-20_page2"))
    assert await lines(api, usage=usage, cost=answer("cost_report_grouped_page2")) == [
        *REACHED,
        "ok    directory listing: 1 anthropic_organization_info, 4 anthropic_workspace_info",
        "ok    api_keys listing: 2 anthropic_api_key_info, 0 anthropic_api_key_expiry_timestamp_seconds",
        "ok    members listing: 1 anthropic_members, 1 anthropic_member_info",
        "ok    claude_code report for 2026-11-20: 2 rows",
        "ok    cost report for 2026-11-20: 3 rows",
        "ok    messages report for 2026-11-20: 1 rows",
    ]


async def test_an_empty_report_is_no_failure(api: Transport) -> None:
    """Many organisations have no Claude Code."""
    said = await lines(api, usage=answer("claude_code_empty_day"), cost=answer("cost_report_grouped_page2"))
    assert said[5] == "ok    claude_code report for 2026-11-20: readable, nothing on this day"


async def test_a_key_of_the_wrong_kind(api: Transport) -> None:
    """The one report goes on; of the other it is said what the key looks like."""
    said = await lines(api, usage=answer("error_403_scope"), cost=answer("cost_report_grouped_page2"))
    assert said[5].startswith(
        "FAIL  claude_code report for 2026-11-20: HTTP 403 (permission_error: Missing required scopes."
    )
    assert said[5].endswith("This looks like a key for the Messages API; an Admin key begins with sk-ant-admin.")
    assert [line[:4] for line in said[6:]] == ["ok  ", "ok  "]


async def test_a_day_that_cannot_be_read(api: Transport) -> None:
    """The message names report and day, whether the whole answer is unreadable or yesterday in it."""
    page = body("cost_report_grouped_page2").replace(b'"USD"', b'"EUR"')
    usage = httpx.Response(200, content=body("cost_report_grouped_page2"))
    said = await lines(api, usage=usage, cost=httpx.Response(200, content=page))
    assert said[5:] == [
        "FAIL  claude_code report for 2026-11-20: data[0]: Object missing required field `date`",
        "FAIL  cost report for 2026-11-20: data[0].results[0].currency: Invalid enum value",
        "ok    messages report for 2026-11-20: 1 rows",
    ]


async def test_a_listing_that_cannot_be_read(api: Transport) -> None:
    """Its message names it, and the reports are tried."""
    cost = answer("cost_report_grouped_page2")
    said = await lines(api, usage=answer("claude_code_empty_day"), cost=cost, me=answer("error_500"))
    assert said[:2] == REACHED
    assert said[2].startswith("FAIL  directory listing: HTTP 500 (api_error: Internal server error;")
    assert [line[:4] for line in said[3:]] == ["ok  "] * 5


@pytest.mark.parametrize("refusal", ["error_403_scope", "error_404_beta_header_missing"])
async def test_something_optional_that_is_not_for_this_key(api: Transport, refusal: str) -> None:
    """It is said why, and the check succeeds; another failure of the same report is one."""
    given = {"usage": answer("claude_code_empty_day"), "cost": answer("cost_report_grouped_page2")}
    said = await lines(api, **given, messages=answer(refusal), users=answer(refusal))
    assert said[4].startswith("none  members listing: optional, and not for this key: HTTP 40")
    assert said[7].startswith("none  messages report for 2026-11-20: optional, and not for this key: HTTP 40")
    assert not [line for line in said if line.startswith("FAIL")]
    given = {"usage": answer("claude_code_empty_day"), "cost": answer("cost_report_grouped_page2")}
    said = await lines(api, **given, messages=answer("error_500"))
    assert said[7].startswith("FAIL  messages report for 2026-11-20: HTTP 500")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_classic_report_that_is_retired(api: Transport, status: int) -> None:
    """Its setting is named at once; a key that lacks a scope is not told to change a source."""
    gone = httpx.Response(status)
    given = {"usage": answer("claude_code_empty_day"), "cost": httpx.Response(status), "messages": gone}
    said = await lines(api, **given)
    assert said[6].startswith(f"FAIL  cost report for 2026-11-20: HTTP {status} ")
    assert said[6].endswith("If the API has retired this report, set EXPORTER_COST_SOURCE=analytics.")
    assert said[7].startswith("none  messages report for 2026-11-20: optional, and not for this key: ")
    assert said[7].endswith("If the API has retired this report, set EXPORTER_USAGE_SOURCE=analytics.")
    given = {"usage": answer("claude_code_empty_day"), "cost": answer("error_403_scope")}
    assert "EXPORTER" not in str(await lines(api, **given))


async def test_a_refused_key_is_one_line(api: Transport) -> None:
    """The network works, and nothing else is tried with this key."""
    refused = answer("error_401")
    said = await lines(api, usage=refused, cost=refused, me=refused)
    assert said[0] == REACHED[0]
    assert said[1].startswith("FAIL  key: HTTP 401 (authentication_error: ")
    assert said[2:] == ["skip  reports: not tried, for the reason above"]


async def test_the_same_cause_is_said_once(api: Transport) -> None:
    """However many reports have it, and whatever the request-id."""
    failed = answer("error_500")
    said = await lines(api, usage=failed, cost=answer("error_500"), messages=failed, me=answer("error_500"))
    assert "HTTP 500" in said[2]
    reports = ("claude_code", "cost", "messages")
    assert [line[:4] for line in said[3:5]] == ["ok  "] * 2
    assert said[5:] == [f"FAIL  {name} report for 2026-11-20: same as above" for name in reports]


@pytest.mark.parametrize(
    ("environ", "through"),
    [
        ({"HTTPS_PROXY": "http://ana:secret@proxy.example.test:3128"}, " through the proxy proxy.example.test:3128"),
        ({"ALL_PROXY": "http://proxy.example.test:3128"}, " through the proxy proxy.example.test:3128"),
        ({"HTTPS_PROXY": "http://proxy.example.test:3128", "NO_PROXY": "example.test"}, ""),
    ],
)
async def test_the_proxy_is_named(
    api: Transport, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], through: str
) -> None:
    """Without its password."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    cost = answer("cost_report_grouped_page2")
    said = await lines(api, usage=answer("claude_code_empty_day"), cost=cost)
    assert said[0] == f"ok    network: https://api.example.test{through} answers"


@pytest.mark.parametrize("refusal", ["error_403_scope", "error_404_beta_header_missing"])
async def test_a_beta_that_is_not_enabled(api: Transport, refusal: str) -> None:
    """The settings that read the other sources are named, whatever the API calls it."""
    config = {"exporter_cost_source": "analytics", "exporter_usage_source": "analytics"}
    given = {"usage": answer("claude_code_empty_day"), "cost": answer("cost_report_grouped_page2")}
    said = await lines(api, config, **given, analytics=answer(refusal))
    assert [line[:40] for line in said[6:]] == [
        "FAIL  cost report for 2026-11-20: HTTP 4",
        "FAIL  claude_code_cost report for 2026-1",
        "none  messages report for 2026-11-20: op",
    ]
    assert said[6].endswith("set EXPORTER_COST_SOURCE=cost_report.")
    assert said[8].endswith("set EXPORTER_USAGE_SOURCE=usage_report.")


async def test_a_beta_that_lags(api: Transport) -> None:
    """Yesterday without rows, and without data that reaches it, is neither a failure nor a day on which nothing was."""
    lagging = b'{"data": [], "has_more": false, "next_page": null, "data_refreshed_at": "2026-11-19T22:00:00Z"}'
    given = {"usage": answer("claude_code_empty_day"), "cost": answer("cost_report_grouped_page2")}
    said = await lines(
        api, {"exporter_usage_source": "analytics"}, **given, analytics=httpx.Response(200, content=lagging)
    )
    assert said[7] == "ok    messages report for 2026-11-20: readable, and the API has nothing of this day yet"
