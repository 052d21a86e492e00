"""
What is right: reckoned from what was published and what arrived, outside the program.

It finds what is lost, told twice, out of order, invented, mangled, not corrected, and
what the archive does not account for.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from monitor.alert import Subscriber
from monitor.item import Delivery, Item
from monitor.stream import Depth, Letter
from monitor.stream.archive import Archive
from tests.simulation.history import Version, accepted, audience, by_post, due
from tests.simulation.messenger import EXPIRED, Copy, Messenger, by_person
from tests.simulation.outlets import Outlet
from tests.simulation.posts import Post, concerns

EVER: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
SOON: Final = 62.0  # seconds in which a post is told when nothing goes wrong
LENIENT: Final = 10.0  # seconds in which something may become old on its way
KEPT: Final = 100  # entries of a stream that may be left when all is done: one node
PARKED: Final = 660.0  # seconds after which a chat that was closed is tried again
SHOWN: Final = 12  # violations of a kind that are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What the program came to when all was quiet again.

    Attributes:
        cursors: Of each source.
        begun: How many sends Redis has for begun and not ended, more than commands
            reached it after their sender's death: nobody ends those.
        trimmed: What was done with has had time to be removed.
        stale_after: What is older is no news; None where clocks were set, so that it
            cannot be said how old something seemed to be.
        leapt: The clock was set by a year.
        rolled_back: Redis lost some of what it had, so that versions may have been
            counted twice.
    """

    outlets: Sequence[Outlet]
    people: Sequence[Subscriber]
    messengers: Sequence[Messenger]
    cursors: Mapping[str, str]
    archive: Archive
    letters: Sequence[Letter]
    depths: Sequence[Depth]
    begun: int
    trimmed: bool = False
    stale_after: float | None = None
    leapt: bool = False
    rolled_back: bool = False


@dataclass(slots=True)
class Verdict:
    """
    What the oracle found.

    Attributes:
        figures: How many obligations there were, how many were lost, and so on.
        violations: What must never be, in words.
        posts: Those that they are about.
    """

    figures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    violations: list[str] = field(default_factory=list)
    posts: set[str] = field(default_factory=set)

    def blame(self, kind: str, what: str, post: str = "") -> None:
        """Note a violation of a *kind*."""
        self.figures[kind] += 1
        if self.figures[kind] <= SHOWN:
            self.violations.append(f"{kind}: {what}")
        if post:
            self.posts.add(post)


