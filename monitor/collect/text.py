"""
Plain text out of what publishers send.

Every text of an item has been through here, whatever its source, so that one post
read by two paths is one text: no control characters, single spaces, no spaces at the
ends of lines, line breaks kept, at most 64 KiB.

HTML is read as a stream of tags, not as a tree: publishers' HTML is hostile or broken
often enough, and a tree builder may take seconds for some 400 KiB of it.  Here every
character is looked at a fixed number of times.  Where HTML says that broken markup
hides all that follows, we show it: a lost word may be a lost warning.

It goes in two steps.  Tags become marks, control characters that no text can have by
then; and the marks, with the spaces around them, become line breaks.  Ordinary markup
is marked by one regular expression; what that leaves is read tag by tag.
"""

import html
import re

LONGEST = 65_536  # bytes in UTF-8
RAWEST = 1 << 18  # characters that are looked at
CUT = "…"  # ends a text that was longer

BREAK, EDGE, SPACE = "\x1e", "\x1f", "\x1d"  # <br>; of a block; in <pre>
BLOCKS = re.findall(
    r"\w+",
    "address article aside blockquote body caption center dd details dialog dir div dl"
    " dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr"
    " html legend li main menu nav ol option p search section summary table tbody tfoot"
    " thead title tr ul",
)
SILENT = frozenset({"script", "style", "iframe", "object", "template", "svg"})
MARKS = dict.fromkeys(BLOCKS, EDGE) | {"br": BREAK, "td": " ", "th": " "}

_SIMPLE = re.compile(
    r"""</?([a-zA-Z][a-zA-Z0-9:-]*+)"""
    r"""(?:[^<>"'=]++|=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|(?!["'])))*+>"""
)
_OPENING = re.compile(r"<(?=[a-zA-Z/!?])")
_NAME = re.compile(r"/?[a-zA-Z][a-zA-Z0-9:-]*")
# A quote counts only after "=": <a title=it's> ends where it seems to.
_REST = re.compile(r"""(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+>""")
_REFERENCE = re.compile(
    r"&(?:#[0-9]{1,9}|#[xX][0-9a-fA-F]{1,8}|[a-zA-Z][a-zA-Z0-9]{1,31});?"
)
_BREAKS = re.compile(f"[{BREAK}{EDGE}][ {BREAK}{EDGE}]*")
_DIRTY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_RETURNS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def text_of_html(source: str) -> str:
    """
    Return the text that a reader of the HTML in *source* sees.

    ``<br>`` is a line break and so is the edge of a block; spaces count as in a
    browser, and ``<pre>`` keeps its own; scripts and styles are left out.
    """
    text = unescape(_marked(_clean(source[:RAWEST])))
    text = _single_spaced(text.replace("\n", " "))
    text = text.replace(f" {BREAK}", BREAK).replace(f" {EDGE}", EDGE)
    text = _BREAKS.sub(lambda found: _broken(found[0]), text)
    return _shorten(text.replace(SPACE, " ").strip())


def tidy(text: str) -> str:
    """Return plain *text* in the one form that all items have; see above."""
    text = _single_spaced(_clean(text[:RAWEST]))
    return _shorten(text.replace(" \n", "\n").replace("\n ", "\n").strip())


def line(text: str) -> str:
    """Return plain *text* on one line, as titles and names are."""
    return _single_spaced(tidy(text).replace("\n", " "))


def line_of_html(source: str) -> str:
    """Return the text of the HTML in *source* on one line."""
    return _single_spaced(text_of_html(source).replace("\n", " "))


def unescape(text: str) -> str:
    """
    Return *text* with its character references resolved, once.

    `html.unescape` alone raises on a reference of 5,000 digits.
    """
    if "&" not in text:
        return text
    return _REFERENCE.sub(lambda found: _clean(html.unescape(found[0])), text)


def _marked(source: str) -> str:
    """Return *source* with marks for its tags, still escaped."""
    if "<![CDATA[" in source:  # escaped twice by the publisher: meant to show
        source = source.replace("<![CDATA[", "").replace("]]>", "")
    marked = _SIMPLE.sub(_mark, source)
    if "<" in marked or "&amp;amp;" in marked:
        return _Scan(source).marked()
    return marked


