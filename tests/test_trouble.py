"""Operators are told of a trouble once, and when it is over; nobody else is."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from monitor import pipeline
from monitor.alert import Alert, Subscriber
from monitor.alert.compose import html, plain
from monitor.alert.policy import Subscribers, plan
from monitor.alert.step import step
from monitor.errors import Away
from monitor.item import OURSELVES, Delivery, Envelope, Item, Match, Origin
from monitor.secret import Secret
from monitor.stream import ITEMS, MATCHES, Stream, outbox
from monitor.stream.door import Door
from monitor.trouble import MOST, Announced, Teller, Trouble, Troubles, judged
from tests.clock import START, FakeClock
from tests.cutter import Cutter, cutting
from tests.parts import drones
from tests.stream_values import drained, everything

MINUTE = timedelta(minutes=1)
FULL = {"stopped": "The disk is full: make room."}
DESK = Subscriber(name="desk", sink="chat", to="1", severity="critical")
CURIOUS = Subscriber(name="ann", sink="chat", to="2")  # of all places


def compared(
    open_: dict[str, str], current: dict[str, str], once: dict[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Return the ids that are told, and the keys that are open then."""
    before = {key: Trouble(START, text) for key, text in open_.items()}
    items, left = Troubles(before).compared(current, once or {}, START + MINUTE)
    return [item.id.partition("@")[0] for item in items], list(left)


@pytest.mark.parametrize(
    ("open_", "current", "told", "left"),
    [
        ("", "", "", ""),
        ("", "a", "a", "a"),
        ("a", "a", "", "a"),
        ("a", "", "a", ""),
        ("ab", "bc", "ca", "bc"),
    ],
)
def test_only_what_changes_is_told(
    open_: str, current: str, told: str, left: str
) -> None:
    """What is new, and what is over; what stays is not told again."""
    found = compared(dict.fromkeys(open_, "x"), dict.fromkeys(current, "y"))
    assert ([*told], [*left]) == found


def test_what_has_happened_has_no_end() -> None:
    """It is told, and not remembered as open."""
    assert (["gone"], ["a"]) == compared({"a": "x"}, {"a": "x"}, {"gone": "z"})


def test_a_flood_of_troubles_is_bounded() -> None:
    """More than fifty at a time are no help to anybody."""
    many = {f"k{n}": "x" for n in range(3 * MOST)}
    told, left = compared({}, many)
    assert MOST == len(told) == len(left)
    assert ([], left) == compared(dict.fromkeys(left, "x"), many)


def test_the_end_is_the_same_post_and_says_how_long() -> None:
    """It corrects the message that told of it."""
    ((raised,), open_) = Troubles().compared(FULL, {}, START)
    ((over,), left) = Troubles(open_).compared({}, {}, START + 75 * MINUTE)

    assert raised.id == over.id
    assert "The disk is full: make room." == raised.text
    assert over.text.startswith("Over since 07:15 UTC, after 1 h 15 min.\n")
    assert {} == left
    ((again,), _) = Troubles().compared(FULL, {}, START + 80 * MINUTE)
    assert again.id != raised.id


async def told(door: Door) -> list[tuple[str, int]]:
    """Return the first words of what was told, and the version of each."""
    items: Iterable[Item] = await everything(door, ITEMS)
    return [(" ".join(item.text.split()[:3]), item.version) for item in items]


