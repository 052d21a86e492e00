"""`monitor run` as a process: that it is the only one, and how it ends."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from monitor.cli.locks import ROLES, holder_of
from monitor.daemon import ROLES as DONE
from monitor.stream import Server
from monitor.systemd import only_one
from tests.botapi import bot_api
from tests.worlds import ask, bot, run, started, token_of, told, write

LOOK = 0.02


async def up(process: asyncio.subprocess.Process, state: Path) -> None:
    """Wait until the daemon has started its server, by when it holds its locks."""
    while process.returncode is None and not await Server.running_url(state):
        await asyncio.sleep(LOOK)


def test_the_roles_are_those_of_the_daemon() -> None:
    """Every role that the daemon knows can be asked for."""
    assert DONE == ROLES


@pytest.mark.parametrize("left", ["", "x", "0" * 30, "99999999999999999999", "1"])
def test_a_lock_that_was_left_is_held_by_nobody(left: str, tmp_path: Path) -> None:
    """Whatever a process that is gone wrote there, the next one may start."""
    path = tmp_path / "collect"
    path.write_text(left)

    assert "" == holder_of(path)
    assert "" == holder_of(tmp_path / "none")


def test_a_lock_that_is_held_names_its_holder(tmp_path: Path) -> None:
    """The process that holds it is told, and goes on holding it."""
    path = tmp_path / "collect"

    with only_one(path, "this state"):
        assert str(os.getpid()) == holder_of(path)
        assert str(os.getpid()) == holder_of(path)

    assert "" == holder_of(path)


@pytest.mark.timeout(60)
async def test_a_second_one_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    """On one state, or with one bot, a line says why; SIGTERM ends the first with 0."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    sink = bot(first)
    async with bot_api(token_of(first)) as api:
        sinks = f"[{sink.replace('http://127.0.0.1:9', api.url)}]"
        file = write(first, sinks=sinks, subscribers="[]")
        other = write(second, sinks=sinks, subscribers="[]")
        (second / "chat-token").write_text(token_of(first))
        (second / "chat-token").chmod(0o600)
        async with started("monitor", "run", "-c", file) as process:
            await up(process, first / "state")
            again, double = await asyncio.gather(
                run("monitor", "run", "filter", "-c", file),
                run("monitor", "run", "-c", other),
            )
            (roles,) = [
                one["said"]
                for one in told(await ask("doctor", "--json", "-c", file))
                if one["what"] == "roles"
            ]
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                code = await process.wait()

    said = f"is in use by process {process.pid}\n"
    assert (69, f"monitor: {file} (filter) {said}") == (again.code, again.err)
    assert (69, f"monitor: sink chat {said}") == (double.code, double.err)
    assert all(f"{role} ({process.pid})" in roles for role in ROLES)
    assert 0 == code
    assert 0o700 == (first / "state").stat().st_mode & 0o777
    assert not (second / "state").exists()
