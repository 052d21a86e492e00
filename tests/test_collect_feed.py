"""What a read of a feed brings: which entries, in which order, as known by what."""

import json
import time
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from monitor.errors import Rejected, Transient
from tests.feeds import SEEN, dated, door, entry, feed, ids, once, parse, reading, rss
from tests.loopback import Request, Response, serve

NINE = "<pubDate>Mon, 22 May 2023 09:00:00 GMT</pubDate>"

# Reading


async def test_sends_back_what_the_server_marked_its_answer_with() -> None:
    """A server that knows that nothing changed is not made to send it again."""

    def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == '"v1"':
            assert (
                "Wed, 24 May 2023 06:00:00 GMT"
                == (request.headers["if-modified-since"])
            )
            return Response(304)
        marks = {"ETag": '"v1"', "Last-Modified": "Wed, 24 May 2023 06:00:00 GMT"}
        return Response(200, rss(entry(1)), marks)

    async with reading(answer) as (read, server):
        first = await read("")
        second = await read(first.cursor)

    assert "if-none-match" not in server.requests[0].headers
    assert ((), first.cursor, False) == (second.items, second.cursor, second.gap)


async def test_the_same_bytes_are_not_parsed_again() -> None:
    """A server without marks costs a hash, and its new marks are kept."""
    marks: dict[str, str] = {}
    async with reading(lambda _: Response(200, rss(entry(1)), marks)) as (read, _):
        first = await read("")
        marks["ETag"] = '"now"'
        second = await read(first.cursor)
        third = await read(second.cursor)

    assert ["id-1"] == [item.id for item in first.items]
    assert () == second.items == third.items
    assert '"now"' in json.loads(second.cursor)["etag"]


async def test_a_changed_feed_is_read_again() -> None:
    """A new text under a known id is handed over; the stream sees the change."""
    body = rss(entry(1))
    async with reading(lambda _: Response(200, body)) as (read, _):
        first = await read("")
        body = rss(entry(2), entry(1).replace("Текст", "Исправлено"))
        second = await read(first.cursor)

    assert ["Исправлено 1", "Текст 2"] == [item.text for item in second.items]


async def test_says_when_a_window_has_moved_past() -> None:
    """Two reads that share no entry may have missed some between them."""
    body = rss(entry(2), entry(1))
    async with reading(lambda _: Response(200, body)) as (read, _):
        first = await read("")
        body = rss(entry(3), entry(2))
        second = await read(first.cursor)
        body = rss(entry(9), entry(8))
        third = await read(second.cursor)

    assert [False, False, True] == [first.gap, second.gap, third.gap]


async def test_an_empty_feed_hides_no_gap() -> None:
    """A feed that was empty for a while is compared with what it held before."""
    body = rss(entry(1))
    async with reading(lambda _: Response(200, body)) as (read, _):
        first = await read("")
        body = rss()
        second = await read(first.cursor)
        body = rss(entry(8))
        third = await read(second.cursor)

    assert ((), False, True) == (second.items, second.gap, third.gap)


async def test_what_is_older_than_an_empty_first_read_is_the_past() -> None:
    """A feed that first seemed empty does not alert its history when it is back."""
    recent = (SEEN - timedelta(minutes=9)).isoformat()
    past, news = dated(1, "Wed, 17 May 2023 06:00:00 GMT"), dated(2, recent)
    bodies = [rss(), rss(" "), rss(entry(3), news, past), rss(entry(4), news, past)]
    brought = []
    async with reading(lambda _: Response(200, bodies.pop(0))) as (read, _):
        cursor = ""
        for _ in range(4):
            batch = await read(cursor)
            cursor = batch.cursor
            brought.append([item.id for item in batch.items])

    assert [[], [], ["id-2", "id-3"], ["id-2", "id-4"]] == brought


async def test_a_post_with_an_old_date_is_news_once_the_past_is_known() -> None:
    """A first read that found something knows the past, whatever dates come later."""
    late = dated(2, "Wed, 17 May 2023 06:00:00 GMT")
    bodies = [rss(entry(1)), rss(late, entry(1))]
    async with reading(lambda _: Response(200, bodies.pop(0))) as (read, _):
        second = await read((await read("")).cursor)

    assert "id-2" in [item.id for item in second.items]


async def test_a_known_feed_that_was_empty_once_has_no_new_past() -> None:
    """Only a first read that found nothing makes what is older the past."""
    late = dated(2, "Wed, 17 May 2023 06:00:00 GMT")
    bodies = [rss(entry(1)), rss(), rss(late, entry(1))]
    async with reading(lambda _: Response(200, bodies.pop(0))) as (read, _):
        second = await read((await read("")).cursor)
        third = await read(second.cursor)

    assert ["id-2", "id-1"] == [item.id for item in third.items]


