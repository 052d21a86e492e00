"""In which language a text is written: by its letters, then by its small words."""

from collections import Counter

from monitor.filter.fold import folded_words

_UKRAINIAN_LETTERS = "іїєґ".encode("cp1251")
_RUSSIAN_LETTERS = "ыэъ".encode("cp1251")
_CYRILLIC_LETTERS = bytes(range(0xE0, 0x100)) + _UKRAINIAN_LETTERS
_LATIN_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
ENOUGH_LETTERS = 3

_UKRAINIAN = frozenset(
    folded_words(
        "та що з у від для не й але як це було немає після його час також"
        " тривога увага вибух вибухи загроза небезпека ппо працює тривоги загрози"
    )
)
_RUSSIAN = frozenset(
    folded_words("и что с из от для не но как это было нет после его во также будет")
)
_ENGLISH = frozenset(
    folded_words(
        "the of in on at and to a an is are was were has have been for by with from"
        " over after near all no not it that this as will said into under"
    )
)


def language_of(folded: bytes) -> str:
    """Return ``ru``, ``uk``, ``en``, or nothing where it cannot be told."""
    cyrillic = _count(folded, _CYRILLIC_LETTERS)
    latin = _count(folded, _LATIN_LETTERS)
    if max(cyrillic, latin) < ENOUGH_LETTERS:
        return ""
    words = folded.split()
    if latin > cyrillic:
        small = any(word in _ENGLISH for word in words)
        return "en" if small or len(words) < 8 else ""  # noqa: PLR2004  headlines
    return _slavic(folded, words)


def _slavic(folded: bytes, words: list[bytes]) -> str:
    ukrainian = _count(folded, _UKRAINIAN_LETTERS)
    russian = _count(folded, _RUSSIAN_LETTERS)
    if ukrainian != russian:
        return "uk" if ukrainian > russian else "ru"
    counts = Counter(words)
    uk = sum(counts[word] for word in _UKRAINIAN - _RUSSIAN)
    return "uk" if uk > sum(counts[word] for word in _RUSSIAN - _UKRAINIAN) else "ru"


def _count(folded: bytes, letters: bytes) -> int:
    return len(folded) - len(folded.translate(None, letters))
