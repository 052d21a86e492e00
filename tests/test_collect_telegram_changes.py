"""What edits, deletions and albums of a channel become."""

from datetime import timedelta

import pytest

from monitor.item import content_hash
from tests.channel import SEEN, START, Channel, album, reading, text
from tests.loopback import Request, Response


async def test_an_edited_post_is_handed_over_as_it_stands() -> None:
    """Each read brings the newest page again; counters are no content."""
    channel = Channel()
    channel.write(1, 2)
    async with reading(channel.answer) as reader:
        first = {item.id: content_hash(item) for item in await reader.items()}
        channel.posts[1] = text("Отбой")
        channel.views = 9999
        second = {item.id: content_hash(item) for item in await reader.items()}

    assert first["1"] != second["1"]
    assert first["2"] == second["2"]


async def test_a_deleted_post_is_told_once() -> None:
    """A post that its own page denies is deleted, and then forgotten."""
    channel = Channel()
    channel.write(1, 2, 3)
    async with reading(channel.answer) as reader:
        await reader.items()
        del channel.posts[2]
        (*_, deleted) = await reader.items()
        assert [] == await reader.deleted()

    assert ("2", "deleted", "") == (deleted.id, deleted.change, deleted.text)
    assert START + timedelta(seconds=2) == deleted.published
    assert "https://t.me/okrug/2" == deleted.url
    assert SEEN == deleted.seen
    assert ["/okrug/2?embed=1&mode=tme"] == reader.questions()


async def test_the_new_posts_do_not_wait_for_a_question() -> None:
    """What is on the page comes first, what is missing is asked for after it."""
    channel = Channel()
    channel.write(1, 2, 3)
    async with reading(channel.answer) as reader:
        await reader.items()
        del channel.posts[2]
        channel.write(4)
        page, questions = await reader.batches()

    assert ["1", "3", "4"] == [item.id for item in page.items]
    assert ["2"] == [item.id for item in questions.items]


async def test_a_post_that_a_page_only_lacks_is_not_deleted() -> None:
    """A post that its own page shows still exists, and is not asked for each time."""
    channel = Channel()
    channel.write(1, 2, 3)
    async with reading(channel.answer) as reader:
        await reader.items()
        channel.hidden = {2}
        assert [] == await reader.deleted()
        assert [] == await reader.deleted()
        assert 1 == len(reader.questions())
        reader.clock.advance(timedelta(minutes=10))
        del channel.posts[2]
        assert ["2"] == await reader.deleted()


@pytest.mark.parametrize(
    "unclear",
    [
        Response(200, b"<html></html>"),
        Response(200, b""),
        Response(302, b"", {"Location": "/"}),
        Response(404, b"gone"),
        Response(410, b"gone"),
        Response(429, b""),
        Response(503, b""),
        "Channel with username <b>@okrug</b> not found",
    ],
    ids=lambda answer: str(getattr(answer, "status", "channel")),
)
async def test_an_unclear_answer_decides_nothing(unclear: Response | str) -> None:
    """Only "Post not found" is a deletion; the question stays open."""
    channel = Channel(missing=unclear)
    channel.write(1, 2, 3)
    async with reading(channel.answer) as reader:
        await reader.items()
        del channel.posts[2]
        assert [] == await reader.deleted()
        channel.missing = "Post not found"
        reader.clock.advance(timedelta(minutes=10))
        assert ["2"] == await reader.deleted()


async def test_few_questions_at_a_time() -> None:
    """A cleared history is asked for in small portions, and all of it in the end."""
    channel = Channel()
    channel.write(*range(1, 20))
    async with reading(channel.answer) as reader:
        await reader.items()
        for number in range(2, 14):
            del channel.posts[number]
        told = [len(await reader.deleted()) for _ in range(4)]
    assert [5, 5, 2, 0] == told


async def test_the_newest_post_is_given_time_before_it_is_missed() -> None:
    """
    A server that lags does not know the newest post yet; one that is deleted does
    not come back.
    """
    channel = Channel()
    channel.write(1, 2)
    async with reading(channel.answer) as reader:
        await reader.items()
        del channel.posts[2]
        assert [] == await reader.deleted()
        assert [] == reader.questions()
        channel.write(2)
        reader.clock.advance(timedelta(minutes=3))
        assert [] == await reader.deleted()
        del channel.posts[2]
        assert [] == await reader.deleted()
        reader.clock.advance(timedelta(minutes=3))
        assert ["2"] == await reader.deleted()


async def test_what_a_cut_page_lacks_is_not_missed() -> None:
    """A page that is cut for hours says nothing of the posts behind the cut."""
    channel = Channel()
    channel.write(1, 2, 3)
    cut = False

    def answer(request: Request) -> Response:
        whole = channel.answer(request)
        assert isinstance(whole.body, str)
        return Response(200, whole.body[:-300]) if cut else whole

    async with reading(answer) as reader:
        await reader.items()
        cut = True
        for _ in range(3):
            assert "3" not in {item.id for item in await reader.items()}
            reader.clock.advance(timedelta(hours=1))
        assert [] == reader.questions()


async def test_a_post_older_than_the_page_is_not_missed() -> None:
    """What has only moved off the page is not asked for."""
    channel = Channel(shown=3)
    channel.write(1, 2, 3)
    async with reading(channel.answer) as reader:
        await reader.items()
        channel.write(4, 5, 6)
        await reader.items()
        assert [] == reader.questions()


# Albums


async def test_an_album_is_one_item() -> None:
    """An album has its first part's id, an entry a part, and no missing parts."""
    channel = Channel(posts={5: album(5, 6, 7) + text("Три фото"), 9: text("Дальше")})
    async with reading(channel.answer) as reader:
        first, _ = await reader.items()
        await reader.items()
        assert [] == reader.questions()

    assert ("5", "Три фото") == (first.id, first.text)
    assert ["photo"] * 3 == [media.kind for media in first.media]


async def test_an_album_that_lost_its_first_part_is_the_same_album() -> None:
    """Its block has another number then, and neither is a new post nor a deletion."""
    channel = Channel(posts={5: album(5, 6, 7) + text("Фото")})
    channel.write(1, 9)
    async with reading(channel.answer) as reader:
        await reader.items()
        del channel.posts[5]
        channel.posts[6] = album(6, 7) + text("Фото")
        items = await reader.items()

    assert ["1", "5", "9"] == [item.id for item in items]
    assert 2 == len(items[1].media)
    assert "https://t.me/okrug/5" == items[1].url
    assert [] == reader.questions()


async def test_an_album_cut_by_the_edge_of_a_page_is_left_alone() -> None:
    """A page that begins inside a known album does not rewrite it."""
    channel = Channel(posts={5: album(5, 6, 7) + text("Фото")})
    channel.write(9)
    async with reading(channel.answer) as reader:
        await reader.items()
        del channel.posts[5]
        channel.posts[6] = album(6, 7)
        assert [9] == await reader.numbers()
        assert [] == reader.questions()


# Cut pages