def _mark(tag: re.Match[str]) -> str:
    name = tag[1].lower()
    if name == "pre" or name in SILENT:
        return tag[0]
    return MARKS.get(name, "")


def _broken(run: str) -> str:
    """Return the line breaks of a run of marks: an edge counts only inside a line."""
    return "\n" * (run.count(BREAK) + run.startswith(EDGE))


class _Scan:
    """
    A reading tag by tag, which gives up for good what it once did not find.

    Otherwise 100,000 times ``<!--`` would be followed to the end 100,000 times.
    """

    __slots__ = ("in_link", "in_pre", "missing", "pieces", "quotes", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.pieces: list[str] = []
        self.missing: set[str] = set()
        self.quotes = True  # all were closed so far
        self.in_link = False
        self.in_pre = 0  # how deep

    def marked(self) -> str:
        """Return the source with marks for its tags, still escaped."""
        position = 0
        while tag := _OPENING.search(self.source, position):
            self._say(self.source[position : tag.start()])
            position = self._markup(tag.start())
        self._say(self.source[position:])
        return "".join(self.pieces)

    def _say(self, text: str) -> None:
        if self.in_link and "&amp;amp;" in text:
            # t.me escapes twice what links show, since April 2024
            text = text.replace("&amp;amp;", "&amp;")
        if self.in_pre:
            text = text.expandtabs(4).replace("\n", BREAK).replace(" ", SPACE)
        self.pieces.append(text)

    def _markup(self, start: int) -> int:
        """Mark what starts with the "<" at *start*; return where it ends."""
        name = _NAME.match(self.source, start + 1)
        if name:
            end = self._end_of_tag(name.end())
            if end is not None:
                return self._element(name[0].lower(), end)
            if self._is_cut_tag(name.end()):
                return len(self.source)
        else:
            return self._end_of_declaration(start)
        self._say("<")
        return start + 1

    def _element(self, name: str, end: int) -> int:
        opening = not name.startswith("/")
        name = name.lstrip("/")
        if name == "pre":
            self.in_pre = max(0, self.in_pre + (1 if opening else -1))
            self.pieces.append(EDGE)
            return end + (opening and self.source.startswith("\n", end))
        if name == "a":
            self.in_link = opening
        elif opening and name in SILENT:
            return self._end_of_element(name, end)
        self.pieces.append(MARKS.get(name, ""))
        return end

    def _find(self, what: str, start: int) -> int:
        if what in self.missing:
            return -1
        found = self.source.find(what, start)
        if found < 0:
            self.missing.add(what)
        return found

    def _end_of_tag(self, start: int) -> int | None:
        simple = self._find(">", start)
        if simple < 0:
            return None
        if self.quotes:
            rest = _REST.match(self.source, start)
            if rest:
                return rest.end()
            self.quotes = False
        return simple + 1

    def _is_cut_tag(self, start: int) -> bool:
        """Say whether the rest from *start* looks like attributes, not like words."""
        rest = self.source[start : start + 256].strip()
        return "=" in rest or " " not in rest

    def _end_of_declaration(self, start: int) -> int:
        """Return where a comment, a declaration or a stray end tag ends."""
        if self.source.startswith("<!--", start):
            end = self._find("-->", start + 2)
            return end + 3 if end >= 0 else start + 4
        end = self._find(">", start)
        return end + 1 if end >= 0 else start + 2

    def _end_of_element(self, name: str, start: int) -> int:
        if name in self.missing:
            return start
        end = re.compile(f"</{name}[^>]*+>", re.IGNORECASE).search(self.source, start)
        if end is None:
            self.missing.add(name)
            return start
        return end.end()


def _clean(text: str) -> str:
    if not _DIRTY.search(text):
        return text
    text = _CONTROLS.sub("", _RETURNS.sub("\n", text))
    return _SURROGATES.sub("\ufffd", text)


def _single_spaced(text: str) -> str:
    # Halving runs is ten times as fast as a regular expression that finds them.
    text = text.replace("\t", " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _shorten(text: str) -> str:
    if len(text) * 4 <= LONGEST:  # no character has more than four bytes
        return text
    coded = text.encode()
    if len(coded) <= LONGEST:
        return text
    room = LONGEST - len(CUT.encode())
    return coded[:room].decode(errors="ignore").rstrip() + CUT