async def test_is_told_once_and_when_over(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """However often it is said, and by whomever after a restart."""
    teller = Teller("intake", stream, clock)
    for current in ({}, FULL, FULL):
        await teller.tell(current)
    clock.advance(10 * MINUTE)
    again = Teller("intake", stream, clock)  # a restart
    for current in (FULL, {}, {}):
        await again.tell(current)
        clock.advance(2 * MINUTE)

    assert [("The disk is", 1), ("Over since 06:12", 2)] == await told(door)


async def test_a_lost_answer_tells_nothing_twice(
    redis_url: str, prefix: str, door: Door, clock: FakeClock, tmp_path: Path
) -> None:
    """What was told without our knowing is known after it."""
    async with cutting(redis_url, tmp_path) as cutter:
        shaky = await Stream.connect(cutter.url, "one", clock=clock, prefix=prefix)
        teller = Teller("intake", shaky, clock)
        await teller.tell({})
        for current in (FULL, {}):
            await _lost(cutter, teller, current)
            clock.advance(2 * MINUTE)
            await teller.tell(current)
        await shaky.aclose()

    assert [("The disk is", 1), ("Over since 06:02", 2)] == await told(door)


async def _lost(cutter: Cutter, teller: Teller, current: dict[str, str]) -> None:
    """Let *teller* tell, but get no answer to what it tells."""
    answers = iter([False, True])  # it looks up what is open, and tells
    cutter.lose(lambda: next(answers, False))
    with pytest.raises(Away):
        await teller.tell(current)


async def test_two_parts_have_books_of_their_own(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """What one tells is neither ended nor hidden by the other."""
    await Teller("intake", stream, clock).tell(FULL)
    await Teller("account", stream, clock).tell({})
    await Teller("account", stream, clock).tell({"stopped": "Another one."})
    assert [("The disk is", 1), ("Another one.", 1)] == await told(door)


async def test_keeps_what_a_part_wants_to_know_again(
    stream: Stream, clock: FakeClock
) -> None:
    """In the same step in which something is told, or in one of its own."""
    teller = Teller("account", stream, clock)
    assert "" == await teller.kept()
    await teller.tell({}, kept="as far as here")
    await teller.tell(FULL)
    assert "as far as here" == await Teller("account", stream, clock).kept()


async def test_a_damaged_cursor_is_no_end(stream: Stream, clock: FakeClock) -> None:
    """Nobody can read it, so what is wrong is told anew."""
    await stream.accept("monitor/intake", [], "{damaged")
    await Teller("intake", stream, clock).tell(FULL)
    assert "monitor" == (await drained(stream.reader(ITEMS, "filter")))[0].value.source


async def test_no_secret_is_told(stream: Stream, door: Door, clock: FakeClock) -> None:
    """Reasons come from servers, whose addresses may hold passwords."""
    password = "s3cr3t-of-the-trouble-test"
    secret = Secret(password)
    await Teller("redis", stream, clock).tell({"a": f"redis://x:{password}@h is off"})
    (item,) = await everything(door, ITEMS)
    assert secret.reveal() not in item.text


async def test_a_full_disk_is_told(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """Whoever asks whether there is room learns it, and so do the operators."""
    answers = ["", "4 MiB free", "4 MiB free", ""]

    async def intake() -> str:
        return answers.pop(0)

    announced = Announced(intake, stream, clock)
    assert ["", "4 MiB free", "4 MiB free", ""] == [await announced() for _ in range(4)]
    assert [("Nothing is read", 1), ("Over since 06:00", 2)] == await told(door)


async def test_a_loss_is_told_once(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """Of the same loss a restart tells nothing; of the next one it does."""
    lost = {"older:epoch:1": "Redis is an older one."}

    async def room() -> str:
        return ""

    for _ in range(3):
        await Announced(room, stream, clock, lambda: lost)()  # after a restart
    announced = Announced(room, stream, clock, lambda: lost)
    await announced()
    await announced()
    assert [("Redis is an", 1)] == await told(door)
    lost = {"older:epoch:2": "Redis is again older."}
    await announced()
    assert [("Redis is an", 1), ("Redis is again", 1)] == await told(door)


# From there to the operators


async def planned(stream: Stream, *operators: str) -> list[Envelope]:
    """Bring what was told to the outbox, and return what lies there."""
    entries = await drained(stream.reader(ITEMS, "filter"))
    await pipeline.judge(entries, drones(), {}, stream, FakeClock())
    matches = await drained(stream.reader(MATCHES, "alert"))
    people = Subscribers([DESK, CURIOUS], operators)
    await pipeline.address(matches, people, {}, stream, FakeClock())
    found = await drained(stream.reader(outbox("chat"), "deliver"))
    return [entry.value for entry in found]


async def test_only_operators_are_told(stream: Stream, clock: FakeClock) -> None:
    """Whatever places or severity they want, and nobody who wants all places."""
    await Teller("intake", stream, clock).tell(FULL)
    (envelope,) = await planned(stream, "desk", "nobody-of-this-name")

    assert (("desk",), 1) == (envelope.recipients, envelope.among)
    assert ("critical", ("operator",)) == (
        envelope.match.severity,
        envelope.match.rules,
    )


async def test_without_operators_nobody_is_told(
    stream: Stream, clock: FakeClock
) -> None:
    """The archive has it, and the log."""
    await Teller("intake", stream, clock).tell(FULL)
    assert [] == await planned(stream)


async def test_the_end_edits_the_message(stream: Stream, clock: FakeClock) -> None:
    """It rings nobody; and who was never told of the trouble is not told of its end."""
    teller = Teller("intake", stream, clock)
    await teller.tell(FULL)
    await planned(stream, "desk")
    clock.advance(3 * MINUTE)
    await teller.tell({})
    over = next(one for one in await planned(stream, "desk") if one.was)
    reached = Delivery(
        item=f"{OURSELVES}/{over.match.item.id}/1", subscriber="desk", sink="chat",
        outcome="delivered", at=START, message="m1",
    )  # fmt: skip

    assert ("edited", "info") == (over.match.item.change, over.match.severity)
    assert ("edit", "m1") == (
        step(over, "desk", reached).action,
        step(over, "desk", reached).message,
    )
    assert "suppress" == step(over, "desk", None).action


def test_its_wording_is_plain() -> None:
    """What is wrong stands in the first line; there is no rule and no voice to name."""
    current = {"intake:stopped": "Disk full."}
    ((raised,), open_) = Troubles().compared(current, {}, START)
    ((over,), _) = Troubles(open_).compared({}, {}, START + MINUTE)
    first = judged(raised)
    last = msgspec.structs.replace(over, version=2, change="edited")
    alert = Alert(match=first, origin=Origin(source=OURSELVES))
    ended = Alert(match=judged(last), was=first, origin=Origin(source=OURSELVES))

    said = plain(alert).splitlines()
    assert "🔴 monitor: Disk full." == said[0]
    assert "monitor · the program itself" == said[-1]
    assert "operator" not in html(alert)
    assert plain(ended).startswith("🔵 monitor: Over since 06:01 UTC, after 1 min.")


def test_operators_do_not_hear_of_it_twice() -> None:
    """A name that is given twice is one operator."""
    ((raised,), _) = Troubles().compared({"a": "x"}, {}, START)
    match: Match = judged(raised)
    found = plan(match, None, Subscribers([DESK], ["desk", "desk"]), Origin(source="m"))
    assert [("desk",)] == [envelope.recipients for envelope in found.envelopes]
