"""The demonstration's world serves its recording faithfully, on loopback only."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from monitor.demo import Record, recording
from monitor.demo.world import World
from tests.clock import FakeClock

STORY = recording()
BEGINS, ENDS = STORY.head.begins, STORY.ends
GOVERNOR, HEADQUARTERS = (channel.name for channel in STORY.head.channels)
FEED = STORY.head.feed.name
HOUR = timedelta(hours=1)
A_LITTLE = timedelta(milliseconds=1)  # more than a float's rounding
LAST = [r for r in STORY.records if r.channel == GOVERNOR][-1]
(DELETION,) = [r for r in STORY.records if r.action == "delete"]
(EDIT,) = [r for r in STORY.records if r.action == "edit"]
SERVED = [
    "/", f"/s/{GOVERNOR}", f"/s/{GOVERNOR}?before=12", f"/s/{HEADQUARTERS}",
    f"/s/{GOVERNOR}?before=1", f"/{GOVERNOR}", "/somebody", f"/{GOVERNOR}/3",
    f"/{GOVERNOR}/999", "/somebody/3", "/story/1",
]  # fmt: skip


def trapped(start: str) -> list[Record]:
    """Return the records whose trap begins so."""
    return [r for r in STORY.records if r.expect.trap.startswith(start)]


def seconds(duration: timedelta) -> timedelta:
    """Return how long the world, at an hour a second, takes to tell *duration*."""
    return duration / 3600


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@pytest.fixture
async def world(clock: FakeClock) -> AsyncIterator[World]:
    """Serve the recording that is shipped, an hour a second, not yet started."""
    async with World(STORY, clock.monotonic) as served:
        yield served


@pytest.fixture
async def web(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Read that world as a browser would."""
    async with httpx.AsyncClient(base_url=world.url) as client:
        yield client


def turn_to(world: World, clock: FakeClock, moment: datetime) -> None:
    """Let the recording run until *moment*."""
    world.start()
    clock.advance(seconds(moment - world.time) + A_LITTLE)


async def page_of(web: httpx.AsyncClient, path: str) -> LexborHTMLParser:
    """Return a page, parsed."""
    answer = await web.get(path)
    assert 200 == answer.status_code
    return LexborHTMLParser(answer.text)


def posts_of(page: LexborHTMLParser) -> dict[int, LexborNode]:
    """Return the blocks of a page by the id of their post."""
    blocks = page.css(".tgme_widget_message_wrap > .tgme_widget_message")
    return {int(str(b.attributes["data-post"]).split("/")[1]): b for b in blocks}


def only(node: LexborHTMLParser | LexborNode, selector: str) -> LexborNode:
    """Return the first element there that is meant, which has to be there."""
    found = node.css_first(selector)
    assert found is not None
    return found


def text_of(post: LexborNode) -> str:
    """Return what a post says, an album's once."""
    found = post.css_first(".js-message_text .js-message_text, .js-message_text")
    return found.text() if found else ""


# Its time


async def test_time_stands_until_it_is_started(world: World, clock: FakeClock) -> None:
    """The past is what there is, however long one waits."""
    clock.advance(HOUR)

    assert BEGINS == world.time
    assert not world.finished


async def test_time_goes_faster_and_stops_at_the_end(
    world: World, clock: FakeClock
) -> None:
    """An hour goes by each second; starting again changes nothing; then it is over."""
    world.start()
    clock.advance(timedelta(seconds=2))
    world.start()

    assert BEGINS + 2 * HOUR == world.time
    clock.advance(seconds(ENDS - world.time) - A_LITTLE)
    nearly = world.finished
    clock.advance(2 * A_LITTLE)
    assert [False, True] == [nearly, world.finished]
    clock.advance(HOUR)
    assert ENDS == world.time


def test_a_world_that_stands_still_is_refused() -> None:
    """A speed of nothing would never finish."""
    with pytest.raises(ValueError, match="never ends"):
        World(STORY, FakeClock().monotonic, speed=0)


# Channels


