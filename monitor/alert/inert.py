"""
Foreign text made inert: what a publisher wrote must arrive as text and nothing else.

`clean` drops what cannot be seen but acts (escapes, direction overrides, invisible
characters); `cut` shortens between words, never inside what a reader sees as one
character; the rest keeps markup, commands and links from being more than text.
Lengths are UTF-16 code units, which is how Telegram counts.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from html import escape as escape_html
from urllib.parse import urlsplit

URL_LENGTH = 2048
MARK = " …"  # what a cut leaves behind
ZWJ = "\u200d"

_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls, ESC among them; tab and line feed stay
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # invisible
    "\u200b\u200c\u200e\u200f\u2060-\u2064\ufeff"  # zero width
    "\u202a-\u202e\u2066-\u206f"  # direction overrides
    "\ufff9-\ufffb\U000e0000-\U000e0fff"  # annotations, tags
    "\ud800-\udfff"  # half a character: it cannot be encoded
    "]+"
)
# A joiner makes one emoji of two, and is invisible anywhere else.
_EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"
_JOINER = re.compile(f"(?<![{_EMOJI}\ufe0f]){ZWJ}|{ZWJ}(?![{_EMOJI}])")
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f"
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_PILE = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")  # four on a letter is honest

# What Telegram makes a button of by itself: a command is sent when it is touched, and
# a mention rings.  The same boundaries as in TDLib's find_bot_commands.
_TRIGGER = re.compile(
    r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{2,32})?"
    r"|(?<!\w)@[A-Za-z0-9_]{2,32}"
)
_LEAD = re.compile(r"(?<!\w)[/@]+(?=[A-Za-z0-9_])")


@lru_cache(maxsize=32)  # one post is cleaned for many recipients, 64 KiB in 10 ms
def clean(text: str) -> str:
    """Return *text* without what is unseen and acts; its lines end in line feeds."""
    seen = _UNSEEN.sub("", _BREAKS.sub("\n", text))
    return _PILE.sub(r"\1", _JOINER.sub("", seen)).strip()


def line(text: str) -> str:
    """Return *text* cleaned, on one line, and with nothing in it to touch."""
    return _LEAD.sub("", " ".join(clean(text).split()))


def units(text: str) -> int:
    """Return how long Telegram finds *text*, whose halves are all whole."""
    return len(text) + sum(1 for one in text if one > "\uffff")


def cut(text: str, room: int) -> str:
    """
    Return *text* if *room* holds it, else what fits of it, and " …".

    It ends between words, unless half of it would go with a very long one.
    """
    if len(text) <= room and units(text) <= room:
        return text
    if room <= len(MARK):
        return ""
    end = _longest(text, room - len(MARK))
    while end and not _parts(text, end):
        end -= 1
    return text[: _word_end(text, end)].rstrip() + MARK


def quiet(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the stretches of *text*, and whether touching one would do something."""
    end = 0
    for found in _TRIGGER.finditer(text):
        yield text[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield text[end:], False


def still(text: str) -> str:
    """Return *text* with its commands and mentions broken by a word joiner."""
    return _TRIGGER.sub(lambda found: f"{found[0][0]}\u2060{found[0][1:]}", text)


def escape(text: str) -> str:
    """Return *text* as HTML that shows it, in an attribute as well."""
    return escape_html(text).replace("&#x27;", "&#39;")


def link(url: str) -> str:
    """Return *url* if it leads to a web page and says honestly where, else ""."""
    if len(url) > URL_LENGTH or not url.isprintable() or " " in url:
        return ""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        return ""
    where = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=where + port).geturl()


def _longest(text: str, room: int) -> int:
    """Return how many characters of *text* fit into *room*."""
    encoded = text[:room].encode("utf-16-le", "surrogatepass")[: 2 * room]
    return len(encoded.decode("utf-16-le", "ignore"))


def _parts(text: str, at: int) -> bool:
    """Tell whether a reader sees one character end and another begin *at*."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after).startswith("M") or ZWJ in (before, after):
        return False
    if "\U0001f3fb" <= after <= "\U0001f3ff":  # the colour of the skin before
        return False
    return not (_is_flag_half(after) and _flag_halves(text, at) % 2)


def _is_flag_half(one: str) -> bool:
    return "\U0001f1e6" <= one <= "\U0001f1ff"


def _flag_halves(text: str, end: int) -> int:
    start = end
    while start and _is_flag_half(text[start - 1]):
        start -= 1
    return end - start


def _word_end(text: str, end: int) -> int:
    if text[end : end + 1].isspace():
        return end
    space = max(text.rfind(one, 0, end) for one in " \n\t")
    return space if space >= end / 2 else end
