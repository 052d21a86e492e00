"""What the doctor says of a server that is not as the shipped one is."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.errors import Away
from monitor.stream.doctor import Fact, access, survey
from monitor.stream.door import Door
from monitor.stream.server import find_binary

WARNED = {"user": "warn", "network": "warn"}
OPEN = {"port": "6379", "tls-port": "0", "protected-mode": "no", "bind": "* -::*"}


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server as it runs without any settings, but on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        find_binary(), "--port", str(port), "--bind", "127.0.0.1",
        "--dir", tmp_path, "--save", "",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    door = Door(f"redis://127.0.0.1:{port}", "")
    async with asyncio.timeout(10):
        while not await answers(door):
            await asyncio.sleep(0.01)
    await door.aclose()
    yield f"redis://127.0.0.1:{port}"
    server.terminate()
    await server.wait()


async def answers(door: Door) -> bool:
    """Return whether a server is there."""
    try:
        await door.call("PING")
    except Away:
        return False
    return True


async def unfit(url: str, now: datetime) -> dict[str, Fact]:
    """Return what is to be changed about a server, by name."""
    door = Door(url, "")
    try:
        facts = await survey(door, now)
    finally:
        await door.aclose()
    assert all(fact.advice for fact in facts if fact.judgement != "ok")
    return {fact.name: fact for fact in facts if fact.judgement != "ok"}


async def test_a_server_without_settings(address: str) -> None:
    """Each thing that would lose something, or lets somebody in, is named."""
    found = await unfit(address, datetime.now(UTC))

    assert {"appendonly", "maxmemory", "user", "network"} == set(found)
    assert "default" in found["user"].value
    assert "every user of this machine" in found["network"].advice


async def test_a_wrong_database(address: str) -> None:
    """One that is empty while another one has keys looks like a fresh installation."""
    door = Door(address, "")
    await door.call("SET", "monitor:{0}:epoch", "a")
    await door.aclose()
    found = await unfit(f"{address}/3", datetime.now(UTC))

    assert "database" not in await unfit(address, datetime.now(UTC))
    assert "3 of 16" == found["database"].value
    assert "There are keys in 0" in found["database"].advice


async def test_a_clock_that_differs(address: str) -> None:
    """Leases end, and ids are made, by the server's time."""
    for ahead in (timedelta(seconds=60), timedelta(seconds=-60)):
        found = await unfit(address, datetime.now(UTC) + ahead)
        assert found["clock"].value in (
            "59 s from ours",
            "60 s from ours",
            "61 s from ours",
        )


@pytest.mark.parametrize(
    ("user", "settings", "expected"),
    [
        ("default", OPEN, {"user": "warn", "network": "fail"}),
        (
            "default",
            OPEN | {"protected-mode": "yes"},
            {"user": "warn", "network": "warn"},
        ),
        ("filter", OPEN | {"bind": "127.0.0.1 -::1"}, {"network": "warn"}),
        ("filter", OPEN | {"port": "0", "tls-port": "6380"}, {}),
        ("filter", OPEN | {"port": "0"}, {}),
        ("default", OPEN | {"port": "0", "unixsocketperm": "770"}, {"user": "warn"}),
        ("default", OPEN | {"port": "0", "unixsocketperm": "700"}, {}),
        ("filter", {}, {}),
    ],
)
def test_who_may_connect(
    user: str, settings: dict[str, str], expected: dict[str, str]
) -> None:
    """A port without encryption is worse than one that only this machine reaches."""
    facts = access(user, settings)

    assert expected == {f.name: f.judgement for f in facts if f.judgement != "ok"}
    assert all(fact.advice for fact in facts if fact.judgement != "ok")
