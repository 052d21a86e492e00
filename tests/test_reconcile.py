"""What was lost is found within twenty minutes, and told to the operators once."""

from collections.abc import Iterator
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from monitor import pipeline
from monitor.alert import Subscriber
from monitor.alert.policy import Subscribers
from monitor.collect.telegram_web import Telegram
from monitor.config import Settings
from monitor.findings import LONGEST, OVERLAP, PATIENCE, Kept, Window, letters
from monitor.house import House
from monitor.item import OURSELVES, Delivery, Item, Note
from monitor.reconcile import Reconciler
from monitor.stream import ITEMS, MATCHES, QUEUES, Letter, Stream, outbox
from monitor.stream.door import Door
from monitor.stream.reader import Damaged
from monitor.trouble import Troubles
from tests.clock import START, FakeClock
from tests.cutter import cutting
from tests.parts import (
    DRONE,
    DULL,
    GOVERNOR,
    drones,
    events,
    logged,
    post,
    told,
)
from tests.stream_values import drained

NOW, MINUTE, TEN = timedelta(), timedelta(minutes=1), timedelta(minutes=10)
ANN = Subscriber(name="ann", sink="chat", to="1", places=("RU-BEL",))


class Town:
    """A program at work by hand: each stage turns when it is told to."""

    def __init__(self, stream: Stream, clock: FakeClock, folder: Path) -> None:
        self.stream, self.clock = stream, clock
        self.house = House(folder / "archive", stream, clock)
        self.settings = Settings(
            file=folder / "monitor.yaml",
            state=folder,
            filter=drones(),
            sources=(Telegram(origin=GOVERNOR, channel="governor"),),
            sinks=(told(),),
            subscribers=(ANN,),
        )
        self.reconciler = Reconciler(self.house, stream, clock, lambda: self.settings)

    async def publish(
        self, *ids: str, text: str = DRONE, ago: timedelta = NOW, **more: Any
    ) -> None:
        """Let posts be collected now; they were read a while *ago*."""
        then = self.clock.now() - ago
        items = [replace(post(id_, text), seen=then, published=then) for id_ in ids]
        await self.stream.accept("governor", items, ids[-1], **more)

    async def note(self, *ids: str) -> None:
        """Let numbers be found to be service messages."""
        notes = [
            Note(source="governor", id=id_, what="service", at=self.clock.now())
            for id_ in ids
        ]
        await self.stream.accept("governor", [], ids[-1], notes=notes)

    async def judge(self) -> None:
        """Let what was collected be judged, and decided on."""
        entries = await drained(self.stream.reader(ITEMS, "filter"))
        await pipeline.judge(entries, drones(), {}, self.stream, self.clock)
        matches = await drained(self.stream.reader(MATCHES, "alert"))
        people = Subscribers([ANN])
        await pipeline.address(
            matches, people, {"governor": GOVERNOR}, self.stream, self.clock
        )

    async def deliver(self) -> None:
        """Let what is in the outbox arrive."""
        for entry in await drained(self.stream.reader(outbox("chat"), "deliver")):
            arrived = Delivery(
                item=entry.value.match.item.key,
                subscriber="ann",
                sink="chat",
                outcome="delivered",
                at=self.clock.now(),
            )
            await self.stream.settle(entry, [arrived], done=True)

    async def keep(self) -> None:
        """Let the archive take what there is."""
        for queue in QUEUES:
            await self.stream.take(f"archive:{queue.name}", timedelta(hours=1))
            entries = await drained(self.stream.reader(queue, "archive"))
            await pipeline.keep(entries, self.house.archive, self.stream)

    async def all(self) -> None:
        """Let every stage do what there is to do."""
        await self.judge()
        await self.deliver()
        await self.keep()

    async def look(self, after: timedelta = TEN) -> None:
        """Let time pass, and the reconciler look."""
        self.clock.advance(after)
        await self.reconciler.turn()

    async def told(self) -> list[str]:
        """Return what the operators are told since the last time."""
        entries = [
            entry
            async for entry in self.stream.backlog.of(ITEMS, "filter")
            if isinstance(entry.value, Item) and entry.value.source == OURSELVES
        ]
        await self.all()
        return [entry.value.text for entry in entries if isinstance(entry.value, Item)]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that goes by hand from this moment on, as the server's does by itself."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def town(stream: Stream, clock: FakeClock, tmp_path: Path) -> Iterator[Town]:
    """A program at work."""
    made = Town(stream, clock, tmp_path)
    yield made
    made.house.close()


async def test_what_adds_up_is_told_to_nobody(town: Town) -> None:
    """However often it is looked at, and whatever is published meanwhile."""
    await town.publish("1", text=DULL, baseline=True)
    await town.all()
    for n in range(2, 8):
        await town.publish(str(n), text=DRONE if n % 2 else DULL)
        await town.all()
        await town.look()
    await town.look()

    assert [] == await town.told()


