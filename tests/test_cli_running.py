"""`tail`, `dead`, `replay`, `doctor`: what a running instance holds, by its socket."""

import asyncio
import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec
import pytest

from monitor.cli.shown import line_of
from monitor.item import Delivery, Item, Match, Media, Reading
from monitor.stream import Server, Stream
from monitor.stream.archive import Archive
from tests.worlds import bot, call, run, started, token_of, told, write

MONITOR = f"{sys.executable} -m monitor"
NIGHT = datetime(2023, 5, 22, 20, tzinfo=UTC)
OTHER_RULES = """
rules:
  - {name: clears, places: [RU-BEL], signals: [clear], severity: info}
"""


numbers = itertools.count()


def post(number: int, text: str) -> Item:
    """Return a post that was seen at so many minutes of the night."""
    seen = NIGHT + timedelta(minutes=number)
    return Item(source="governor", id=str(number), published=seen, seen=seen, text=text)


POSTS = (
    post(1, "Над Грайвороном сбит беспилотник"),
    post(2, "Отбой в Грайвороне"),
    post(3, "Сев кукурузы завершён"),
)
GONE = msgspec.structs.replace(POSTS[1], change="deleted", version=2, text="Отбой")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration of an instance that runs, and whose night is archived."""
    folder = tmp_path_factory.mktemp("instance")
    file = write(folder, sinks="[{name: chat, kind: console}]", subscribers="[]")
    server = Server(folder / "state")
    asyncio.run(server.ensure())
    with Archive(folder / "state" / "archive") as archive:
        archive.store(items=POSTS)
        yield file  # it stays open, as the daemon's does
    asyncio.run(server.stop())


@pytest.fixture
def filled(file: Path) -> Path:
    """The same, with posts, a match and a delivery on its streams, and no letters."""
    asyncio.run(_fill(file.parent / "state"))
    return file


async def _fill(state: Path) -> None:
    stream = await Stream.connect(str(await Server.running_url(state)), "one")
    try:
        await flow(stream)
    finally:
        await stream.aclose()


async def flow(stream: Stream) -> None:
    """Bring the posts down the stream, as far as to whom they are not told."""
    await stream.accept("governor", POSTS, "c")
    for entry in await stream.reader("items", "filter").next(block=timedelta()):
        assert isinstance(entry.value, Item)
        found = Match(item=entry.value, reading=Reading(), rules=("drones",))
        await stream.publish([(entry, found if entry.value.id == "1" else None)])
    for entry in await stream.reader("matches", "alert").next(block=timedelta()):
        told = Delivery(item="governor/1/1", subscriber="desk", sink="chat",
                        outcome="suppressed", at=NIGHT, why="about info")  # fmt: skip
        await stream.fanout([(entry, [], [told])])


async def _bury(state: Path, why: str) -> None:
    stream = await Stream.connect(str(await Server.running_url(state)), "one")
    item = msgspec.structs.replace(POSTS[2], id=f"dead-{next(numbers)}")
    await stream.accept("governor", [item], "c")
    for entry in await stream.reader("items", "archive").next(block=timedelta()):
        await stream.bury(entry, why)
    await stream.aclose()


def buried(file: Path, why: str = "the reason") -> list[str]:
    """Set something aside, and return the ids of all letters."""
    asyncio.run(_bury(file.parent / "state", why))
    return [one["id"] for one in told(call("dead", "list", "--json", "-c", file))]


async def test_tail_prints_what_flows(filled: Path) -> None:
    """Each line is a whole Item, what is past first; Ctrl-C ends it with 0."""
    async with started("monitor", "tail", "items", "--json", "-c", filled) as process:
        assert process.stdout
        line = await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        code = await process.wait()

    assert "governor" == msgspec.json.decode(line, type=Item).source
    assert 0 == code


async def test_tail_ends_when_nobody_reads(filled: Path) -> None:
    """`monitor tail | head -1` ends at once and quietly, though nothing more comes."""
    script = f"{MONITOR} tail deliveries -c {filled}; echo $? >&2"

    done = await run("bash", "-c", f"({script}) | head -1")

    assert (
        f"{NIGHT:%Y-%m-%d %H:%M:%S} governor/1/1 → desk (chat) suppressed" in done.out
    )
    assert "0\n" == done.err


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (POSTS[1], "2023-05-22 20:02:00 governor/2/1  Отбой в Грайвороне"),
        (
            Match(item=POSTS[1], reading=Reading(signal="clear"), rules=("a", "b")),
            "2023-05-22 20:02:00 governor/2/1 info clear, by a, b  Отбой в Грайвороне",
        ),
        (
            Match(item=GONE, reading=Reading()),
            "2023-05-22 20:02:00 governor/2/2 deleted matters no more  Отбой",
        ),
        (
            msgspec.structs.replace(POSTS[1], text="", media=(Media("photo"),)),
            "2023-05-22 20:02:00 governor/2/1  [photo]",
        ),
        (
            msgspec.structs.replace(POSTS[1], text="a\n\x1b[2Jb\u202ec"),
            "2023-05-22 20:02:00 governor/2/1  a [2Jbc",
        ),
    ],
)  # fmt: skip
def test_what_flows_is_one_line_each(value: object, line: str) -> None:
    """When, what, why, and the words, with nothing in them that acts."""
    with click.Context(click.Command("tail"), color=False):
        assert line == click.unstyle(line_of(value))


def test_on_a_terminal_a_line_is_cut_to_its_width() -> None:
    """A long post does not break the columns of the screen."""
    with click.Context(click.Command("tail"), color=True):
        shown = click.unstyle(line_of(post(1, "слово " * 100)))

    assert shutil.get_terminal_size().columns == len(shown)
    assert shown.endswith("…")


def test_dead_letters_are_listed_with_their_reason(file: Path) -> None:
    """What it is, where it came from, why, and how to put it back."""
    (id_, *_) = buried(file)

    result = call("dead", "list", "-c", file)

    assert id_ in result.stdout
    assert "the reason" in result.stdout
    assert "governor/" in result.stdout
    assert "retry" in result.stderr


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_a_dead_letter_is_put_back_or_dropped_once(verb: str, file: Path) -> None:
    """By its id it goes; the second time it is not there, which is 1."""
    id_ = buried(file)[-1]

    codes = [call("dead", verb, id_, "-c", file).exit_code for _ in range(2)]

    assert [0, 1] == codes


def test_all_dead_letters_go_at_once(file: Path) -> None:
    """--all takes those that are there now."""
    buried(file)

    assert 0 == call("dead", "drop", "--all", "-c", file).exit_code
    assert "No dead letters" in call("dead", "list", "-c", file).stderr


def test_a_night_is_replayed_while_the_instance_runs(file: Path) -> None:
    """The matches of the night, as JSON, and how many posts there were."""
    result = call(
        "replay", "--from", "2023-05-22T23:00+03:00", "--to", "2023-05-23", "--json",
        "-c", file,
    )  # fmt: skip

    (match,) = told(result)
    assert 0 == result.exit_code
    assert ("1", ["drones"]) == (match["item"]["id"], match["rules"])
    assert "1 of 3 items match" in result.stderr


def test_other_rules_are_compared_with_those_in_use(file: Path) -> None:
    """What would have been alerted more and less, each with its sign."""
    other = file.parent / "other.yaml"
    other.write_text(OTHER_RULES)
    words = ("replay", "--from", "2023-05-22", "--rules", other, "-c", file)

    lines = call(*words).stdout.splitlines()
    changes = told(call(*words, "--json"))

    assert ["-", "+"] == [line[0] for line in lines]
    assert [("less", "1"), ("more", "2")] == [
        (one["change"], one["match"]["item"]["id"]) for one in changes
    ]


def test_rules_that_cannot_be_used_are_refused(file: Path) -> None:
    """A file of rules with a mistake is 78, with the place of the mistake."""
    bad = file.parent / "bad.yaml"
    bad.write_text("rules: [{name: x, topics: [uaw]}]")

    result = call("replay", "--from", "2023-05-22", "--rules", bad, "-c", file)

    assert 78 == result.exit_code
    assert "bad.yaml:1:" in result.stderr


def test_a_night_without_posts_says_so(file: Path) -> None:
    """An empty stretch is no failure, and is named."""
    result = call("replay", "--from", "2020-01-01", "--to", "2020-01-02", "-c", file)

    assert 0 == result.exit_code
    assert "no items from 2020-01-01 00:00 to 2020-01-02 00:00 UTC" in result.stderr


def test_a_replay_keeps_its_rhythm(file: Path) -> None:
    """At so many times the speed of the night, two minutes take as much less."""
    began = time.monotonic()
    call("replay", "--from", "2023-05-22", "--speed", "600x", "-c", file)

    assert 2 * 60 / 600 <= time.monotonic() - began


def test_doctor_looks_at_the_running_server(file: Path) -> None:
    """Its version, append-only mode and policy are told, and nothing is to mend."""
    findings = {one["what"]: one for one in told(call("doctor", "--json", "-c", file))}

    assert {"ok"} == {
        findings[f"redis {name}"]["level"]
        for name in ("version", "appendonly", "appendfsync", "maxmemory-policy")
    }
    assert {"clock", "disk", "state", "dead letters", "backlog"} <= findings.keys()


def test_doctor_knows_of_lost_progress(file: Path) -> None:
    """A Redis that is another than before fails; one that was lost is told for days."""
    state = file.parent / "state"

    def progress() -> str:
        findings = told(call("doctor", "--json", "-c", file))
        return {one["what"]: str(one["level"]) for one in findings}["progress"]

    assert "ok" == progress()
    (state / "epoch").write_text("another", "ascii")
    assert "fail" == progress()
    (state / "epoch").unlink()
    (state / "epoch.before").write_text("another", "ascii")
    assert "warn" == progress()
    eight_days_ago = time.time() - 8 * 24 * 3600
    os.utime(state / "epoch.before", (eight_days_ago, eight_days_ago))
    assert "ok" == progress()
    (state / "epoch.before").unlink()


def test_doctor_without_an_instance_says_what_will_run(tmp_path: Path) -> None:
    """Nothing runs: that is no failure, and each secret in use is told."""
    file = write(tmp_path, sinks=f"[{bot(tmp_path)}]", subscribers="[]")

    result = call("doctor", "-c", file)

    assert 0 == result.exit_code
    assert "! redis" in result.stdout
    assert "secret token of sink chat" in result.stdout
    assert token_of(tmp_path) not in result.output


def test_doctor_fails_where_something_is_to_mend(tmp_path: Path) -> None:
    """A Redis that is configured and does not answer is marked, and is 1."""
    file = write(tmp_path, redis=f"unix://{tmp_path}/none.sock")

    result = call("doctor", "-c", file)

    assert 1 == result.exit_code
    assert any(line.startswith("✗ redis") for line in result.stdout.splitlines())


def test_doctor_sees_a_state_that_others_can_look_into(tmp_path: Path) -> None:
    """It is said what to type, and it can be lived with."""
    file = write(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)

    result = call("doctor", "-c", file)

    assert 0 == result.exit_code
    assert f"→ chmod 700 {tmp_path}/state" in result.stdout


def test_doctor_fails_where_the_state_is_no_folder(tmp_path: Path) -> None:
    """A file in its place is to be moved away."""
    file = write(tmp_path)
    (tmp_path / "state").write_text("")

    result = call("doctor", "-c", file)

    assert 1 == result.exit_code
    assert any(line.startswith("✗ state") for line in result.stdout.splitlines())


def test_doctor_names_dead_letters(file: Path) -> None:
    """Something set aside is to be known of, and where to look."""
    buried(file)

    lines = call("doctor", "-c", file).stdout.splitlines()

    (at,) = (i for i, line in enumerate(lines) if line.startswith("! dead letters"))
    assert "monitor dead list" in lines[at + 1]
