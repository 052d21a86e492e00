"""
Text to matchable form, one byte for one character.

`fold` drops what writers vary freely: case, ё, apostrophes, hyphens, stress marks,
invisible characters, styled letters.  Because every character stays one byte, an
offset into the folded text is an offset into the text, and no map is needed.
What cannot be done byte by byte (letters of another alphabet that look the same,
a breve written apart, digits glued to a hashtag) is done once for each distinct
word, by `spellings`.

Two passes in C do the whole of it: 1.5 µs for a post of 550 characters, where
`str.translate` takes 24.
"""

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

LONGEST = 64  # bytes; no word of a rule or place is longer, whatever a text holds
FEW = 40  # characters without a byte, such as emoji, that are looked at one by one

_RUSSIAN = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_OTHER_CYRILLIC = "іїєґў"
_APOSTROPHES = "’ʼ‘´ʹ`"
_HYPHENS = "‐‑"
_SEPARATORS = "«»„“”–—…№•\u00a0\u2009\u202f"
_DROPPED = "\u0301\u200b\u200c\u200d\u00ad\u2060\ufeff\ufe0f"
_MARK, _BREVE, _DIAERESIS = 1, 3, 4

_LATIN_LOOKS = "aceopxykmthbi03"
_CYRILLIC_LOOKS = "асеорхукмтнвіоз"
_GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαιορυκν", "ABEZHIKMNOPTYXaiopykv", strict=True))
_RARE_CYRILLIC = {"ѕ": "s", "Ѕ": "S", "ј": "j", "Ј": "J", "һ": "h", "Һ": "H"}

# Ranges of characters that are letters in disguise: accented and phonetic Latin,
# letterlike, circled, full-width, mathematical and squared letters.
_STYLED = (
    (0xAA, 0xAB), (0xBA, 0xBB), (0xC0, 0x180), (0x1C4, 0x220), (0x1D00, 0x1DC0),
    (0x1E00, 0x1F00), (0x2070, 0x20A0), (0x2100, 0x2150), (0x24B6, 0x24EA),
    (0xFF10, 0xFF5F), (0x1D400, 0x1D800), (0x1F110, 0x1F18A),
)  # fmt: skip
# Ranges of characters that take no room: combining marks, directions, selectors.
_MARKS = (
    (0x300, 0x370), (0x483, 0x48A), (0x61C, 0x61D), (0x180E, 0x180F),
    (0x1AB0, 0x1B00), (0x1DC0, 0x1E00), (0x200B, 0x2010), (0x202A, 0x202F),
    (0x2060, 0x2070), (0x20D0, 0x2100), (0xFE00, 0xFE10), (0xFE20, 0xFE30),
    (0xE0000, 0xE01F0),
)  # fmt: skip


def fold(text: str) -> bytes:
    """
    Return *text* in matchable form: ``len(fold(text)) == len(text)``.

    Letters are lower-case bytes of code page 1251, whatever separates words is a
    space, and marks inside a word stay as control bytes for `spellings` to drop.
    """
    raw = codecs.charmap_encode(text, "replace", _ENCODING)[0]
    if b"?" in raw and _has_unusual(text, raw):
        raw = codecs.charmap_encode(text.translate(_PLAIN), "replace", _ENCODING)[0]
    return raw.translate(_FOLDED).replace(_LONE_MARK, b"  ")


def _has_unusual(text: str, raw: bytes) -> bool:
    """Whether one of the characters that have no byte is a letter or a mark."""
    if raw.count(b"?") > FEW:
        return _UNUSUAL.search(text) is not None
    index = raw.find(b"?")
    while index >= 0:
        if ord(text[index]) in _PLAIN:
            return True
        index = raw.find(b"?", index + 1)
    return False


def capitals(text: str) -> int:
    """Return how many capital letters *text* has."""
    raw = codecs.charmap_encode(text, "replace", _ENCODING)[0]
    return len(raw.translate(None, _NO_CAPITALS))


def folded_words(text: str) -> list[bytes]:
    """Return the words of *text* as a rule means them: no marks, one alphabet."""
    folded = fold(text)
    if not _HAS_MARK(folded) and (folded.isascii() or not _LATIN(folded)):
        return folded.split()
    return [_one_alphabet(_unmarked(word)) for word in folded.split()]


def join_spaced(folded: bytes) -> bytes:
    """
    Return *folded* with words that are spaced out joined, of the same length.

    "Т р е в о г а" is one word: its inner spaces become marks, which `spellings`
    drops.  Four letters in a row are no accident, three may be.
    """
    if not _MAY_BE_SPACED(folded):
        return folded
    return _SPACED.sub(lambda found: found[0].replace(b" ", _DROP), folded)


def readable(folded: bytes) -> str:
    """Return *folded* as people read it, for explanations."""
    return folded.decode("cp1251", "replace")


def hide_addresses(text: str) -> str:
    """
    Return *text* with links and @names blanked, of the same length.

    A channel signs every post with its address, and ``t.me/belgorod31`` says
    nothing about where a drone fell.
    """
    if not any(sign in text for sign in _SIGNS):
        return text
    return _ADDRESS.sub(lambda found: " " * len(found[0]), text)


def spellings(word: bytes) -> tuple[bytes, ...]:
    """Return the keys by which a folded *word* may be looked up, best first."""
    if len(word) > LONGEST:
        word = _unmarked(word)
        if len(word) > LONGEST:
            return ()
    return _spellings(word)


@lru_cache(maxsize=1 << 16)
def _spellings(word: bytes) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(_variants(word)))


