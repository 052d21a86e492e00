"""Channels read by their public preview: which posts, and whose they are."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.collect.telegram_page import channel_number, read_page
from monitor.collect.telegram_web import Telegram
from monitor.errors import Gone, Rejected, Transient
from monitor.item import Item, Origin
from tests.channel import NUMBER, SEEN, START, Channel, reading, text
from tests.loopback import Request, Response

NIGHT = Path(__file__).parent / "fixtures/collect/telegram/night/answer.html"


# Paging


async def test_a_first_read_takes_the_newest_page_only() -> None:
    """The past of a new source is one page, not the whole channel."""
    channel = Channel()
    channel.write(*range(1, 101))
    async with reading(channel.answer) as reader:
        assert list(range(81, 101)) == await reader.numbers()
        assert ["/s/okrug"] == reader.asked()


async def test_pages_back_to_what_it_knows() -> None:
    """After an absence every post is read, oldest first, over many pages."""
    channel = Channel(shown=7)
    channel.write(*range(1, 11))
    async with reading(channel.answer) as reader:
        await reader.items()
        channel.write(*range(11, 61))

        batches = await reader.batches()

    numbers = [int(item.id) for batch in batches for item in batch.items]
    assert numbers == sorted(numbers)
    assert set(range(11, 61)) <= set(numbers)
    assert not any(batch.gap for batch in batches)


async def test_each_batch_of_an_absence_has_a_cursor_of_its_own() -> None:
    """A crash between two batches goes on after the last one that was accepted."""
    channel = Channel(shown=5)
    channel.write(1, 2)
    async with reading(channel.answer) as reader:
        await reader.items()
        channel.write(*range(3, 21))
        batches = await reader.batches()
        reader.cursor = batches[1].cursor

        numbers = await reader.numbers()

    accepted = {int(item.id) for batch in batches[:2] for item in batch.items}
    assert set(range(3, 21)) <= accepted | set(numbers)


async def test_posts_from_before_the_first_read_stay_the_past() -> None:
    """When posts are deleted, older ones move onto the page; they are no news."""
    channel = Channel(shown=3)
    channel.write(*range(1, 11))
    async with reading(channel.answer) as reader:
        assert [8, 9, 10] == await reader.numbers()
        del channel.posts[9], channel.posts[10]

        assert [8] == [int(item.id) for item in await reader.items() if item.text]


async def test_gaps_in_the_numbers_are_no_loss() -> None:
    """Numbers that nothing has do not make it page back for ever."""
    channel = Channel(shown=3)
    channel.write(10)
    async with reading(channel.answer) as reader:
        await reader.items()
        channel.write(50, 90)
        assert [10, 50, 90] == await reader.numbers()


async def test_does_not_ask_for_what_cannot_be_missing() -> None:
    """A page that begins right after the last known post is enough."""
    channel = Channel(shown=2)
    channel.write(1, 2)
    async with reading(channel.answer) as reader:
        await reader.items()
        channel.write(3, 4)
        assert [3, 4] == await reader.numbers()
        assert ["/s/okrug", "/s/okrug"] == reader.asked()


async def test_stops_at_the_start_of_the_channel() -> None:
    """An empty channel is no failure, and all of its first posts are new."""
    channel = Channel(shown=2)
    async with reading(channel.answer) as reader:
        assert [] == await reader.items()
        now = int((SEEN - START).total_seconds())
        channel.write(*range(now, now + 5))
        assert list(range(now, now + 5)) == await reader.numbers()


async def test_what_is_older_than_an_empty_first_read_is_the_past() -> None:
    """A channel that first seemed empty does not alert its history when it is back."""
    channel = Channel(shown=3)
    now = int((SEEN - START).total_seconds())
    async with reading(channel.answer) as reader:
        assert [] == await reader.items()
        reader.clock.advance(timedelta(minutes=1))
        assert [] == await reader.items()
        channel.write(*range(1, 101), now - 601, now - 599, now + 30)

        assert [now - 599, now + 30] == await reader.numbers()
        assert 3 == len(reader.asked()), "no way back into the past"
        channel.write(now + 40)
        assert [now - 599, now + 30, now + 40] == await reader.numbers()


async def test_says_that_posts_are_missing_where_it_gave_up() -> None:
    """Where the way back is too long, the newest are read and the gap is said."""
    channel = Channel(shown=1)
    channel.write(1)
    async with reading(channel.answer) as reader:
        await reader.items()
        channel.write(*range(2, 300))
        batches = await reader.batches()

    assert 250 == sum(len(batch.items) for batch in batches)
    assert "299" == batches[-1].items[-1].id
    assert [True] + [False] * 249 == [batch.gap for batch in batches]


async def test_says_that_posts_are_missing_where_there_is_no_way_back() -> None:
    """A preview that ignores `before` does not hold the newest posts back."""
    channel = Channel()
    channel.write(1)
    async with reading(lambda _: Response(200, channel.page())) as reader:
        await reader.items()
        channel.posts = {}
        channel.write(50, 51)
        (batch,) = await reader.batches()

    assert ["50", "51"] == [item.id for item in batch.items]
    assert batch.gap


async def test_numbers_are_ordered_as_numbers() -> None:
    """Post 1000 comes after post 999."""
    channel = Channel()
    channel.write(1000, 998, 999)
    async with reading(channel.answer) as reader:
        assert [998, 999, 1000] == await reader.numbers()


async def test_service_messages_are_no_items_but_count() -> None:
    """A pinned message is not told, and its page is not read again and again."""
    channel = Channel(shown=1)
    channel.write(1, 2)
    channel.service = {2}
    async with reading(channel.answer) as reader:
        assert [] == await reader.items()
        assert [] == await reader.items()
        assert ["/s/okrug", "/s/okrug"] == reader.asked()


# Bad answers


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_means_that_there_is_no_preview(status: int) -> None:
    """A private, absent or restricted channel is said to have no preview."""
    async with reading(
        lambda _: Response(status, b"", {"Location": "/okrug"})
    ) as reader:
        with pytest.raises(Rejected, match="no public preview"):
            await reader.items()
        assert ["/s/okrug"] == reader.asked()


async def test_a_page_without_posts_is_no_end_of_the_channel() -> None:
    """Only the page that says so ends a channel; any other moves no cursor."""
    channel = Channel(shown=2)
    channel.write(1, 2)

    def answer(request: Request) -> Response:
        blank = "<html><section class='tgme_channel_history'></section></html>"
        return Response(200, blank) if request.query else channel.answer(request)

    async with reading(answer) as reader:
        await reader.items()
        before = reader.cursor
        channel.write(*range(3, 9))
        with pytest.raises(Rejected):
            await reader.items()
        assert before == reader.cursor


async def test_a_failure_on_the_way_back_moves_nothing() -> None:
    """Nothing of an absence is handed over until the way back is complete."""
    channel = Channel(shown=2)
    channel.write(1)

    def answer(request: Request) -> Response:
        if request.query.get("before") == "4":
            return Response(503)
        return channel.answer(request)

    async with reading(answer) as reader:
        await reader.items()
        before = reader.cursor
        channel.write(*range(2, 8))
        with pytest.raises(Transient):
            await reader.items()
        assert before == reader.cursor


# Whose channel it is


@pytest.mark.parametrize("written", [NUMBER, -NUMBER, -(10**12) - NUMBER])
async def test_the_pinned_number_may_be_written_in_any_usual_way(written: int) -> None:
    """The id is the same channel, plain, negative or with the Bot API's -100."""
    channel = Channel()
    channel.write(1)
    async with reading(channel.answer, written) as reader:
        assert [1] == await reader.numbers()
    assert NUMBER == channel_number(written)


