"""The daemon as a whole: it starts, reloads, stops, and others take over."""

import asyncio
import itertools
import json
import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.clock import SystemClock
from monitor.config import Settings
from monitor.daemon import Daemon
from monitor.errors import Unavailable
from monitor.health import LONGEST
from monitor.item import WIRE, Delivery, Item, Match, Note, Reading, to_json, to_wire
from monitor.replay import decide
from monitor.stream import PREFIX, QUEUES, Server, Stream
from monitor.stream.archive import Archive
from monitor.stream.door import Door
from tests.archived import EVER
from tests.botapi import bot_api
from tests.daemons import (
    Hurried,
    Leaping,
    Paper,
    configured,
    loaded,
    looking,
    met,
    printed,
    settled,
    started,
    until,
    working,
)
from tests.parts import DRONE, DULL, NOW, batch, events, logged, post, scripted, told

numbers = itertools.cycle(range(1, 16))


@pytest.fixture
async def paper() -> AsyncIterator[Paper]:
    """A newspaper of the town."""
    async with printed() as paper:
        yield paper


@pytest.fixture
async def redis(redis_url: str) -> str:
    """An empty database of one's own on the tests' server."""
    url = f"{redis_url}?db={next(numbers)}"
    door = Door(url, "")
    await door.call("FLUSHDB")
    await door.aclose()
    return url


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager that listens to what it is told."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.setblocking(False)  # noqa: FBT003 - the socket's own word
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield manager


def heard(manager: socket.socket) -> list[str]:
    """Return the first words of each datagram that came, in order."""
    words = []
    while True:
        try:
            words.append(manager.recv(4096).decode().partition("=")[0])
        except BlockingIOError:
            return words


def drone(number: int) -> str:
    """Return a text that matters, unlike all others."""
    return f"{DRONE}, сообщение {number}"


# What flows


async def test_what_was_decided_is_replayed_to_the_byte(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """The archive's items give the archive's matches, with all corrections."""
    reads = [
        [post("1"), post("2", DULL)],
        [post("3"), post("4", DULL), post("5"), post("6", DULL)],
        [post("3", DULL), post("4"), post("5", f"{DRONE}!"), post("6", f"{DULL}!")],
        [
            post("3", "", "deleted"),
            post("4", DULL),
            post("5"),
            post("6", "", "deleted"),
        ],
        [post("3"), post("4", "", "deleted"), post("1", DULL), post("2")],
    ]
    moments = itertools.count()

    def seen(item: Item) -> Item:
        when = NOW + timedelta(seconds=next(moments))
        return msgspec.structs.replace(item, seen=when)

    scripts = [
        [batch(*map(seen, items), cursor=f"c{number}")]
        for number, items in enumerate(reads)
    ]
    source = scripted(*scripts, [batch(cursor="end")], every=timedelta(milliseconds=20))
    plain = loaded(configured(tmp_path, paper, redis))
    settings = replace(plain, sources=(source,))
    async with (
        working(settings, ["collect", "filter", "archive"]),
        looking(redis) as at,
    ):
        async with asyncio.timeout(20):
            while await at.cursor("governor") != "end":
                await asyncio.sleep(0.01)
        await archived(at)

    with Archive(settings.state / "archive") as archive:
        items = list(archive.items(*EVER))
        live = [to_json(match) for match in archive.matches(*EVER)]
    decided = decide(items, settings.filter, settings.origins)
    assert live == [to_json(match) for _, match in decided if match]
    taken_back = [
        json.loads(line)["item"]["id"] for line in live if b'"rules":[]' in line
    ]
    assert (16, 11) == (len(items), len(live))
    assert ["3", "3", "4", "4"] == taken_back


async def archived(stream: Stream) -> None:
    """Wait until the archive holds every item and match."""
    async with asyncio.timeout(20):
        while any(
            depth.pending or depth.lag
            for depth in await stream.depths()
            if depth.group in ("filter", "archive")
        ):
            await asyncio.sleep(0.01)


async def test_a_killed_server_is_started_again(tmp_path: Path, paper: Paper) -> None:
    """Everything goes on after a second, and nothing is lost or told twice."""
    plain = loaded(configured(tmp_path, paper))
    sink = told()
    settings = replace(plain, sinks=(sink,))
    with logged("warning") as lines:
        async with working(settings):
            async with looking(settings.state) as at:
                await met(at)
                paper.publish(drone(1))
                await until(lambda: len(sink.log) == 1)
            os.kill(await pid_of(settings.state), signal.SIGKILL)
            paper.publish(*map(drone, range(2, 6)))
            await until(lambda: len(sink.log) >= 5)
            async with looking(settings.state) as at:
                await settled(at)

    assert [("1", f"feed/{n}/1") for n in range(1, 6)] == sink.log
    assert ["server_started_again"] == events(lines, "server_started_again")
    assert [] == events(lines, "stage_failed", "server_gone")


async def pid_of(state: Path) -> int:
    """Return the process of the embedded server."""
    door = Door(await Server.running_url(state) or "", "")
    info = (await door.call("INFO", "server")).decode()
    await door.aclose()
    return int(info.partition("process_id:")[2].split()[0])


# Reloading


async def test_a_reload_takes_up_what_is_new_and_nothing_that_is_wrong(
    tmp_path: Path, paper: Paper, redis: str, manager: socket.socket
) -> None:
    """A good file is taken up by difference; a bad one is told, and changes nothing."""
    file = configured(tmp_path, paper, redis)
    good = file.read_text("utf-8")
    with logged("info") as lines:
        async with working(loaded(file)):
            await until(lambda: "/feed.xml" in paper.reads)
            file.write_text(f"{good}\nrulez: []\n", "utf-8")
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: "reload_refused" in events(lines))
            done = len(paper.reads)
            await until(lambda: len(paper.reads) > done + 2)

            where = f'url: "{paper.url}/second.xml", every: 30ms'
            more = f"  - {{name: second, kind: feed, {where}}}\n"
            file.write_text(good + more, "utf-8")
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: "/second.xml" in paper.reads)

            head = good.partition("sources:")[0]
            file.write_text(f"{head}sources:\n{more}", "utf-8")
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: 2 == len(events(lines, "reloaded")))
            paper.reads.clear()
            await until(lambda: len(paper.reads) > 3)
            assert {"/second.xml"} == set(paper.reads)

    (refused,) = [line for line in lines if line["event"] == "reload_refused"]
    assert f"{file.name}:" in refused["mistakes"]
    assert "rulez" in refused["mistakes"]
    ready, reloading = "READY", "RELOADING"
    assert [ready, *[reloading, ready] * 3, "STOPPING"] == heard(manager)


