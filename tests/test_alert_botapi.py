"""The Bot API that the other tests stand on refuses what Telegram refuses."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.botapi import BOT, BotApi, Limits, bot_api
from tests.bothtml import Entity, Unreadable, read
from tests.clock import FakeClock


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with bot_api() as api:
        yield api


async def call(api: BotApi, method: str, token: str = BOT, **body: Any) -> Any:
    said = json.dumps(body)  # in ASCII, so that half a character can be said too
    async with httpx.AsyncClient(verify=False) as client:  # noqa: S501 - plain http
        answer = await client.post(f"{api.url}/bot{token}/{method}", content=said)
    found = answer.json()
    assert answer.status_code == found.get("error_code", 200)
    return found


@pytest.mark.parametrize(
    "html",
    [
        "<p>x</p>", "<b>x", "x</b>", "<b><i>x</b></i>", "a < b", "a > b", "a & b",
        "&nbsp;", "<br>", "<b>x</b", "<code><b>x</b></code>", "<b><code>x</code></b>",
        "<blockquote><blockquote>x</blockquote></blockquote>", "<b></b>",
        "<b><blockquote>x</blockquote></b>", '<a href="javascript:x">x</a>',
        "<a>x</a>", "<tg-time>x</tg-time>", '<tg-time unix="x">x</tg-time>',
        '<tg-time unix="1" format="x">x</tg-time>', '<b class="x">x</b>',
        "<a href='https://x.org'>x</a>", "<B>x</B>", "<script>x</script>",
        '<a href="https://x.org"><code>x</code></a>',
    ],
)  # fmt: skip
def test_wrong_markup_is_refused(html: str) -> None:
    """Tags unknown, unclosed, crossed or empty, and anything unescaped, are errors."""
    with pytest.raises(Unreadable):
        read(html)


def test_right_markup_is_read() -> None:
    """Markup becomes a text and the entities over it, in UTF-16 units."""
    text, entities = read(
        '🔴<b>a&amp;&#39;</b> <a href="https://x.org/?a=1&amp;b">l</a>'
        "<blockquote expandable><s>q</s><code>/x</code></blockquote> /go @me"
    )

    assert "🔴a&' lq/x /go @me" == text
    assert (
        Entity("b", 2, 3),
        Entity("a", 6, 1, (("href", "https://x.org/?a=1&b"),)),
        Entity("s", 7, 1),
        Entity("code", 8, 2),
        Entity("blockquote", 7, 3, (("expandable", ""),)),
        Entity("bot_command", 11, 3),
        Entity("mention", 15, 3),
    ) == entities


async def test_sends_and_edits(api: BotApi) -> None:
    """What is sent can be edited, into something else."""
    sent = await call(api, "sendMessage", chat_id=5, text="a")
    at = {"chat_id": 5, "message_id": sent["result"]["message_id"]}

    assert (await call(api, "editMessageText", **at, text="b"))["ok"]
    again = await call(api, "editMessageText", **at, text="b")
    nothing = await call(api, "editMessageText", chat_id=5, message_id=1, text="b")

    assert again["description"].startswith("Bad Request: message is not modified")
    assert "Bad Request: message to edit not found" == nothing["description"]
    assert [("sent", "a"), ("edited", "b")] == [(m.change, m.text) for m in api.log]
    assert ["b"] == api.chat(5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "message text is empty"),
        ("<b> </b>", "message text is empty"),
        ("я" * 4097, "message is too long"),
        ("🔴" * 2049, "message is too long"),
        ("<x>", "can't parse entities: Unsupported start tag"),
        ("\ud83d", "strings must be encoded in UTF-8"),
    ],
)
async def test_texts_that_are_refused(api: BotApi, text: str, said: str) -> None:
    """Empty, too long, unreadable, and no text at all."""
    answer = await call(api, "sendMessage", chat_id=5, text=text, parse_mode="HTML")

    assert answer["description"].startswith(f"Bad Request: {said}")


async def test_markup_is_not_counted(api: BotApi) -> None:
    """What counts is what is left when the markup is read."""
    text = f"<b>{'&amp;' * 4096}</b>"

    assert (await call(api, "sendMessage", chat_id=5, text=text, parse_mode="HTML"))[
        "ok"
    ]


async def test_tokens_are_checked(api: BotApi) -> None:
    """A token that is no bot's is told from one that is no token."""
    assert 401 == (await call(api, "getMe", "1:x"))["error_code"]
    assert 404 == (await call(api, "getMe", "x"))["error_code"]
    assert 404 == (await call(api, "getMoney"))["error_code"]
    assert "monitor_test_bot" == (await call(api, "getMe"))["result"]["username"]


async def test_flood_control() -> None:
    """Too much for a chat, a group or the bot stops all of it for a while."""
    clock = FakeClock()
    limits = Limits(per_chat=1, burst=2, group=3, overall=5, ban=4)
    async with bot_api(now=clock.monotonic, limits=limits) as api:

        async def send(chat: int) -> Any:
            return await call(api, "sendMessage", chat_id=chat, text="a")

        assert [True, True, False] == [(await send(1))["ok"] for _ in range(3)]
        clock.advance(timedelta(seconds=3))
        assert {"retry_after": 1} == (await send(2))["parameters"]
        clock.advance(timedelta(seconds=1))
        assert [True] * 5 + [False] == [(await send(n))["ok"] for n in range(10, 16)]
        for expected in (True, True, True, False):
            clock.advance(timedelta(seconds=5))
            assert expected == (await send(-1))["ok"]
