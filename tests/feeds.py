"""Feeds to be read by tests: small ones made here, and how to read them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from monitor.collect import Batch
from monitor.collect.feed import Feed
from monitor.item import Item, Origin
from monitor.web import Web
from tests.clock import FakeClock
from tests.loopback import Request, Response, Server, serve

SEEN = datetime(2023, 5, 24, 7, 0, tzinfo=UTC)
URL = "https://news.example.org/feeds/all.xml"
RSS = '<?xml version="1.0" encoding="{0}"?>\n<rss version="2.0"><channel>{1}'
END = "</channel></rss>"


def entry(number: int, inside: str = "") -> str:
    return (
        f"<item><guid>id-{number}</guid><title>Сводка {number}</title>"
        f"<link>https://news.example.org/{number}</link>"
        f"<description>Текст {number}</description>{inside}</item>"
    )


def rss(*entries: str, encoding: str = "utf-8", end: str = END) -> bytes:
    return (RSS.format(encoding, "".join(entries)) + end).encode(encoding)


def dated(number: int, when: str) -> str:
    return entry(number, f"<pubDate>{when}</pubDate>")


def parse(body: bytes) -> tuple[Item, ...]:
    return Feed.parse(body, source="s", url=URL, received=SEEN)


def ids(body: bytes) -> list[str]:
    return [item.id for item in parse(body)]


def feed(url: str) -> Feed:
    return Feed(origin=Origin(source="s"), url=url)


async def once(source: Feed, cursor: str, web: Web) -> Batch:
    (batch,) = [batch async for batch in source.read(cursor, web)]
    return batch


@asynccontextmanager
async def door() -> AsyncIterator[Web]:
    web = Web(FakeClock(SEEN), allow=[ip_network("127.0.0.0/8")], pace=timedelta())
    try:
        yield web
    finally:
        await web.aclose()


@asynccontextmanager
async def reading(
    answer: Callable[[Request], Response],
) -> AsyncIterator[tuple[Callable[[str], Awaitable[Batch]], Server]]:
    """Yield a function that reads once from a cursor, and the server."""
    async with serve(answer) as server, door() as web:
        source = feed(f"{server.url}/feed.xml")

        async def read(cursor: str) -> Batch:
            return await once(source, cursor, web)

        yield read, server
