"""By what an entry without an id is known again at the next read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.feed import Feed
from tests.feeds import SEEN, reading, rss
from tests.loopback import Response

SITE, PAGE = "https://e.org/", "https://e.org/state"
Post = tuple[str, str, str]  # link, words, time of day


def posted(link: str, words: str, at: str) -> str:
    date = f"<pubDate>Mon, 22 May 2023 {at} GMT</pubDate>" if at else ""
    return f"<item><title>{words}</title><link>{link}</link>{date}</item>"


def listed(*posts: Post) -> bytes:
    """Return a feed of *posts*, which are given oldest first."""
    return rss(*[posted(*post) for post in posts[::-1]])


def answer(*posts: Post) -> Response:
    return Response(200, listed(*posts))


async def identities(*windows: list[Post]) -> list[dict[str, str]]:
    """Return the ids by the words, one dict for each read."""
    answers = [answer(*window) for window in windows]
    found, cursor = [], ""
    async with reading(lambda _: answers.pop(0)) as (read, _):
        for _ in windows:
            batch = await read(cursor)
            cursor = batch.cursor
            found.append({item.title: item.id for item in batch.items})
    return found


def told(link: str, at: str, *words: str) -> list[Post]:
    return [(link.format(n), word, at) for n, word in enumerate(words)]


@pytest.mark.parametrize("link", [SITE, PAGE, "https://e.org/{}"])
async def test_a_date_that_moves_at_each_answer_makes_no_news(link: str) -> None:
    """A publisher who dates all anew whenever asked repeats no alert."""
    words = ("Тревога", "Отбой", "Обстрел")
    reads = [told(link, f"06:{minute:02}:00", *words) for minute in range(4)]
    first, *others = await identities(*reads)
    assert 3 == len(set(first.values()))
    assert [first] * 3 == others


async def test_news_is_told_from_what_is_dated_anew() -> None:
    """Where all dates move, other words under a link of their own are news."""
    link = "https://e.org/{}"
    first, second = await identities(
        told(link, "06:00:00", "Тревога", "Отбой"),
        told(link, "06:01:00", "Тревога", "Отбой", "Обстрел"),
    )
    assert {"Тревога", "Отбой"} == {one for one in second if one in first}
    assert first == {one: second[one] for one in first}
    assert second["Обстрел"] not in first.values()


async def test_an_edit_that_is_dated_anew_is_an_edit() -> None:
    """An entry alone with its page stays itself, whatever becomes of it."""
    reads = await identities(
        [(PAGE, "Ранены двое", "06:00:00")],
        [(PAGE, "Ранены трое", "06:10:00")],
        [(PAGE, "Ранены четверо", "06:20:00")],
        [(PAGE, "Ранены четверо", "06:30:00")],
    )
    assert 1 == len({identity for read in reads for identity in read.values()})


@pytest.mark.parametrize("link", [SITE, PAGE])
async def test_what_shares_a_link_stays_apart(link: str) -> None:
    """Where the dates stand still, the same words at another time are another post."""
    posts: list[Post] = [
        (link, "Тревога", "06:00:00"),
        (link, "Отбой", "06:10:00"),
        (link, "Тревога", "06:20:00"),
        (link, "Отбой", "06:30:00"),
    ]
    reads = await identities(posts[:2], posts[1:3], posts[2:])
    told = {identity for read in reads for identity in read.values()}
    assert 4 == len(told)
    assert reads[0]["Отбой"] == reads[1]["Отбой"]
    assert reads[1]["Тревога"] == reads[2]["Тревога"]


async def test_a_site_that_shows_one_state_is_not_edited() -> None:
    """Under the address of a whole site, other words at another time are news."""
    reads = await identities(
        [(SITE, "Тревога", "06:00:00")], [(SITE, "Отбой", "06:10:00")]
    )
    assert reads[0]["Тревога"] != reads[1]["Отбой"]


@pytest.mark.parametrize("at", ["05:00:00", ""])
async def test_twins_are_remembered_in_the_longest_feed(at: str) -> None:
    """Of 500 entries, the one that shares a link keeps its id when its twin goes."""
    twins: list[Post] = [(PAGE, "Отбой", at), (PAGE, "Тревога", at)]
    rest: list[Post] = [
        (f"https://e.org/{n}", f"Сводка {n}", at and f"06:{n // 60:02}:{n % 60:02}")
        for n in range(498)
    ]
    first, second = await identities([*twins, *rest], [*twins[1:], *rest])
    assert 500 == len(first)
    assert first["Тревога"] == second["Тревога"]


async def test_what_is_remembered_is_small() -> None:
    """500 entries without ids are remembered in 100 KB, and no word of them."""
    posts = told("https://e.org/news/2023/05/22/{}.html", "06:00:00", *["Слово"] * 500)
    async with reading(lambda _: answer(*posts)) as (read, _):
        cursor = (await read("")).cursor
    assert len(cursor) < 100_000
    assert "Слово" not in cursor


POSTS = st.lists(
    st.tuples(
        st.sampled_from([SITE, PAGE, "https://e.org/1", ""]),
        st.sampled_from(["Тревога", "Отбой", "Обстрел"]),
        st.sampled_from(["06:00:00", "06:10:00", ""]),
    ),
    unique=True,
    max_size=8,
)


@given(POSTS)
def test_different_posts_have_different_ids(posts: list[Post]) -> None:
    """Entries of one answer that differ in link, words or date are all read."""
    found = Feed.parse(listed(*posts), source="s", url=SITE, received=SEEN)
    assert len(posts) == len({item.id for item in found})
