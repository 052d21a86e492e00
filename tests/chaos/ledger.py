"""
The oracle: what was published, who must have it, what came, and what is wrong with it.

It knows the town's rules by heart and nothing of the program: it is told what the
sources show and what the chats get, and compares.  Promised is, of each post:

* whoever lives where it speaks of, as it stands in the end, has it as it stands;
* whoever was ever told of it knows how it stands in the end, or that it is gone;
* nobody else has it, no word of it is changed, nobody has it twice, and a post comes
  before those that were published after it by the same source.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from tests.chaos.acceptances import Acceptances

MARK = re.compile(r"№ ([a-z]+\d)-(\d+)\.(\d+)")  # source, number and version of a post
KEPT = 400  # posts of a source that may still arrive; later ones were never published
EXAMPLES = 20  # of what is wrong; the rest is counted

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Version:
    """A wording of a post, whom it is about, and when it came out."""

    text: str
    chats: frozenset[str]
    at: float


@dataclass(slots=True)
class Shown:
    """The newest copy of a post in a chat."""

    message: str
    version: int
    gone: bool = False


@dataclass(slots=True)
class Post:
    """A post, and what the chats have of it."""

    versions: list[Version]
    deleted: bool = False
    shown: dict[str, Shown] = field(default_factory=dict)

    @property
    def now(self) -> Version:
        """How it stands."""
        return self.versions[-1]

    def owed(self) -> Iterator[str]:
        """Yield the chats that must know how it stands."""
        yield from self.shown
        if not self.deleted:
            yield from (chat for chat in self.now.chats if chat not in self.shown)

    def missing(self) -> Iterator[str]:
        """Yield the chats that do not know yet how it stands."""
        newest = len(self.versions)
        for chat in self.owed():
            shown = self.shown.get(chat)
            if shown is None or (shown.version, shown.gone) != (newest, self.deleted):
                yield chat

    def ready(self, chat: str) -> float:
        """Return when it first was about the people of *chat*."""
        return next(one.at for one in self.versions if chat in one.chats)


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    What a chat got.

    Attributes:
        message: The id of the message, new or changed.
        text: The publisher's words in it.
        edits: A message that was there is changed.
        gone: It says that the post was deleted.
        recognised: The chat shows a repeat to nobody, and this is none.
    """

    chat: str
    message: str
    text: str
    edits: bool = False
    gone: bool = False
    recognised: bool = False


