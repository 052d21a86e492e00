"""An account that is asked for while everything moves, and is killed, still adds up."""

import asyncio
from collections import Counter
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import Transient
from monitor.stream import Stream
from tests.daemons import TOWN, Paper, printed, settled, started, until
from tests.onlookers import met
from tests.receiver import SECRET, Receiver, receiving
from tests.worlds import ask, told

CHAT = 'sinks: [{{name: chat, kind: telegram, token: {{file: token}}, api: "{api}"}}]'
HOOK = "sinks: [{{name: chat, kind: webhook, secret: {{file: token}}}}]"
ANN = 'subscribers: [{{name: ann, sink: chat, to: "1", places: [RU-BEL]}}]'
BOTH = """subscribers:
  - {{name: ann, sink: chat, to: "{api}/ann", places: [RU-BEL]}}
  - {{name: bob, sink: chat, to: "{api}/bob"}}
"""
POSTS, LIVES = 90, 3


def written(folder: Path, feed: str, hook: str) -> Path:
    """Write the configuration of a town with a feed, and two who are told."""
    (folder / "token").write_text(SECRET, "ascii")
    (folder / "token").chmod(0o600)
    text = TOWN.replace(CHAT, HOOK).replace(ANN, BOTH)
    file = folder / "monitor.yaml"
    said = text.format(state="./state", redis="null", feed=feed, api=hook)
    file.write_text(said, "utf-8")
    return file


async def account(file: Path) -> tuple[dict[str, Any], int]:
    """Return the account of the feed so far, and how the command ended."""
    since = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    said = await ask("account", "--from", since, "--json", "-c", file)
    assert "cannot be told" not in said.stderr, said.stderr
    of = {one["source"]: one for one in told(said)}
    return of.get("feed", {}), said.exit_code


async def looked(state: Path, paper: Paper) -> Stream:
    """Return a look into the stream of a daemon that has just begun to work."""
    reads = len(paper.reads)
    await until(lambda: len(paper.reads) > reads + 1)
    while True:
        with suppress(Transient):
            return await met(state, ["feed"])


@pytest.mark.timeout(120)
async def test_it_adds_up_at_any_moment_and_after_any_death(tmp_path: Path) -> None:
    """Asked while posts flow it finds nothing lost; and after kills all is settled."""
    states, receiver = Counter[str](), Receiver()
    wanted = 2 * sum(number % 3 > 0 for number in range(POSTS))
    posts, found, code = iter(range(POSTS)), dict[str, Any](), 1
    async with printed() as paper, receiving(receiver) as hook:
        file = written(tmp_path, paper.url, hook.url)
        for life in range(LIVES):
            async with (
                started(file),
                aclosing(await looked(tmp_path / "state", paper)) as stream,
            ):
                for number in [next(posts) for _ in range(POSTS // LIVES)]:
                    what = "Беспилотник" if number % 3 else "Тихо"
                    paper.publish(f"{what} над Грайвороном № {number}")
                    await asyncio.sleep(0.01)
                    if number % 5 == 3:
                        found, code = await account(file)
                        assert 0 == code, str(found)
                        states.update(found["ids"].keys() | found["matches"].keys())
                if life == LIVES - 1:
                    await until(lambda: len(receiver.heeded) == wanted)
                    await settled(stream)
                    found, code = await account(file)

    assert (0, {"delivered": wanted}) == (code, found["matches"])
    assert states["waiting"], "it was never asked while something was on its way"
