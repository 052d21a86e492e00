"""`monitor backup` and `monitor restore`, as an operator calls them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.stream import PREFIX, Server, Stream, backupfile
from monitor.stream.backup import Snapshot
from monitor.stream.backupfile import read
from monitor.stream.door import Door
from tests.botapi import BotApi, bot_api
from tests.daemons import (
    Paper,
    configured,
    loaded,
    looking,
    met,
    printed,
    settled,
    until,
    working,
)
from tests.stream_values import posted, posts
from tests.worlds import ask, call, told, write


@asynccontextmanager
async def stood(state: Path) -> AsyncIterator[Stream]:
    """Keep the embedded server of *state*, and a stream in it, while the block runs."""
    async with Server(state) as server:
        stream = await Stream.connect(await server.ensure(), "one", sinks=["here"])
        yield stream
        await stream.aclose()


async def test_without_a_running_program(tmp_path: Path) -> None:
    """Both start the embedded server themselves, and leave none behind."""
    file, kept = write(tmp_path), tmp_path / "kept"
    async with stood(tmp_path / "state") as stream:
        await posted(stream, posts(3), "desk")
        epoch = stream.epoch
    saved = await ask("backup", kept, "-c", file)
    other = write_beside(tmp_path, "elsewhere")

    back = await ask("restore", kept, "-c", other)

    assert [0, 0] == [saved.exit_code, back.exit_code], saved.output + back.output
    stands = "sources read: 1; dead letters: 0; waiting: 3 of items for archive"
    assert stands in saved.stdout
    assert f"database {epoch} stands again" in back.stdout
    assert saved.stdout.splitlines()[1] == back.stdout.splitlines()[1]
    for state in ("state", "elsewhere/state"):
        assert await Server.running_url(tmp_path / state) is None
    async with stood(tmp_path / "elsewhere" / "state") as stream:
        assert (epoch, "c") == (stream.epoch, await stream.cursor("town"))


def write_beside(folder: Path, name: str) -> Path:
    beside = folder / name
    beside.mkdir()
    return write(beside)


async def test_for_programs(tmp_path: Path) -> None:
    """Each says on one line what it kept or put back, and how far everything is."""
    file, kept = write(tmp_path), tmp_path / "kept"
    async with stood(tmp_path / "state") as stream:
        await posted(stream, posts(2), "desk")

    (saved,) = told(await ask("backup", kept, "--json", "-c", file))
    (back,) = told(await ask("restore", kept, "--replace", "--json", "-c", file))

    line = kept.read_bytes().partition(b"\n")[0]
    assert saved["head"] == back["head"] == json.loads(line)
    assert kept.stat().st_size == saved["bytes"]
    assert {"done": True, "differing": [], "removed": saved["head"]["keys"]} == (
        back["restored"]
    )
    assert saved["depths"] == back["depths"]
    assert (1, 0) == (saved["cursors"], saved["letters"])


def test_where_nothing_ever_was_nothing_is_kept(tmp_path: Path) -> None:
    """A backup of nothing, of a mistyped folder say, would be found too late."""
    result = call("backup", tmp_path / "kept", "-c", write(tmp_path))

    assert 69 == result.exit_code
    assert "has no progress yet" in result.stderr
    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "state").exists()


async def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    """Unless one says --force; and nothing is asked of the server before."""
    file, kept = write(tmp_path), tmp_path / "kept"
    kept.write_text("x", "ascii")
    refused = call("backup", kept, "-c", file)
    async with stood(tmp_path / "state"):
        forced = await ask("backup", kept, "--force", "-c", file)

    assert (69, 0) == (refused.exit_code, forced.exit_code)
    assert "--force" in refused.stderr
    assert kept.stat().st_size > 100


@pytest.mark.parametrize("damage", ["cut", "foreign", "nothing"])
async def test_a_damaged_file_changes_nothing(damage: str, tmp_path: Path) -> None:
    """It is read and proved before anything is asked of the server."""
    file, kept = write(tmp_path), tmp_path / "kept"
    async with stood(tmp_path / "state") as stream:
        await stream.accept("town", posts(2), "c")
        assert 0 == (await ask("backup", kept, "-c", file)).exit_code
        cases = {"cut": kept.read_bytes()[:-1], "foreign": b"PK\3\4", "nothing": b""}
        kept.write_bytes(cases[damage])
        await stream.accept("town", posts(9), "c9")

        result = await ask("restore", kept, "--replace", "-c", file)

        assert (69, "c9") == (result.exit_code, await stream.cursor("town"))
    assert "nothing was changed" in result.stderr


async def test_progress_is_not_lost_by_mistake(redis_url: str, tmp_path: Path) -> None:
    """On a server of one's own, too, only --replace puts old progress over new."""
    file, kept = write(tmp_path, redis=f'"{redis_url}"'), tmp_path / "kept"
    stream = await Stream.connect(redis_url, "one")
    await stream.accept("town", posts(2), "c2")
    saved = await ask("backup", kept, "-c", file)
    await stream.accept("town", posts(5), "c5")

    refused = await ask("restore", kept, "-c", file)
    before = await stream.cursor("town")
    replaced = await ask("restore", kept, "--replace", "-c", file)
    after = await stream.cursor("town")

    door = Door(redis_url, PREFIX)
    for key in await door.call("KEYS", "monitor:*"):
        await door.call("DEL", key)
    await door.aclose()
    await stream.aclose()
    assert [0, 69, 0] == [saved.exit_code, refused.exit_code, replaced.exit_code]
    assert "say --replace" in refused.stderr
    assert ("c5", "c2") == (before, after)


