"""
Feeds in XML: RSS 0.9 to 2.0, Atom, RDF.

feedparser is the truth: twenty years of other people's broken feeds are in it.  What it
is not trusted with:

* bytes: a body that is the name of a file would be opened, so it gets a stream;
* declared entities, by which 1 KiB becomes 1 GiB: refused before it sees them;
* a feed that ends in the middle: it would take half an entry for an entry, and half a
  letter for a reason to read all the others by another alphabet;
* bytes that fit no declared encoding: it reads them as Western European, and a Cyrillic
  feed with one broken byte would be lost.
"""

import codecs
import io
import re
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
from feedparser.encodings import convert_to_utf8
from feedparser.exceptions import CharacterEncodingOverride, CharacterEncodingUnknown

from monitor.collect.feed_entry import ATTACHMENTS, Entry, Text, web_address
from monitor.errors import Rejected

LONGEST = 2_000  # entries that are read of one
DEEPEST = 3_000  # open tags; feedparser's time grows with their square
ATTRIBUTES = 500  # of a tag; as above
PREFIXES = 200  # of namespaces; as above
LARGEST = 2 * 1024 * 1024  # bytes that are read of one; feedparser does 1 MB a second
# Zones that feedparser takes for UTC, in hours.
ZONES = {"MSK": 3, "EET": 2, "EEST": 3, "CET": 1, "CEST": 2}
# What it was seen to raise on 40,000 damaged feeds, and their like.
BEATEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
LAST_RESORT = frozenset({"", "windows-1252", "iso-8859-2"})
BROKEN = 0.05  # of the letters beyond ASCII; with more, it is another encoding

