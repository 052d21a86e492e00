"""How commands reach the stream of the instance that runs."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from monitor.config import Settings
from monitor.errors import Unavailable
from monitor.stream import PREFIX, Server, Stream
from monitor.stream.door import Door

T = TypeVar("T")


@asynccontextmanager
async def stream_of(settings: Settings) -> AsyncIterator[Stream]:
    """
    Reach the stream of the running instance while the block runs.

    Raises:
        Unavailable: None runs that we could reach.
        Away: It is there, and does not answer.
    """
    url = await url_of(settings)
    if url is None:
        said = f"nothing runs on {settings.state}; start it with: monitor run"
        raise Unavailable(said)
    sinks = [sink.name for sink in settings.sinks]
    stream = await Stream.connect(url, owner=f"look-{os.getpid()}", sinks=sinks)
    try:
        yield stream
    finally:
        await stream.aclose()


@asynccontextmanager
async def door_of(settings: Settings) -> AsyncIterator[Door]:
    """
    Reach the Redis there is while the block runs; start the embedded one if need be.

    Raises:
        Unavailable: There is none to start.
    """
    async with AsyncExitStack() as stack:
        url = await url_of(settings)
        if url is None:
            server = Server(settings.state)
            url = await server.ensure()
            stack.push_async_callback(server.stop)
        door = Door(url, PREFIX)
        stack.push_async_callback(door.aclose)
        yield door


async def url_of(settings: Settings) -> str | None:
    """Return the address of the Redis there is; None if the embedded one is not up."""
    if settings.redis:
        return settings.redis.reveal()
    return await Server.running_url(settings.state)


def with_stream(settings: Settings, act: Callable[[Stream], Awaitable[T]]) -> T:
    """Return what *act* returns for the stream of the running instance."""

    async def reached() -> T:
        async with stream_of(settings) as stream:
            return await act(stream)

    return asyncio.run(reached())