async def test_an_item_that_nobody_judged_is_found(town: Town) -> None:
    """Acknowledged by a bug or by hand, it is neither matched nor noted: told once."""
    await town.publish("1", "2")
    (lost, _) = await drained(town.stream.reader(ITEMS, "filter"))
    await town.stream.ack(ITEMS, "filter", [lost.id])
    await town.all()
    with logged("error") as lines:
        await town.look(2 * TEN)
        (said,) = await town.told()
        await town.look()

    assert said.startswith("governor: 1 post taken in and never judged, such as")
    assert "such as governor/1/1. See: monitor account --from" in said
    assert [said] == [line["what"] for line in lines]
    assert [] == await town.told(), "it is in the overlap of two windows"
    await town.look()
    (over,) = await town.told()
    assert over.startswith("Over since")


async def test_an_alert_that_is_gone_is_found(town: Town, door: Door) -> None:
    """An envelope that was deleted by hand has told nobody, and does not wait."""
    await town.publish("1", "2")
    await town.judge()
    key = door.key(outbox("chat").name)
    ((id_, _), *_) = await door.call("XRANGE", key, "-", "+", "COUNT", 1)
    await door.call("XDEL", key, id_)
    await town.all()
    await town.look(2 * TEN)

    (said,) = await town.told()
    assert said.startswith("governor: 1 alert neither told nor waiting, such as")


async def test_what_waits_is_no_trouble(town: Town) -> None:
    """The chat is down for a day; that is told by others, and nothing is lost."""
    await town.publish("1")
    await town.judge()
    await town.keep()
    for _ in range(5):
        await town.look(5 * TEN)
    assert [] == await town.told()
    await town.deliver()
    await town.keep()
    await town.look()
    assert [] == await town.told()


async def test_numbers_that_nobody_saw_are_found(town: Town) -> None:
    """Between two windows, too; and told once."""
    await town.publish("10", "11", text=DULL, baseline=True)
    await town.all()
    for _ in range(5):
        await town.look()
    await town.publish("15", text=DULL)
    await town.note("13")
    await town.all()
    await town.look(2 * TEN)

    (said,) = await town.told()
    assert said.startswith("governor published 2 numbers that nobody saw: 12, 14.")
    for _ in range(3):
        await town.look()
    assert ["Over"] == [one.split()[0] for one in await town.told()]


async def test_a_read_of_an_hour_leaves_no_gap(town: Town) -> None:
    """What was read long before it was accepted is there, in whichever window."""
    await town.publish("10", text=DULL)
    await town.all()
    for _ in range(8):
        await town.look()
    await town.publish("11", "12", text=DULL, ago=5 * TEN)
    await town.publish("13", text=DULL)
    await town.all()
    await town.look(2 * TEN)
    assert [] == await town.told()


async def test_a_number_of_weeks_ago_is_known_to_a_new_reconciler(
    town: Town,
) -> None:
    """Where nothing is remembered, the archive says which number was the last."""
    await town.publish("10", text=DULL)
    await town.all()
    town.clock.advance(timedelta(days=20))
    await town.publish("12", text=DULL)
    await town.all()
    await town.look(PATIENCE + MINUTE)
    (said,) = await town.told()
    assert "that nobody saw: 11." in said


async def test_what_is_not_archived_yet_is_waited_for(town: Town) -> None:
    """An archive that is behind is no loss; its window is closed when it has come."""
    await town.publish("1")
    await town.judge()
    await town.deliver()
    await town.stream.take("archive:items", timedelta(hours=1))
    for _ in range(3):
        await town.look(3 * TEN)
    assert [] == await town.told()
    await town.keep()
    await town.look()
    assert [] == await town.told()


async def test_dead_letters_are_told_by_their_reason(town: Town) -> None:
    """Once each, and that they are gone."""
    await town.keep()
    await town.publish("1", "2", "3")
    entries = await drained(town.stream.reader(ITEMS, "filter"))
    for entry, why in zip(entries, ("a bug", "a bug", "another"), strict=True):
        await town.stream.bury(entry, why)
    await town.look()
    said = await town.told()
    assert [
        "2 dead letters in items: a bug.",
        "1 dead letter in items: another.",
    ] == [one.partition(" See")[0] for one in said]
    await town.look()
    assert [] == await town.told()
    for letter in await town.stream.dead():
        if letter.why == "a bug":
            await town.stream.drop(letter.id)
    await town.look()
    (over,) = await town.told()
    assert over.startswith("Over since")
    assert over.endswith(said[0])


async def test_a_sink_that_is_no_more_is_told_of(town: Town) -> None:
    """What waits for it would wait for ever."""
    await town.publish("1")
    await town.judge()
    town.settings = changed(town.settings, sinks=())
    await town.keep()
    await town.look()
    (said,) = await town.told()
    assert said.startswith("1 alert in outbox:chat:0 for a sink that is configured no")


