"""
Telegram's HTML, read as the Bot API reads it, and a little more strictly.

`read` returns the text that is left and the entities over it, offsets and lengths in
UTF-16 units.  What the server would silently drop or let pass (a bare ampersand, code
within bold, a link to nowhere) is an error here, because nobody would notice there.
"""

import re
from dataclasses import dataclass
from html import unescape

ALLOWED = frozenset({
    "b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler",
    "a", "code", "pre", "tg-emoji", "blockquote", "tg-time",
})  # fmt: skip
# May contain and be part of any other entity, but for `pre` and `code`.
PLAIN = frozenset(
    {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler"}
)
_TOKEN = re.compile(
    r"<(?P<end>/?)(?P<tag>[a-z-]+)(?P<attributes>(?:\s[^<>]*)?)>"
    r"|(?P<entity>&(?:lt|gt|amp|quot|#[0-9]{1,7}|#x[0-9a-f]{1,6});)"
    r"|(?P<wrong>[<>&])"
)
_ATTRIBUTE = re.compile(r'\s+([a-z-]+)(?:="([^"<>]*)")?')
_WANTED = {
    "a": {"href": r"(https?|tg)://\S+"},
    "tg-time": {"unix": r"[0-9]{1,10}", "format": r"(r|w?[dD]?[tT]?)"},
    "tg-emoji": {"emoji-id": r"[0-9]+"},
    "span": {"class": "tg-spoiler"},
    "blockquote": {"expandable": ""},
}
# TDLib's find_bot_commands and find_mentions: what becomes touchable by itself.
_COMMAND = re.compile(
    r"(?<!\b)(?<![/<>])/[a-zA-Z0-9_]{1,64}(?:@[a-zA-Z0-9_]{3,32})?(?!\B|[/<>])"
)
_MENTION = re.compile(r"(?<=\B)@[a-zA-Z0-9_]{2,32}(?=\b)")


class Unreadable(ValueError):
    """The server would refuse this markup, or should."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A stretch of a text that is more than text."""

    kind: str
    offset: int
    length: int
    attributes: tuple[tuple[str, str], ...] = ()


def units(text: str) -> int:
    """Return the length of *text* in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def read(html: str) -> tuple[str, tuple[Entity, ...]]:
    """
    Return the text of *html* and its entities, the touchable ones among them.

    Raises:
        Unreadable: It is no HTML of Telegram's.
    """
    text, done, started = "", [], list[tuple[str, int, str]]()
    end = 0
    for token in _TOKEN.finditer(html):
        text += html[end : token.start()]
        end = token.end()
        if token["wrong"]:
            raise Unreadable(f"unescaped {token['wrong']!r} at {token.start()}")
        if token["entity"]:
            text += unescape(token["entity"])
        elif token["end"]:
            done.append(_ended(token["tag"], started, text))
        else:
            _check_start(token["tag"], [tag for tag, *_ in started])
            started.append((token["tag"], len(text), token["attributes"]))
    if started:
        tag = started[-1][0]
        raise Unreadable(f'Can\'t find end tag corresponding to start tag "{tag}"')
    text += html[end:]
    return text, (*done, *touchable(text, done))


def touchable(text: str, entities: list[Entity]) -> list[Entity]:
    """Return the commands and mentions of *text* that no code covers."""
    covered = [
        range(one.offset, one.offset + one.length)
        for one in entities
        if one.kind in {"code", "pre"}
    ]
    found = []
    for kind, pattern in (("bot_command", _COMMAND), ("mention", _MENTION)):
        for match in pattern.finditer(text):
            offset = units(text[: match.start()])
            if not any(offset in some for some in covered):
                found.append(Entity(kind, offset, units(match[0])))
    return found


def _check_start(tag: str, around: list[str]) -> None:
    if tag not in ALLOWED:
        raise Unreadable(f'Unsupported start tag "{tag}"')
    if {"code", "pre", "a"} & set(around) and not (tag in PLAIN and around[-1] == "a"):
        raise Unreadable(f"{tag} within {around[-1]}")
    if tag in {"code", "pre"} and PLAIN & set(around):
        raise Unreadable(f"{tag} within {around[-1]}")
    if tag == "blockquote" and around:
        raise Unreadable(f"{tag} within {around[-1]}")


def _ended(tag: str, started: list[tuple[str, int, str]], text: str) -> Entity:
    if not started or started[-1][0] != tag:
        raise Unreadable(f'Unmatched end tag "{tag}"')
    _, start, raw = started.pop()
    if start == len(text):
        raise Unreadable(f"empty {tag}")
    attributes = _attributes(tag, raw)
    return Entity(tag, units(text[:start]), units(text[start:]), attributes)


def _attributes(tag: str, raw: str) -> tuple[tuple[str, str], ...]:
    wanted = _WANTED.get(tag, {})
    found = [(one[1], unescape(one[2] or "")) for one in _ATTRIBUTE.finditer(raw)]
    if "".join(one[0] for one in _ATTRIBUTE.finditer(raw)) != raw:
        raise Unreadable(f"attributes of {tag}: {raw!r}")
    for name, value in found:
        if name not in wanted or not re.fullmatch(wanted[name], value):
            raise Unreadable(f"{tag} {name}={value!r}")
    missing = wanted.keys() - {name for name, _ in found} - {"expandable", "format"}
    if missing:
        raise Unreadable(f"{tag} without {', '.join(missing)}")
    return tuple(found)