async def test_another_address_begins_with_its_past() -> None:
    """A source that is given another feed to read does not alert all that is there."""
    other = [[11, 12], [11, 12, 13], [], [12, 13, 14]]
    brought: list[list[str]] = []
    gaps = []

    def answer(request: Request) -> Response:
        assert request.path != "/b" or "if-none-match" not in request.headers or brought
        numbers = [1, 2] if request.path == "/a" else other.pop(0)
        body = rss(*[entry(number) for number in numbers[::-1]])
        return Response(200, body, {"ETag": f'"{numbers}"'})

    async with serve(answer) as server, door() as web:
        old, new = feed(f"{server.url}/a"), feed(f"{server.url}/b")
        cursor = (await once(old, "", web)).cursor
        for _ in range(4):
            batch = await once(new, cursor, web)
            cursor = batch.cursor
            brought.append([item.id for item in batch.items])
            gaps.append(batch.gap)

    assert [[], ["id-13"], [], ["id-13", "id-14"]] == brought
    assert not any(gaps)


async def test_a_feed_that_only_moved_goes_on() -> None:
    """At a new address that has the old entries, the others are news."""

    def answer(request: Request) -> Response:
        numbers = [1, 2] if request.path == "/a" else [2, 3]
        return Response(200, rss(*[entry(number) for number in numbers[::-1]]))

    async with serve(answer) as server, door() as web:
        first = await once(feed(f"{server.url}/a"), "", web)
        second = await once(feed(f"{server.url}/b"), first.cursor, web)

    assert ["id-2", "id-3"] == [item.id for item in second.items]


async def test_another_address_may_be_empty_first() -> None:
    """An empty feed at a new address says nothing of what is its past."""
    bodies = [rss(entry(1)), rss(), rss(dated(2, "Wed, 17 May 2023 06:00:00 GMT"))]
    async with serve(lambda _: Response(200, bodies.pop(0))) as server, door() as web:
        first = await once(feed(f"{server.url}/a"), "", web)
        second = await once(feed(f"{server.url}/b"), first.cursor, web)
        third = await once(feed(f"{server.url}/b"), second.cursor, web)

    assert () == second.items == third.items


async def test_a_bad_answer_between_two_reads_changes_nothing() -> None:
    """A page of an error moves no cursor, and the next good answer goes on."""
    answers = [
        Response(200, rss(entry(1))),
        Response(200, b"<html><body>Maintenance</body></html>"),
        Response(502),
        Response(200, rss(entry(2), entry(1))),
    ]
    async with reading(lambda _: answers.pop(0)) as (read, _):
        first = await read("")
        with pytest.raises(Rejected):
            await read(first.cursor)
        with pytest.raises(Transient):
            await read(first.cursor)
        last = await read(first.cursor)

    assert (["id-1", "id-2"], False) == ([item.id for item in last.items], last.gap)


async def test_links_are_relative_to_where_the_feed_was_found() -> None:
    """After a redirect, the new place is the base."""

    def answer(request: Request) -> Response:
        if request.path == "/feed.xml":
            return Response(302, b"", {"Location": "/news/feed.xml"})
        link = "<item><link>7.html</link><title>x</title></item>"
        return Response(200, rss(link))

    async with reading(answer) as (read, server):
        batch = await read("")
        assert f"{server.url}/news/7.html" == batch.items[0].url


async def test_a_mark_that_cannot_be_sent_back_is_no_failure() -> None:
    """A server's strange or endless mark does not stop its source."""
    mark = {"ETag": '"\xe9' + "x" * 5000 + '"'}
    async with reading(lambda _: Response(200, rss(entry(1)), mark)) as (read, server):
        first = await read("")
        await read(first.cursor)
        assert "if-none-match" not in server.requests[1].headers


# Identity, order, dates


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<guid>7</guid><link>http://e.org/a</link>", "7"),
        ("<guid> 7\n</guid>", "7"),
        ("<link>http://e.org/a</link><title>x</title>", "e.org/a@"),
        ("<link>/a</link>", "news.example.org/a@"),
        ("<link>http://E.org/A/?utm_source=x&amp;n=1#2</link>", "e.org/A?n=1#2@"),
        (f"<link>http://e.org</link>{NINE}", "e.org@1684746000"),
    ],
)
def test_the_id_is_the_publishers_own_or_the_link(inside: str, expected: str) -> None:
    """An entry is known by its id, and without one by its address."""
    assert [expected] == ids(rss(f"<item>{inside}</item>"))


