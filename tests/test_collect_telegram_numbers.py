"""Every number of a channel that was looked at is a post, or it is said what it is."""

import random
from collections.abc import Iterable

import pytest

from monitor.collect import Batch
from monitor.collect.telegram_numbers import MOST, WIDEST, notes_of
from monitor.collect.telegram_page import Post, read_page
from monitor.errors import Transient
from monitor.item import Note
from tests.channel import SEEN, Channel, album, reading, text
from tests.loopback import Request, Response

Told = dict[int, tuple[str, str]]
DOCUMENT = '<a class="tgme_widget_message_document_wrap"></a>'


def said(batches: Iterable[Batch]) -> Told:
    """Return what was said of each number that is no post; of none twice."""
    notes = [note for batch in batches for note in batch.notes]
    found: Told = {int(note.id): (note.what, note.why) for note in notes}
    assert len(found) == len(notes)
    return found


def absent(*numbers: int) -> Told:
    return dict.fromkeys(numbers, ("absent", ""))


async def test_says_what_each_number_of_a_page_is() -> None:
    """Service messages, parts of albums and holes are told apart, and told once."""
    channel = Channel(posts={5: album(5, 6, 7) + text("Три фото")})
    channel.write(10, 11, 13)
    channel.service = {11}
    async with reading(channel.answer) as reader:
        first = await reader.batches()
        again = await reader.batches()

    assert {
        6: ("part", "5"),
        7: ("part", "5"),
        **absent(8, 9, 12),
        11: ("service", ""),
    } == said(first)
    assert {} == said(again)
    assert {("okrug", 0, SEEN)} == {
        (note.source, note.version, note.at) for note in first[0].notes
    }


async def test_says_what_is_new_and_nothing_of_the_past() -> None:
    """What lies below the first read is the past of the channel."""
    channel = Channel(shown=3)
    channel.write(2, 4, 6, 8)
    async with reading(channel.answer) as reader:
        assert absent(5, 7) == said(await reader.batches())
        channel.write(11)
        assert absent(9, 10) == said(await reader.batches())
        del channel.posts[8]
        channel.write(12)
        assert {} == said(await reader.batches()), "what was a post is no hole"


async def test_holes_between_two_pages_are_seen() -> None:
    """Pages that were read one after another leave nothing between them."""
    channel = Channel(shown=2)
    channel.write(1)
    async with reading(channel.answer) as reader:
        await reader.batches()
        channel.write(3, 5, 8, 9, 12)
        batches = await reader.batches()

    assert len(batches) > 2
    assert absent(2, 4, 6, 7, 10, 11) == said(batches)


async def test_a_channel_that_lost_all_we_know_begins_anew() -> None:
    """Where an older page says that there are none, the hole has an end."""
    channel = Channel(shown=2)
    channel.write(1, 2)
    async with reading(channel.answer) as reader:
        await reader.batches()
        channel.posts = {}
        channel.write(6, 7, 8)
        assert absent(3, 4, 5) == said(await reader.batches())


async def test_nothing_is_said_of_what_no_page_covered() -> None:
    """Where the way back was too long, the numbers in between stay unexplained."""
    channel = Channel(shown=1)
    channel.write(1)
    async with reading(channel.answer) as reader:
        await reader.batches()
        channel.write(*(n for n in range(2, 300) if n != 290))
        batches = await reader.batches()

    assert batches[0].gap
    assert "49" == batches[0].items[0].id
    assert absent(290) == said(batches)


async def test_nothing_is_said_where_there_is_no_way_back() -> None:
    """A preview that ignores `before` shows its newest, and no more is known."""
    channel = Channel()
    channel.write(1)
    async with reading(lambda _: Response(200, channel.page())) as reader:
        await reader.batches()
        channel.posts = {}
        channel.write(50, 52)
        assert absent(51) == said(await reader.batches())


async def test_a_read_that_fails_half_way_says_nothing() -> None:
    """It is made once more, and only then is it known what lies between."""
    channel = Channel(shown=2)
    channel.write(1)
    working = True

    def answer(request: Request) -> Response:
        return channel.answer(request) if working else Response(502)

    async with reading(answer) as reader:
        await reader.batches()
        channel.write(3, 5, 7, 9)
        asked: list[bool] = []

        def halting(request: Request) -> Response:
            asked.append("before" in request.query)
            return Response(502) if asked[-1] else channel.answer(request)

        reader.server._handler = halting  # noqa: SLF001 - the same channel, in trouble
        with pytest.raises(Transient):
            await reader.batches()
        assert True in asked
        reader.server._handler = answer  # noqa: SLF001
        assert absent(2, 4, 6, 8) == said(await reader.batches())