async def test_what_others_removed_is_told_of(town: Town, door: Door) -> None:
    """Each time more is gone, once."""
    said = []
    await town.publish("9", text=DULL)
    await town.stream.trim()
    for n in ("1", "2"):
        await town.publish(n, text=DULL)
        await door.call("XTRIM", door.key("items"), "MAXLEN", 0)
        await town.publish(f"{n}0", text=DULL)
        await town.all()
        await town.stream.trim()
        await town.look()
        said += [one for one in await town.told() if "removed" in one]
        await town.look()
        said += [one for one in await town.told() if "removed" in one]

    assert 2 == len(said)
    assert all(one.startswith("Somebody else than the program") for one in said)


async def test_only_who_archives_keeps_account(town: Town, other: Stream) -> None:
    """Another one's archive is not here, and what is in it would seem lost."""
    await town.publish("1")
    (entry,) = await drained(town.stream.reader(ITEMS, "filter"))
    await town.stream.ack(ITEMS, "filter", [entry.id])
    await other.take("archive:notes", timedelta(hours=1))
    for queue in (ITEMS, MATCHES):
        await town.stream.take(f"archive:{queue.name}", timedelta(hours=1))
        some = await drained(town.stream.reader(queue, "archive"))
        await pipeline.keep(some, town.house.archive, town.stream)
    await town.look(2 * TEN)
    assert 0 == len(await drained(town.stream.reader(ITEMS, "filter")))


async def test_of_several_one_keeps_account(town: Town, other: Stream) -> None:
    """Whoever has the lease does, until it has died."""
    await other.take("reconcile", timedelta(minutes=10))
    await town.keep()
    await town.look()
    assert "" == await town.stream.cursor("monitor/account")
    await other.release("reconcile")
    await town.look()
    assert "until" in await town.stream.cursor("monitor/account")


async def test_what_was_kept_and_cannot_be_read_begins_anew(town: Town) -> None:
    """Another version of the program wrote it: the last minutes are looked at again."""
    damaged = msgspec.json.encode(Troubles({}, "{of another version")).decode()
    await town.stream.accept("monitor/account", [], damaged)
    await town.keep()
    await town.look()
    assert [] == await town.told()
    assert "until" in await town.stream.cursor("monitor/account")


async def test_redis_that_is_away_is_no_end(
    redis_url: str, prefix: str, clock: FakeClock, tmp_path: Path
) -> None:
    """It is looked at another time, and the log says why it was not."""
    async with cutting(redis_url, tmp_path) as cutter:
        shaky = await Stream.connect(cutter.url, "one", clock=clock, prefix=prefix)
        town = Town(shaky, clock, tmp_path)
        await town.keep()
        cutter.lose(lambda: True)
        with logged() as lines:
            await town.look()
        cutter.lose(lambda: False)
        await town.look()
        assert "until" in await shaky.cursor("monitor/account")
        town.house.close()
        await shaky.aclose()
    assert ["account_not_kept"] == events(lines)


# Windows


def window(until: datetime | None, now: datetime, **more: Any) -> Window | None:
    return Kept(until=until).window(now, more.get("unarchived"))


def test_windows_follow_each_other() -> None:
    """Each overlaps the one before, and ends before what may still be on its way."""
    assert Window(START - OVERLAP, START + MINUTE) == window(
        START, START + PATIENCE + MINUTE
    )
    assert window(START, START + PATIENCE) is None
    first = window(None, START)
    assert first is not None
    assert START - PATIENCE == first.until


def test_after_a_long_pause_a_window_is_no_longer_than_a_day() -> None:
    """So that it fits into memory; the next one goes on from there."""
    found = window(START, START + timedelta(days=9))
    assert Window(START - OVERLAP, START + LONGEST) == found


def test_a_window_ends_where_the_archive_does() -> None:
    """Nothing is said of what it does not hold yet."""
    later = START + timedelta(hours=3)
    assert window(START, later, unarchived=START) is None
    found = window(START, later, unarchived=START + MINUTE)
    assert found is not None
    assert START + MINUTE == found.until


def test_a_clock_that_was_ahead_does_not_stop_it() -> None:
    """What was closed up to next year begins again from now."""
    found = window(START + timedelta(days=365), START)
    assert found is not None
    assert START - PATIENCE == found.until


def test_many_kinds_of_dead_letters_are_summed_up() -> None:
    """A person reads five reasons, and how many more there are."""
    dead = [
        Letter(
            id=f"{n}-0", queue="items", group="filter", entry="1-1", why=f"w{n // 2}",
            attempts=1, at=START, value=Damaged("x"),
        )
        for n in range(20)
    ]  # fmt: skip
    found = letters(dead)
    assert 6 == len(found)
    assert "10 dead letters more, for other reasons." == found["dead:more"]