def test_without_id_and_link_an_entry_is_known_by_title_and_date() -> None:
    """Two entries that say different things are two, however little they say."""
    first = "<item><title>A</title><pubDate>Mon, 22 May 2023 09:00:00 GMT</pubDate>"
    second = first.replace("22 May", "23 May")
    third, fourth = "<item><description>x", "<item><description>y"
    body = rss(
        *(f"{one}</item>" for one in (first, second)),
        *(f"{one}</description></item>" for one in (third, fourth)),
    )
    assert 4 == len(set(ids(body)))
    assert ids(body) == ids(body)
    changed = body.replace(b"<title>A</title>", b"<title>A</title><x/>")
    assert ids(body) == ids(changed)


def linked(words: str, link: str = "https://alerts.example.org/", day: int = 0) -> str:
    date = f"<pubDate>{day} May 2023 09:00:00 GMT</pubDate>" if day else ""
    title, _, rest = words.partition("/")
    inside = f"<title>{title}</title><description>{rest}</description>{date}"
    return f"<item>{inside}<link>{link}</link></item>"


STATE = "https://alerts.example.org/state"


@pytest.mark.parametrize(
    "entries",
    [
        [linked("Тревога", day=3), linked("Отбой", day=2), linked("Тревога", day=1)],
        [linked("Тревога/Шебекино"), linked("Отбой"), linked("Тревога/Белгород")],
        [linked("Тревога/а", STATE), linked("Отбой", STATE), linked("Тревога", STATE)],
        [linked("Тревога", day=3), linked("Отбой", day=3), linked("Тревога/б", day=3)],
    ],
    ids=["dates", "site", "page", "same date"],
)
def test_entries_that_share_one_link_are_all_read(entries: list[str]) -> None:
    """A feed whose every entry links to the same page loses none of them."""
    assert 3 == len(parse(rss(*entries)))


@pytest.mark.parametrize("link", ["https://alerts.example.org/", STATE])
@pytest.mark.parametrize("day", [0, 3])
async def test_a_neighbour_changes_no_id(link: str, day: int) -> None:
    """An entry stays itself when another with its link comes, and when that goes."""
    words = ["Тревога", "Отбой", "Обстрел", "Отбой/снова"]
    entries = [linked(word, link, day) for word in words]
    windows = [entries[:1], entries[:2], entries[1:3], entries[2:4], entries[3:]]
    known: dict[str, str] = {}
    bodies = [rss(*window[::-1]) for window in windows]
    async with reading(lambda _: Response(200, bodies.pop(0))) as (read, _):
        cursor = ""
        for window in windows:
            batch = await read(cursor)
            cursor = batch.cursor
            assert len(window) == len(batch.items)
            for item in batch.items:
                told = f"{item.title}/{item.text}"
                assert item.id == known.setdefault(told, item.id)
    assert 4 == len(set(known.values()))


def test_an_edit_is_one_where_link_and_date_are_its_own() -> None:
    """Without an id of its own, an entry is the same with another title or text."""
    for before, after in [
        (linked("Тревога", day=3), linked("Отбой/уточнено", day=3)),
        (linked("Тревога", STATE), linked("Отбой/уточнено", STATE)),
    ]:
        assert ids(rss(before)) == ids(rss(after))


@pytest.mark.parametrize("day", [0, 3])
@pytest.mark.parametrize("path", ["", "/", "/7", "/7/?n=1", "/#7"])
def test_a_link_by_another_scheme_is_the_same(path: str, day: int) -> None:
    """When a site moves to https, nothing of it is new."""
    old, new = f"http://e.org{path}", f"https://E.org{path}"
    assert ids(rss(linked("x", old, day))) == ids(rss(linked("x", new, day)))


def test_a_long_id_is_shortened_and_stays_itself() -> None:
    """An id of a mebibyte is no key, but still tells two entries apart."""
    one, other = (f"<item><guid>{'x' * 9999}{n}</guid></item>" for n in "12")
    found = ids(rss(one, other))
    assert 2 == len(set(found))
    assert all(len(identity) <= 512 for identity in found)


def test_of_two_entries_with_one_id_the_first_counts() -> None:
    """Feeds list the newest first."""
    body = rss(entry(1).replace("Текст", "Новое"), entry(1))
    assert ["Новое 1"] == [item.text for item in parse(body)]