_FIRST = re.compile(rb"<\w")
_DOCTYPE = re.compile(
    rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE[^>\[]*+\[(.*?)(?:\]\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_ROOT = re.compile(rb"<((?:[\w.-]+:)?(?:rss|feed|RDF))[\s>]", re.IGNORECASE)
# Beyond Unicode, and halves of a pair.
_NO_CHARACTER = re.compile(
    rb"&#(?:x0*+(?:[1-9a-f][0-9a-f]{5,}|d[89a-f][0-9a-f]{2})"
    rb"|0*+(?:[1-9][0-9]{6,}|5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3]));",
    re.IGNORECASE,
)
_CDATA = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL)
_TAG = re.compile(rb"<(/?)(?=[A-Za-z_:])([^<>]*+)")
_NAME = re.compile(
    rb"<(?:[\w.-]+:)?(?:author|contributor|creator|email|managingeditor|name|owner"
    rb"|publisher|webmaster)\b[^<>]*+>(?:<!\[CDATA\[)?+[^<]{4096}",
    re.IGNORECASE,
)
_PREFIX = re.compile(rb"xmlns:([\w.-]+)")
_ENTRY = re.compile(rb"<(?:[\w.-]+:)?(?:item|entry)[\s>]", re.IGNORECASE)
_ENTRY_END = re.compile(rb"</(?:[\w.-]+:)?(?:item|entry)\s*>", re.IGNORECASE)
_CHANNEL = re.compile(rb"<(/?)channel[\s>]", re.IGNORECASE)
_CYRILLIC = re.compile(rb"[\x80-\xff]{4,}")
_SMALL_KOI8 = re.compile(rb"[\xc0-\xdf]")
_HIGH = re.compile(rb"[\x80-\xff]")
_UTF_16 = frozenset({codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE})


def entries_of_xml(body: bytes, url: str, content_type: str) -> list[Entry]:
    """
    Return the entries of a feed in the order it has them.

    Args:
        content_type: As the server said; its charset goes before the document's.

    Raises:
        Rejected: It is no feed, or one that may not be read.
    """
    document = _whole(_decoded(body, content_type))
    _refuse_entities(document)
    _refuse_excess(document)
    feed = _parsed(document)
    if not feed.get("version") and not feed.entries:
        raise Rejected("the answer is no feed")
    return [_entry(entry, url) for entry in feed.entries]


def _decoded(body: bytes, content_type: str) -> bytes:
    """Return *body* in UTF-8 by header, mark and declaration, as feedparser does."""
    body = body[:LARGEST]
    if body[:2] in _UTF_16 and body[2:4] != b"\0\0":
        # To feedparser, ASCII in UTF-16 is UTF-8 with many zeros.
        return _undeclared(body.decode("utf-16", "ignore"))
    # Without the field, feedparser would take UTF-8 for ISO-8859-1; it may be empty.
    headers = {"content-type": content_type}
    report: dict[str, Any] = {}
    try:
        document: bytes = convert_to_utf8(headers, body, report)
    except (ValueError, LookupError):  # an encoding that only Python knows
        raise Rejected("the feed names an encoding that is none") from None
    doubt = report.get("bozo_exception")
    if isinstance(doubt, CharacterEncodingOverride | CharacterEncodingUnknown):
        return _guessed(body, report["encoding"]) or document
    return document


def _guessed(body: bytes, encoding: str) -> bytes | None:
    """
    Return *body* in UTF-8 where feedparser has only its last resort; or None.

    UTF-8 with a few broken bytes stays UTF-8.  Else, bytes above 127 that stand side by
    side are Cyrillic (in the West they stand alone), and nearly all are small letters.
    """
    if encoding.lower() not in {"", "windows-1252", "iso-8859-2"}:
        return None
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken > BROKEN * sum(character > "\x7f" for character in text):
        high = b"".join(_HIGH.findall(body))
        if 2 * sum(map(len, _CYRILLIC.findall(body))) < len(high):
            return None
        koi8 = 2 * len(_SMALL_KOI8.findall(high)) > len(high)
        text = body.decode("koi8-r" if koi8 else "cp1251", "replace")
    return _undeclared(text)


def _undeclared(text: str) -> bytes:
    """Return *text* in UTF-8, without a declaration that says otherwise."""
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text).encode("utf-8", "replace")


def _refuse_entities(document: bytes) -> None:
    first = _FIRST.search(document)
    head = document[: first.start()] if first else document
    doctype = _DOCTYPE.match(document)
    if _ENTITY.search(head) or (doctype and _ENTITY.search(doctype[1])):
        raise Rejected("the feed declares entities, which may grow without bound")


def _refuse_excess(document: bytes) -> None:
    """Raise Rejected where feedparser would need minutes instead of a second."""
    depth = 0
    for tag in _TAG.finditer(_CDATA.sub(b"", document)):
        depth += -1 if tag[1] else 1 if not tag[2].endswith(b"/") else 0
        if depth > DEEPEST or (
            len(tag[2]) > ATTRIBUTES and tag[2].count(b"=") > ATTRIBUTES
        ):
            raise Rejected("the feed is nested or attributed without measure")
    if _NAME.search(document):
        raise Rejected("the feed names a person at a length without measure")
    if len(set(_PREFIX.findall(document))) > PREFIXES:
        raise Rejected("the feed declares namespaces without measure")


def _whole(document: bytes) -> bytes:
    """
    Return a feed that ends in the middle, or too late, up to a whole entry, and closed.

    Raises:
        Rejected: It ends inside its first entry.
    """
    root = _ROOT.search(document)
    if root is None:
        return document
    ends = [found.end() for found in _ENTRY_END.finditer(document)]
    closed = re.search(rb"</" + root[1] + rb"\s*>", document, re.IGNORECASE)
    if closed and len(ends) <= LONGEST:
        return document
    if not ends and _ENTRY.search(document):
        raise Rejected("the feed ends inside its first entry")
    kept = document[: ends[:LONGEST][-1]] if ends else document
    channels = [found[1] for found in _CHANNEL.finditer(kept)]
    if channels and not channels[-1]:
        kept += b"</channel>"
    return kept + b"</" + root[1] + b">"


def _parsed(document: bytes) -> Any:
    # Without a Content-Location: an id would be resolved like a link, and change with
    # the place that a feed is read from.
    try:
        return feedparser.parse(
            io.BytesIO(_NO_CHARACTER.sub(b"&#65533;", document)),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except BEATEN as error:
        raise Rejected(f"feedparser is beaten: {type(error).__name__}") from None


def _entry(entry: Any, url: str) -> Entry:
    # `dict.get`, as feedparser's own `get` makes up dates that are not there.
    def get(key: str) -> Any:
        return dict.get(entry, key)

    date = str(get("published") or get("created") or get("updated") or "")
    published = get("published_parsed") or get("created_parsed")
    edited = _moment(get("updated_parsed"), str(get("updated") or ""))
    identity = str(get("id") or "")
    link = str(get("link") or "")
    if link == identity:  # a guid that is called a permalink, rightly or not
        link = web_address(link, "")
    return Entry(
        id=identity,
        link=web_address(link, url) or web_address(identity, ""),
        title=_detail(get("title_detail"), get("title")),
        body=_body(entry),
        author=str(get("author") or ""),
        date=date,
        published=_moment(published, date) or edited,
        edited=edited,
        media=_enclosures(entry, url),
    )


def _body(entry: Any) -> Text:
    contents = [
        detail
        for detail in dict.get(entry, "content") or ()
        if str(detail.get("type") or "text/").startswith(("text/", "application/xhtml"))
    ]
    summary = _detail(dict.get(entry, "summary_detail"), dict.get(entry, "summary"))
    for detail in contents:
        if str(detail.get("value") or "").strip():
            return _detail(detail, None)
    return summary


def _detail(detail: Mapping[str, Any] | None, text: Any) -> Text:
    if not detail:
        return Text(str(text or ""), is_html=True)
    kind = str(detail.get("type") or "text/html")
    return Text(str(detail.get("value") or ""), is_html=kind != "text/plain")


def _enclosures(entry: Any, url: str) -> tuple[tuple[str, str], ...]:
    links = dict.get(entry, "links") or ()
    parts = [
        *((part, "href") for part in links if part.get("rel") == "enclosure"),
        *((part, "url") for part in dict.get(entry, "media_content") or ()),
    ]
    found: dict[str, str] = {}
    for part, address in parts[:ATTACHMENTS]:
        link = web_address(str(part.get(address) or ""), url)
        if link:
            found.setdefault(link, str(part.get("type") or part.get("medium") or ""))
    return tuple((mime, link) for link, mime in found.items())


def _moment(parsed: Any, written: str) -> datetime | None:
    """Return a time that feedparser made, in UTC."""
    if not parsed:
        return None
    try:
        moment = datetime.fromtimestamp(timegm(parsed), UTC)
    except (ValueError, OverflowError):
        return None
    zone = ZONES.get(written.rpartition(" ")[2].strip("()").upper(), 0)
    return moment - timedelta(hours=zone)