async def test_a_channel_shows_what_was_posted_by_now(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """A post appears at its moment and not before."""
    path = f"/s/{GOVERNOR}"
    turn_to(world, clock, LAST.at - timedelta(minutes=1))
    assert LAST.id not in posts_of(await page_of(web, path))
    turn_to(world, clock, LAST.at)

    post = posts_of(await page_of(web, path))[LAST.id]

    assert LAST.text == text_of(post)
    (when,) = post.css("time[datetime]")
    assert LAST.at == datetime.fromisoformat(str(when.attributes["datetime"]))
    assert "+00:00" in str(when.attributes["datetime"])


async def test_paging_backwards_meets_every_post_once(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """From the newest page to the start, as a reader that was away would go."""
    turn_to(world, clock, ENDS)
    path: str | None = f"/s/{GOVERNOR}"
    met: list[int] = []
    pages_read = 0
    while path:
        page = await page_of(web, path)
        ids = list(posts_of(page))
        assert sorted(ids) == ids
        met = ids + met
        pages_read += 1
        older = page.css_first("a.tme_messages_more")
        path = str(older.attributes["href"]) if older else None

    assert [post.id for post in STORY.posts(GOVERNOR, ENDS)] == met
    assert pages_read >= 2


async def test_before_the_first_there_is_nothing(web: httpx.AsyncClient) -> None:
    """The start of a channel is said plainly, which no error page does."""
    page = await page_of(web, f"/s/{GOVERNOR}?before=1")

    assert {} == posts_of(page)
    assert page.css_first("section.tgme_channel_history .tme_no_messages_found")


async def test_after_a_post_come_the_next_ones(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """`?after=` is exclusive and shows the oldest that follow; noise is ignored."""
    turn_to(world, clock, ENDS)
    path = f"/s/{HEADQUARTERS}"
    newest = list(posts_of(await page_of(web, path)))

    assert [2, 3, 4] == list(posts_of(await page_of(web, f"{path}?after=1")))[:3]
    for noise in ("x", "-1", "9" * 40, "٣", ""):
        page = await page_of(web, f"{path}?before={noise}&after={noise}")
        assert newest == list(posts_of(page))


async def test_a_page_tells_the_number_of_its_channel(web: httpx.AsyncClient) -> None:
    """Each block carries t.me's token with the channel's and the post's number."""
    for id_, post in posts_of(await page_of(web, f"/s/{GOVERNOR}")).items():
        packed = str(post.attributes["data-view"])
        token = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))

        assert (-STORY.head.channels[0].number, id_) == (token["c"], token["p"])


async def test_an_album_is_one_block_with_a_nested_caption(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """Its other photos show only as links, and the caption lies twice inside itself."""
    (album,) = trapped("album")
    turn_to(world, clock, album.at)

    shown = posts_of(await page_of(web, f"/s/{GOVERNOR}"))

    post = shown[album.id]
    links = [str(a.attributes["href"]) for a in post.css(".grouped_media_wrap")]
    ids = [album.id, album.id + 1, album.id + 2]
    assert [f"https://t.me/{GOVERNOR}/{id_}?single" for id_ in ids] == links
    assert not {album.id + 1, album.id + 2} & set(shown)
    assert 2 == len(post.css(".js-message_text"))
    assert album.text == text_of(post)
    alone = posts_of(await page_of(web, f"/{GOVERNOR}/{album.id + 2}?embed=1&mode=tme"))
    assert [album.id] == list(alone)


async def test_an_edit_shows_and_says_so(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """The words change in place, the time of posting stays, the page says edited."""
    path = f"/{GOVERNOR}/{EDIT.id}?embed=1&mode=tme"
    turn_to(world, clock, EDIT.at - timedelta(minutes=1))
    before = posts_of(await page_of(web, path))[EDIT.id]
    turn_to(world, clock, EDIT.at)
    after = posts_of(await page_of(web, path))[EDIT.id]

    assert "трое" in text_of(before)
    assert EDIT.text == text_of(after)
    assert "edited" not in only(before, ".tgme_widget_message_meta").text()
    assert "edited" in only(after, ".tgme_widget_message_meta").text()
    times = [only(post, "time").attributes["datetime"] for post in (before, after)]
    assert times[0] == times[1]


async def test_a_deleted_post_is_gone_and_its_page_says_so(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """It leaves the channel, and alone it is an error with status 200."""
    path = f"/s/{HEADQUARTERS}"
    turn_to(world, clock, DELETION.at - timedelta(minutes=1))
    assert DELETION.id in posts_of(await page_of(web, path))
    turn_to(world, clock, DELETION.at)

    assert DELETION.id not in posts_of(await page_of(web, path))
    alone = await page_of(web, f"/{HEADQUARTERS}/{DELETION.id}?embed=1&mode=tme")
    assert {} == posts_of(alone)
    assert "Post not found" == only(alone, ".tgme_widget_message_error").text()


async def test_a_reply_quotes_what_it_answers(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """The alarm that an all-clear answers lies in a box of its own, before the text."""
    (answer, *_) = trapped("all-clear: «отбой»")
    turn_to(world, clock, answer.at)

    post = posts_of(await page_of(web, f"/s/{HEADQUARTERS}"))[answer.id]

    assert answer.text == text_of(post)
    quote = only(post, ".tgme_widget_message_reply .js-message_reply_text")
    assert "Угроза атаки" in quote.text()
    alone = posts_of(await page_of(web, f"/{HEADQUARTERS}/{answer.id}"))[answer.id]
    assert quote.text() == only(alone, ".js-message_reply_text").text()


async def test_custom_emoji_hide_the_text_from_a_naive_reader(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """As t.me has it since 2026: the text, and beside it that it cannot be shown."""
    (alarm,) = [r for r in STORY.records if r.expect.signal == "alarm"]
    turn_to(world, clock, alarm.at)

    post = posts_of(await page_of(web, f"/s/{HEADQUARTERS}"))[alarm.id]

    shown = only(post, ".media_supported_cont .js-message_text")
    assert alarm.text == shown.text()
    hidden = only(post, ".media_not_supported_cont .message_media_not_supported_wrap")
    assert "Please open Telegram" in hidden.text()


async def test_a_forward_names_where_it_is_from(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """Somebody else's words are told apart from the channel's own."""
    (forward,) = trapped("forwarded")
    turn_to(world, clock, forward.at)

    post = posts_of(await page_of(web, f"/s/{HEADQUARTERS}"))[forward.id]

    assert GOVERNOR == only(post, ".tgme_widget_message_forwarded_from_name").text()


async def test_service_messages_are_marked(web: httpx.AsyncClient) -> None:
    """What Telegram itself wrote can be told from what the channel says."""
    posts = posts_of(await page_of(web, f"/s/{GOVERNOR}"))
    marked = {id_ for id_, post in posts.items() if "service_message" in classes(post)}

    assert {1} == marked


def classes(node: LexborNode) -> list[str]:
    """Return the classes of an element."""
    return str(node.attributes["class"]).split()


async def test_a_channel_without_a_preview_redirects(web: httpx.AsyncClient) -> None:
    """As t.me does for what it does not know; the page it leads to has no posts."""
    answer = await web.get("/s/somebody_else")

    assert 302 == answer.status_code
    landing = await page_of(web, answer.headers["location"])
    assert "right away" in only(landing, ".tgme_page_description").text()
    alone = await page_of(web, "/somebody_else/1?embed=1&mode=tme")
    assert alone.css_first(".tgme_widget_message_error")


# The feed


async def test_the_feed_is_read_again_only_when_it_changed(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """Its ETag holds until the next entry."""
    first = await web.get("/feed.xml")
    known = {"If-None-Match": first.headers["etag"]}
    same = await web.get("/feed.xml", headers=known)
    weak = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
    assert 304 == (await web.get("/feed.xml", headers=weak)).status_code
    turn_to(world, clock, ENDS)
    changed = await web.get("/feed.xml", headers=known)

    assert (200, 304, 200) == (
        first.status_code, same.status_code, changed.status_code,
    )  # fmt: skip
    assert b"" == same.content
    assert first.headers["etag"] == same.headers["etag"] != changed.headers["etag"]
    assert 1 == first.text.count("<item>")
    assert len(STORY.posts(FEED, ENDS)) == changed.text.count("<item>")
    assert "(reconstruction)" in changed.text
    (link, *_) = re.findall(r"<link>(\S+/story/\d+)</link>", changed.text)
    assert (await web.get(link)).is_success


# All of it


@pytest.mark.parametrize("path", SERVED)
async def test_every_page_is_labelled_and_leads_nowhere_else(
    web: httpx.AsyncClient, path: str
) -> None:
    """A reconstruction says so on each page, and links only what does not exist."""
    text = (await web.get(path)).text
    linked = re.findall(r"""(?:href|src|content)="([^"]*)"|url\('([^']*)'\)""", text)

    assert "реконструкция" in only(LexborHTMLParser(text), "title").text()
    for address in filter(None, ("".join(pair) for pair in linked)):
        if "//" in address:
            allowed = ("https://t.me/demo_", "https://t.me/somebody", str(web.base_url))
            assert address.startswith(allowed)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nothing/at/all HTTP/1.1\r\n\r\n", b"404"),
        (b"GET //[ HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /%zz/%00?%ff=%&&;= HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /story/999 HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /s/%0d%0aSet-Cookie:%20x HTTP/1.1\r\n\r\n", b"302"),
        (b"GET /s/%D0%B6 HTTP/1.1\r\n\r\n", b"302"),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"\xff\xfe\x00\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000 + b"\r\n", b"431"),
    ],
)
async def test_odd_requests_get_an_answer(
    world: World, request_: bytes, status: bytes
) -> None:
    """Whatever comes in, one well-formed answer goes out, and no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(world))
    writer.write(request_)
    first = await reader.readline()
    rest = await read_all(reader)
    writer.close()

    assert first.startswith(b"HTTP/1.1 " + status)
    assert b"\nSet-Cookie" not in rest


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return the rest; what was cut off because we sent too much is no matter."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def port_of(world: World) -> int:
    """Return the port, having seen that it is one of loopback."""
    url = httpx.URL(world.url)
    assert "127.0.0.1" == url.host
    assert url.port
    return url.port


async def test_many_read_at_once(
    world: World, clock: FakeClock, web: httpx.AsyncClient
) -> None:
    """A hundred requests together get the same as one alone, and some hang up."""
    turn_to(world, clock, ENDS)
    alone = [(await web.get(path)).text for path in SERVED]
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(world))
        writer.write(b"GET /s/")
        writer.close()

    answers = await asyncio.gather(*(web.get(path) for path in SERVED * 10))

    assert alone * 10 == [answer.text for answer in answers]


async def test_it_closes_though_somebody_is_silent(clock: FakeClock) -> None:
    """Leaving the world cuts off a client that never said what it wanted."""
    async with World(STORY, clock.monotonic) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(world))
        writer.write(b"GET ")
        assert (await httpx.AsyncClient().get(world.url)).is_success
        port = port_of(world)

    assert b"" == await read_all(reader)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
