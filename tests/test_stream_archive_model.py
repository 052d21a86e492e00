"""The archive against a model of it: a dictionary that forgets nothing."""

import os
import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from monitor.item import Item
from monitor.stream.archive import Archive
from tests.archived import EVER, NOON, post, read

NUMBERS = st.lists(st.integers(0, 11), min_size=1, max_size=4)
DAYS = st.integers(0, 4).map(lambda days: (NOON + timedelta(days=days)).date())


def item(number: int) -> Item:
    """Return one of twelve items, on three days, three of them in one moment."""
    seen = NOON + timedelta(days=number % 3, seconds=number // 6)
    return post(number, seen=seen, source=f"source-{number % 2}")


class Life(RuleBasedStateMachine):
    """Whatever is done to an archive, in whatever order, it gives all back once."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.archive = Archive(self.folder / "archive")
        self.stored: dict[int, Item] = {}

    @rule(numbers=NUMBERS)
    def store(self, numbers: list[int]) -> None:
        """Store some, new ones and known ones."""
        self.archive.store(items=map(item, numbers))
        self.stored |= {number: item(number) for number in numbers}

    @rule(today=DAYS)
    def roll(self, today: date) -> None:
        """Write the days before one."""
        self.archive.roll(today)

    @rule(before=DAYS)
    def prune(self, before: date) -> None:
        """Remove the days before one from the base."""
        self.archive.prune(before)

    @rule()
    def lose_base(self) -> None:
        """Lose the base, once all it had is in files."""
        last = (NOON + timedelta(days=9)).date()
        self.archive.roll(last)
        self.archive.close()
        for path in self.archive.folder.glob("hot.sqlite*"):
            path.unlink()
        self.archive = Archive(self.archive.folder)

    @rule()
    def rebuild_lost_base(self) -> None:
        """Lose it, and have it rebuilt."""
        self.lose_base()
        self.archive.close()
        (self.archive.folder / "hot.sqlite").unlink()
        Archive.rebuild(self.archive.folder, NOON.date())
        self.archive = Archive(self.archive.folder)

    @rule()
    def put_back_older_base(self) -> None:
        """Put a copy of the base back, beside files that were written later."""
        base, copy = self.archive.folder / "hot.sqlite", self.folder / "copy"
        self.lose_base()
        self.archive.close()
        if copy.exists():
            shutil.copy(copy, base)
        else:
            shutil.copy(base, copy)
        self.archive = Archive(self.archive.folder)

    @invariant()
    def all_is_there_once_in_order(self) -> None:
        """What was stored is read, each once, in order."""
        found = read(self.archive)
        order = [(one.seen, one.source) for one in found]

        assert sorted(self.stored.values(), key=by_key) == sorted(found, key=by_key)
        assert sorted(order) == order

    @invariant()
    def periods_are_cut_right(self) -> None:
        """A period of one day has that day's items."""
        end = NOON + timedelta(days=1)
        found = self.archive.items(NOON, end, sources=["source-1"])
        expected = [
            one
            for one in self.archive.items(*EVER)
            if NOON <= one.seen < end and one.source == "source-1"
        ]

        assert expected == list(found)

    def teardown(self) -> None:
        """Close and remove it."""
        self.archive.close()
        shutil.rmtree(self.folder)


def by_key(item: Item) -> str:
    """Return what no other item has."""
    return item.key


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "3")),
    stateful_step_count=12,
    deadline=None,
)
