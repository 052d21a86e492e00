"""An entry of a feed on its way to an item, whatever form the feed has."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from urllib.parse import urljoin

from monitor.collect.text import line, line_of_html, text_of_html, tidy
from monitor.collect.text import unescape as resolve_references
from monitor.item import Item, Media, MediaKind

LONGEST_ID = 512  # characters; a longer one is hashed
ATTACHMENTS = 32  # of an entry
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def identity(self) -> str:
        """Return the entry's id, else its link, else a hash of title and date."""
        identity = line(self.id) or self.link
        if identity and len(identity) <= LONGEST_ID:
            return identity
        told = self.title.source + self.date or self.body.source
        coded = (identity or told).encode("utf-8", "replace")
        return blake2b(coded, digest_size=16).hexdigest()

    def appeared(self, received: datetime) -> datetime:
        """Return when it was published, as far as that can be true."""
        return _believed(self.published, received) or received

    def item(self, source: str, received: datetime) -> Item:
        """Return it as an item."""
        published = self.appeared(received)
        edited = _believed(self.edited, received)
        return Item(
            source=source,
            id=self.identity(),
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
    try:
        link = urljoin(base, link.strip()) if link.strip() else ""
    except ValueError:
        return ""
    return link if link.lower().startswith(("https://", "http://")) else ""


def _believed(moment: datetime | None, received: datetime) -> datetime | None:
    if moment is None or not EARLIEST <= moment <= received:
        return None
    return moment


def _kind(mime: str) -> MediaKind:
    return KINDS.get(mime.partition("/")[0].strip().lower(), "document")
