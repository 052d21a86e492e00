"""
An entry of a feed on its way to an item, whatever form the feed has.

What a new entry is known by, from the best down (`feed_identity` knows it again):

1. the publisher's own id;
2. its link and date.  The link counts without its scheme, a slash at its end and the
   ``utm_`` parameters, which change while the entry stays;
3. where several entries of an answer share link and date, those but the oldest are
   known by their words too; and so is one without a date that links to a whole site;
4. without a link, title and date; without a date, all that it says.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from urllib.parse import urljoin

from monitor.collect.text import line, line_of_html, text_of_html, tidy
from monitor.collect.text import unescape as resolve_references
from monitor.item import Item, Media, MediaKind

LONGEST_ID = 512  # characters; a longer one is hashed
LONGEST_LINK = 8_000  # characters, as the web takes them
ATTACHMENTS = 32  # of an entry
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_TRACKING = re.compile("utm_", re.IGNORECASE)
KINDS: dict[str, MediaKind] = {"image": "photo", "video": "video", "audio": "audio"}


@dataclass(frozen=True, slots=True)
class Text:
    """A text as the feed has it."""

    source: str
    is_html: bool

    def plain(self) -> str:
        """Return the text with its line breaks."""
        if self.is_html and "<" in self.source:
            return text_of_html(self.source)
        # Without a tag, the line breaks of the source are the only ones there are.
        return tidy(resolve_references(self.source) if self.is_html else self.source)

    def on_one_line(self) -> str:
        """Return the text as a title."""
        return line_of_html(self.source) if self.is_html else line(self.source)


@dataclass(frozen=True, kw_only=True)  # without slots: what is found out once is kept
class Entry:
    """
    An entry as its feed has it, not yet plain.

    Attributes:
        id: The publisher's own, or empty.
        link: Absolute, or empty.
        date: As it is written.
        media: MIME types and addresses.
    """

    id: str
    link: str
    title: Text
    body: Text
    author: str
    date: str
    published: datetime | None
    edited: datetime | None
    media: tuple[tuple[str, str], ...]

    def identities(self) -> tuple[str, str]:
        """Return what it is usually known by, and by what where that is shared."""
        if self.native:
            return _within_bounds(self.native), _within_bounds(self.native)
        place, when = canonical(self.link), self.when
        full = f"{place}@{when}#{self.words}" if place else self.words + when
        if place and (when or "/" in place or "?" in place):
            return _within_bounds(f"{place}@{when}"), _within_bounds(full)
        if not place and when and self.title.source:
            return _digest(self.title.source + when), _within_bounds(full)
        return _within_bounds(full), _within_bounds(full)

    @cached_property
    def native(self) -> str:
        """The publisher's own id on one line, or empty."""
        return line(self.id)

    @property
    def when(self) -> str:
        """Its date, in seconds where it can be read; or empty."""
        written = self.date.strip()
        return str(int(self.published.timestamp())) if self.published else written

    @cached_property
    def words(self) -> str:
        """A hash of all that it says."""
        return _digest(f"{self.title.on_one_line()}\n{self.body.plain()}")

    def appeared(self, received: datetime) -> datetime:
        """Return when it was published, as far as that can be true."""
        return _believed(self.published, received) or received

    def item(self, source: str, identity: str, received: datetime) -> Item:
        """Return it as an item that is known by *identity*."""
        published = self.appeared(received)
        edited = _believed(self.edited, received)
        return Item(
            source=source,
            id=identity,
            url=self.link,
            published=published,
            edited=edited if edited != published else None,
            seen=received,
            title=self.title.on_one_line(),
            text=self.body.plain(),
            author=line(self.author),
            media=tuple(Media(kind=_kind(mime), url=url) for mime, url in self.media),
        )


def web_address(link: str, base: str) -> str:
    """Return *link* as an absolute address, or "" if it is none of the web."""
    link = link.strip()
    if not link or len(link) > LONGEST_LINK:
        return ""
    try:
        link = urljoin(base, link)
    except ValueError:
        return ""
    return link if link.lower().startswith(("https://", "http://")) else ""


def canonical(link: str) -> str:
    """Return the part of an address that stays while an entry does."""
    address = link.partition("://")[2]
    address, mark, anchor = address.partition("#")
    path, _, query = address.partition("?")
    host, slash, path = path.partition("/")
    kept = [part for part in query.split("&") if part and not _TRACKING.match(part)]
    place = (host.lower() + slash + path).rstrip("/")
    return place + ("?" + "&".join(kept) if kept else "") + mark + anchor


def short(told: str) -> str:
    """Return a hash by which one of the things of a feed is remembered."""
    return blake2b(told.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _within_bounds(identity: str) -> str:
    return identity if len(identity) <= LONGEST_ID else _digest(identity)


def _digest(told: str) -> str:
    return blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _believed(moment: datetime | None, received: datetime) -> datetime | None:
    if moment is None or not EARLIEST <= moment <= received:
        return None
    return moment


def _kind(mime: str) -> MediaKind:
    return KINDS.get(mime.partition("/")[0].strip().lower(), "document")
