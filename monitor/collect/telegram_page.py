"""
One page of https://t.me/s/<channel>, read as it was in October 2026 and before.

The markup is Telegram's own business and documented nowhere; what it hides from a
naive reader:

* An album is one block with the id of its first part; the others are only links,
  ``…/46909?single``.  Its text lies inside itself.
* The quote in a reply and the preview of a link use the classes of the text.
* A post with custom emoji has its text in ``media_supported_cont``, beside a box that
  says "Please open Telegram to view this post".
* A page may end anywhere.  What comes last in a block is its time, so a block without
  one at the end of a page that was cut is no whole post.

All is found by one selector over the page, in document order; asking every block for
every class takes five times as long.  What encloses an element is looked up once for
each element of the page.  HTML takes a time to parse that grows with the square of its
depth; so a page that is nested without measure is refused before it is parsed.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from monitor.collect.telegram_nesting import refuse_excess
from monitor.collect.text import line_of_html, text_of_html
from monitor.errors import Rejected
from monitor.item import Item, Media, MediaKind

PREFIX = "tgme_widget_message_"
KINDS: dict[str, MediaKind] = {
    PREFIX + "photo_wrap": "photo",
    PREFIX + "video_player": "video",
    PREFIX + "roundvideo_player": "round",
    PREFIX + "voice_player": "voice",
    PREFIX + "document_wrap": "document",
    PREFIX + "sticker_wrap": "sticker",
    PREFIX + "poll": "poll",
    PREFIX + "location_wrap": "location",
    PREFIX + "venue_wrap": "location",
    PREFIX + "contact_wrap": "other",
    PREFIX + "invoice_wrap": "other",
    PREFIX + "game_wrap": "other",
    "message_media_not_supported_wrap": "other",
}
Attributes = dict[str, str | None]
BOX = "message_media_not_supported_wrap"  # says the post cannot be shown
FORWARD, AUTHOR = PREFIX + "forwarded_from_name", PREFIX + "from_author"
NAMES = frozenset({FORWARD, AUTHOR, PREFIX + "reply"})
TEXTS = frozenset({PREFIX + "text", "js-message_text"})
QUOTES = frozenset({PREFIX + "reply", PREFIX + "link_preview", "js-message_reply_text"})
SUPPORTED = "media_supported_cont"
EMPTY = "tme_no_messages_found"
BLOCK, DATE, ERROR = "tgme_widget_message", PREFIX + "date", PREFIX + "error"
TELLING = TEXTS | QUOTES | NAMES | KINDS.keys() | {SUPPORTED, EMPTY, BLOCK, DATE, ERROR}
# A node would come once for each part of the selector that it matches.
PARTS = f'[class*="message"], .{SUPPORTED}:not([class*="message"])'
NOTHING: frozenset[str] = frozenset()
BOT_API = 10**12  # what the Bot API adds to the id of a channel, before the minus
TAIL = 512  # bytes in which a whole page ends
# A usual page of 20 posts has some 100 KB, 1,800 tags, 20 of them open at a time.
SMALL = 200_000  # bytes
FEW = 2_500  # tags
LARGEST = 2 * 1024 * 1024  # bytes of a page that is read
DEEPEST = 256  # elements around one that tells something

_POST = re.compile(r"([A-Za-z0-9_]{1,64})/([0-9]{1,15})")
_PART = re.compile(r"/([0-9]{1,15})\?(?:[^#]*&)?single\b")
_LINK = re.compile(r"//[^/]+/([A-Za-z0-9_]{1,64})/([0-9]{1,15})\b")
_PICTURE = re.compile(r"url\(\s*['\"]?([^'\")]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """
    One block of a page.

    Attributes:
        id: Its number in the channel; of an album, that of the first part.
        item: What it says; None for a service message.
        parts: Of an album, the numbers of the further parts, ascending.
    """

    id: int
    item: Item | None
    parts: tuple[int, ...] = ()

    @property
    def last(self) -> int:
        """Its last number: of an album, that of the last part."""
        return self.parts[-1] if self.parts else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    What a page holds, and how far it can be trusted.

    Attributes:
        posts: Whole posts by ascending number.
        name: The channel's name as the newest post has it.
        channels: Numeric ids of the channels that the posts are of, newest first.
        empty: It says that there are no posts (here, or before the number asked for).
        cut: It ends before its end.
        error: What it says instead of a post; for the page of a single one.
        received: When it was complete.
    """

    posts: tuple[Post, ...]
    name: str
    channels: tuple[int, ...]
    empty: bool
    cut: bool
    error: str
    received: datetime


