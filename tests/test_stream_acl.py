"""Each role has a user of its own: it may do its work, and nothing else."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.config import Settings
from monitor.config.kept import secret
from monitor.errors import Unavailable
from monitor.house import House
from monitor.item import Note, What
from monitor.reconcile import Reconciler, standing
from monitor.secret import Secret
from monitor.stream import (
    GROUPS,
    ITEMS,
    MATCHES,
    QUEUES,
    Damaged,
    Queue,
    Sending,
    Stream,
    outbox,
)
from monitor.stream.backup import restore, snapshot
from monitor.stream.doctor import survey
from monitor.stream.door import Door
from monitor.stream.server import find_binary
from monitor.trouble import Teller
from tests.clock import FakeClock
from tests.daemons import configured, loaded, met, printed, settled, until, working
from tests.parts import Told, drones, events, logged, told
from tests.servers import DEPLOY, USERS, Deployed, binaries, deployed, shipped
from tests.stream_values import NOW, delivery, drained, envelope, post, verdicts

ROLES = ("collect", *GROUPS)
PREFIX = "monitor:{0}:"
OUTBOX = outbox("chat")


@pytest.fixture(params=binaries())
async def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployed]:
    """A server as it is deployed, in a folder whose path is short enough."""
    async with deployed(tmp_path_factory.mktemp("r"), request.param) as server:
        yield server


@asynccontextmanager
async def as_user(
    server: Deployed, name: str, owner: str = "one"
) -> AsyncIterator[Stream]:
    """Be at work as one of the users while the block runs."""
    stream = await Stream.connect(
        server.urls[name], owner, sinks=["chat"], groups=(name,)
    )
    try:
        yield stream
    finally:
        await stream.aclose()


@asynccontextmanager
async def door_of(server: Deployed, name: str) -> AsyncIterator[Door]:
    """Give plain commands as one of the users while the block runs."""
    door = Door(server.urls[name], PREFIX)
    try:
        yield door
    finally:
        await door.aclose()


def note_of(id_: str, what: What = "service") -> Note:
    """Return why a post is not told of."""
    return Note(source="town", id=id_, what=what, at=NOW)


async def denied(server: Deployed) -> dict[str, str]:
    """Return how often the server denied something, by kind."""
    async with door_of(server, "operator") as door:
        said = (await door.call("INFO", "stats")).decode().splitlines()
    counts = dict(line.split(":") for line in said if line.startswith("acl_"))
    return {kind: count for kind, count in counts.items() if count != "0"}


async def heard(sink: Told, count: int) -> None:
    """Wait until a sink was told so many things."""
    await until(lambda: len(sink.log) == count)


async def test_every_role_works_as_its_user(tmp_path: Path, server: Deployed) -> None:
    """
    Five daemons, each as its user: posts, edits and what nobody can read go the whole
    way, before and after a restart, and the server has denied nothing.
    """
    sink = told()
    async with printed() as paper, as_user(server, "operator") as at:
        settings = loaded(configured(tmp_path, paper))
        settings = replace(settings, sinks=(sink,))
        with logged("info") as lines:
            for count in (1, 2):
                async with AsyncExitStack() as stack:
                    for role in ROLES:
                        own = replace(settings, redis=Secret(server.urls[role]))
                        await stack.enter_async_context(working(own, [role]))
                    await met(at)
                    paper.publish("Сегодня день города", "Над Грайвороном беспилотник")
                    await heard(sink, 2 * count - 1)
                    paper.texts[-1] = "Над Грайвороном два беспилотника"
                    await heard(sink, 2 * count)
                    await settled(at)

    assert {} == await denied(server)
    assert [] == [line for line in lines if line["level"] in ("warning", "error")]
    assert ["feed/2/1", "feed/2/2", "feed/4/1", "feed/4/2"] == [
        key for _, key in sink.log
    ]


# What happens seldom, or never in the life above


async def taken(stream: Stream, queue: Queue[Any], group: str) -> list[Any]:
    """Take what there is, some of it for the second time, and set damage aside."""
    await stream.reader(queue, group).next(1)
    reader = stream.reader(queue, group)
    reader.begin()
    sound = []
    for entry in await drained(reader):
        if isinstance(entry.value, Damaged):
            assert await stream.bury(entry, entry.value.why)
        else:
            sound.append(entry)
    return sound


async def leased(stream: Stream, *names: str) -> None:
    """Take, renew and give back leases."""
    for name in names:
        assert await stream.take(name, timedelta(seconds=30))
        assert await stream.take(name, timedelta(seconds=30))
        assert await stream.release(name)


async def damage(server: Deployed, *queues: str) -> None:
    """Put something onto queues that nobody can read."""
    async with door_of(server, "operator") as door:
        for queue in queues:
            await door.call("XADD", door.key(queue), "*", "1", b"nonsense")


async def collects(server: Deployed) -> None:
    """Do all that collecting does."""
    async with as_user(server, "collect") as stream:
        await leased(stream, "collect")
        assert "" == await stream.database.shortage(stopped=False)
        assert not await stream.is_another()
        notes = [note_of("7")]
        await stream.accept("town", [post("0")], "b", baseline=True)
        await stream.accept("town", [post("1"), post("2")], "c", notes=notes)
        gone = post("2", change="deleted")
        assert 1 == (await stream.accept("town", [gone], "c")).deleted
        assert "c" == (await stream.progress("town")).cursor
        assert "c" == await stream.cursor("town")
        assert {"town"} == (await stream.reads()).keys()
        assert {"town"} == (await stream.database.pulse(count=True)).reads.keys()
        teller = Teller("intake", stream, FakeClock())
        assert await teller.tell({"stopped": "Nothing is read any more."})


async def filters(server: Deployed) -> None:
    """Do all that filtering does."""
    async with (
        as_user(server, "filter") as stream,
        as_user(server, "filter", "two") as two,
    ):
        await leased(stream, "filter")
        await stream.reader(ITEMS, "filter").next(1)
        entries = await taken(two, ITEMS, "filter")
        assert 4 == len(entries)
        noted = (entries[1], note_of("2", "filtered"))
        assert 2 == await two.publish([*verdicts([entries[0], entries[2]]), noted])


async def alerts(server: Deployed) -> None:
    """Do all that deciding who is told does."""
    async with as_user(server, "alert") as stream:
        await leased(stream, "alert")
        first, second = await taken(stream, MATCHES, "alert")
        suppressed = delivery("town/1/1", "bob", "suppressed")
        letter = envelope(first.value, "ann", "cat")
        nobody = note_of("2", "unconcerned")
        assert 1 == await stream.fanout(
            [(first, [letter], [suppressed]), (second, [], [nobody])]
        )


async def delivers(server: Deployed) -> None:
    """Do all that delivering does."""
    async with as_user(server, "deliver") as stream:
        name = "deliver:chat"
        await leased(stream, name)
        assert 5 == len(
            {depth.queue for depth in await stream.depths() if depth.length}
        )
        (entry,) = await taken(stream, outbox("chat"), "deliver")
        assert await stream.take(name, timedelta(seconds=30))
        (begun,) = await stream.begin(name, "ann", [Sending(entry=entry)])
        assert begun.ours
        dead = delivery("town/1/1", "cat", "dead")
        assert 1 == await stream.settle(
            entry, [delivery("town/1/1", "ann")], done=False
        )
        assert 1 == await stream.settle(entry, [dead], done=True)
        assert await stream.release(name)
        known = await stream.told("town/1", ["ann", "bob", "cat"])
        assert {"ann", "cat"} <= known.keys()
        directory = stream.directory
        await directory.park("chat", "ann", "blocked")
        assert "blocked" == await directory.parked("chat", "ann")
        assert await directory.parking()
        await directory.unpark("chat", "ann")
        await directory.move("chat", "1", "2")
        assert "2" == await directory.moved("chat", "1")
        await directory.hold("chat", None, NOW)
        await directory.held()


async def archives(server: Deployed) -> None:
    """Do all that keeping and upkeep do."""
    async with as_user(server, "archive") as stream:
        await leased(stream, *(f"archive:{queue.name}" for queue in QUEUES))
        for queue in QUEUES:
            entries = await taken(stream, queue, "archive")
            await stream.ack(queue, "archive", [entry.id for entry in entries])
        await stream.trim()
        assert {} == await stream.database.missing()
        await stream.forget("town", timedelta(0))
        await leased(stream, "reconcile")
        assert not await stream.backlog.holds(stream.owner, "archive:items")
        assert (await standing(stream, NOW)).waiting.items
        await stream.backlog.oldest("archive")
        assert await stream.dead()
        assert await stream.depths()
        teller = Teller("account", stream, FakeClock())
        assert await teller.tell({"gap": "A post is not accounted for."})
        assert await teller.tell({})
        await reconciles(stream, server.folder)


async def reconciles(stream: Stream, folder: Path) -> None:
    """Keep account of what is archived, and tell of what is found."""
    for queue in QUEUES:
        await stream.take(f"archive:{queue.name}", timedelta(minutes=1))
    house = House(folder / "archive", stream, SystemClock())
    settings = Settings(file=folder / "x.yaml", state=folder, filter=drones())
    with logged() as lines:
        await Reconciler(house, stream, SystemClock(), lambda: settings).turn()
    assert [] == events(lines, "account_not_kept"), lines
    house.close()
    for name in (*(f"archive:{queue.name}" for queue in QUEUES), "reconcile"):
        await stream.release(name)
    assert "dead:" in await stream.cursor("monitor/account")


async def operates(server: Deployed) -> None:
    """Do what a person does: look, put back, drop."""
    async with as_user(server, "operator") as stream:
        letters = await stream.dead()
        assert {"items", "matches", "outbox:chat:0"} <= {
            letter.queue for letter in letters
        }
        assert await stream.retry(letters[-1].id)
        assert await stream.drop(letters[0].id)
        assert await stream.directory.parking() == {}
        async for _ in stream.follow(ITEMS, back=1):
            break
        assert all(fact.judgement == "ok" for fact in await stream.doctor())
        await stream.database.pulse(count=False)
        assert not [letter async for letter in stream.backlog.outboxes()]
    async with door_of(server, "operator") as door:
        kept = await snapshot(door)
        await restore(door, kept, replace=True)
        facts = await survey(door, datetime.now(UTC))
        assert all(fact.judgement == "ok" for fact in facts)


async def test_a_user_may_do_all_of_its_work(server: Deployed) -> None:
    """Every operation of every role works as its user, and nothing was denied."""
    await collects(server)
    await damage(server, "items", "matches", "outbox:chat:0", "deliveries")
    for work in (filters, alerts, delivers, archives, operates):
        await work(server)

    assert {} == await denied(server)


# What none of them may do

PROBES = (
    ("collect", "XRANGE", "@items", "-", "+"),
    ("collect", "XREADGROUP", "GROUP", "filter", "x", "STREAMS", "@items", ">"),
    ("collect", "XGROUP", "CREATE", "@items", "x", "0"),
    ("collect", "XTRIM", "@items", "MAXLEN", "0"),
    ("collect", "XADD", "@matches", "*", "1", "x"),
    ("collect", "XADD", "@outbox:chat:0", "*", "1", "x"),
    ("collect", "HGETALL", "@ledger:town/1"),
    ("collect", "HDEL", "@cursor", "town"),
    ("collect", "SET", "@pulse", "1"),
    ("collect", "DEL", "@epoch"),
    ("collect", "SET", "@lease:filter", "x"),
    ("filter", "XADD", "@items", "*", "1", "x"),
    ("filter", "XDEL", "@items", "1-1"),
    ("filter", "XREADGROUP", "GROUP", "alert", "x", "STREAMS", "@matches", ">"),
    ("filter", "HSET", "@cursor", "town", "x"),
    ("filter", "HSET", "@seen:town", "1", "x"),
    ("filter", "HGETALL", "@seen:town"),
    ("filter", "XRANGE", "@dead", "-", "+"),
    ("filter", "XADD", "@outbox:chat:0", "*", "1", "x"),
    ("alert", "XADD", "@matches", "*", "1", "x"),
    ("alert", "XACK", "@items", "filter", "1-1"),
    ("alert", "XRANGE", "@outbox:chat:0", "-", "+"),
    ("alert", "XDEL", "@outbox:chat:0", "1-1"),
    ("alert", "HGETALL", "@moved"),
    ("alert", "SMEMBERS", "@lanes"),
    ("deliver", "XRANGE", "@items", "-", "+"),
    ("deliver", "XRANGE", "@matches", "-", "+"),
    ("deliver", "XADD", "@outbox:chat:0", "*", "1", "x"),
    ("deliver", "XACK", "@matches", "alert", "1-1"),
    ("deliver", "HGETALL", "@cursor"),
    ("deliver", "SET", "@lease:alert", "x"),
    ("archive", "XADD", "@matches", "*", "1", "x"),
    ("archive", "XDEL", "@items", "1-1"),
    ("archive", "XDEL", "@dead", "1-1"),
    ("archive", "XADD", "@outbox:chat:0", "*", "1", "x"),
    (
        "archive",
        "XREADGROUP",
        "GROUP",
        "deliver",
        "x",
        "STREAMS",
        "@outbox:chat:0",
        ">",
    ),
    ("archive", "HSET", "@seen:town", "1", "x"),
    ("archive", "HGETALL", "@wait"),
    ("archive", "HDEL", "@cursor", "town"),
    ("operator", "SET", "elsewhere", "x"),
    ("operator", "EVAL", "return 1", "0"),
    ("operator", "SORT", "@items"),
    ("exporter", "XADD", "@items", "*", "1", "x"),
    ("exporter", "XRANGE", "@items", "-", "+"),
    ("exporter", "HGETALL", "@ledger:town/1"),
    ("exporter", "XREADGROUP", "GROUP", "filter", "x", "STREAMS", "@items", ">"),
)
EVERYBODY = (
    ("FLUSHALL",), ("FLUSHDB",), ("SWAPDB", "0", "1"), ("SHUTDOWN", "NOSAVE"),
    ("CONFIG", "SET", "appendonly", "no"), ("DEBUG", "SLEEP", "0"),
    ("ACL", "SETUSER", "x", "on"), ("ACL", "LIST"), ("ACL", "LOG", "RESET"),
    ("SAVE",), ("BGREWRITEAOF",), ("MONITOR",), ("CLIENT", "KILL", "ID", "1"),
    ("CLIENT", "LIST"), ("REPLICAOF", "127.0.0.1", "1"), ("MODULE", "LOAD", "/x"),
    ("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH"), ("EVAL", "return 1", "0"),
    ("KEYS", "*"), ("PUBLISH", "x", "y"), ("SUBSCRIBE", "x"),
    ("GET", "monitor:{1}:epoch"), ("MIGRATE", "h", "1", "k", "0", "1"),
)  # fmt: skip


async def refused(door: Door, *command: str) -> str:
    """Return why the server denies a command; nothing if it does not."""
    words = [door.key(word[1:]) if word[0] == "@" else word for word in command]
    try:
        await door.call(*words)
    except Unavailable as refusal:
        return str(refusal)
    return ""


async def test_no_user_may_do_what_is_anothers(server: Deployed) -> None:
    """
    Of all that is none of a user's business, the server denies every one; but the
    operator may ask for the names of all keys, as `backup` does.
    """
    probes = [*PROBES]
    probes += [(name, *command) for name in USERS for command in EVERYBODY]
    allowed = []
    async with AsyncExitStack() as stack:
        doors = {
            name: await stack.enter_async_context(door_of(server, name))
            for name in USERS
        }
        for name, *command in probes:
            why = await refused(doors[name], *command)
            if not any(words in why for words in ("permission", "not allowed")):
                allowed.append((name, command[0], why))

    assert len(probes) > 200
    assert [("operator", "KEYS", "")] == allowed


async def test_a_script_has_the_rights_of_its_caller(server: Deployed) -> None:
    """Whoever may load scripts may do no more by them; what is missing is named."""
    read = "return redis.call('XRANGE', KEYS[1], '-', '+')"
    async with door_of(server, "collect") as door:
        sha = (await door.call("SCRIPT", "LOAD", read)).decode()
        mine = await refused(door, "EVALSHA", sha, "1", "@items")
        others = await refused(door, "EVALSHA", sha, "1", "@matches")

    for why, said in ((mine, "command"), (others, "key")):
        assert said in why.lower()
        assert "allow EVALSHA to this user in the server's ACL" in why


async def test_a_missing_right_is_named(server: Deployed) -> None:
    """Who may not do something is told which command it was, and where to allow it."""
    with pytest.raises(Unavailable) as why:
        await Stream.connect(server.urls["exporter"], "one", groups=())

    assert "'get'" in str(why.value)
    assert "allow GET to this user in the server's ACL" in str(why.value)


async def test_a_queue_can_be_emptied_but_not_unseen(server: Deployed) -> None:
    """No ACL forbids XADD with MAXLEN to those who may add: it is noticed instead."""
    async with (
        door_of(server, "collect") as door,
        as_user(server, "archive") as archive,
    ):
        await door.call("XADD", door.key("items"), "*", "1", "x")
        await archive.trim()
        await door.call("XADD", door.key("items"), "MAXLEN", "0", "*", "1", "x")
        await archive.trim()

        assert {"items": 2} == await archive.database.missing()


# Passwords


async def test_nobody_gets_in_without_a_password(server: Deployed) -> None:
    """Neither as nobody, nor as a user by another word."""
    for user in ("", "default:@", "default:x@", "collect:@", "collect:x@"):
        url = f"unix://{user}{server.folder}/redis.sock"
        with pytest.raises(Unavailable, match="give the right user and password"):
            await Stream.connect(url, "one")


async def test_the_shipped_users_let_nobody_in(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A server starts with the file as it is, and waits for its passwords."""
    folder = tmp_path_factory.mktemp("r")
    shutil.copy(DEPLOY / "users.acl", folder)
    async with deployed(folder, find_binary()):
        for name in (*USERS, "default"):
            for password in ("", f"{name}-4f1c9a07", "0" * 64):
                url = f"unix://{name}:{password}@{folder}/redis.sock"
                with pytest.raises(Unavailable, match="password"):
                    await Stream.connect(url, "one")


