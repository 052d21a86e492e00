"""A Telegram channel as t.me shows it, whose posts a test can change."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from monitor.collect import Batch
from monitor.collect.telegram_web import Telegram
from monitor.item import Item, Origin
from monitor.web import Web
from tests.clock import FakeClock
from tests.loopback import Request, Response, Server, serve

NUMBER = 1704231187
START = datetime(2023, 5, 24, 3, 0, tzinfo=UTC)
SEEN = datetime(2023, 5, 24, 7, 0, tzinfo=UTC)
EMPTY = (
    '<section class="tgme_channel_history js-message_history">'
    '<div class="tme_no_messages_found">No posts found</div></section>'
)
ALBUM = '<a class="{prefix}photo_wrap" href="https://t.me/{name}/{id}?single"></a>'


def text(words: str) -> str:
    return f'<div class="tgme_widget_message_text js-message_text">{words}</div>'


def album(*numbers: int) -> str:
    prefix = "tgme_widget_message_"
    return "".join(ALBUM.format(prefix=prefix, name="okrug", id=n) for n in numbers)


@dataclass
class Channel:
    """
    A channel as t.me shows it, whose posts a test can change.

    Attributes:
        posts: What is inside of each block, by number; an album has one.
        shown: How many blocks a page has.
        service: Numbers of service messages.
        missing: What the page of a single post says instead of one that is not there.
    """

    name: str = "okrug"
    number: int = -NUMBER
    posts: dict[int, str] = field(default_factory=dict)
    shown: int = 20
    service: set[int] = field(default_factory=set)
    missing: Response | str = "Post not found"
    hidden: set[int] = field(default_factory=set)
    views: int = 100

    def write(self, *numbers: int) -> None:
        for number in numbers:
            self.posts[number] = text(f"Сообщение {number}")

    def when(self, number: int) -> datetime:
        return START + timedelta(seconds=number)

    def block(self, number: int) -> str:
        told = json.dumps({"c": self.number, "p": number}).encode()
        view = base64.b64encode(told).decode().rstrip("=")
        kind = "service_message " if number in self.service else ""
        when = self.when(number).isoformat()
        return (
            f'<div class="tgme_widget_message_wrap"><div class="tgme_widget_message'
            f' {kind}js-widget_message" data-post="{self.name}/{number}"'
            f' data-view="{view}">{self.posts[number]}'
            f'<span class="tgme_widget_message_views">{self.views}</span>'
            f'<a class="tgme_widget_message_date"><time datetime="{when}"></time></a>'
            "</div></div>"
        )

    def page(self, before: int | None = None) -> str:
        numbers = [
            number
            for number in sorted(self.posts)
            if number not in self.hidden and (before is None or number < before)
        ]
        blocks = "\n".join(self.block(number) for number in numbers[-self.shown :])
        section = f'<section class="tgme_channel_history">{blocks}</section>'
        return f"<html><body>{section if numbers else EMPTY}</body></html>"

    def single(self, number: int) -> Response:
        if number in self.posts:
            return Response(200, f"<html>{self.block(number)}</html>")
        if isinstance(self.missing, Response):
            return self.missing
        error = f'<div class="tgme_widget_message_error">{self.missing}</div>'
        return Response(200, f"<html>{error}</html>")

    def answer(self, request: Request) -> Response:
        if request.path.startswith("/s/"):
            before = request.query.get("before")
            return Response(200, self.page(int(before) if before else None))
        assert {"embed": "1", "mode": "tme"} == dict(request.query)
        return self.single(int(request.path.rpartition("/")[2]))


@dataclass
class Reader:
    """A source, and the cursor that somebody else keeps for it."""

    source: Telegram
    web: Web
    server: Server
    clock: FakeClock
    cursor: str = ""

    async def batches(self) -> list[Batch]:
        found = []
        async for batch in self.source.read(self.cursor, self.web):
            found.append(batch)
            self.cursor = batch.cursor
        return found

    async def items(self) -> list[Item]:
        return [item for batch in await self.batches() for item in batch.items]

    async def numbers(self) -> list[int]:
        return [int(item.id) for item in await self.items()]

    async def deleted(self) -> list[str]:
        return [item.id for item in await self.items() if item.change == "deleted"]

    def asked(self) -> list[str]:
        return [request.target for request in self.server.requests]

    def questions(self) -> list[str]:
        return [path for path in self.asked() if "embed" in path]


@asynccontextmanager
async def reading(
    answer: Callable[[Request], Response], number: int | None = None
) -> AsyncIterator[Reader]:
    clock = FakeClock(SEEN)
    web = Web(clock, allow=[ip_network("127.0.0.0/8")], pace=timedelta())
    async with serve(answer) as server:
        source = Telegram(
            origin=Origin(source="okrug"),
            channel="okrug",
            id=number,
            preview=server.url,
        )
        try:
            yield Reader(source, web, server, clock)
        finally:
            await web.aclose()
