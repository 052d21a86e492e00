"""
A small internet on a loopback socket: two channels and a feed that tell a recording.

    async with World(recording(), clock.monotonic, speed=3600) as world:
        ...            # the past is there: a first read finds it
        world.start()  # now an hour of it goes by each second
        await clock.sleep(...)
        assert world.finished

Served are ``/s/<channel>`` with ``?before=`` and ``?after=``, ``/<channel>/<id>`` for
one post, ``/<channel>`` and ``/feed.xml`` with an ETag; each page says that it is a
reconstruction.  It binds 127.0.0.1 and nothing else.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, quote, unquote

from monitor.demo import Channel, Recording, holding, pages

HOST = "127.0.0.1"
LONGEST_HEAD = 16 * 1024  # bytes of a request that are read before we give up
PATIENCE = 10.0  # seconds that a client has to say what it wants
NAME = re.compile(r"[A-Za-z0-9_]+")  # of a channel
LONGEST_ID = 18  # digits; longer numbers are no ids


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class World:
    """
    Serves a recording as it stood at a moment that moves faster than ours.

    Attributes:
        url: Its address, without a slash at the end; empty before it is entered.
    """

    def __init__(
        self, recording: Recording, now: Callable[[], float], *, speed: float = 3600
    ) -> None:
        """
        Tell *recording*, *speed* times faster than *now* goes.

        Args:
            now: Seconds that never go back, such as `SystemClock().monotonic`.
        """
        if not speed > 0:
            raise ValueError("a world that stands still never ends")
        self.url = ""
        self._recording = recording
        self._channels = {channel.name: channel for channel in recording.head.channels}
        self._now = now
        self._speed = speed
        self._started: float | None = None
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        """Listen on a free port; the past can be read from now on."""
        self._server = await asyncio.start_server(
            self._serve, HOST, 0, limit=LONGEST_HEAD
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://{HOST}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, and cut off whoever is still connected."""
        if self._server is not None:
            self._server.close()
            for writer in self._open.values():
                writer.transport.abort()
            await asyncio.gather(*self._open)
            await self._server.wait_closed()

    def start(self) -> None:
        """Let the time of the recording run; a second call changes nothing."""
        if self._started is None:
            self._started = self._now()

    @property
    def time(self) -> datetime:
        """What time it is in the recording; it stands until `start`."""
        passed = 0.0 if self._started is None else self._now() - self._started
        head, ends = self._recording.head, self._recording.ends
        left = (ends - head.begins).total_seconds()
        moment = head.begins + timedelta(seconds=min(passed * self._speed, left))
        return moment.astimezone(UTC)

    @property
    def finished(self) -> bool:
        """Whether all of the recording has been shown."""
        return self.time >= self._recording.ends

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        self._open[task] = writer
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    writer.write(_wire(await self._hear(reader)))
                    await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            del self._open[task]

    async def _hear(self, reader: asyncio.StreamReader) -> _Answer:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        first, *rest = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[1].startswith("/"):  # noqa: PLR2004
            return _Answer(HTTPStatus.BAD_REQUEST)
        if words[0] != "GET":
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET"})
        pairs = [line.partition(":") for line in rest]
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return self._answer(words[1], headers)

    def _answer(self, target: str, headers: Mapping[str, str]) -> _Answer:
        path, _, tail = target.partition("?")
        query = {name: found[-1] for name, found in parse_qs(tail).items()}
        parts = [unquote(part) for part in path.split("/")[1:]]
        match parts:
            case ["feed.xml"]:
                return self._feed(headers)
            case ["s", name] if name not in self._channels:
                place = f"{self.url}/{quote(name, safe='')}"  # what t.me does
                return _Answer(HTTPStatus.FOUND, headers={"Location": place})
        page = self._page(parts, query)
        return _Answer(HTTPStatus.NOT_FOUND) if page is None else _html(page)

    def _page(self, parts: Sequence[str], query: Mapping[str, str]) -> str | None:
        head = self._recording.head
        match parts:
            case [""]:
                return pages.index(head.channels, head.feed)
            case ["s", name]:
                return self._history(self._channels[name], query)
            case ["story", number]:
                posts = self._recording.posts(head.feed.name, self.time)
                found = holding(_number(number) or 0, posts)
                return pages.story(head.feed, found) if found else None
            case [name, number] if (id_ := _number(number)) and NAME.fullmatch(name):
                return self._post(name, id_)
            case [name] if NAME.fullmatch(name):
                return pages.landing(name, self._channels.get(name))
        return None

    def _history(self, channel: Channel, query: Mapping[str, str]) -> str:
        return pages.history(
            channel,
            self._recording.posts(channel.name, self.time),
            base=self.url,
            before=_number(query.get("before", "")),
            after=_number(query.get("after", "")),
        )

    def _post(self, name: str, id_: int) -> str:
        channel = self._channels.get(name)
        if channel is None:
            return pages.nowhere(name)
        posts = self._recording.posts(name, self.time)
        return pages.embed(channel, posts, id_, self.url)

    def _feed(self, headers: Mapping[str, str]) -> _Answer:
        feed = self._recording.head.feed
        posts = self._recording.posts(feed.name, self.time)
        body = pages.rss(feed, posts, self.url).encode()
        tag = f'"{blake2b(body, digest_size=8).hexdigest()}"'
        known = headers.get("if-none-match", "")
        same = {part.strip().removeprefix("W/") for part in known.split(",")}
        if same & {tag, "*"}:
            return _Answer(HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
        kind = "application/rss+xml; charset=utf-8"
        return _Answer(HTTPStatus.OK, body, {"Content-Type": kind, "ETag": tag})


def _number(text: str) -> int | None:
    """Return the id that *text* is, or None: t.me does as if it were not there."""
    fits = text.isascii() and text.isdigit() and len(text) <= LONGEST_ID
    return int(text) if fits else None


def _html(html: str) -> _Answer:
    kind = {"Content-Type": "text/html; charset=utf-8"}
    return _Answer(HTTPStatus.OK, html.encode(), kind)


def _wire(answer: _Answer) -> bytes:
    headers = {
        **answer.headers,
        "Content-Length": str(len(answer.body)),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {answer.status.value} {answer.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
