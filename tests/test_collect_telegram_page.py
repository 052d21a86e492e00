"""What a page of a channel says, past every trap of its markup."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.collect.telegram_page import channel_number, is_usual, read_page
from monitor.collect.telegram_web import Telegram
from monitor.errors import Rejected
from monitor.item import Item
from tests.channel import START, Channel, text

SEEN = datetime(2023, 5, 24, 7, 0, tzinfo=UTC)


def parsed(inside: str, *, cls: str = "") -> Item:
    """Return the item of one post with this *inside*."""
    channel = Channel(posts={7: inside})
    page = channel.page().replace("js-widget_message", f"{cls} js-widget_message")
    (item,) = Telegram.parse(page.encode(), source="s", url="", received=SEEN)
    return item


def test_a_plain_number_that_begins_with_100_stays_itself() -> None:
    """An id such as 1005640892 does not lose its first digits."""
    assert 1005640892 == channel_number(-1005640892)


def test_the_quote_in_a_reply_is_not_the_text() -> None:
    """A reply says its own words, and whom it answers."""
    quote = text("Ракетная опасность").replace(
        "js-message_text", "js-message_reply_text"
    )
    item = parsed(
        f'<a class="tgme_widget_message_reply" href="https://t.me/Okrug/3">{quote}</a>'
        + text("Отбой")
    )
    assert ("Отбой", "3") == (item.text, item.reply_to)


def test_a_quote_with_the_very_class_of_the_text_is_no_text() -> None:
    """The place of a quote tells it apart even where its class does not."""
    item = parsed(
        '<a class="tgme_widget_message_reply" href="https://t.me/other/3">'
        + text("Тревога")
        + "</a>"
        + text("Отбой")
        + '<a class="tgme_widget_message_link_preview">'
        + text("Тревога")
        + "</a>"
    )
    assert ("Отбой", None) == (item.text, item.reply_to)


def test_a_quote_is_no_text_wherever_it_stands() -> None:
    """The class of a quote tells it apart even outside of its usual place."""
    quote = text("Тревога").replace("js-message_text", "js-message_reply_text")
    assert "Отбой" == parsed(quote + text("Отбой")).text


def test_text_in_itself_is_read_once() -> None:
    """A caption that lies inside itself is not doubled."""
    assert "Одно" == parsed(text(text("Одно") + "<span></span>")).text


def test_a_link_preview_is_no_media() -> None:
    """The picture of a linked page belongs to that page."""
    photo = '<a class="tgme_widget_message_photo_wrap"></a>'
    item = parsed(
        text("x") + f'<div class="tgme_widget_message_link_preview">{photo}</div>'
    )
    assert () == item.media


def test_custom_emoji_do_not_make_a_post_unreadable() -> None:
    """A box that says "open Telegram" beside a readable post is no media."""
    box = (
        '<div class="message_media_not_supported_wrap media_not_supported_cont"></div>'
    )
    item = parsed(f'<div class="media_supported_cont">{text("Отбой")}</div>{box}')
    assert ("Отбой", ()) == (item.text, item.media)


def test_what_cannot_be_shown_is_said_to_be_there() -> None:
    """A post of an unknown kind is an item all the same."""
    box = '<div class="message_media_not_supported_wrap"></div>'
    assert ["other"] == [media.kind for media in parsed(box).media]


def test_a_post_without_a_time_is_as_old_as_its_page() -> None:
    """Changed markup must not lose a warning."""
    page = Channel(posts={7: text("x")}).page().replace("<time", "<i")
    (item,) = Telegram.parse(page.encode(), source="s", url="", received=SEEN)
    assert SEEN == item.published


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2023-05-24T06:12:00+03:00", datetime(2023, 5, 24, 3, 12, tzinfo=UTC)),
        ("2023-05-24T03:12:00", datetime(2023, 5, 24, 3, 12, tzinfo=UTC)),
        ("2023-05-24T03:12:00Z", datetime(2023, 5, 24, 3, 12, tzinfo=UTC)),
        ("yesterday", SEEN),
    ],
)
def test_times_are_in_utc(written: str, expected: datetime) -> None:
    """A time is the same moment, whatever zone the page writes it in."""
    real = (START + timedelta(seconds=7)).isoformat()
    page = Channel(posts={7: text("x")}).page().replace(real, written)
    (item,) = Telegram.parse(page.encode(), source="s", url="", received=SEEN)
    assert expected == item.published


def test_a_block_of_an_unknown_kind_adds_nothing_to_the_one_before() -> None:
    """A block whose number cannot be read is left out, with all that is in it."""
    channel = Channel(posts={7: text("Отбой"), 8: text("Тревога")})
    page = channel.page().replace("okrug/8", "c/1/8")
    (item,) = Telegram.parse(page.encode(), source="s", url="", received=SEEN)
    assert ("7", "Отбой") == (item.id, item.text)


def test_a_page_of_something_else_is_refused() -> None:
    """A landing page is no empty channel."""
    with pytest.raises(Rejected):
        Telegram.parse(b"<html>hello</html>", source="s", url="u", received=SEEN)


def test_a_refusal_ends_in_no_empty_address() -> None:
    """A page that came from nowhere, such as a file, is refused in a whole sentence."""
    with pytest.raises(Rejected, match=r"^the page .* channel$"):
        Telegram.parse(b"<html>hello</html>", source="s", url="", received=SEEN)


POST = '<div class="tgme_widget_message" data-post="okrug/7">'
WORDS = '<i class="tgme_widget_message_text">'
FORWARD = '<i class="tgme_widget_message_forwarded_from_name">'
MIB = 1024 * 1024
HOSTILE = {
    "blocks": "<div>" * (5 * MIB // 5),
    "few blocks": "<div>" * 100_000,
    "bold": "<b>" * 5000 + f"{WORDS}</i>" * 12_000,
    "text in text": WORDS * 20_000,
    "wide text": WORDS + "<b>x</b>" * 200_000,
    "many texts": f"{WORDS}</i>" * 20_000,
    "deep texts": "<div>" * 900 + f"{WORDS}</i>" * 20_000,
    "posts in posts": (POST + WORDS.replace("i ", "div ")) * 120 + "<p>x</p>" * 60_000,
    "names in names": FORWARD.replace("i ", "div ") * 900 + "<p>x</p>" * 100_000,
    "errors": '<div class="tgme_widget_message_error">' * 900 + "<p>x</p>" * 100_000,
    "dates": '<div class="tgme_widget_message_date">' * 900 + "<p>x</p>" * 100_000,
    "films": '<div class="tgme_widget_message_video_player">' * 900 + "<p>" * 100_000,
    "again": "".join(f"<b a={n}>" for n in range(9000)) + "<p>x</p>" * 9000,
}


@pytest.mark.parametrize("inside", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_page_takes_no_longer_than_a_large_one(inside: str) -> None:
    """Whatever a page is made of, it is read or refused in a moment."""
    body = f"{POST}{inside}</html>".encode()
    began = time.process_time()

    with suppress(Rejected):
        read_page(body, source="s", received=SEEN)

    assert time.process_time() - began < 15  # were it quadratic, minutes


def test_a_page_that_is_too_deep_is_refused() -> None:
    """A nesting that would take minutes is no page of a channel."""
    for inside in ("<div>" * 5000, "<b>" * 3000, "<div>" * 300 + text("x")):
        with pytest.raises(Rejected, match="nested"):
            parsed(inside)


def test_a_long_page_is_read() -> None:
    """Twenty posts that are as long and as lively as can be are no attack."""
    emoji = '<tg-emoji emoji-id="5"><i class="emoji"><b>x</b></i></tg-emoji><br/>'
    page = Channel(posts={n: text(emoji * 600) for n in range(1, 21)}).page()
    assert not is_usual(page.encode())
    assert 20 == len(read_page(page.encode(), source="s", received=SEEN).posts)
    assert is_usual(Channel(posts={1: text("x")}).page().encode())


@pytest.mark.skipif("DATA" not in os.environ, reason="no recorded pages at hand")
def test_recorded_pages_are_read() -> None:
    """Every recorded post has a time, and a text or media; none is doubled."""
    folder = Path(os.environ["DATA"]) / "telegram_web"
    blocks = items = 0
    for path in sorted(folder.rglob("*.html")):
        body = path.read_bytes()
        page = read_page(body, source="s", received=SEEN)
        blocks += len(page.posts)
        for post in page.posts:
            if post.item is None:
                continue
            items += 1
            assert post.item.published < SEEN, path
            assert post.item.text or post.item.media, path
            half = len(post.item.text) // 2
            assert half < 20 or post.item.text[:half] not in post.item.text[half:]
        for end in range(0, len(body), 1024):
            whole = {post.id: post for post in page.posts}
            for post in read_page(body[:end], source="s", received=SEEN).posts:
                assert whole[post.id] == post, (path, end)
    assert (40, 38) == (blocks, items)
