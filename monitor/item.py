"""
The values that flow: a source yields posts, the stream carries them as items,
the filter reads and matches them, the sinks deliver them.  Nothing here does I/O.

Two forms, one set of fields (DESIGN §4):

* JSON, for the archive and the command line: `to_json`, `from_json`;
* one msgpack field of a stream entry: `to_wire`, `from_wire`.  The field's name
  is the wire version, so that a program meeting entries of a newer one says so.

Times are aware and in UTC.  Offsets (`Span`) count code points of `Item.text`.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Literal, TypeVar

import msgspec

Change = Literal["new", "edited", "deleted"]
Signal = Literal[
    "danger", "alarm", "impact", "casualties", "clear",
    "drill", "forecast", "recap", "correction", "none",
]  # fmt: skip
Severity = Literal["info", "warning", "critical"]
Voice = Literal["official", "emergency", "press", "independent", "analyst", "party"]
MediaKind = Literal[
    "photo", "video", "gif", "round", "voice", "audio",
    "document", "sticker", "poll", "location", "other",
]  # fmt: skip
Outcome = Literal["delivered", "edited", "suppressed", "dead"]
What = Literal[
    "filtered", "service", "part", "absent", "past", "unconcerned", "dead"
]  # fmt: skip
Span = tuple[int, int]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
OURSELVES = "monitor"  # the source of what is to be told of the program itself
WIRE = b"1"  # the version of the wire form, and the name of its field


class Media(msgspec.Struct, frozen=True):
    """One attachment; `url` may be empty, and a publisher's links may expire."""

    kind: MediaKind
    url: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """
    One version of one post, as its publisher published it.

    Attributes:
        source: Name of the configured source, such as ``"belgorod-governor"``.
        id: The publisher's own id; ``(source, id)`` is unique for ever.
        version: Counts from 1; given when the item is accepted.
        change: What this version is to the one before; given with it.
        published: When the publisher says it was published.
        edited: When the publisher says it was last changed, if it says so.
        seen: When we first saw this version.
        text: Plain text with its line breaks.
        forward: Who wrote it first, if it is somebody else's post.
        reply_to: Id of the post it answers.
    """

    source: str
    id: str
    version: int = 1
    change: Change = "new"
    url: str = ""
    published: datetime
    edited: datetime | None = None
    seen: datetime
    title: str = ""
    text: str = ""
    author: str = ""
    media: tuple[Media, ...] = ()
    forward: str | None = None
    reply_to: str | None = None

    @property
    def post(self) -> str:
        """What all versions of one post have in common: ``source/id``."""
        return f"{self.source}/{self.id}"

    @property
    def key(self) -> str:
        """What no other item has: ``source/id/version``."""
        return f"{self.source}/{self.id}/{self.version}"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is known of a source, whatever it publishes.

    Attributes:
        home: Region that ranks ambiguous place names, such as ``"RU-BEL"``.
        voice: In whose name it speaks.
        owner: One owner is one witness, however many channels it runs.
    """

    source: str
    home: str = ""
    voice: Voice = "press"
    owner: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place that a text speaks of; `within` goes from near to far."""

    id: str
    name: str
    within: tuple[str, ...] = ()
    confidence: float = 1.0
    spans: tuple[Span, ...] = ()


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A subject that a text speaks of, and the words that say so."""

    name: str
    spans: tuple[Span, ...] = ()


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word of a rule, as it is written there, and where the text has it."""

    word: str
    spans: tuple[Span, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a text says, as far as we can tell."""

    places: tuple[Place, ...] = ()
    topics: tuple[Topic, ...] = ()
    words: tuple[Word, ...] = ()
    signal: Signal = "none"
    language: str = ""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """
    An item that matters, what it says, and the rules by which it matters.

    `rules` is empty only where a post that mattered was edited or deleted and
    matters no more: those who were told have to learn of it.
    """

    item: Item
    reading: Reading
    rules: tuple[str, ...] = ()
    severity: Severity = "info"
    repeat_of: str | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one item for one subscriber.

    Attributes:
        item: Key of the item, ``source/id/version``.
        subscriber: Name of the subscriber, never an address.
        message: The sink's id of the message, by which it can be edited.
        address: A digest of where it lies; elsewhere the id means another message.
        why: For `suppressed` and `dead`, the reason; for the others, the rules.
        repeats: Earlier sends of it whose end nobody knows: so many copies may lie
            there as well, where the service does not recognise a repeat.
        among: How many subscribers the item concerns, this one included.
    """

    item: str
    subscriber: str
    sink: str
    outcome: Outcome
    at: datetime
    message: str = ""
    address: str = ""
    why: str = ""
    repeats: int = 0
    among: int = 0


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """
    A match on its way to some subscribers of one sink: an entry of the outbox.

    Attributes:
        recipients: Names of subscribers, at most 1,000 an envelope.
        was: The match that this one corrects.  It goes to those who were told of
            the post before, and to those whom only the new wording concerns.
        newly: The recipients of a correction whom the new wording concerns, so that
            they are told even if the old one never reached them.
        again: An operator put it back after it had been set aside.
        late: The post was found only long after it was published, when reading went on
            after a loss or a long pause: it is no news of this moment.
        among: How many subscribers the match concerns, in all envelopes and in none.
    """

    match: Match
    sink: str
    recipients: tuple[str, ...]
    was: Match | None = None
    newly: tuple[str, ...] = ()
    again: bool = False
    late: bool = False
    among: int = 0


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """
    Why an id of a source, or a version of a post, is not told of.

    Attributes:
        id: The source's own, as in an Item.
        version: Of the post that was judged; 0 where there is no post.
        what: `filtered`, no rule wants it; `service`, a message of the service itself,
            such as a new title; `part` of an album, whose first part is the item;
            `absent`, its neighbours were there and it was not; `past`, it stood there
            before the first read; `unconcerned`, it matters to no subscriber; `dead`,
            it was set aside.
        why: For `filtered`, the rule that came nearest and what was missing; for
            `part`, the id of the item; for `dead`, the reason.
    """

    source: str
    id: str
    version: int = 0
    what: What
    why: str = ""
    at: datetime


T = TypeVar("T", bound=msgspec.Struct)


def to_json(value: msgspec.Struct) -> bytes:
    """Return *value* as one line of JSON, without the line's end."""
    return msgspec.json.encode(value)


def from_json(text: bytes | str, kind: type[T]) -> T:
    """
    Return the value of this *kind* that *text* holds; unknown fields are left out.

    Raises:
        msgspec.ValidationError: It holds something else.
    """
    return msgspec.json.decode(text, type=kind)


def to_wire(value: msgspec.Struct) -> bytes:
    """Return *value* as the one field of a stream entry."""
    return msgspec.msgpack.encode(value)


def to_wire_first(item: Item) -> bytes:
    """
    Return the wire form of *item* as the first version of its post.

    Only the stream knows which version it is, and only at the moment it accepts it.
    Where it is another one, it changes the two fields that say so; no text can look
    like them, as 0xa6 does not follow 0x01 in UTF-8.  See accept.lua.
    """
    return to_wire(msgspec.structs.replace(item, version=1, change="new"))


def from_wire(fields: Mapping[bytes, bytes], kind: type[T]) -> T:
    """
    Return the value of this *kind* that a stream entry holds.

    Raises:
        ValueError: Another version of the program wrote it, or it is damaged.
    """
    if WIRE not in fields:
        raise ValueError(
            f"entry in wire form {sorted(fields)!r}; this program reads {WIRE!r}"
        )
    return msgspec.msgpack.decode(fields[WIRE], type=kind)


def content_hash(item: Item) -> bytes:
    """
    Return 8 bytes that change when what a reader sees of *item* changes.

    Counters, expiring media links and the publisher's edit time are no content:
    they change while the post stays as it is.
    """
    seen = f"{item.title}\x1f{item.text}"
    for media in item.media:
        seen += f"\x1f{media.kind}"
    return blake2b(seen.encode(), digest_size=8).digest()