def _variants(word: bytes) -> Iterator[bytes]:
    yield word
    word = _unmarked(word).strip(b"'-")
    yield word
    bare = word.rstrip(b"0123456789").rstrip(b"-")
    if len(bare) > 3:  # #Белгород31, but not х59  # noqa: PLR2004
        yield bare
    if _CYRILLIC(word) and _ALIEN(word):
        yield from (look := word.translate(_TO_CYRILLIC), word.translate(_TO_LATIN))
        yield look.rstrip(b"0123456789")
    if word.endswith((b"'s", b"s'")):
        yield word[:-2].rstrip(b"'")


def _one_alphabet(word: bytes) -> bytes:
    """Return a Russian *word* in which somebody typed Latin letters without those."""
    if not _CYRILLIC(word) or not _LATIN(word):
        return word
    russian = word.translate(_LETTERS_TO_CYRILLIC)
    return word if _LATIN(russian) else russian


def _unmarked(word: bytes) -> bytes:
    if not _HAS_MARK(word):
        return word
    for apart, letter in _COMPOSED:
        word = word.replace(apart, letter)
    return word.translate(None, _MARK_BYTES)


def _code(letter: str) -> int:
    return letter.encode("cp1251")[0]


def _bytes_of_characters() -> dict[str, int]:
    """Return the folded byte of each character that has one of its own."""
    table = {chr(i): ord(" ") for i in range(128)}
    for letter in map(chr, range(128)):
        if letter.isalnum():
            table[letter] = ord(letter.lower())
    for letter in _RUSSIAN + _OTHER_CYRILLIC:
        table[letter] = table[letter.upper()] = _code(letter)
    table["ё"] = table["Ё"] = _code("е")
    table["-"] = ord("-")
    table |= dict.fromkeys(_HYPHENS, ord("-"))
    table |= dict.fromkeys("'" + _APOSTROPHES, ord("'"))
    table |= dict.fromkeys(_SEPARATORS, ord(" "))
    table |= dict.fromkeys(_DROPPED, _MARK)
    return table | {"\u0306": _BREVE, "\u0308": _DIAERESIS}


def _plain_characters() -> dict[int, str]:
    """Return what stands for each unusual character, one for one."""
    plain = dict(_GREEK | _RARE_CYRILLIC)
    for start, end in _STYLED:
        for character in map(chr, range(start, end)):
            base = unicodedata.normalize("NFKD", character)[0]
            if base.isascii() and base.isalnum():
                plain[character] = base
    for start, end in _MARKS:
        plain |= dict.fromkeys(map(chr, range(start, end)), "\u0301")
    return {ord(c): to for c, to in plain.items() if c not in _BYTES}


def _ranges(codes: Iterable[int]) -> Iterator[str]:
    """Yield *codes* as the ranges of a regular expression, which are quick."""
    ordered = sorted(codes)
    for _, run in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0]):
        several = [code for _, code in run]
        yield f"{chr(several[0])}-{chr(several[-1])}"


_BYTES = _bytes_of_characters()
_SLOTS = "".join(sorted(_BYTES))  # ASCII comes first, each at its own number
_ENCODING = codecs.charmap_build(_SLOTS.ljust(256, "\ufffe"))
_FOLDED = bytes(_BYTES[character] for character in _SLOTS).ljust(256, b" ")
_NO_CAPITALS = bytes(i for i, c in enumerate(_SLOTS) if not c.isupper())
_NO_CAPITALS += bytes(range(len(_SLOTS), 256))
_PLAIN = _plain_characters()
_UNUSUAL = re.compile(f"[{''.join(_ranges(_PLAIN))}]")
_LETTER = "[а-яіїєґa-z]".encode("cp1251")
_SPACED = re.compile(b"(?<![^ ])" + _LETTER + b"(?: " + _LETTER + b"){3,}(?![^ ])")
_MAY_BE_SPACED = re.compile((b" " + _LETTER) * 3).search  # begins with one byte: quick
_DROP = bytes([_MARK])
_LONE_MARK = b" " + _DROP  # what is left of an emoji is no word
_MARK_BYTES = bytes([_MARK, _BREVE, _DIAERESIS])
_HAS_MARK = re.compile(b"[\x01\x03\x04]").search
_COMPOSED = tuple(
    (bytes([_code(base), mark]), bytes([_code(letter)]))
    for base, mark, letter in (
        ("и", _BREVE, "й"), ("у", _BREVE, "ў"), ("і", _DIAERESIS, "ї"),
    )
)  # fmt: skip
_CYRILLIC = re.compile("[а-яіїєґў]".encode("cp1251")).search
_ALIEN = re.compile(b"[a-z03]").search
_TO_CYRILLIC = bytes.maketrans(_LATIN_LOOKS.encode(), _CYRILLIC_LOOKS.encode("cp1251"))
_LATIN = re.compile(b"[a-z]").search
_LETTERS_TO_CYRILLIC = bytes.maketrans(
    _LATIN_LOOKS[:-2].encode(), _CYRILLIC_LOOKS[:-2].encode("cp1251")
)
_TO_LATIN = bytes.maketrans(
    _CYRILLIC_LOOKS[:-2].encode("cp1251"), _LATIN_LOOKS[:-2].encode()
)
_SIGNS = ("@", "://", ".me/", "www.", ".ru", ".com", ".org", ".net", ".ua", ".info")
_ADDRESS = re.compile(  # every part is bounded, or begins where no other can
    r"https?://\S+|(?<![\w.])@\w+|\b(?:www\.|t\.me/|max\.ru/)\S+"
    r"|(?<![\w.-])[a-z0-9][\w.-]{1,60}\.(?:ru|com|org|net|ua|info)\b(?:/\S*)?",
    re.IGNORECASE,
)
