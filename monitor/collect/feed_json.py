"""
JSON Feed, https://www.jsonfeed.org/version/1.1/; feedparser finds nothing in one.

Of one that is long the first entries are read, as of one in XML.  Where they end is
found before they become objects, which take many times the room.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.collect.feed_entry import (
    ATTACHMENTS,
    LONGEST_ID,
    Entry,
    Text,
    web_address,
)
from monitor.errors import Rejected

LONGEST = 2_000  # entries that are read of one
LARGEST = 2 * 1024 * 1024  # bytes of them
BRACKETS = 250_000  # in them; a usual entry has ten
AUTHORS = 32  # of an entry

# A bracket, and what is before it.
_BRACKET = re.compile(
    rb'[^"\[\]{}]*+(?:"(?:[^"\\]|\\.)*+"[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL
)


class _Feed(msgspec.Struct):
    """What is read of the whole, its entries still unread."""

    version: Any = None
    items: msgspec.Raw = msgspec.Raw(b"[]")


def is_json(body: bytes) -> bool:
    """Say whether *body* is a JSON object, or the beginning of one."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def entries_of_json(body: bytes, url: str) -> list[Entry]:
    """
    Return the entries of a JSON Feed in the order it has them.

    Raises:
        Rejected: It is none, or its first entry has no measure.
    """
    text = body.decode("utf-8-sig", "replace").encode()
    try:
        feed = msgspec.json.decode(text, type=_Feed)
        items = msgspec.json.decode(_first(bytes(feed.items)))
    except (msgspec.MsgspecError, RecursionError):
        raise Rejected("the answer is no JSON, or not all of it") from None
    if "jsonfeed.org" not in str(feed.version)[:LONGEST_ID]:
        raise Rejected("the answer is JSON, but no JSON Feed")
    return [_entry(item, url) for item in _objects(items)]


def _first(items: bytes) -> bytes:
    """Return the first of a list of entries, as a list; anything else as it is."""
    depth = count = end = 0
    for number, bracket in enumerate(_BRACKET.finditer(items)):
        depth += 1 if bracket[1] in b"[{" else -1
        if count == LONGEST or number == BRACKETS or bracket.end() > LARGEST:
            if not count:
                raise Rejected("the feed begins with no entry, or with an endless one")
            return items[:end] + b"]"
        if depth == 1 and bracket[1] == b"}":
            count, end = count + 1, bracket.end()
    return items


def _entry(item: Mapping[str, Any], url: str) -> Entry:
    html = _text(item, "content_html")
    plain = _text(item, "content_text") or _text(item, "summary")
    published, edited = _text(item, "date_published"), _text(item, "date_modified")
    links = (_text(item, "url"), _text(item, "external_url"))
    return Entry(
        id=_text(item, "id"),
        link=next(filter(None, (web_address(link, url) for link in links)), ""),
        title=Text(_text(item, "title"), is_html=False),
        body=Text(html or plain, is_html=bool(html)),
        author=", ".join(_authors(item)),
        date=published or edited,
        published=_moment(published) or _moment(edited),
        edited=_moment(edited),
        media=tuple(_attachments(item, url)),
    )


def _authors(item: Mapping[str, Any]) -> list[str]:
    people = [*_objects(item.get("authors")), *_objects([item.get("author")])]
    people = people[:AUTHORS]
    return list(dict.fromkeys(filter(None, (_text(one, "name") for one in people))))


def _attachments(item: Mapping[str, Any], url: str) -> Iterator[tuple[str, str]]:
    for part in _objects(item.get("attachments"))[:ATTACHMENTS]:
        link = web_address(_text(part, "url"), url)
        if link:
            yield _text(part, "mime_type"), link


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return str(value) if isinstance(value, str | int | float) else ""


def _moment(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written.strip())
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
