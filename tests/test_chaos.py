"""Killed processes lose nothing; and the ledger that says so notices what it must."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.acceptances import Acceptances
from tests.chaos.ledger import Arrival, Ledger, Version
from tests.chaos.run import run
from tests.chaos.table import faults

ANN, BOB = "bot-1", "bot-2"


def said(number: int, version: int = 1, more: str = "") -> str:
    return f"Посёлок Козинка: беспилотник. № c0-{number}.{version}. {more}"


def sent(number: int, version: int = 1, chat: str = ANN) -> Arrival:
    return Arrival(chat, f"{chat}-{number}", said(number, version))


@pytest.fixture
def ledger() -> Ledger:
    """Two posts of one source, for one chat, of which the second was edited."""
    ledger = Ledger(Acceptances())
    for number in (1, 2):
        version = Version(said(number), frozenset({ANN}), float(number))
        ledger.publish(("c0", number), version)
    ledger.edit(("c0", 2), Version(said(2, 2), frozenset({ANN}), 3.0))
    return ledger


def test_what_came_as_published_is_all_that_is_owed(ledger: Ledger) -> None:
    """Each post once, in order, and at last as it stands: nothing is wrong."""
    for arrival in (sent(1), sent(2), replace(sent(2, 2), edits=True)):
        ledger.arrived(arrival)

    assert [] == ledger.missing()
    assert [] == ledger.examples
    assert 2 == ledger.obligations()


@pytest.mark.parametrize(
    ("arrivals", "wrong"),
    [
        ([sent(2, 2), sent(1)], "reordered"),
        ([sent(1), sent(2, 2), replace(sent(2), edits=True)], "reordered"),
        ([sent(1), replace(sent(1), message="again")], "duplicated, recorded"),
        (
            [sent(1), replace(sent(1), message="again", recognised=True)],
            "duplicated, recognised",
        ),
        ([sent(1, chat=BOB)], "invented"),
        ([sent(3)], "invented"),
        ([sent(1, 2)], "invented"),
        ([replace(sent(1), gone=True)], "invented"),
        ([replace(sent(1), text="беспилотник")], "invented"),
        ([replace(sent(1), text=said(1, more="!"))], "mangled"),
    ],
)
def test_the_ledger_notices(
    ledger: Ledger, arrivals: list[Arrival], wrong: str
) -> None:
    """What is out of order, there twice, nobody's post or changed is told apart."""
    for arrival in arrivals:
        ledger.arrived(arrival)

    assert 1 == ledger.counts[wrong]
    assert 1 == len(ledger.examples)


@pytest.mark.parametrize(
    ("change", "arrivals", "missing"),
    [
        (lambda _: None, [], [1, 2]),
        (lambda _: None, [sent(1), sent(2)], [2]),
        (lambda one: one.delete(("c0", 1)), [sent(2, 2)], []),
        (lambda one: one.delete(("c0", 1)), [sent(1), sent(2, 2)], [1]),
    ],
)
def test_the_ledger_misses(
    ledger: Ledger,
    change: Callable[[Ledger], None],
    arrivals: list[Arrival],
    missing: list[int],
) -> None:
    """A post, an edit, a deletion of what was told: each is missed until it comes."""
    for arrival in arrivals:
        ledger.arrived(arrival)
    change(ledger)

    assert missing == [key[1] for key, _ in ledger.missing()]


@pytest.mark.timeout(120)
async def test_kills_lose_nothing() -> None:
    """Processes and their server are killed at work; all arrives, once and in order."""
    splits = [("collect filter alert", "deliver archive")]

    outcome = await run(5, seed=1, splits=splits)

    assert [] == [*faults(outcome), *outcome.world.ledger.examples]
    assert outcome.tally.counts["killed at work"]
    assert outcome.tally.kills["server"]
    assert outcome.world.ledger.obligations() > len(outcome.world.press.sources)