class _View(msgspec.Struct):
    """The part of ``data-view`` that tells the channel."""

    c: int


def channel_number(number: int) -> int:
    """Return the positive id of a channel, however it is written: plain or -100…."""
    number = abs(number)
    return number - BOT_API if number > BOT_API else number


def is_usual(body: bytes) -> bool:
    """Say whether a page is one that is read in a moment; others belong in a thread."""
    tags, ends = body.count(b"<"), body.count(b"</")
    return len(body) <= SMALL and tags <= FEW and tags - 2 * ends <= FEW // 10


def read_page(body: bytes, *, source: str, received: datetime) -> Page:
    """
    Return what *body* holds, be it nothing.

    Raises:
        Rejected: It is larger or more deeply nested than any channel's page.
    """
    draft = _Draft()
    for node in _parsed(body).css(PARTS):
        attributes = node.attributes
        telling = _telling(attributes.get("class") or "")
        if telling:
            draft.add(node, attributes, telling)
    cut = b"</html>" not in body[-TAIL:].lower()
    blocks = draft.blocks
    if cut and blocks and blocks[-1].published is None:
        blocks = blocks[:-1]
    by_number = {block.id: block for block in reversed(blocks)}
    ordered = [by_number[number] for number in sorted(by_number)]
    channels = [block.channel for block in reversed(ordered) if block.channel]
    return Page(
        posts=tuple(block.post(source, received) for block in ordered),
        name=ordered[-1].name if ordered else "",
        channels=tuple(dict.fromkeys(channels)),
        empty=draft.empty,
        cut=cut,
        error=draft.error,
        received=received,
    )


def _parsed(body: bytes) -> LexborHTMLParser:
    if len(body) > LARGEST:
        raise Rejected(f"a page of {len(body):,} bytes is none of a channel")
    refuse_excess(body)
    try:
        return LexborHTMLParser(body)
    except SelectolaxError:  # there is not enough memory
        raise Rejected("the page cannot be parsed") from None


@dataclass(slots=True)
class _Block:
    """A post as far as the page has been read."""

    name: str
    id: int
    channel: int | None
    service: bool
    parts: set[int] = field(default_factory=set)
    published: datetime | None = None
    texts: list[str] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    supported: bool = False
    boxes: int = 0
    author: str = ""
    forward: str | None = None
    reply_to: str | None = None

    def post(self, source: str, received: datetime) -> Post:
        """Return the post; one without a time is published when it was received."""
        parts = tuple(sorted(part for part in self.parts if part > self.id))
        if self.service:
            return Post(id=self.id, item=None, parts=parts)
        media = self.media
        if self.boxes and not self.supported:
            media = [*media, *[Media(kind="other")] * self.boxes]
        item = Item(
            source=source,
            id=str(self.id),
            url=f"https://t.me/{self.name}/{self.id}",
            published=self.published or received,
            seen=received,
            text="\n".join(dict.fromkeys(filter(None, self.texts))),
            author=self.author,
            media=tuple(media),
            forward=self.forward,
            reply_to=self.reply_to,
        )
        return Post(id=self.id, item=item, parts=parts)


class _Draft:
    """Blocks, filled node by node in the order of the page."""

    __slots__ = ("block", "blocks", "empty", "error", "tree")

    def __init__(self) -> None:
        self.tree = _Tree()
        self.blocks: list[_Block] = []
        self.block: _Block | None = None  # the one that is being read
        self.empty = False
        self.error = ""

    def add(
        self, node: LexborNode, attributes: Attributes, classes: frozenset[str]
    ) -> None:
        """Add what *node* tells to the block it stands in."""
        if BLOCK in classes:
            self.block = _opened(attributes)
            if self.block:
                self.blocks.append(self.block)
        elif EMPTY in classes:
            self.empty = True
        elif ERROR in classes:
            # The first: errors in errors would be read as often as they are deep.
            self.error = self.error or line_of_html(self.tree.html(node)) or "error"
        elif self.block:
            _fill(self.block, node, attributes, classes, self.tree)


def _opened(attributes: Attributes) -> _Block | None:
    found = _POST.fullmatch(attributes.get("data-post") or "")
    if not found:
        return None
    return _Block(
        name=found[1],
        id=int(found[2]),
        channel=_channel(attributes.get("data-view") or ""),
        service="service_message" in (attributes.get("class") or ""),
    )


