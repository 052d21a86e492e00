"""
What every source must do, checked against the answers it has a fixture of.

``tests/fixtures/collect/<kind>/<case>/`` holds ``answer.*``, as a service sends it, and
``expected.json``: the settings of a source, and the items that the answer holds.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.collect import SOURCES, Batch, Source
from monitor.errors import Gone, Rejected, Transient
from monitor.item import Item, Origin, content_hash
from monitor.web import Web
from tests.clock import FakeClock
from tests.loopback import Response, Server, serve

FIXTURES = Path(__file__).parent / "fixtures" / "collect"
CASES = sorted(path.parent for path in FIXTURES.glob("*/*/expected.json"))
SEEN = datetime(2023, 5, 24, 7, 0, tzinfo=UTC)

each_case = pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}"
)


class Expected(msgspec.Struct, frozen=True):
    """What a fixture promises."""

    settings: dict[str, Any]
    content_type: str
    url: str
    received: datetime
    items: tuple[Item, ...]


def expected_of(case: Path) -> Expected:
    return msgspec.json.decode((case / "expected.json").read_bytes(), type=Expected)


def answer_of(case: Path) -> bytes:
    (path,) = case.glob("answer.*")
    return path.read_bytes()


def made(case: Path, source: str, settings: dict[str, Any]) -> Source:
    make: Any = SOURCES[case.parent.name]  # every kind has settings of its own
    result: Source = make(origin=Origin(source=source), **settings)
    return result


def source_of(case: Path, server: Server) -> Source:
    """Return a source with the fixture's settings that reads from *server*."""
    settings = dict(expected_of(case).settings)
    if "url" in settings:
        settings["url"] = server.url + "/" + settings["url"].split("/", 3)[3]
    else:
        settings["preview"] = server.url
    return made(case, case.name, settings)


@asynccontextmanager
async def reading(answer: Response) -> AsyncIterator[tuple[Server, Web]]:
    """Serve *answer* to whatever is asked."""
    web = Web(FakeClock(SEEN), allow=[ip_network("127.0.0.0/8")], pace=timedelta())
    async with serve(lambda _: answer) as server:
        try:
            yield server, web
        finally:
            await web.aclose()


def good(case: Path) -> Response:
    return Response(
        200, answer_of(case), {"Content-Type": expected_of(case).content_type}
    )


async def everything(source: Source, cursor: str, web: Web) -> list[Batch]:
    return [batch async for batch in source.read(cursor, web)]


def test_every_kind_has_a_fixture() -> None:
    """A kind without a fixture is a kind that nobody has seen working."""
    assert set(SOURCES) == {case.parent.name for case in CASES}


@each_case
def test_parses_exactly_what_the_answer_holds(case: Path) -> None:
    """A recorded answer becomes exactly the items we expect, oldest first."""
    expected = expected_of(case)

    items = SOURCES[case.parent.name].parse(
        answer_of(case),
        source=case.name,
        url=expected.url,
        received=expected.received,
    )

    assert list(expected.items) == list(items)


@each_case
async def test_reads_what_it_parses(case: Path) -> None:
    """A first read brings the same texts in the same order, without a gap."""
    async with reading(good(case)) as (server, web):
        batches = await everything(source_of(case, server), "", web)

    items = [item for batch in batches for item in batch.items]
    wanted = expected_of(case).items
    assert [(i.id, i.title, i.text) for i in wanted] == [
        (i.id, i.title, i.text) for i in items
    ]
    assert [False] * len(batches) == [batch.gap for batch in batches]
    assert all(item.seen == SEEN for item in items)


@each_case
async def test_reads_again_without_a_change(case: Path) -> None:
    """A second read of the same answer yields a batch, and nothing that is new."""
    async with reading(good(case)) as (server, web):
        source = source_of(case, server)
        first = await everything(source, "", web)
        second = await everything(source, first[-1].cursor, web)

    known = {(i.id, content_hash(i)) for batch in first for i in batch.items}
    again = {(i.id, content_hash(i)) for batch in second for i in batch.items}
    assert again <= known
    assert second
    assert not any(batch.gap for batch in second)
    assert all(i.change == "new" for batch in second for i in batch.items)


@each_case
@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Response(200, b""), Rejected),
        (Response(200, b"<html><body>Blocked</body></html>"), Rejected),
        (Response(200, b"\x00\xff" * 64), Rejected),
        (Response(304), Rejected),
        (Response(403, b"no"), Rejected),
        (Response(404, b"no"), Rejected),
        (Response(410, b"no"), Gone),
        (Response(429, b"", {"Retry-After": "60"}), Transient),
        (Response(503, b"later"), Transient),
    ],
    ids=["empty", "html", "bytes", "304", "403", "404", "410", "429", "503"],
)
async def test_says_what_to_do_about_a_bad_answer(
    case: Path, answer: Response, failure: type[Exception]
) -> None:
    """A bad answer says what follows, and never passes for an empty one."""
    async with reading(answer) as (server, web):
        source = source_of(case, server)
        with pytest.raises(failure):
            await everything(source, "", web)


@each_case
async def test_refuses_a_cursor_that_is_not_its_own(case: Path) -> None:
    """A damaged cursor is said to be one, and is not taken for an empty one."""
    async with reading(good(case)) as (server, web):
        source = source_of(case, server)
        with pytest.raises(Rejected):
            await everything(source, "{nonsense", web)


@each_case
def test_an_answer_cut_anywhere_is_refused_or_read_in_part(case: Path) -> None:
    """A cut answer brings only posts that the whole one has, word for word."""
    expected = expected_of(case)
    kind, body = SOURCES[case.parent.name], answer_of(case)
    for end in range(0, len(body), max(97, len(body) // 80)):
        try:
            items = kind.parse(
                body[:end], source=case.name, url=expected.url, received=SEEN
            )
        except Rejected:
            continue
        assert set(items) <= set(expected.items), end


def test_equal_settings_are_equal_sources() -> None:
    """A reload can tell by comparison which sources have changed."""
    for case in CASES:
        settings = expected_of(case).settings

        assert made(case, "one", settings) == made(case, "one", settings)
        assert made(case, "one", settings) != made(case, "other", settings)
