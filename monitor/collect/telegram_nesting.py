"""
How deep the elements of a page lie in each other, told without parsing it.

HTML takes a time to parse that grows with the square of the depth, and a memory that
grows with the letters' styles left open, as each paragraph opens them all again: 40 KB
can fill a gigabyte.  The scan counts no less than a parser does.  Tags are found as
HTML finds them, past comments and quoted values; an end counts only for the last that
is open, since elsewhere it may mean nothing; and from where text cannot be told from
tags, no end counts any more.
"""

import re
from collections.abc import Iterator

from monitor.errors import Rejected

OPEN = 1_000  # tags at a time; 100,000 take 23 s
# Of those that HTML opens again in each paragraph: 2,000 in 2,000 fill the memory.
OPEN_AGAIN = 16
REOPENED = 50_000  # elements beyond that, some 500 bytes each
FORMATTING = frozenset(
    b"a b big code em font i nobr s small strike strong tt u".split()
)
ALONE = frozenset(
    b"area base br col embed hr img input link meta param source track wbr".split()
)
# What is mostly left open, and closed by the end of what is around it.
IMPLIED = frozenset(
    b"circle ellipse g li line p path polygon polyline rect stop use".split()
)
# In these there is only text, unless they are where they should not be.
TEXTUAL = frozenset(
    b"iframe noembed noframes plaintext script style textarea title xmp".split()
)

_OPENING = re.compile(rb"<([a-zA-Z][^\t\n\f\r />]*+)")
_MARKUP = re.compile(
    rb"""
      <!--(?: -?> | .*?(?: --!?> | \Z ))
    | (?P<cdata> <!\[CDATA\[ )
    | <(?P<end> /?)(?P<name> [a-zA-Z][^\t\n\f\r\x20/>]*+ )
      (?:
        [\t\n\f\r\x20/]++
      | [^\t\n\f\r\x20/>][^\t\n\f\r\x20/>=]*+
        (?>
          [\t\n\f\r\x20]*+ = [\t\n\f\r\x20]*+
          (?> "[^"]*+(?: " | \Z ) | '[^']*+(?: ' | \Z ) | [^\t\n\f\r\x20>]*+ )
        )?+
      )*+
      (?: > | \Z )
    | <[!?/][^>]*+
    """,
    re.VERBOSE | re.DOTALL,
)


def refuse_excess(body: bytes) -> None:
    """
    Refuse a page that a parser would need minutes or gigabytes for.

    Raises:
        Rejected: It is more deeply nested than any channel's page.
    """
    opened: list[bytes] = []
    again = reopened = 0
    for end, name in _tags(body):
        if not end:
            opened.append(name)
            again += name in FORMATTING
        elif _closed(opened, name):
            again -= name in FORMATTING
        reopened += max(0, again - OPEN_AGAIN)
        if len(opened) > OPEN or reopened > REOPENED:
            raise Rejected("the page is nested without measure")


def _closed(opened: list[bytes], name: bytes) -> bool:
    """Close the last of *opened* if that is what the end of *name* does."""
    place = len(opened) - 1
    while place >= 0 and opened[place] != name and opened[place] in IMPLIED:
        place -= 1
    if place < 0 or opened[place] != name:
        return False
    if name in FORMATTING and place < len(opened) - 1:
        return False
    del opened[place:]
    return True


def _tags(body: bytes) -> Iterator[tuple[bool, bytes]]:
    """Yield whether a tag is an end, and its name, but of none that stands alone."""
    for found in _MARKUP.finditer(body):
        name = (found["name"] or b"").lower()
        unclear = found["cdata"] is not None
        if name and name not in ALONE:
            yield bool(found["end"]), name
            unclear = name in TEXTUAL and not found["end"]
            unclear = unclear and not _holds_text(body, found.end(), name)
        if unclear:
            for opening in _OPENING.finditer(body, found.end()):
                if (name := opening[1].lower()) not in ALONE:
                    yield False, name
            return


def _holds_text(body: bytes, start: int, name: bytes) -> bool:
    """Say whether the next tag from *start* on is the end of *name*."""
    place = body.find(b"<", start)
    end = body[place : place + len(name) + 3].lower()
    return place < 0 or end == b"</" + name + b">"