async def test_a_reload_tells_what_needs_a_restart(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """What cannot be changed at work is named, and the rest is taken up."""
    file = configured(tmp_path, paper, redis)
    with logged("info") as lines:
        async with working(loaded(file)) as daemon:
            await until(lambda: "daemon_started" in events(lines))
            text = file.read_text("utf-8").replace("pace: 1ms", "pace: 2ms")
            file.write_text(text.replace("name: ann", "name: bob"), "utf-8")
            daemon.reload()
            await until(lambda: "reloaded" in events(lines))

    needed = [line["changed"] for line in lines if line["event"] == "restart_needed"]
    assert ["pace"] == needed


async def test_a_reload_is_refused_if_the_sinks_change(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """Nobody is moved to a sink that does not run: all stays until a restart."""
    file = configured(tmp_path, paper, redis)
    sink = told()
    with logged("info") as lines:
        async with (
            working(replace(loaded(file), sinks=(sink,))) as daemon,
            looking(redis) as at,
        ):
            await met(at)
            text = file.read_text("utf-8").replace(f"name: {sink.name}", "name: fresh")
            file.write_text(text.replace(f"sink: {sink.name}", "sink: fresh"), "utf-8")
            daemon.reload()
            await until(lambda: "reload_refused" in events(lines))
            paper.publish(drone(1))
            await until(lambda: sink.log)

    assert "reloaded" not in events(lines)


async def test_what_waits_for_a_sink_that_is_gone_is_told(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """After a sink was renamed, the alerts in its outbox are no secret."""
    settings = loaded(configured(tmp_path, paper, redis))
    before = replace(told(), name="before")
    people = tuple(replace(one, sink="before") for one in settings.subscribers)
    old = replace(settings, sinks=(before,), subscribers=people)
    with logged("info") as lines:
        async with (
            working(old, ["collect", "filter", "alert"]),
            looking(redis) as at,
        ):
            await met(at)
            paper.publish(drone(1))
            while not any(
                depth.length
                for depth in await at.depths()
                if depth.queue == "outbox:before:0"
            ):
                await asyncio.sleep(0.01)
        async with working(settings):
            await until(lambda: "outbox_without_sink" in events(lines))


async def test_new_rules_hold_from_the_reload_on(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """What comes after a reload is judged and told by the new settings."""
    file = configured(tmp_path, paper, redis)
    sink = told()
    with logged("info") as lines:
        async with (
            working(replace(loaded(file), sinks=(sink,))) as daemon,
            looking(redis) as at,
        ):
            await met(at)
            text = file.read_text("utf-8").replace("беспилотник~", "сирена~")
            file.write_text(text.replace("name: ann", "name: bob"), "utf-8")
            daemon.reload()
            await until(lambda: "reloaded" in events(lines))
            paper.publish(drone(1), "В Белгородской области сирена")
            await until(lambda: sink.log)
            await settled(at)

            assert ["bob"] == list(await at.told("feed/2", ["ann", "bob"]))
    assert [("1", "feed/2/1")] == sink.log


# Stopping


async def test_a_stop_ends_what_only_waits(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """With nothing in flight the program is gone before a read would have ended."""
    with logged("info") as lines:
        async with working(loaded(configured(tmp_path, paper, redis))):
            await until(lambda: "daemon_started" in events(lines))
            await until(lambda: paper.reads)
            began = asyncio.get_running_loop().time()
            os.kill(os.getpid(), signal.SIGTERM)
            await until(lambda: "daemon_stopped" in events(lines))
            took = asyncio.get_running_loop().time() - began

    assert took < 1.5  # a read waits for two seconds


async def test_a_hanging_sink_is_not_waited_for_for_ever(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """After the time to drain the program ends, and the next start sends what hung."""
    plain = loaded(configured(tmp_path, paper, redis))
    hanging, sink = told(answers=False), told()
    clock = Hurried(8)
    async with looking(redis) as at:
        with logged("info") as lines:
            async with working(replace(plain, sinks=(hanging,)), clock=clock):
                await met(at)
                paper.publish(drone(1), drone(2))
                await until(lambda: hanging.begun)
                began = clock.monotonic()
                os.kill(os.getpid(), signal.SIGTERM)
                await until(lambda: "daemon_stopped" in events(lines))
                assert clock.monotonic() - began < 10
        async with working(replace(plain, sinks=(sink,))):
            await until(lambda: len(sink.log) == 2)
            await settled(at)

    assert [] == hanging.log
    assert [("1", "feed/1/1"), ("1", "feed/2/1")] == sink.log


async def test_a_start_without_redis_can_be_stopped(
    tmp_path: Path, paper: Paper
) -> None:
    """While it waits for Redis it obeys; a reload then is no reason to die."""
    nowhere = f"unix://{tmp_path}/nowhere.sock"
    with logged("info") as lines:
        settings = loaded(configured(tmp_path / "town", paper, nowhere))
        async with working(settings):
            await until(lambda: "redis_awaited" in events(lines))
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)

    assert ["redis_awaited"] == events(lines)


async def test_redis_may_come_up_later(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """The start waits for it, and then everything works."""
    link = tmp_path / "later.sock"
    path, _, db = redis.removeprefix("unix://").partition("?")
    with logged("info") as lines:
        settings = loaded(configured(tmp_path / "town", paper, f"unix://{link}?{db}"))
        async with working(settings, ["filter"], clock=Hurried(20)):
            await until(lambda: "redis_awaited" in events(lines))
            link.symlink_to(path)
            await until(lambda: "daemon_started" in events(lines))

    known = ("redis_awaited", "daemon_started", "daemon_stopped")
    assert [*known] == events(lines, *known)


# The watchdog


async def test_a_hanging_stage_starves_the_watchdog(
    tmp_path: Path,
    paper: Paper,
    redis: str,
    manager: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is fed while everything gets somewhere, and not while the archive hangs."""
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    settings = loaded(configured(tmp_path, paper, redis))
    clock = Leaping()
    base = settings.state / "archive" / "hot.sqlite"
    with logged("info") as lines:
        async with working(settings, ["archive"], clock=clock), looking(redis) as at:
            await until(lambda: "daemon_started" in events(lines))
            await until(lambda: "WATCHDOG" in heard(manager))
            with closing(sqlite3.connect(base, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                await given(redis)
                await taken(at)
                clock.leap(LONGEST)
                await until(lambda: "stages_stalled" in events(lines))
                heard(manager)
                await asyncio.sleep(0.2)  # ten meals
                assert [] == heard(manager)
                other.execute("ROLLBACK")
            await until(lambda: "WATCHDOG" in heard(manager))

    assert "stages_go_on" in events(lines)
    stalled = next(line for line in lines if line["event"] == "stages_stalled")
    assert "archive:items" in stalled["stages"]


async def given(redis: str) -> None:
    """Put something onto each queue that the archive reads."""
    item, door = post("1"), Door(redis, PREFIX)
    delivery = Delivery(
        item=item.key, subscriber="ann", sink="chat", outcome="delivered", at=NOW
    )
    note = Note(source="governor", id="2", what="service", at=NOW)
    values = (item, Match(item=item, reading=Reading()), delivery, note)
    queues = ("items", "matches", "deliveries", "notes")
    for queue, value in zip(queues, values, strict=True):
        await door.call("XADD", door.key(queue), "*", WIRE, to_wire(value))
    await door.aclose()


async def taken(stream: Stream) -> None:
    """Wait until the archive has taken from each queue what it cannot store."""
    async with asyncio.timeout(10):
        while len(QUEUES) > sum(
            d.pending for d in await stream.depths() if d.group == "archive"
        ):
            await asyncio.sleep(0.005)


# One of each


async def refused(settings: Settings, *roles: str) -> str:
    """Return why a second instance does not start."""
    with pytest.raises(Unavailable) as why:
        await asyncio.wait_for(Daemon(settings, SystemClock(), roles).run(), 5)
    return str(why.value)


async def test_there_is_one_instance_of_a_state_and_of_an_account(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """A second one is refused before it touches anything, whichever role it wants."""
    file = configured(tmp_path / "one", paper, redis)
    other = configured(tmp_path / "two", paper, redis)
    (other.parent / "token").write_text((file.parent / "token").read_text())
    with logged("info") as lines:
        async with working(loaded(file)):
            await until(lambda: "daemon_started" in events(lines))
            same = await refused(loaded(file))
            role = await refused(loaded(file), "filter")
            account = await refused(loaded(other))
            async with started(file) as process:
                _, said = await asyncio.wait_for(process.communicate(), 20)

    pid = os.getpid()
    assert same.endswith(
        f"{tmp_path / 'one' / 'state'} (collect) is in use by process {pid}"
    )
    assert "(filter)" in role
    assert f"sink chat is in use by process {pid}" == account
    assert (69, 1) == (process.returncode, len(said.splitlines()))
    assert b"is in use by process" in said


async def test_the_state_is_for_us_alone(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """Nobody else may look into the folder where the texts and the cursors lie."""
    settings = loaded(configured(tmp_path, paper, redis))
    with logged("info") as lines:
        async with working(settings, ["filter"]):
            await until(lambda: "daemon_started" in events(lines))

    assert 0o700 == settings.state.stat().st_mode & 0o777


async def test_another_redis_than_before_is_noticed(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """An empty or a wrong database is told of, for it takes all for the past."""
    settings = loaded(configured(tmp_path, paper, redis))
    with logged("info") as lines:
        for flushed in (False, False, True, False):
            if flushed:
                door = Door(redis, "")
                await door.call("FLUSHDB")
                await door.aclose()
            async with working(settings, ["filter"]):
                done = len(events(lines, "daemon_stopped"))
                await until(lambda: len(events(lines, "daemon_started")) > done)  # noqa: B023

    known = ("redis_is_another", "daemon_started")
    assert ["daemon_started", "daemon_started", "redis_is_another", "daemon_started",
            "daemon_started"] == events(lines, *known)  # fmt: skip


# Taking over


async def test_a_dead_instance_is_followed_by_the_one_that_stands_by(
    tmp_path: Path, paper: Paper, redis: str
) -> None:
    """Its work is taken over when its leases end; what it left comes first."""
    sink = told()
    other = loaded(configured(tmp_path / "two", paper, redis))
    async with bot_api("1:a") as api, looking(redis) as at:
        file = configured(tmp_path / "one", paper, redis, api.url)
        api.token = (file.parent / "token").read_text()
        api.troubles.extend(["hang"] * 9)
        with logged("info") as lines:
            async with started(file) as first:
                await met(at)
                async with working(replace(other, sinks=(sink,))):
                    paper.publish(drone(1), drone(2))
                    await until(lambda: 9 - len(api.troubles) == 1)
                    await until(lambda: 8 == len(events(lines, "stage_stands_by")))
                    first.kill()
                    await first.wait()
                    paper.publish(drone(3), drone(4))
                    await expired(redis)
                    await until(lambda: len(sink.log) == 4)
                    await settled(at)

    assert [("1", f"feed/{n}/1") for n in (1, 2, 3, 4)] == sink.log
    assert 8 == len(events(lines, "stage_taken_over"))


async def expired(redis: str) -> None:
    """Let the leases' time be over on the server."""
    door = Door(redis, PREFIX)
    leases = await door.call("KEYS", door.key("lease:*"))
    assert 8 == len(leases)
    for lease in leases:
        await door.call("PEXPIRE", lease.decode(), 1)
    await door.aclose()


async def test_roles_are_processes_that_share_a_server(
    tmp_path: Path, paper: Paper
) -> None:
    """Whoever starts first has the server; if it is killed, another one starts it."""
    file = configured(tmp_path, paper)
    sink = told()
    settings = replace(loaded(file), sinks=(sink,))
    rest = ["filter", "alert", "deliver", "archive"]
    with logged("info") as lines:
        async with started(file, "collect") as first, looking(settings.state) as at:
            await met(at)
            async with working(settings, rest):
                paper.publish(drone(1))
                await until(lambda: len(sink.log) == 1)
                first.kill()
                await first.wait()
                paper.publish(drone(2))
                await until(lambda: "server_started_again" in events(lines))
                async with working(settings, ["collect"]):
                    await until(lambda: len(sink.log) >= 2)

    assert [("1", "feed/1/1"), ("1", "feed/2/1")] == sink.log