async def test_what_does_not_stand_as_it_was_kept_is_told(tmp_path: Path) -> None:
    """The keys are named, nothing is put in place, and the exit code says so."""
    file, kept = write(tmp_path), tmp_path / "kept"
    async with stood(tmp_path / "state") as stream:
        await stream.accept("town", posts(2), "c2")
        assert 0 == (await ask("backup", kept, "-c", file)).exit_code
        head, what = read(kept)
        wrong = [
            replace(one, digest="0" * 13) if one.name == "cursor" else one
            for one in what.kept
        ]
        forged = Snapshot(what.epoch, what.server, wrong)
        backupfile.write(kept, forged, head.made, force=True)
        await stream.accept("town", posts(5), "c5")

        said = await ask("restore", kept, "--replace", "-c", file)
        asked = await ask("restore", kept, "--replace", "--json", "-c", file)
        cursor = await stream.cursor("town")

    assert (1, 1, "c5") == (said.exit_code, asked.exit_code, cursor)
    assert "was not put back: there 1 of" in said.stdout
    assert "not what was kept: cursor" in said.stdout
    assert {"done": False, "differing": ["cursor"], "removed": 0} == (
        told(asked)[0]["restored"]
    )


# With a daemon


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[tuple[Path, Paper, BotApi]]:
    """Serve a newspaper and a chat; yield what reads the one and tells the other."""
    async with printed() as paper:
        file = configured(folder, paper)
        async with bot_api((folder / "token").read_text("ascii")) as api:
            text = file.read_text("utf-8").replace("http://127.0.0.1:9", api.url)
            file.write_text(text, "utf-8")
            yield file, paper, api


TEXTS = [f"{number} беспилотник над Грайвороном" for number in (1, 2, 3)]


async def test_a_running_program_is_kept_and_not_disturbed(tmp_path: Path) -> None:
    """A backup is taken beside it; a restore is refused at once and touches nothing."""
    kept, folder = tmp_path / "kept", tmp_path / "town"
    async with (
        town(folder) as (file, paper, api),
        working(loaded(file)),
        looking(folder / "state") as stream,
    ):
        await met(stream)
        paper.publish(TEXTS[0])
        await until(lambda: len(api.log) == 1)
        await settled(stream)
        saved = await ask("backup", kept, "-c", file)
        refused = await ask("restore", kept, "--replace", "-c", file)
        paper.publish(TEXTS[1])
        await until(lambda: len(api.log) == 2)

    assert (0, 69) == (saved.exit_code, refused.exit_code), saved.output
    assert "is in use by process" in refused.stderr


async def test_what_comes_back_goes_on_and_is_told_once(tmp_path: Path) -> None:
    """On another machine, with nothing but the backup, nothing is told again."""
    kept, folder = tmp_path / "kept", tmp_path / "town"
    async with town(folder) as (file, paper, api):
        settings = loaded(file)
        async with working(settings), looking(folder / "state") as stream:
            await met(stream)
            paper.publish(*TEXTS[:2])
            await until(lambda: len(api.log) == 2)
            await settled(stream)
        saved = await ask("backup", kept, "-c", file)
        (folder / "state").rename(tmp_path / "lost")
        back = await ask("restore", kept, "-c", file)
        async with working(settings), looking(folder / "state") as stream:
            paper.publish(TEXTS[2])
            await until(lambda: len(api.log) >= 3)
            await settled(stream)

    assert (0, 0) == (saved.exit_code, back.exit_code), saved.output + back.output
    assert [True] * 3 == [
        text in one.text for text, one in zip(TEXTS, api.log, strict=True)
    ]
