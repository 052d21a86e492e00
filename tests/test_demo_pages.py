"""The demonstration's pages hold any posts there may be, and any words."""

from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from monitor.demo import Channel, Post, pages
from monitor.item import MediaKind

BEGINS = datetime(2023, 5, 22, 6, tzinfo=UTC)
PHOTOS: tuple[MediaKind, ...] = ("photo",) * 10  # the most that an album has


def posts_of(page: LexborHTMLParser) -> dict[int, LexborNode]:
    """Return the blocks of a page by the id of their post."""
    blocks = page.css(".tgme_widget_message")
    return {int(str(b.attributes["data-post"]).split("/")[1]): b for b in blocks}


@given(st.lists(st.integers(1, 10), max_size=80), st.integers(0, 200))
def test_pages_have_room_for_twenty_messages(sizes: list[int], missing: int) -> None:
    """Walking back from anywhere meets all that is older once, at most 20 a page."""
    channel = Channel(name="demo_x", number=7, title="x", description="x")
    posts = [post for post in numbered(sizes) if post.id != missing]
    before: int | None = missing or None
    met: list[int] = []
    while True:
        html = pages.history(channel, posts, base="", before=before)
        shown = list(posts_of(LexborHTMLParser(html)))
        if not shown:
            break
        parts = sum(len(post.ids) for post in posts if post.id in shown)
        assert parts <= 20
        met = shown + met
        before = shown[0]

    assert [p.id for p in posts if not missing or p.id < missing] == met


def numbered(sizes: list[int]) -> Iterator[Post]:
    """Yield posts with so many photos each, and the ids that these take."""
    next_ = 1
    for size in sizes:
        yield Post(
            id=next_,
            published=BEGINS,
            changed=BEGINS,
            media=PHOTOS[:size] if size > 1 else (),
        )
        next_ += size


@given(st.text())
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    """Markup in a post is text, whatever it looks like."""
    channel = Channel(name="demo_x", number=7, title="<x>", description="&")
    plain = "".join(c for c in text if c.isprintable() or c == "\n")
    post = Post(id=1, published=BEGINS, changed=BEGINS, text=plain)

    page = LexborHTMLParser(pages.embed(channel, [post], 1, ""))

    (shown,) = posts_of(page).values()
    for line in shown.css("br"):
        line.replace_with("\n")
    (said,) = shown.css(".js-message_text") if plain else (shown,)
    assert plain == (said.text() if plain else "")