def test_the_oldest_comes_first() -> None:
    """Entries come by date, whatever order the feed has them in."""
    days = ["23 May 2023 09:00:00 GMT", "21 May 2023 09:00:00 GMT", "22 May 2023"]
    body = rss(*(dated(n, f"Mon, {day}") for n, day in enumerate(days)))
    assert ["id-1", "id-2", "id-0"] == ids(body)


def test_without_dates_the_last_entry_is_the_oldest() -> None:
    """A feed without dates lists the newest first, as others do."""
    assert ["id-1", "id-2", "id-3"] == ids(rss(entry(3), entry(2), entry(1)))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Wed, 24 May 2023 09:12:00 +0300", datetime(2023, 5, 24, 6, 12, tzinfo=UTC)),
        ("Wed, 24 May 2023 09:12:00 MSK", datetime(2023, 5, 24, 6, 12, tzinfo=UTC)),
        ("Wed, 24 May 2023 09:12:00 EEST", datetime(2023, 5, 24, 6, 12, tzinfo=UTC)),
        ("2023-05-24T06:12:00Z", datetime(2023, 5, 24, 6, 12, tzinfo=UTC)),
        ("Wed, 24 May 2033 09:12:00 GMT", SEEN),
        ("Thu, 01 Jan 1970 00:00:00 GMT", SEEN),
        ("31.02.2023", SEEN),
        ("вчера", SEEN),
        ("", SEEN),
    ],
)
def test_a_date_that_cannot_be_true_is_the_day_it_came(
    written: str, expected: datetime
) -> None:
    """Dates are moments in UTC; without a credible one, the entry is new now."""
    (item,) = parse(rss(dated(1, written)))
    assert (expected, None) == (item.published, item.edited)


def test_of_a_long_feed_the_newest_are_read() -> None:
    """Of 600 entries that begin with the oldest, the newest 500 are read."""
    start = datetime(2023, 1, 1, tzinfo=UTC)
    days = [start + timedelta(hours=n) for n in range(600)]
    body = rss(*(dated(n, day.isoformat()) for n, day in enumerate(days)))
    found = ids(body)
    assert (500, "id-100", "id-599") == (len(found), found[0], found[-1])


def json_feed(items: str) -> bytes:
    version = "https://jsonfeed.org/version/1.1"
    return f'{{"version": "{version}", "items": [{items}]}}'.encode()


def test_of_a_long_json_feed_the_first_are_read() -> None:
    """Of 3,000 entries, newest first, the newest 500 are read, as from XML."""
    entries = (f'{{"id": "]}}\\"{n}", "tags": [{{}}, []]}}' for n in range(3000))
    found = ids(json_feed(", ".join(entries)))
    assert (500, ']}"499', ']}"0') == (len(found), found[0], found[-1])


@pytest.mark.parametrize(
    "entry", ["{}", "[]", "0", '{"id":1}', '{"authors":[{"name":"x"},{}]}', '"{"']
)
def test_a_hostile_json_feed_is_small_and_quickly_read(entry: str) -> None:
    """Millions of entries that say nothing neither fill the memory nor take long."""
    body = json_feed(",".join([entry] * (3_700_000 // (len(entry) + 1))))
    began = time.process_time()
    with suppress(Rejected):
        parse(body)
    assert time.process_time() - began < 15  # were it quadratic, minutes

    tracemalloc.start()
    with suppress(Rejected):
        parse(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * len(body)


def test_an_entry_without_measure_is_refused() -> None:
    """A first entry of several mebibytes is no entry, and no empty feed either."""
    with pytest.raises(Rejected):
        parse(json_feed('{"tags": [' + "{}," * 1_000_000 + "{}]}"))


def test_an_address_that_nobody_can_open_is_none() -> None:
    """No item has an address longer than the web takes."""
    long = "https://e.org/" + "a" * 10_000
    json_item, xml_item = f'{{"id": "1", "url": "{long}"}}', f"<link>{long}</link>"
    for body in (json_feed(json_item), rss(f"<item><guid>1</guid>{xml_item}</item>")):
        assert ("1", "") == (parse(body)[0].id, parse(body)[0].url)


def test_a_field_of_a_mebibyte_is_cut() -> None:
    """No text of an item is longer than 64 KiB."""
    (item,) = parse(rss(entry(1).replace("Текст", "слово " * 100_000)))
    assert 65_000 < len(item.text.encode()) <= 65_536


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "ftp://e.org/a", "http://[", "data:x", "  "]
)
def test_only_addresses_of_the_web_are_addresses(link: str) -> None:
    """What a reader should not open by a click is no address."""
    assert "" == parse(rss(f"<item><guid>1</guid><link>{link}</link></item>"))[0].url
