"""`monitor run` as a process: that it is the only one, and how it ends."""

import asyncio
import signal
from pathlib import Path

import pytest

from monitor.cli.run import ROLES
from monitor.daemon import ROLES as DONE
from monitor.stream import Server
from tests.botapi import bot_api
from tests.worlds import bot, run, started, token_of, write

LOOK = 0.02


async def up(process: asyncio.subprocess.Process, state: Path) -> None:
    """Wait until the daemon has started its server, by when it holds its locks."""
    while process.returncode is None and not await Server.running_url(state):
        await asyncio.sleep(LOOK)


def test_the_roles_are_those_of_the_daemon() -> None:
    """Every role that the daemon knows can be asked for."""
    assert DONE == ROLES


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
            alive = process.returncode is None
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                code = await process.wait()

    said = f"is in use by process {process.pid}\n"
    assert (69, f"monitor: {first}/state (filter) {said}") == (again.code, again.err)
    assert (69, f"monitor: sink chat {said}") == (double.code, double.err)
    assert (True, 0) == (alive, code)
    assert 0o700 == (first / "state").stat().st_mode & 0o777
    assert not (second / "state").exists()