async def test_refuses_a_name_that_changed_hands() -> None:
    """Nothing of an impostor is handed over, and the source is finished."""
    channel = Channel()
    channel.write(1)
    async with reading(channel.answer) as reader:
        await reader.items()
        before = reader.cursor
        channel.number = -99
        channel.write(2)
        with pytest.raises(Gone, match="changed hands"):
            await reader.items()
        assert before == reader.cursor


async def test_refuses_an_impostor_from_the_first_read_on() -> None:
    """With the id in the settings, even the first page must be the right one's."""
    channel = Channel(number=-(10**12) - 99)
    channel.write(1)
    async with reading(channel.answer, NUMBER) as reader:
        with pytest.raises(Gone, match="changed hands"):
            await reader.items()


async def test_refuses_settings_that_mean_another_channel_than_was_read() -> None:
    """The posts of two channels never share one source."""
    channel = Channel()
    channel.write(1)
    async with reading(channel.answer) as reader:
        await reader.items()
        cursor = reader.cursor
    async with reading(channel.answer, 99) as reader:
        reader.cursor = cursor
        with pytest.raises(Gone, match="source of its own"):
            await reader.items()


async def test_another_channel_under_the_same_source_alerts_nothing() -> None:
    """Numbers of two channels are alike, so the other is refused, with what to do."""
    one, other = Channel(), Channel(name="rayon", number=-NUMBER - 1)
    one.write(1, 2)
    other.write(1, 2, 3)

    def answer(request: Request) -> Response:
        return (other if "rayon" in request.path else one).answer(request)

    async with reading(answer) as reader:
        await reader.items()
        reader.source = replace(reader.source, channel="rayon")
        with pytest.raises(Gone, match="a source of its own"):
            await reader.items()


