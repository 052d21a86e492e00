"""
The sources of the town: channels and feeds that publish, edit and delete all the time.

A publisher that went on while the program is down would show more than a page holds,
and nobody could read what is no longer there.  So a source pauses when a change of it
that nobody was told of is about to leave its page, and all of them when much is open:
whatever was published can be read for as long as it takes, and is owed.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape

from tests.channel import Channel, text
from tests.chaos.ledger import Key, Ledger, Post, Version
from tests.feeds import rss
from tests.loopback import Request, Response

PAGE = 60  # posts that a source shows
CLOSE = 40  # posts ago an open change may be, before its source pauses
OPEN = 120  # things that are owed, before everyone pauses
QUEUE = 4  # of them to one chat, which takes a message a second
EDITED = 12  # newest posts of a source that are edited
DELETED = 30  # newest posts of a source that are deleted
KEPT = 200  # posts that are still there when somebody pages back
STEP = timedelta(milliseconds=40)  # between two thoughts of the publishers
LATENCY = 0.02  # seconds that a page takes at most
VERSIONS = 3  # wordings of a post
TURNS = 0.3  # of the edits change what a post is about

TOLD = "Посёлок {place}: беспилотник атаковал дом. № {mark}. {more}"
DULL = "Посёлок {place}: открыли новую школу искусств. № {mark}. {more}"
MORE = (
    "Подробности позже.",
    "Пострадавших нет, <b>проезд</b> & «переезд» закрыты; 5 > 3.",
    "Работают все службы 🚒🚒\nБерегите себя",
    "На месте — глава округа 👨‍👩‍👧 и עזרה",
    "Улица Мира, 12/3, кв. 4. Тел. 112",
)

Placed = Callable[[str], frozenset[str]]  # whom a post about a place is for


class Board(Channel):
    """A channel whose posts came out when they did."""

    def __init__(self, name: str, number: int) -> None:
        """Have no posts yet."""
        super().__init__(name=name, number=number, shown=PAGE)
        self.times: dict[int, datetime] = {}

    def when(self, number: int) -> datetime:
        """Return when a post came out."""
        return self.times[number]


@dataclass
class Source:
    """
    One source, which shows its posts as a channel does, or as a feed.

    Attributes:
        newest: The number of the newest post.
        opened: Requests that are being answered.
        served: The newest post that a page has shown.
        frozen: Posts that are not touched again.
        places: What each post is about.
    """

    name: str
    board: Board
    feed: bool = False
    newest: int = 0
    opened: int = 0
    served: int = 0
    frozen: set[int] = field(default_factory=set)
    places: dict[int, str] = field(default_factory=dict)

    def show(self, number: int, words: str) -> None:
        """Let a post read so."""
        board = self.board
        board.times.setdefault(number, datetime.now(UTC))
        board.posts[number] = text(escape(words).replace("\n", "<br/>"))
        if len(board.posts) > KEPT:
            oldest = min(board.posts)
            for known in (board.posts, board.times, self.places):
                known.pop(oldest, None)
            self.frozen.discard(oldest)

    def hide(self, number: int) -> None:
        """Let a post be gone."""
        del self.board.posts[number]

    def answer(self, request: Request) -> Response:
        """Show a page, a post or the feed, as it stands now."""
        self.served = self.newest
        if not self.feed:
            return self.board.answer(request)
        newest = sorted(self.board.posts)[: -PAGE - 1 : -1]
        return Response(200, rss(*map(self._entry, newest)))

    def _entry(self, number: int) -> str:
        when = format_datetime(self.board.times[number])
        words = escape(self.board.posts[number])
        return (
            f"<item><guid>{number}</guid><title>Посёлок</title>"
            f"<description>{words}</description><pubDate>{when}</pubDate></item>"
        )


class Press:
    """
    Everything that is published.

    Attributes:
        sources: By name.
        paused: Nothing new comes out.
    """

    def __init__(
        self,
        ledger: Ledger,
        places: Sequence[str],
        placed: Placed,
        chance: random.Random,
    ) -> None:
        """Publish about *places*, and write down whom it is for."""
        boards = [(f"c{n}", False) for n in range(3)] + [
            (f"f{n}", True) for n in (0, 1)
        ]
        self.sources = {
            name: Source(name, Board(name, -(1_000_000 + n)), feed)
            for n, (name, feed) in enumerate(boards)
        }
        self.paused = False
        self._ledger, self._chance = ledger, chance
        self._places, self._placed = places, placed
        for source in self.sources.values():  # the past, which nobody is told of
            source.newest += 1
            source.show(source.newest, "Вчера: беспилотник атаковал посёлок Козинка")

    @property
    def opened(self) -> int:
        """How many requests are being answered."""
        return sum(source.opened for source in self.sources.values())

    async def answer(self, request: Request) -> Response:
        """Answer a reader, a little later."""
        name = request.path.removeprefix("/s/").strip("/").split("/")[0]
        source = self.sources[name.removesuffix(".xml")]
        source.opened += 1
        try:
            await asyncio.sleep(self._chance.random() * LATENCY)
            return source.answer(request)
        finally:
            source.opened -= 1

    async def work(self) -> None:
        """Publish, edit and delete until cancelled."""
        while True:
            await asyncio.sleep(STEP.total_seconds() * 2 * self._chance.random())
            if not self.paused:
                self.act()

    def act(self) -> None:
        """Do one thing at one source, unless what is open has to be told first."""
        waiting = self._ledger.waiting()
        source = self._chance.choice([*self.sources.values()])
        if waiting.total() >= OPEN or self._ledger.behind(source.name) >= CLOSE:
            return
        free = [
            place
            for place in self._places
            if all(waiting[chat] < QUEUE for chat in self._placed(place))
        ]
        if free:
            acts = (self.post, self._reword, self._withdraw)
            (act,) = self._chance.choices(acts, (80, 14, 6))
            act(source, self._chance.choice(free))

    def post(self, source: Source, place: str, dull: float = 0.3) -> Key:
        """Publish a post about *place*, which may be a dull one."""
        source.newest += 1
        key = (source.name, source.newest)
        version = self._version(key, 1, place, dull=self._chance.random() < dull)
        source.places[source.newest] = place
        self._ledger.publish(key, version)
        source.show(source.newest, version.text)
        return key

    def _reword(self, source: Source, place: str) -> None:
        """
        Edit a recent post: its details, or what it is about.

        One that begins to matter, matters no more, or speaks of another place is not
        touched again: who would have to be told of that depends on what was read.
        """
        posts = [*self._recent(source, EDITED)]
        if not posts:
            return
        number, post = self._chance.choice(posts)
        mattered, where = bool(post.now.chats), source.places[number]
        told = mattered and not any(post.missing())
        turns = self._chance.random() < TURNS and (told or not mattered)
        moves = turns and mattered and self._chance.choice((True, False))
        if turns:
            source.frozen.add(number)
        elif len(post.versions) >= VERSIONS:
            return
        key = (source.name, number)
        version = self._version(
            key,
            len(post.versions) + 1,
            place if moves else where,
            dull=mattered == (turns and not moves),
        )
        self._ledger.edit(key, version)
        source.show(number, version.text)

    def _withdraw(self, source: Source, _: str) -> None:
        """Delete a post that everybody was told of; only channels say that they do."""
        told = [
            number
            for number, post in self._recent(source, DELETED)
            if post.shown and not any(post.missing()) and number < source.newest
        ]
        if told and not source.feed:
            number = self._chance.choice(told)
            source.frozen.add(number)
            self._ledger.delete((source.name, number))
            source.hide(number)

    def _recent(self, source: Source, count: int) -> Iterator[tuple[int, Post]]:
        """Yield those of the newest *count* posts that may be touched."""
        for number in range(max(source.newest - count, 2), source.newest + 1):
            post = self._ledger.post((source.name, number))
            if post and number not in source.frozen:
                yield number, post

    def _version(self, key: Key, version: int, place: str, *, dull: bool) -> Version:
        mark = f"{key[0]}-{key[1]}.{version}"
        more = self._chance.choice(MORE)
        words = (DULL if dull else TOLD).format(place=place, mark=mark, more=more)
        chats = frozenset[str]() if dull else self._placed(place)
        return Version(words, chats, time.monotonic())