class Oracle:
    """Judges one run by its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._verdict = Verdict()
        self._told = by_person(outcome.messengers)
        self._settled = {
            (one.item, one.subscriber): one for one in outcome.archive.deliveries(*EVER)
        }
        self._versions: dict[str, list[Version]] = {}
        self._by_key: dict[str, Version] = {}
        self._posts = {
            post.key: post for outlet in outcome.outlets for post in outlet.posts
        }

    def judge(self) -> Verdict:
        """Return what was found."""
        for outlet in self._outcome.outlets:
            cursor = self._outcome.cursors.get(outlet.name, "")
            versions, _ = accepted(outlet, cursor)
            self._versions[outlet.name] = versions
            self._by_key |= {version.key: version for version in versions}
        for person in self._outcome.people:
            self._hear(person)
        self._look_for_copies()
        self._look_into_the_archive()
        self._look_into_redis()
        for messenger in self._outcome.messengers:
            for fault in messenger.faults:
                self._verdict.blame("rude", fault)
        return self._verdict

    # What one person heard

    def _hear(self, person: Subscriber) -> None:
        told = self._told.get(person.name, [])
        by_name: dict[str, list[Copy]] = defaultdict(list)
        for copy in told:
            by_name[copy.item.post].append(copy)
            self._look_at(copy, person)
        shown = self._shown(person)
        for versions in self._versions.values():
            for post, some in by_post(versions):
                self._look_for(person, some, by_name[post])
                self._look_whether_corrected(person, some, shown.get(post))
        self._look_at_the_order(person, told)
        self._look_for_fresh(person, by_name)

    def _shown(self, person: Subscriber) -> dict[str, Item]:
        """Return what the newest message that we know of says of each post."""
        newest: dict[str, tuple[int, Item]] = {}
        for messenger in self._outcome.messengers:
            for chat in messenger.chats.values():
                if chat.name != person.name:
                    continue
                for message in chat.messages.values():
                    if message.copies[0].heard is None:
                        continue  # a second one is what the program knows of
                    for post, item in message.shown.items():
                        found = message.number, item
                        newest[post] = max(newest.get(post, found), found, key=_number)
        return {post: item for post, (_, item) in newest.items()}

    def _look_at(self, copy: Copy, person: Subscriber) -> None:
        """Look whether a copy says what was published, and concerns whom it reached."""
        item, blame = copy.item, self._verdict.blame
        post = self._posts.get(item.post)
        if post is None:
            blame("invented", f"{item.key} was never published", item.post)
            return
        said = [one for one in post.wordings if one.text == item.text]
        if not any(one.at <= copy.at for one in said):
            blame("mangled", f"{item.key} says {item.text!r}", item.post)
            return
        version = self._by_key.get(item.key)
        if self._outcome.rolled_back and (
            version is None or version.wording.text != item.text
        ):
            if not any(concerns(one, person) for one in post.wordings):
                blame("invented", f"{item.key} for {person.name}", item.post)
        elif version is None:
            blame("invented", f"{item.key} was never accepted", item.post)
        elif version.wording.text != item.text:
            blame("mangled", f"{item.key} has another text", item.post)
        elif not audience(version, person):
            blame("invented", f"{item.key} does not concern {person.name}", item.post)
        else:
            self._look_at_the_age(copy, version)

    def _look_at_the_age(self, copy: Copy, version: Version) -> None:
        """Look whether only what is old is told together, and all that is."""
        limit = self._outcome.stale_after
        if limit is None or self._outcome.rolled_back:
            return
        if version.change != "new":  # it may be told with what it corrects
            return
        age = copy.began - version.at
        if copy.live and age > limit + LENIENT:
            what = f"{version.key} told {copy.to} as news after {age:.0f} s"
            self._verdict.blame("stale", what, version.post.key)
        if not copy.live and age < limit - LENIENT:
            what = f"{version.key} told {copy.to} as old after {age:.0f} s"
            self._verdict.blame("stale", what, version.post.key)

    def _look_for(
        self, person: Subscriber, versions: Sequence[Version], told: Sequence[Copy]
    ) -> None:
        """Look whether *person* heard of a post, if they had to."""
        first, figures = due(versions, person), self._verdict.figures
        if first is None:
            return
        figures["obligations"] += 1
        if told:
            figures["told"] += 1
            return
        delivery = self._settled.get((first.key, person.name))
        if self._excused(first, person, delivery):
            figures["excused"] += 1
            return
        how = f"{delivery.outcome}, {delivery.why}" if delivery else "not settled"
        self._verdict.blame(
            "lost", f"{first.key} for {person.name}: {how}", first.post.key
        )

    def _excused(
        self, version: Version, person: Subscriber, delivery: Delivery | None
    ) -> bool:
        """Return whether nobody could have told *person* of it."""
        if delivery is None:
            return False
        for messenger in self._outcome.messengers:
            refused = (person.name, version.key) in messenger.refused
            if refused and delivery.outcome == "dead":
                return True
            for chat in messenger.chats.values():
                parked = "parked" in delivery.why or "403" in delivery.why
                if chat.name == person.name and chat.closed_until and parked:
                    return delivery.outcome in ("dead", "suppressed")
        return False

    def _look_whether_corrected(
        self, person: Subscriber, versions: Sequence[Version], shown: Item | None
    ) -> None:
        """Look whether what *person* sees is what they were to see last."""
        if shown is None:
            return
        heard = [one for one in versions if audience(one, person)]
        newest = next(
            (one for one in reversed(heard) if not self._failed(one, person)), None
        )
        fitting = [one for one in heard if newest and one.place >= newest.place]
        if newest is None or shown.text in {one.wording.text for one in fitting}:
            return
        if self._outcome.leapt:  # then nobody knows any more who heard of it
            return
        self._verdict.blame(
            "uncorrected",
            f"{person.name} sees {shown.key} and not {newest.key}",
            newest.post.key,
        )

    def _failed(self, version: Version, person: Subscriber) -> bool:
        delivery = self._settled.get((version.key, person.name))
        return self._excused(version, person, delivery)

    def _look_at_the_order(self, person: Subscriber, told: Sequence[Copy]) -> None:
        """Look whether first copies came in the order in which posts were accepted."""
        last: dict[str, Version] = {}
        known: set[str] = set()
        laid_by = {copy.item.post for copy in told if not copy.live}
        for copy in told:
            version = self._by_key.get(copy.item.key)
            if copy.late or not copy.live:
                continue
            if version is None or copy.item.key in known:
                continue
            if version.change != "new" and copy.item.post in laid_by:
                continue  # it had to wait for what it corrects
            known.add(copy.item.key)
            before = last.get(copy.item.source)
            if before and before.place > version.place:
                self._verdict.blame(
                    "reordered",
                    f"{person.name} heard of {version.key} after {before.key}",
                    version.post.key,
                )
                continue
            last[copy.item.source] = version

    def _look_for_fresh(
        self, person: Subscriber, told: Mapping[str, Sequence[Copy]]
    ) -> None:
        """Look whether what was published when all was well was told soon."""
        for post in self._posts.values():
            if not post.fresh or not concerns(post.now, person):
                continue
            began = post.wordings[0].at
            if self._shut(person) > began - PARKED:
                continue
            if not any(copy.at - began <= SOON for copy in told.get(post.key, ())):
                self._verdict.blame("late", f"{post.key} for {person.name}", post.key)

    def _shut(self, person: Subscriber) -> float:
        """Return when the chat of *person* was last closed to us, long ago if never."""
        return max(
            (
                chat.closed_until or -PARKED
                for messenger in self._outcome.messengers
                for chat in messenger.chats.values()
                if chat.name == person.name
            ),
        )

    # What there is too much of

    def _look_for_copies(self) -> None:
        for messenger in self._outcome.messengers:
            for (name, key, _), copies in messenger.copies.items():
                excused = [c for c in copies if c.excuse or c.heard is None]
                self._verdict.figures["unrecorded"] += len(excused)
                if len(copies) == 1:
                    continue
                self._verdict.figures["duplicated"] += len(copies) - 1
                times = ", ".join(f"{copy.at:.1f} by {copy.by}" for copy in copies)
                post = copies[0].item.post
                expired = [copy for copy in copies if copy.excuse == EXPIRED]
                if messenger.recognises and len(copies) - len(expired) > 1:
                    self._verdict.blame(
                        "twice although recognised", f"{key} to {name}: {times}", post
                    )
                elif len(copies) - len(excused) > 1:
                    self._verdict.blame(
                        "twice without need", f"{key} to {name}: {times}", post
                    )

    # What the program itself knows

    def _look_into_the_archive(self) -> None:
        archive, blame = self._outcome.archive, self._verdict.blame
        items = {item.key: item for item in archive.items(*EVER)}
        matches = {match.item.key: match for match in archive.matches(*EVER)}
        notes = {
            f"{note.source}/{note.id}/{note.version}" for note in archive.notes(*EVER)
        }
        for version in self._by_key.values():
            key, post = version.key, version.post.key
            item = items.get(key)
            if item is None:
                blame("not archived", key, post)
            elif item.text != version.wording.text and not self._outcome.rolled_back:
                blame("not archived", f"{key} as it was", post)
            passed_on = version.matters or version.was is not None
            if passed_on and key not in matches:
                blame("not archived", f"the match of {key}", post)
            if not version.matters and version.change == "new" and key not in notes:
                blame("not archived", f"why {key} does not matter", post)
            for person in self._outcome.people:
                if audience(version, person) and not self._ended(version, person):
                    blame("unsettled", f"{key} for {person.name}", post)

    def _ended(self, version: Version, person: Subscriber) -> bool:
        """Return whether it is known what became of *version*, or of a later one."""
        for later in self._versions[version.post.source][version.place :]:
            delivery = self._settled.get((later.key, person.name))
            if later is version and delivery:
                return True
            reached = delivery and delivery.outcome in ("delivered", "edited")
            if later.post is version.post and reached:
                return True
        return False

    def _look_into_redis(self) -> None:
        """Look whether nothing is left there, and what is dead had to be."""
        blame = self._verdict.blame
        for depth in self._outcome.depths:
            if depth.pending or depth.lag:
                blame("left lying", str(depth))
            outbox = depth.queue.startswith("outbox:")
            most = 0 if outbox else KEPT
            if self._outcome.trimmed and depth.length > most:
                blame("not trimmed", str(depth))
        if self._outcome.begun > 0:
            blame("left lying", f"{self._outcome.begun} sends are begun")
        for letter in self._outcome.letters:
            if not self._deserved(letter):
                blame("dead", str(letter)[:300])

    def _deserved(self, letter: Letter) -> bool:
        counts = (
            ("400 Bad Request: can't parse", "message refused for ever"),
            ("403 Forbidden", "chat closed"),
        )
        return any(text in letter.why for text, _ in counts)


def _number(found: tuple[int, Item]) -> int:
    return found[0]


def concerned(posts: Mapping[str, Post], lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines that speak of one of these posts."""
    for line in lines:
        if any(post in line for post in posts):
            yield line
