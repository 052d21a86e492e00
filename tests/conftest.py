"""What tests of several stages share: one real server, and a stream of one's own."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from monitor import log
from monitor.stream import Server, Stream
from monitor.stream.door import Door
from tests.clock import FakeClock

_numbers = itertools.count(1)

# How long an example takes says what else the machine does.
settings.register_profile(
    "plain", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("plain")

# Seeds and crash points are played where somebody asks for it, as long as a few of them
# still find something.
collect_ignore = (
    [] if os.environ.get("PLAYED") else ["test_simulation.py", "test_crash_points.py"]
)


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    """Logs as they are when nobody looks: JSON, from errors up."""
    log.set_up("error")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server, the embedded one, that ends with the tests."""
    server = Server(tmp_path_factory.mktemp("state"))
    url = asyncio.run(server.ensure())
    asyncio.run(_hurry(url))
    yield url
    asyncio.run(server.stop())


async def _hurry(url: str) -> None:
    """Let the server not wait for the disk: these data are worth nothing tomorrow."""
    door = Door(url, "")
    await door.call("CONFIG", "SET", "appendfsync", "no")
    await door.aclose()


@pytest.fixture
def prefix() -> str:
    """A prefix of keys that no other test has."""
    return f"test{next(_numbers)}:{{0}}:"


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test turns."""
    return FakeClock()


@pytest.fixture
async def stream(
    redis_url: str, prefix: str, clock: FakeClock
) -> AsyncIterator[Stream]:
    """An empty stream of one's own, whose owner is called ``one``."""
    stream = await Stream.connect(
        redis_url, "one", sinks=["chat"], clock=clock, prefix=prefix
    )
    yield stream
    await stream.aclose()


@pytest.fixture
async def other(
    redis_url: str, prefix: str, clock: FakeClock, stream: Stream
) -> AsyncIterator[Stream]:
    """Another instance on the same keys as `stream`."""
    assert stream.owner == "one"
    other = await Stream.connect(redis_url, "two", clock=clock, prefix=prefix)
    yield other
    await other.aclose()


@pytest.fixture
async def door(redis_url: str, prefix: str) -> AsyncIterator[Door]:
    """Plain commands on the keys of `stream`."""
    door = Door(redis_url, prefix)
    yield door
    await door.aclose()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder of one's own, that does not exist yet."""
    return tmp_path / "state"
