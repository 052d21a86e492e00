"""
A small HTTP/1.1 server on a loopback socket, for tests that want a real one.

    def answer(request: Request) -> Response:
        return Response(200, b"hello", {"ETag": '"1"'})

    async with serve(answer) as server:
        await web.get(f"{server.url}/feed?page=2")

    assert ["/feed"] == [request.path for request in server.requests]

The handler may be a coroutine function, which may wait as long as it likes, and may
return `Raw` to send any bytes at all, at its own pace.  `routes` makes a handler of
a table.  What a handler raises is raised again where the `async with` ends.
"""

import asyncio
import inspect
import json
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from weakref import WeakSet

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a client asked for.

    Attributes:
        path: Percent-decoded, without the query.
        query: The last value of each name.
        headers: By lower-case name; the last value of each.
        target: The request target as it was sent, path and query undecoded.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str = ""

    def json(self) -> Any:
        """Return what the body holds as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """A well-formed answer; Content-Length is added, whatever `headers` say."""

    status: int = 200
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Exactly these bytes, well-formed or not; then the connection is closed."""

    content: bytes | AsyncIterable[bytes]


Answer = Response | Raw
Handler = Callable[[Request], Answer | Awaitable[Answer]]


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *value* as a JSON answer."""
    kind = {"Content-Type": "application/json"}
    return Response(status, json.dumps(value), kind | dict(headers or {}))


def routes(table: Mapping[str, Answer | Handler | bytes]) -> Handler:
    """
    Return a handler that answers by path, and 404 where *table* has none.

    An entry is an answer, raw bytes to send, or a handler of its own.
    """

    def handler(request: Request) -> Answer | Awaitable[Answer]:
        entry = table.get(request.path, Response(404))
        if isinstance(entry, bytes):
            return Raw(entry)
        return entry if isinstance(entry, Response | Raw) else entry(request)

    return handler


class Server:
    """
    A running server.

    Attributes:
        url: Its address without a path, such as ``http://127.0.0.1:41234``.
        port: Its port.
        requests: Every request that was read, in order.
        connections: How many connections were accepted.
    """

    def __init__(self, handler: Handler) -> None:
        """Answer with *handler*; `serve` starts and stops it."""
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        # Those that were closed go: a server may run for hours.
        self._transports: WeakSet[asyncio.WriteTransport] = WeakSet()
        self._errors: list[Exception] = []
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self.url = ""

    @property
    def open(self) -> int:
        """How many connections are open now, as far as the server has noticed."""
        return len(self._tasks)

    def accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one connection in a task of its own."""
        self.connections += 1
        self._transports.add(writer.transport)
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Drop every connection, and raise what a handler raised."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in self._transports:
            with suppress(AttributeError):  # one in TLS and closed, in Python 3.11.2
                transport.abort()
        await asyncio.sleep(0)  # the transports close in the loop's next round
        if self._errors:
            raise self._errors[0]

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            # A client that goes away is one of the things tests do on purpose.
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while await self._exchange(reader, writer):
                    pass
        except Exception as error:  # noqa: BLE001 - raised again by `stop`
            self._errors.append(error)
        except asyncio.CancelledError:
            writer.transport.abort()  # a TLS farewell would outlive the test
            raise
        finally:
            writer.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; return whether another may follow."""
        request = await _read(reader)
        self.requests.append(request)
        answer = self._handler(request)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, Raw):
            await _write(writer, answer.content)
            return False
        writer.write(_format(answer))
        await writer.drain()
        return request.headers.get("connection", "").lower() != "close"


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, unquote(parts.path), query, headers, body, target)


def _format(response: Response) -> bytes:
    body = response.body
    content = body.encode() if isinstance(body, str) else body
    phrase = (
        HTTPStatus(response.status).phrase
        if response.status in HTTPStatus._value2member_map_
        else "Unknown"
    )
    headers = dict(response.headers) | {"Content-Length": str(len(content))}
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


async def _write(
    writer: asyncio.StreamWriter, content: bytes | AsyncIterable[bytes]
) -> None:
    if isinstance(content, bytes):
        writer.write(content)
        await writer.drain()
        return
    async for part in content:
        writer.write(part)
        await writer.drain()


@asynccontextmanager
async def serve(
    handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = HOST
) -> AsyncIterator[Server]:
    """Run a server on a free loopback port while the block runs."""
    server = Server(handler)
    listener = await asyncio.start_server(server.accept, host, 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    where = f"[{host}]" if ":" in host else host
    server.url = f"{'https' if tls else 'http'}://{where}:{server.port}"
    try:
        yield server
    finally:
        listener.close()
        await server.stop()
        await listener.wait_closed()