async def test_a_renamed_channel_goes_on() -> None:
    """A new name with the known id is the same channel, and links lead there."""
    channel = Channel()
    channel.write(1)
    async with reading(channel.answer) as reader:
        await reader.items()
        channel.name = "okrug_new"
        channel.write(2)
        items = await reader.items()
    assert "https://t.me/okrug_new/2" == items[-1].url


@pytest.mark.parametrize("view", ["", "!!!", "e30", "W10", "eyJjIjoieCJ9", "é"])
async def test_an_unreadable_view_proves_nothing(view: str) -> None:
    """A mark that cannot be read is no reason to call a channel an impostor."""
    channel = Channel()
    channel.write(1)
    known = channel.page()
    blank = known.split('data-view="')[1].split('"')[0]
    async with reading(
        lambda _: Response(200, known.replace(blank, view)), NUMBER
    ) as reader:
        assert [1] == await reader.numbers()


@pytest.mark.parametrize("name", ["", "../x", "a b", "имя", "a" * 65, "a/b", "@x"])
def test_refuses_a_name_that_no_channel_can_have(name: str) -> None:
    """What would change the address that is read is refused at once."""
    with pytest.raises(ValueError, match="no name of a public channel"):
        Telegram(origin=Origin(source="s"), channel=name)


# Cut pages


async def test_a_page_cut_anywhere_brings_whole_posts_or_nothing() -> None:
    """Neither a post in part, nor a cursor past the last whole one, nor a deletion."""
    body = NIGHT.read_bytes()
    whole = {post.id: post for post in read_page(body, source="s", received=SEEN).posts}
    async with reading(lambda _: Response(200, body)) as reader:
        await reader.items()
        complete = reader.cursor
    cut = body

    async with reading(lambda _: Response(200, cut)) as reader:
        for end in range(0, len(body), 256):
            cut = body[:end]
            posts = read_page(cut, source="s", received=SEEN).posts
            assert all(whole[post.id] == post for post in posts), end
            for cursor in ("", complete):
                reader.cursor = cursor
                try:
                    items = await reader.items()
                except Rejected:
                    assert not posts
                    assert cursor == reader.cursor
                    continue
                assert "deleted" not in {item.change for item in items}
                newest = json.loads(reader.cursor)["newest"]
                assert (newest == 823) if cursor else (newest == posts[-1].last), end
        assert [] == reader.questions()


async def test_nothing_is_skipped_behind_a_cut_page() -> None:
    """Where an older page was cut, what is newer waits for the next read."""
    channel = Channel(shown=4)
    channel.write(1)
    broken = True

    def answer(request: Request) -> Response:
        page = channel.page(int(request.query.get("before", "0")) or None)
        return Response(200, page[:-400] if broken and request.query else page)

    async with reading(answer) as reader:
        await reader.items()
        channel.write(*range(2, 9))
        first = await reader.numbers()
        broken = False
        second = await reader.numbers()

    assert set(range(1, 9)) == set(first) | set(second)
    assert [n for n in first if n > 4] == []


async def longest_wait(read: asyncio.Task[list[Item]]) -> float:
    """Return how long at most nothing else had its turn while *read* went on."""
    longest, last = 0.0, time.perf_counter()
    while not read.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


async def test_nothing_waits_while_a_large_page_is_read() -> None:
    """A page that takes its time is read beside everything else."""
    channel = Channel(posts={n: text("<b>x</b>" * 4000) for n in range(1, 21)})
    page = channel.page()
    waits: list[float] = []
    async with reading(lambda _: Response(200, page)) as reader:
        # The machine may be busy with something else, but not all the time.
        while len(waits) < 10 and min(waits, default=1) >= 0.1:
            read = asyncio.create_task(reader.items())
            waits.append(await longest_wait(read))
            assert 20 == len(await read)
    assert min(waits) < 0.1