async def test_a_cut_page_is_trusted_up_to_the_cut() -> None:
    """What would follow is asked for again; nothing beyond the cut is a hole."""
    channel = Channel()
    channel.write(1)
    cut = False

    def answer(request: Request) -> Response:
        whole = channel.answer(request)
        assert isinstance(whole.body, str)
        end = whole.body.index('data-post="okrug/7"') if cut else len(whole.body)
        return Response(200, whole.body[:end])

    async with reading(answer) as reader:
        await reader.batches()
        channel.write(3, 5, 7, 9)
        cut = True
        assert absent(2, 4) == said(await reader.batches())
        cut = False
        assert absent(6, 8) == said(await reader.batches())


async def test_an_album_without_links_has_parts_all_the_same() -> None:
    """Documents that were sent together take a number each."""
    channel = Channel(posts={5: DOCUMENT * 3 + text("Три документа")})
    async with reading(channel.answer) as reader:
        assert {} == said(await reader.batches()), "nobody knows yet what follows"
        channel.write(10)
        assert {6: ("part", "5"), 7: ("part", "5"), **absent(8, 9)} == said(
            await reader.batches()
        )


async def test_a_deleted_part_of_an_album_is_absent() -> None:
    """An album shows which of its parts are there."""
    channel = Channel(posts={5: album(5, 8) + text("Два фото")})
    async with reading(channel.answer) as reader:
        assert {8: ("part", "5"), **absent(6, 7)} == said(await reader.batches())


def test_a_hole_without_measure_is_left_for_a_person() -> None:
    """A number out of nowhere does not explain away a million others."""
    posts = [Post(id=n, item=None) for n in (1, 2 + WIDEST, 3 + 2 * WIDEST + 1)]
    notes = notes_of("okrug", posts, 0, SEEN)
    assert WIDEST == sum(note.what == "absent" for note in notes)
    assert "2" == next(note.id for note in notes if note.what == "absent")


def test_a_page_full_of_parts_is_bounded() -> None:
    """A page that lists half a million parts costs no more than a long one."""
    post = Post(id=1, item=None, parts=tuple(range(2, 500_000)))
    assert MOST == len(notes_of("okrug", [post], 0, SEEN))


def test_parts_of_a_page_are_those_of_its_links() -> None:
    """Only numbers that follow the first part count as further ones."""
    channel = Channel(posts={5: album(3, 5, 7, 6)})
    (post,) = read_page(channel.page().encode(), source="okrug", received=SEEN).posts
    assert ((6, 7), 7) == (post.parts, post.last)


@pytest.mark.parametrize("seed", range(12))
async def test_every_number_is_accounted_for(seed: int) -> None:
    """Whatever a channel does between reads, no number up to its newest is left out."""
    chance = random.Random(seed)  # noqa: S311 - no secret comes of it
    channel, number = Channel(shown=chance.randint(2, 6)), 0
    known: dict[int, list[str]] = {}
    async with reading(channel.answer) as reader:
        for _ in range(12):
            for _ in range(chance.randint(0, 9)):
                number = _happens(channel, number + 1, chance)
            for batch in await reader.batches():
                for item in batch.items:
                    known.setdefault(int(item.id), []).append("post")
                for note in batch.notes:
                    known.setdefault(int(note.id), []).append(note.what)
                    _check(channel, note)
    shown = [n for n in known if known[n] != ["absent"]]
    expected = set(range(min(shown), max(shown) + 1))
    assert expected == set(known)
    assert all(len(set(what)) == 1 for what in known.values())


def _happens(channel: Channel, number: int, chance: random.Random) -> int:
    """Let something happen at *number*; return the last number that it took."""
    match chance.choice(["post", "post", "album", "service", "hole", "delete"]):
        case "post":
            channel.write(number)
        case "album":
            parts = range(number, number + chance.randint(2, 4))
            channel.posts[number] = album(*parts) + text("Фото")
            return parts[-1]
        case "service":
            channel.write(number)
            channel.service.add(number)
        case "delete" if channel.posts:
            channel.posts.pop(chance.choice(list(channel.posts)))
    return number


def _check(channel: Channel, note: Note) -> None:
    """Check a note against what the channel is made of."""
    number = int(note.id)
    if note.what == "service":
        assert number in channel.service
    elif note.what == "part":
        assert f"/{number}?single" in channel.posts[int(note.why)]
    else:
        assert number not in channel.posts
