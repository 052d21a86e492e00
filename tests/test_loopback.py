"""The loopback server and the clock that other tests stand on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from tests.clock import FakeClock
from tests.loopback import Raw, Request, Response, json_response, routes, serve


async def test_answers_and_records() -> None:
    """A server answers by path, and keeps what it was asked."""
    handler = routes({"/a b": json_response({"x": 1}), "/echo": echo})

    async with serve(handler) as server, httpx.AsyncClient() as client:
        first = await client.get(f"{server.url}/a%20b?q=%D1%8F")
        second = await client.post(f"{server.url}/echo", json={"y": "я"})
        third = await client.get(f"{server.url}/none")

    assert [{"x": 1}, {"y": "я"}] == [first.json(), second.json()]
    assert 404 == third.status_code
    assert {"q": "я"} == server.requests[0].query
    assert 1 == server.connections


def echo(request: Request) -> Response:
    """Return the body as it came."""
    return Response(200, request.body)


async def test_sends_raw_parts_at_their_own_pace() -> None:
    """A raw answer is sent part by part, and then the connection is closed."""
    again = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\nfirst "
        await again.wait()
        yield b"second"

    async with serve(lambda _: Raw(parts())) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        early = await reader.readuntil(b"first ")
        again.set()
        rest = await reader.read()
        writer.close()

    assert b"second" == rest
    assert early.startswith(b"HTTP/1.1 200 OK")


async def test_a_handler_that_hangs_is_dropped_at_the_end() -> None:
    """The end of the block ends every connection, answered or not."""

    async def hang(_: Request) -> Response:
        await asyncio.Event().wait()
        return Response()

    async with serve(hang) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        while not server.requests:
            await asyncio.sleep(0)

    assert b"" == await reader.read()
    writer.close()


async def test_a_handler_that_raises_fails_the_test() -> None:
    """A mistake in a handler is raised where the server ends."""

    def broken(_: Request) -> Response:
        raise LookupError("mine")

    async def ask() -> None:
        async with serve(broken) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.read()
            writer.close()

    with pytest.raises(LookupError):
        await ask()


async def test_a_clock_that_is_turned_by_hand() -> None:
    """Sleeping takes no time; turning the wall clock leaves the monotonic one."""
    clock = FakeClock()
    wall, steady = clock.now(), clock.monotonic()

    await clock.sleep(timedelta(hours=1))
    clock.turn(timedelta(hours=-3))

    assert wall - timedelta(hours=2) == clock.now()
    assert steady + 3600 == clock.monotonic()
    assert [timedelta(hours=1)] == clock.slept
