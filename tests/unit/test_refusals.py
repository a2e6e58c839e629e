"""What a response other than 200 means."""

import json
from datetime import UTC, datetime

import pytest

from exporter.api import refusals
from exporter.errors import (
    ApiCursorRefused,
    ApiError,
    ApiForbidden,
    ApiNotFound,
    ApiRefused,
    ApiThrottled,
    ApiUnauthorized,
    ApiUnavailable,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "sk-ant-admin01-the-real-one"


def refusal(status: int, body: bytes = b"", *, key: str = KEY, with_cursor: bool = False) -> ApiError:
    """Return the error of a response without headers."""
    return refusals.refusal(status, {}, body, key=key, now=NOW, with_cursor=with_cursor)


@pytest.mark.parametrize(
    ("status", "with_cursor", "kind"),
    [
        (400, False, ApiRefused),
        (400, True, ApiCursorRefused),
        (410, True, ApiCursorRefused),
        (410, False, ApiNotFound),
        (401, True, ApiUnauthorized),
        (403, True, ApiForbidden),
        (404, True, ApiNotFound),
        (408, False, ApiUnavailable),
        (409, False, ApiRefused),
        (413, False, ApiRefused),
        (429, True, ApiThrottled),
        (500, True, ApiUnavailable),
        (503, False, ApiUnavailable),
        (529, False, ApiUnavailable),
        (599, False, ApiUnavailable),
        (301, False, ApiRefused),
        (307, False, ApiRefused),
        (204, False, ApiRefused),
    ],
)
def test_each_status_is_an_error_of_its_kind(status: int, with_cursor: bool, kind: type[ApiError]) -> None:  # noqa: FBT001 - a table
    """Exactly that kind: a refused cursor is no other refusal."""
    assert type(refusal(status, with_cursor=with_cursor)) is kind


def test_the_message_says_what_the_api_said_and_what_to_do() -> None:
    """Status, type and message of the body, the id for the vendor's support, and advice."""
    body = json.dumps({"error": {"type": "permission_error", "message": "Missing required scopes."}}).encode()
    error = refusals.refusal(403, {"request-id": "req_1"}, body, key=KEY, now=NOW, with_cursor=False)
    assert str(error) == (
        "HTTP 403 (permission_error: Missing required scopes.; request-id req_1). The key lacks a scope: "
        "use an Admin API key, created by an admin of the organisation in the Console."
    )


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, ["If every request is refused, check ANTHROPIC_VERSION."]),
        (404, ["Check ANTHROPIC_BASE_URL and ANTHROPIC_VERSION."]),
        (
            429,
            ["Lower EXPORTER_REQUESTS_PER_MINUTE if this persists: the budget is shared by the whole organisation."],
        ),
        (500, []),
    ],
)
def test_advice_for_a_status(status: int, advice: list[str]) -> None:
    """The message ends with it; the two statuses about the key are tested above and below."""
    assert refusals.advice(status, KEY) == advice
    assert str(refusal(status)) == ". ".join([f"HTTP {status} (the body is not an API error)", *advice])


def test_a_body_that_is_no_error_of_the_api_is_not_echoed() -> None:
    """A page of a proxy may hold anything."""
    assert str(refusal(502, b"<html>secret</html>")) == "HTTP 502 (the body is not an API error)"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("sk-ant-api03-x", "This looks like a key for the Messages API; an Admin key begins with sk-ant-admin."),
        ("sk-ant-oat01-x", "This looks like an OAuth token; an Admin key begins with sk-ant-admin."),
        ("sk-ant-ort01-x", "This looks like an OAuth token; an Admin key begins with sk-ant-admin."),
    ],
)
def test_a_key_of_another_kind_gets_a_sentence_of_its_own(key: str, hint: str) -> None:
    """With 401 and 403, and with nothing else."""
    for status in (401, 403):
        assert refusals.advice(status, key)[1:] == [hint]
        assert len(refusals.advice(status, KEY)) == 1
        assert str(refusal(status, key=key)).endswith(f". {hint}")
    assert hint not in refusals.advice(429, key)
    assert refusals.advice(500, key) == []


PAUSES: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"x-should-retry": "false", "retry-after": "5"}, 300),
    ({"x-should-retry": "true"}, None),
    ({"retry-after-ms": "2500", "retry-after": "9"}, 2.5),
    ({"retry-after": "17", "anthropic-ratelimit-requests-reset": "2026-11-22T13:00:00Z"}, 17),
    ({"retry-after": "1.5"}, 1.5),
    ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30),
    ({"retry-after": "Sun, 22 Nov 2026 12:00:30 -0000"}, 30),
    ({"anthropic-ratelimit-requests-reset": "2026-11-22T12:00:45Z"}, 45),
    ({"anthropic-ratelimit-requests-reset": "2026-11-22T13:00:45+01:00"}, 45),
    ({"retry-after": "0"}, 1),
    ({"retry-after-ms": "1"}, 1),
    ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 1),
    ({"retry-after": "86400"}, 3600),
    ({"anthropic-ratelimit-requests-reset": "2027-01-01T00:00:00Z"}, 3600),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "-5"}, None),
    ({"retry-after": "1e9"}, None),
    ({"retry-after": "1 Jan 2026 99999999999:00:00"}, None),
    ({"retry-after-ms": "\u00b2"}, None),
    ({"retry-after": "soon", "anthropic-ratelimit-requests-reset": "2026-11-22T12:00:45Z"}, 45),
]


@pytest.mark.parametrize(("headers", "pause"), PAUSES, ids=lambda value: str(value)[:70])
def test_the_pause_that_the_headers_ask_for(headers: dict[str, str], pause: float | None) -> None:
    """In the order of the design, between a second and an hour; what cannot be read says nothing."""
    assert refusals.pause(headers, NOW) == pause


def test_text_from_outside_is_one_short_line_without_keys() -> None:
    """Neither our key, nor what looks like another, nor a line break that would forge a log line."""
    text = f"{KEY} and sk-ant-api03-other\nlevel=error\x1b[31m\ud83d" + "x" * 1000
    said = refusals.scrubbed(text, KEY)
    assert said.startswith("[key] and [key] level=error [31m xxx")
    assert len(said) == 300


def test_a_key_without_the_usual_beginning_is_scrubbed_too() -> None:
    """The key itself is searched for, whatever it looks like; also in the request id."""
    body = json.dumps({"error": {"type": "authentication_error", "message": "bad key hunter-22"}}).encode()
    error = refusals.refusal(401, {"request-id": "hunter-22"}, body, key="hunter-22", now=NOW, with_cursor=False)
    assert str(error).startswith("HTTP 401 (authentication_error: bad key [key]; request-id [key]). The key is unknown")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"type": "error", "error": {"type": "api_error", "message": "Oops"}}', "api_error: Oops"),
        (b'{"error": {"type": "api_error"}}', None),
        (b'{"error": "Oops"}', None),
        (b"<html>", None),
        (b"", None),
        (b"[" * 100_000, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_error_bodies(body: bytes, message: str | None) -> None:
    """An error of the API says its type and its message; anything else is None."""
    assert refusals.error_message(body) == message