class Ledger:
    """
    Everything that was published and that arrived.

    Attributes:
        counts: How many of what: posts, edits, deletions, arrivals, and what is wrong.
        examples: The first things that are wrong, in words.
    """

    def __init__(self, acceptances: Acceptances) -> None:
        """Ask *acceptances* whether a copy is due to a send that nobody recorded."""
        self.counts: Counter[str] = Counter()
        self.examples: list[str] = []
        self._acceptances = acceptances
        self._posts: dict[Key, Post] = {}
        self._open: set[Key] = set()  # posts that somebody may have to be told of
        self._sources: dict[str, deque[int]] = {}
        self._latest: dict[tuple[str, str], float] = {}

    def publish(self, key: Key, version: Version) -> None:
        """Note a new post."""
        self.counts["posts"] += 1
        self._posts[key] = Post([version])
        self._open.add(key)
        self._sources.setdefault(key[0], deque()).append(key[1])
        self._retire(key[0])

    def edit(self, key: Key, version: Version) -> None:
        """Note that a post reads otherwise from now on."""
        self.counts["edits"] += 1
        self._posts[key].versions.append(version)
        self._open.add(key)

    def delete(self, key: Key) -> None:
        """Note that a post is gone."""
        self.counts["deletions"] += 1
        self._posts[key].deleted = True
        self._open.add(key)

    def post(self, key: Key) -> Post | None:
        """Return a post, unless it is long done with."""
        return self._posts.get(key)

    def wrong(self, what: str, example: str) -> None:
        """Note something that must not be."""
        self.counts[what] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what}: {example}")

    def arrived(self, one: Arrival) -> str:
        """Note what a chat got, and judge it; return the post as the program does."""
        self.counts["arrivals"] += 1
        mark = MARK.search(one.text)
        key = (mark[1], int(mark[2])) if mark else ("", 0)
        post = self._posts.get(key)
        if not mark or post is None or not 0 < int(mark[3]) <= len(post.versions):
            self.wrong("invented", f"{one} is no post, or one that was long settled")
            return ""
        number = int(mark[3])
        if post.versions[number - 1].text != one.text:
            wanted = post.versions[number - 1].text
            self.wrong("mangled", f"{one}, published was {wanted!r}")
        if not any(one.chat in some.chats for some in post.versions[:number]):
            self.wrong("invented", f"{one} is about others")
        elif one.gone and not post.deleted:
            self.wrong("invented", f"{one}, which was not deleted")
        else:
            self._place(key, post, one, number)
        return f"{key[0]}/{key[1]}"

    def _place(self, key: Key, post: Post, one: Arrival, number: int) -> None:
        """Note that *one* is in its chat now, and whether it was its turn."""
        before = post.shown.get(one.chat)
        if before is None:
            self._turn(key, post, one.chat)
        elif one.edits and one.message != before.message:
            return  # the copy that it changes is not the newest one
        elif not one.edits:
            self._copied(one, before)
        if before and (number, one.gone) < (before.version, before.gone):
            self.wrong("reordered", f"{one} after version {before.version}")
        post.shown[one.chat] = Shown(one.message, number, one.gone)

    def _turn(self, key: Key, post: Post, chat: str) -> None:
        """Judge whether a post came before those that were published after it."""
        place = (key[0], chat)
        latest = self._latest.get(place, 0.0)
        if post.ready(chat) < latest:
            self.wrong("reordered", f"{key} in {chat} after one published later")
        self._latest[place] = max(latest, post.versions[0].at)

    def _copied(self, one: Arrival, before: Shown) -> None:
        """Note that a chat has a second copy of a post, and whose fault it is."""
        end = self._acceptances.end_of(before.message)
        if one.recognised:
            self.wrong("duplicated, recognised", f"{one} after {before}")
        elif end == "kill":
            self.counts["duplicated"] += 1
        elif end == "stop":
            self.wrong("duplicated by a stop", f"{one} after {before}")
        else:
            self.wrong("duplicated, recorded", f"{one} after {before}")

    def missing(self) -> list[tuple[Key, str]]:
        """Return the posts that a chat does not know as they stand."""
        found = []
        for key in sorted(self._open):
            chats = list(self._posts[key].missing())
            found += [(key, chat) for chat in chats]
            if not chats:
                self._open.discard(key)
        return found

    def behind(self, source: str) -> int:
        """Return how many posts ago *source* showed one that is not settled."""
        newest = self._sources[source][-1] if source in self._sources else 0
        open_ = [key[1] for key, _ in self.missing() if key[0] == source]
        return newest - min(open_, default=newest)

    def settled(self, source: str, count: int) -> list[Key]:
        """Return those of the newest *count* posts of *source* that are settled."""
        newest = islice(reversed(self._sources.get(source, ())), count)
        return [
            (source, number)
            for number in newest
            if (post := self._posts[source, number]).shown and not any(post.missing())
        ]

    def waiting(self) -> Counter[str]:
        """Return how many posts are on their way to each chat."""
        return Counter(chat for _, chat in self.missing())

    def obligations(self) -> int:
        """Return how many times a post, as it stands, was owed to a chat."""
        return self.counts["owed"] + _owed(self._posts.values())

    def _retire(self, source: str) -> None:
        """Forget a post that is long done with, so that the ledger does not grow."""
        numbers = self._sources[source]
        if len(numbers) <= KEPT or any(self._posts[source, numbers[0]].missing()):
            return
        done = self._posts.pop((source, numbers.popleft()))
        self.counts["owed"] += _owed([done])


def _owed(posts: Iterable[Post]) -> int:
    return sum(1 for post in posts for _ in post.owed())