class _Tree:
    """The elements of a page, none of which is looked at too often."""

    __slots__ = ("_left", "_within")

    def __init__(self) -> None:
        self._left = LARGEST  # characters: blocks in blocks are read again and again
        self._within: dict[int, frozenset[str]] = {}

    def html(self, node: LexborNode) -> str:
        """Return the HTML of *node*."""
        html = node.html or ""
        self._left -= len(html)
        if self._left < 0:
            raise Rejected("the page is nested without measure")
        return html

    def around(self, node: LexborNode) -> frozenset[str]:
        """Return the telling classes of all that *node* lies in, within its block."""
        known, above, unknown = self._within, node.parent, []
        within = NOTHING
        while above is not None:
            mark = above.mem_id
            if mark in known:
                within = known[mark]
                break
            attributes = above.attributes
            unknown.append((mark, _telling(attributes.get("class") or "")))
            if "data-post" in attributes:
                break
            if len(unknown) > DEEPEST:
                raise Rejected("the page is nested without measure")
            above = above.parent
        for mark, classes in reversed(unknown):
            within = known[mark] = within | classes if classes else within
        return within


def _fill(
    block: _Block,
    node: LexborNode,
    attributes: Attributes,
    classes: frozenset[str],
    tree: _Tree,
) -> None:
    within = tree.around(node)
    if SUPPORTED in classes:
        block.supported = True
    if DATE in classes and DATE not in within:
        block.published = block.published or _moment(node)
    elif classes & TEXTS:
        if not classes & QUOTES and not within & (TEXTS | QUOTES):
            block.texts.append(text_of_html(tree.html(node)))
    elif kinds := classes & KINDS.keys():
        if not within & (KINDS.keys() | QUOTES):
            _attach(block, node, min(kinds), attributes.get("href") or "")
    elif classes & NAMES and not within & NAMES:
        _name(block, tree, node, classes, attributes.get("href") or "")


@lru_cache(maxsize=1024)
def _telling(classes: str) -> frozenset[str]:
    """Return those of *classes* that tell something; few ever occur."""
    return TELLING.intersection(classes.split())


def _attach(block: _Block, node: LexborNode, name: str, link: str) -> None:
    part = _PART.search(link)
    if part:
        block.parts.add(int(part[1]))
    if name == BOX:
        block.boxes += 1
    else:
        block.media.append(_media(node, KINDS[name]))


def _name(
    block: _Block, tree: _Tree, node: LexborNode, classes: frozenset[str], link: str
) -> None:
    if FORWARD in classes:
        block.forward = line_of_html(tree.html(node)) or None
    elif AUTHOR in classes:
        block.author = line_of_html(tree.html(node))
    else:
        block.reply_to = _answered(link, block.name)


def _media(node: LexborNode, kind: MediaKind) -> Media:
    if kind == "photo":
        return Media(kind=kind, url=_picture(node))
    if kind == "video":
        film = node.css_first("video")
        moving = film is not None and "loop" in film.attributes
        timed = moving and node.css_first("time") is not None
        return Media(kind="gif" if moving and not timed else kind, url=_address(film))
    if kind == "document" and node.css_first(f".{PREFIX}document_icon.audio"):
        return Media(kind="audio")
    if kind in {"round", "voice"}:
        return Media(kind=kind, url=_address(node.css_first("video, audio")))
    if kind == "sticker":
        return Media(kind=kind, url=_sticker(node))
    return Media(kind=kind)


def _picture(node: LexborNode) -> str:
    found = _PICTURE.search(node.attributes.get("style") or "")
    return _absolute(found[1]) if found else ""


def _sticker(node: LexborNode) -> str:
    image = node.css_first("[data-webp], source[srcset], video[src]")
    if image is None:
        return ""
    known = image.attributes
    return _absolute(
        known.get("data-webp") or known.get("srcset") or known.get("src") or ""
    )


def _address(node: LexborNode | None) -> str:
    return _absolute(node.attributes.get("src") or "") if node else ""


def _absolute(address: str) -> str:
    address = f"https:{address}" if address.startswith("//") else address
    return address if address.startswith(("https://", "http://")) else ""


def _answered(link: str, name: str) -> str | None:
    found = _LINK.search(link)
    same = found is not None and found[1].casefold() == name.casefold()
    return found[2] if found and same else None


def _moment(node: LexborNode) -> datetime | None:
    time = node.css_first("time[datetime]")
    try:
        moment = datetime.fromisoformat((time and time.attributes["datetime"]) or "")
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _channel(view: str) -> int | None:
    plain = view.replace("-", "+").replace("_", "/")
    try:
        coded = base64.b64decode(plain + "=" * (-len(plain) % 4))
        return channel_number(msgspec.json.decode(coded, type=_View, strict=False).c)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
