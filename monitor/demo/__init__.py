"""
The demonstration: a reconstruction of two nights, and a world that tells it.

`recording.ndjson` is a reconstruction and says so; no post in it is anybody's.  Its
first line is the `Head`, each other line a `Record` in the order of time, which also
says what the program is to make of it.  `world.World` serves it on loopback, as
Telegram's public preview and as a feed.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import resources
from typing import Literal

import msgspec

from monitor.item import MediaKind, Signal

Action = Literal["post", "edit", "delete", "service"]


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the program is to make of a record.

    Attributes:
        alert: Whether those who follow the Belgorod region are told; of a deletion,
            whether those who were told of the post are.
        place: Id of the place it speaks of, such as ``"RU-BEL.grayvoronsky"``; a
            reading that names a place within it is as good.  Empty for none.
        trap: Why it may go wrong; empty where it is plain.
    """

    alert: bool
    signal: Signal
    place: str = ""
    language: str = ""
    trap: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something that happened to a post of a channel, or to an entry of the feed.

    Attributes:
        id: Of the post; an album takes as many ids as it has parts.
        action: `service` is a message that Telegram itself writes.
        text: After this; a deletion has none.
        media: Kinds of its attachments, more than one is an album; an edit that names
            none leaves them as they were.
        reply_to: Id of the post it answers, in the same channel; 0 for none.
        forward: Name of the channel it was passed on from.
    """

    at: datetime
    channel: str = ""
    feed: str = ""
    id: int
    action: Action
    title: str = ""
    text: str = ""
    media: tuple[MediaKind, ...] = ()
    reply_to: int = 0
    forward: str = ""
    expect: Expect

    @property
    def where(self) -> str:
        """Name of the channel, or of the feed."""
        return self.channel or self.feed

    @property
    def item(self) -> str:
        """The id that its item has: a channel's number, or the guid of an entry."""
        return f"{self.feed}-{self.id}" if self.feed else str(self.id)


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that does not exist; `number` is its id at Telegram."""

    name: str
    number: int
    title: str
    description: str


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed of an outlet that does not exist."""

    name: str
    title: str
    description: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a recording is.

    Attributes:
        reconstruction: What it is not, in plain words.
        begins: What lies before is the past, which a first read finds.
    """

    reconstruction: str
    begins: datetime
    channels: tuple[Channel, ...]
    feed: Feed


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A post as it stands at some moment; since `changed`, and in UTC."""

    id: int
    published: datetime
    changed: datetime
    title: str = ""
    text: str = ""
    media: tuple[MediaKind, ...] = ()
    reply_to: int = 0
    forward: str = ""
    service: bool = False
    edited: bool = False

    @property
    def ids(self) -> range:
        """The ids it takes: one, or one a part of an album."""
        return range(self.id, self.id + max(1, len(self.media)))


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A story in channels and a feed, and what is to be made of it."""

    head: Head
    records: tuple[Record, ...]

    @property
    def ends(self) -> datetime:
        """When the last of it happens."""
        return self.records[-1].at

    def until(self, moment: datetime) -> Iterator[Record]:
        """Yield what has happened by *moment*, in order."""
        return (record for record in self.records if record.at <= moment)

    def posts(self, where: str, moment: datetime) -> tuple[Post, ...]:
        """Return the posts of a channel, or the feed, as they stood at *moment*."""
        standing: dict[int, Post] = {}
        for record in self.until(moment):
            if record.where != where:
                continue
            if record.action == "delete":
                standing.pop(record.id, None)
            elif record.action == "edit":
                standing[record.id] = _edited(standing[record.id], record)
            else:
                standing[record.id] = _new(record)
        return tuple(standing[id_] for id_ in sorted(standing))


def holding(id_: int, posts: Iterable[Post]) -> Post | None:
    """Return the post that has this id, be it that of a part of its album."""
    return next((post for post in posts if id_ in post.ids), None)


def _new(record: Record) -> Post:
    return Post(
        id=record.id,
        published=record.at.astimezone(UTC),
        changed=record.at.astimezone(UTC),
        title=record.title,
        text=record.text,
        media=record.media,
        reply_to=record.reply_to,
        forward=record.forward,
        service=record.action == "service",
    )


def _edited(post: Post, record: Record) -> Post:
    return msgspec.structs.replace(
        post,
        changed=record.at.astimezone(UTC),
        title=record.title or post.title,
        text=record.text,
        media=record.media or post.media,
        edited=True,
    )


def read(text: str) -> Recording:
    """
    Return the recording that *text* holds, one JSON object a line.

    Raises:
        msgspec.ValidationError: It is no recording.
        ValueError: Its records are not in the order of time, or there are none.
    """
    first, *rest = text.splitlines()
    records = tuple(msgspec.json.decode(line, type=Record) for line in rest if line)
    times = [record.at for record in records]
    if not times or times != sorted(times):
        raise ValueError("a recording has records, in the order of time")
    return Recording(head=msgspec.json.decode(first, type=Head), records=records)


def recording() -> Recording:
    """Return the recording that the program brings along."""
    file = resources.files(__name__) / "recording.ndjson"
    return read(file.read_text("utf-8"))
