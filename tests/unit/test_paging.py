"""Pages of an answer and of a list: cursors are followed as long as `has_more` says so."""

import pytest

from exporter.api import paging
from exporter.api.paging import Answer, Request, listed, pages
from exporter.errors import ApiShapeChanged

pytestmark = pytest.mark.anyio
REQUEST = Request("/report", {"limit": "2"})
LAST = b'{"has_more": false, "next_page": "page_more", "last_id": "z"}'


class Api:
    """Answers with these bodies, one after the other, and remembers what was requested."""

    def __init__(self, *bodies: bytes) -> None:
        self._bodies = list(bodies)
        self.requested: list[tuple[str, str | None]] = []

    async def get(self, request: Request, report: str, cursor: str | None = None) -> bytes:
        """Return the next body."""
        assert (request.path, report) == ("/report", "cost")
        after = request.query.get("after_id")
        self.requested.append((repr({**request.query, "after_id": after} if after else request.query), cursor))
        return self._bodies.pop(0)


def more(cursor: str) -> bytes:
    """Return a page that is not the last one."""
    return b'{"has_more": true, "next_page": "%s", "last_id": "%s"}' % (cursor.encode(), cursor.encode())


async def digest(*bodies: bytes, request: Request = REQUEST) -> str:
    """Return the digest of an answer."""
    return (await pages(Api(*bodies), request, "cost")).digest


async def test_has_more_decides_and_not_the_cursor() -> None:
    """A cursor is on some last pages too. The same query is sent with each cursor."""
    api = Api(more("a"), more("b"), LAST)
    bodies, *_ = await pages(api, REQUEST, "cost")
    assert bodies == [more("a"), more("b"), LAST]
    assert api.requested == [("{'limit': '2'}", cursor) for cursor in (None, "a", "b")]


async def test_a_digest_is_of_the_request_and_every_body() -> None:
    """An equal digest means that nothing has changed: other numbers, pages or days are another digest."""
    same = await digest(more("a"), LAST)
    assert len(same) == 32
    assert same == await digest(more("a"), LAST)
    others = [
        await digest(more("b"), LAST),
        await digest(more("a"), LAST + b" "),
        await digest(LAST),
        await digest(more("a"), LAST, request=REQUEST._replace(query={"limit": "3"})),
        await digest(more("a"), LAST, request=REQUEST._replace(headers={"anthropic-beta": "x"})),
    ]
    assert len({same, *others}) == 6


@pytest.mark.parametrize(
    ("bodies", "message"),
    [
        ([b'{"has_more": true}'], "has_more is true and {} is empty"),
        ([b'{"has_more": true, "next_page": "", "last_id": ""}'], "has_more is true and {} is empty"),
        ([more("a"), more("b"), more("a")], "{} repeats: paging would never end"),
        ([b'{"data": []}'], "the body: Object missing required field `has_more`"),
        ([b'{"has_more": "no"}'], "has_more: Expected `bool`, got `str`"),
        ([b'{"has_more": true, "next_page": 5, "last_id": 5}'], "{}: Expected `str | null`, got `int`"),
        ([more("x" * 5000)], "{}: Expected `str` of length <= 4096"),
    ],
    ids=lambda value: str(value)[-40:],
)
async def test_what_would_not_end_is_an_error(bodies: list[bytes], message: str) -> None:
    """Of an answer and of a list: two cursors in turn would never end."""
    with pytest.raises(ApiShapeChanged) as caught:
        await pages(Api(*bodies), REQUEST, "cost")
    assert str(caught.value) == message.format("next_page")
    with pytest.raises(ApiShapeChanged) as caught:
        [body async for body in listed(Api(*bodies), REQUEST, "cost")]
    assert str(caught.value) == message.format("last_id")


async def test_a_list_is_paged_by_its_last_id() -> None:
    """The query stays, and the last id of the last page is not followed."""
    api = Api(more("a"), more("b"), LAST)
    assert [body async for body in listed(api, REQUEST, "cost")] == [more("a"), more("b"), LAST]
    assert api.requested == [
        ("{'limit': '2'}", None),
        ("{'limit': '2', 'after_id': 'a'}", None),
        ("{'limit': '2', 'after_id': 'b'}", None),
    ]


async def test_an_answer_is_its_bodies_and_their_digest() -> None:
    """In the order of the pages."""
    assert await pages(Api(LAST), REQUEST, "cost") == Answer([LAST], await digest(LAST))


async def test_an_answer_that_would_fill_the_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its bytes, whatever a row is; the last page may be one too many."""
    monkeypatch.setattr(paging, "LARGEST_ANSWER", len(more("a")) + len(more("b")) - 1)
    assert len((await pages(Api(more("a"), LAST), REQUEST, "cost")).bodies) == 2
    with pytest.raises(ApiShapeChanged, match=r"^the answer has more than \d+ bytes$"):
        await pages(Api(more("a"), more("b"), LAST), REQUEST, "cost")
