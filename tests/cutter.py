"""A proxy before a Redis server that swallows an answer and breaks the connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

# What the server says to a script it does not know, and to one it is given.  The
# answer to swallow is the one to the script itself.
PRELUDE = (b"-NOSCRIPT", b"$40\r\n")


class Cutter:
    """
    Forwards to the server, until it is told to lose an answer.

    Attributes:
        url: Where to connect to.
        cuts: How many answers were swallowed.
    """

    def __init__(self, url: str, server: str) -> None:
        self.url = url
        self.cuts = 0
        self._server = server
        self._whether: Callable[[], bool] = lambda: False

    def lose_next(self) -> None:
        """Swallow the next answer: the server has acted, and nobody learns of it."""
        once = iter([True])
        self._whether = lambda: next(once, False)

    def lose(self, whether: Callable[[], bool]) -> None:
        """Swallow each answer for which *whether* says so."""
        self._whether = whether

    async def serve(
        self, client: asyncio.StreamReader, answers: asyncio.StreamWriter
    ) -> None:
        """Forward one connection."""
        replies, requests = await asyncio.open_unix_connection(self._server)
        forth = asyncio.create_task(_copy(client, requests))
        try:
            while data := await replies.read(1 << 20):
                if not data.startswith(PRELUDE) and self._whether():
                    self.cuts += 1
                    answers.transport.abort()
                    return
                answers.write(data)
        finally:
            forth.cancel()
            requests.close()
            answers.close()


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 20):
        to.write(data)
    to.close()


@asynccontextmanager
async def cutting(url: str, folder: Path) -> AsyncIterator[Cutter]:
    """Serve a `Cutter` before the server at *url*."""
    path = folder / "cut.sock"
    cutter = Cutter(f"unix://{path}", url.removeprefix("unix://"))
    server = await asyncio.start_unix_server(cutter.serve, path, limit=1 << 24)
    try:
        yield cutter
    finally:
        server.close()
