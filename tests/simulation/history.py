"""
What the program took in, and who has to be told of it: reckoned outside of it.

The cursor that it ends with names the parts of reads that it accepted, one after the
other.  From those follows which versions each post has, and who is to be told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from monitor.alert import Subscriber
from tests.simulation.outlets import Cursor, Outlet, Part
from tests.simulation.posts import Post, Wording, concerns

OLD = timedelta(hours=1)  # whoever was not told of an older post hears of no edit
REMEMBERED = timedelta(days=14)  # that a post mattered


@dataclass(frozen=True, slots=True)
class Version:
    """
    One version of a post, as it was accepted.

    Attributes:
        place: Which one it was of all that were accepted from its source.
        at: When it was handed over, in seconds since the run began.
        seen: The same, by the clock on the wall.
        was: The version before that mattered, if there was one.
    """

    post: Post
    number: int
    wording: Wording
    change: Literal["new", "edited", "deleted"]
    place: int
    at: float
    seen: datetime
    was: "Version | None"

    @property
    def key(self) -> str:
        """``source/id/version``."""
        return f"{self.post.key}/{self.number}"

    @property
    def matters(self) -> bool:
        """Whether it is about something that a rule wants."""
        return bool(self.wording.topic)


@dataclass(slots=True)
class _Seen:
    number: int
    text: str
    gone: bool
    mattered: Version | None = None


def accepted(outlet: Outlet, cursor: str) -> tuple[list[Version], set[str]]:
    """
    Return the versions that were accepted, in order, and the posts that were the past.

    Args:
        cursor: With which the program ended.
    """
    versions: list[Version] = []
    seen: dict[int, _Seen] = {}
    past: set[str] = set()
    for part in chain(outlet, cursor):
        last: dict[int, tuple[Post, Wording]] = {}
        for post, wording in part.shown:
            last.pop(post.number, None)
            last[post.number] = (post, wording)
        for post, wording in last.values():
            before = seen.get(post.number)
            if before is None and part.before == 0 and not wording.gone:
                past.add(post.key)
                seen[post.number] = _Seen(1, wording.text, gone=False)
                continue
            change = _change(before, wording)
            if change:
                number = before.number + 1 if before else 1
                was = _remembered(before, part)
                version = Version(
                    post,
                    number,
                    wording,
                    change,
                    len(versions),
                    part.at,
                    part.seen,
                    was,
                )
                versions.append(version)
                mattered = version if version.matters else was
                seen[post.number] = _Seen(number, wording.text, wording.gone, mattered)
    return versions, past


def chain(outlet: Outlet, cursor: str) -> list[Part]:
    """Return the parts that *cursor* goes back to, the first one first."""
    parts: list[Part] = []
    number = msgspec.json.decode(cursor, type=Cursor).part if cursor else 0
    while number:
        parts.append(outlet.parts[number])
        number = parts[-1].before
    return parts[::-1]


def _change(
    before: _Seen | None, wording: Wording
) -> Literal["new", "edited", "deleted"] | None:
    if before is None:
        return None if wording.gone else "new"
    if wording.gone:
        return None if before.gone else "deleted"
    return "edited" if before.gone or before.text != wording.text else None


def _remembered(before: _Seen | None, part: Part) -> Version | None:
    """Return the version that mattered, unless it did so long ago by the clock."""
    mattered = before.mattered if before else None
    if mattered and part.seen - mattered.seen > REMEMBERED:
        return None
    return mattered


def due(versions: Sequence[Version], subscriber: Subscriber) -> Version | None:
    """Return the version by which *subscriber* has to hear of the post, if any."""
    for version in versions:
        if not concerns(version.wording, subscriber):
            continue
        if version.change == "new":
            return version
        if version.was and concerns(version.was.wording, subscriber):
            continue  # only who heard of that hears of this
        if version.was or version.seen - version.post.published <= OLD:
            return version
    return None


def audience(version: Version, subscriber: Subscriber) -> bool:
    """Return whether *version* goes to *subscriber*, if they heard of the post."""
    before = version.was is not None and concerns(version.was.wording, subscriber)
    return before or concerns(version.wording, subscriber)


def by_post(versions: Sequence[Version]) -> Iterator[tuple[str, list[Version]]]:
    """Yield each post and its versions."""
    found: dict[str, list[Version]] = {}
    for version in versions:
        found.setdefault(version.post.key, []).append(version)
    yield from found.items()