def test_passwords_are_kept_until_they_are_renewed(tmp_path: Path) -> None:
    """To run it again changes nothing; each user has a long one of its own."""
    shipped(tmp_path)
    server = Deployed(tmp_path)
    first, users = dict(server.urls), (tmp_path / "users.acl").read_text("ascii")
    shipped(tmp_path)
    again, same = dict(server.urls), (tmp_path / "users.acl").read_text("ascii")
    shipped(tmp_path, "--renew")

    assert (first, users) == (again, same)
    passwords = {url.split(":")[2].partition("@")[0] for url in first.values()}
    renewed = {url.split(":")[2].partition("@")[0] for url in server.urls.values()}
    assert len(USERS) == len(passwords) == len(renewed)
    assert {64} == {len(password) for password in passwords | renewed}
    assert set() == passwords & renewed
    assert not any(password in users for password in passwords)


def test_passwords_are_for_nobody_else(tmp_path: Path) -> None:
    """Only their owner reads them; the server's user reads but their digests."""
    shipped(tmp_path)
    files = list((tmp_path / "credentials").iterdir())

    assert {f"redis-{name}" for name in (*USERS, "url")} == {
        file.name for file in files
    }
    assert {0o400} == {file.stat().st_mode & 0o777 for file in files}
    assert 0o640 == (tmp_path / "users.acl").stat().st_mode & 0o777
    url = (tmp_path / "credentials" / "redis-url").resolve()
    assert "redis-operator" == url.name
    kept = secret("file", "credentials/redis-url", tmp_path)
    assert kept == Deployed(tmp_path).urls["operator"]
