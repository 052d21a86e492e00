"""
Every form a Russian, Ukrainian or English word may take in a sentence.

Paradigms by ending, after Zaliznyak's classes.  They list too much on purpose: a
form that does not exist is never met, while a form that is missing loses a post.
`declined` is for names, singular or plural as they are; `inflected` is for the
words of rules and topics, in both numbers.

No dictionary is needed, and none would do as well: on names hand-checked in three
cases pymorphy3 knows nine of ten, being unsure of every small village.
"""

import unicodedata
from collections.abc import Iterator
from itertools import product
from typing import Literal

Language = Literal["ru", "uk", "en"]
Paradigm = tuple[str, str, str]  # ending, how much of it is cut (as text), new endings
Row = tuple[str, str, list[str]]  # the same, cut up

HUSHING = "гкхжшчщ"
LONG = 4  # letters; shorter words that end like adjectives are nouns
_MANY = 3000  # forms of one name; a name of many words would multiply without end

# The first row whose ending fits is used.  An ending in the third column replaces
# the second.  Order matters: longer endings stand before shorter ones.
_RU_ROWS: tuple[Paradigm, ...] = (
    ("ое", "ое", "ого ому ым им ом"),
    ("ее", "ее", "его ему им ем"),
    ("ая", "ая", "ой ую ою"),
    ("яя", "яя", "ей юю ею"),
    ("ый", "ый", "ого ому ым ом"),
    ("ий", "ий", "ого ому им ом его ему ем ия ию ием ии"),
    ("ье", "е", "я ю ем и е"),
    ("ые", "ые", "ых ым ыми"),
    ("ие", "ие", "их им ими ия ию ием ии"),
    ("ьи", "и", "их им ими ев ям ями ях"),
    ("ия", "я", "и ю ей ею"),
    ("ья", "я", "ей ю и е ею"),
    ("ова", "а", "ой у ы е ою"),
    ("ева", "а", "ой у ы е ою"),
    ("ина", "а", "ой у ы е ою"),
    ("а", "а", "ы и е у ой ою ей"),
    ("я", "я", "и е ю ей ею"),
    ("о", "о", "а у ом е ым"),
    ("е", "е", "а у ом е я ю ем"),
    ("ень", "ень", "ня ню нем не ени енью"),
    ("ь", "ь", "и ью я ю ем е"),
    ("ой", "ой", "ого ому ым им ом оя ою оем ое"),
    ("й", "й", "я ю ем е"),
)
_UK_ROWS: tuple[Paradigm, ...] = (
    ("ще", "е", "а у ем і"),
    ("ле", "е", "я ю ем і ого ому им ім"),
    ("е", "е", "ого ому им ім ього ьому"),
    ("ий", "ий", "ого ому им ім ього ьому"),
    ("ій", "ій", "ього ьому ім ого ому им я ю єм ї єві"),
    ("їв", "їв", "єва єву єві євом євим"),
    ("ів", "ів", "ова ову ові овом овим ева еву еві евом евим ев ів"),
    ("їй", "їй", "єю ї я ю"),
    ("ія", "я", "ї ю єю"),
    ("лля", "я", "ю і ям"), ("ння", "я", "ю і ям"), ("ття", "я", "ю і ям"),
    ("сся", "я", "ю і ям"), ("ддя", "я", "ю і ям"), ("ччя", "я", "ю і ям"),
    ("ка", "ка", "ки ку кою ці ко кі кої кій"),
    ("га", "га", "ги гу гою зі гої гій"),
    ("ха", "ха", "хи ху хою сі хої хій"),
    ("а", "а", "и і у ою ої ій ею"),
    ("я", "я", "і ю ею ї єю ьої ій ьою ям"),
    ("ець", "ець", "ця цю цем ці цеві"),
    ("єць", "єць", "йця йцю йцем йці йцеві"),
    ("ень", "ень", "ня ню нем ні неві ені"),
    ("ь", "ь", "і ю я ем еві"),
    ("ки", "ки", "ок ків кам ками ках"),
    ("и", "и", "ів ам ами ах"),
    ("ї", "ї", "їв ям ями ях"),
    ("і", "і", "ів їв ам ами ах ям ями ях их им ими ей"),
    ("о", "о", "а у ом і ові"),
    ("й", "й", "я ю єм ї єві"),
)  # fmt: skip


def _each(endings: str) -> list[str]:
    return endings.split()


_RU_ADJECTIVE = _each(
    "ый ий ой ого его ому ему ым им ом ем ая яя ой ей ую юю ою ею ое ее ые ие ых их"
    " ыми ими"
)
_UK_ADJECTIVE = _each(
    "ий ій ого ього ому ьому им ім а я ої ьої ій у ю ою ьою е є і их іх ими іми"
)
_RU_PLURAL = _each("ы и ов ев ей ам ям ами ями ах ях")
_UK_PLURAL = _each("и і ї ів їв ей ам ям ами ями ах ях")
_RU_ADJECTIVE_ENDINGS = ("ый", "ий", "ой", "ая", "яя", "ое", "ее", "ые")
_RU_VERB_ENDINGS = ("ать", "ять", "ить", "еть", "уть", "ти")
_INDECLINABLE_PARTS = ("на", "над", "под", "у", "в", "при")


def declined(name: str, language: Language) -> frozenset[str]:
    """
    Return *name* in all its cases, folded to small letters without ё.

    Each word of it is declined by itself.  A word before a hyphen may also stay as
    it is, and a name in -о does so as a whole: "под Шебекино", "в Шебекине".
    """
    words = [declined_word(word, language) for word in _plain(name).split()]
    return frozenset(_joined(words, " ")) or frozenset({_plain(name)})


def declined_word(word: str, language: Language) -> frozenset[str]:
    """Return the case forms of one word of a name, hyphenated or not."""
    word = _plain(word)
    if language == "en":
        return frozenset({word})
    parts = word.split("-")
    forms = [
        frozenset({part}) if part in _INDECLINABLE_PARTS else _cases(part, language)
        for part in parts
    ]
    return frozenset(_joined(forms, "-"))


def adjective_forms(adjective: str, language: Language) -> frozenset[str]:
    """Return an adjective, given as a dictionary has it, in every form."""
    adjective = _plain(adjective)
    if language == "en":
        return frozenset({adjective})
    stem = adjective[:-2]
    endings = _UK_ADJECTIVE if language == "uk" else _RU_ADJECTIVE
    return frozenset(stem + ending for ending in endings) | {adjective}


def is_adjective(word: str, language: Language) -> bool:
    """Whether the first word of a name like "Белгородская область" is declined so."""
    word = _plain(word)
    if language == "uk":
        return len(word) > LONG and word.endswith(("ий", "ій", "ська", "цька", "зька"))
    return len(word) > LONG and word.endswith(_RU_ADJECTIVE_ENDINGS)


def dictionary_form(adjective: str, language: Language) -> str:
    """Return the masculine of a feminine or neuter *adjective*: "белгородский"."""
    adjective = _plain(adjective)
    if language == "uk":
        return adjective[:-1] + "ий" if adjective.endswith(("а", "е")) else adjective
    if adjective.endswith(("ая", "ое")):
        hushing = adjective[-3] in HUSHING
        return adjective[:-2] + ("ий" if hushing else "ый")
    return adjective


def inflected(word: str) -> frozenset[str]:
    """
    Return a word of a rule in every form, singular and plural, of every language
    that its letters allow.
    """
    word = _plain(word)
    if word.isascii():
        return frozenset(_english(word))
    if "-" in word:
        head, _, tail = word.rpartition("-")
        return frozenset(f"{head}-{form}" for form in inflected(tail))
    forms = {word}
    if not any(letter in word for letter in "іїєґ"):
        forms |= _russian(word)
    if not any(letter in word for letter in "ыэъ"):
        forms |= _ukrainian(word)
    return frozenset(forms)


def _cases(word: str, language: Language) -> frozenset[str]:
    rows = _UK_NAMES if language == "uk" else _RU_NAMES
    forms = {word, *_by_table(word, rows)}
    forms |= _ukrainian_extras(word) if language == "uk" else _russian_extras(word)
    return frozenset(forms)


def _by_table(word: str, rows: dict[str, list[Row]]) -> Iterator[str]:
    for ending, cut, endings in rows.get(word[-1:], ()):
        if word.endswith(ending) and len(word) > len(ending):
            stem = word.removesuffix(cut)
            yield from (stem + new for new in endings)
            return


def _russian_extras(word: str) -> set[str]:
    """Return what no ending says: plural names, fleeting vowels, hard stems."""
    if not word[1:]:
        return set()
    stem = word[:-1]
    if word.endswith(("ы", "и")):
        return _russian_plural_name(stem)
    if word[-1] in "аеиоуыэюяьй":
        return {word[:-2] + "ья"} if word.endswith("ий") else set()
    forms = {word + ending for ending in ("а", "у", "ом", "ем", "е", "ым")}
    if word.endswith("ец"):
        root = word[:-2] + ("ь" if word[-3:-2] == "л" else "")
        root += "й" if root[-1:] in ("а", "е", "и", "о", "у", "я") else ""
        forms |= {root + end for end in ("ца", "цу", "цом", "цем", "це")}
    elif word.endswith(("ел", "ок", "ек", "ет", "ол")):
        root = word[:-2] + word[-1]
        forms |= {root + end for end in ("а", "у", "ом", "е")}
    return forms


def _russian_plural_name(stem: str) -> set[str]:
    forms = {stem + end for end in _each("ам ями ях ям ами ах ов ев ей ь")} | {stem}
    if stem[2:] and stem[-1] == "к":
        before = stem[-2]
        root = stem[:-2] if before in "ьй" else stem[:-1]
        forms.add(root + ("ек" if before in "ьйжшчщ" else "ок"))
    elif stem[2:] and stem[-1] == "н":
        forms |= {stem[:-1] + "ен", stem[:-1] + "он"}
    return forms


def _ukrainian_extras(word: str) -> set[str]:
    if not word[1:] or word.endswith(("ів", "їв")):
        return set()
    stem = word[:-1]
    if word.endswith(("и", "і", "ї")):
        closed = {stem[:-1] + "о" + stem[-1]} if stem[2:] else set()
        return {stem, stem + "ь"} | closed
    if word.endswith("ь"):
        return {stem + stem[-1:] + "ю", stem + "ею"}
    if word[-1] in "аеиоуюяєй":
        return set()
    forms = {word + end for end in ("а", "у", "і", "ом", "ові", "ем", "еві")}
    if word[-1] == "к":
        forms.add(stem + "ці")
    if word[-1] == "г":
        forms.add(stem + "зі")
    if word[3:] and word[-2] == "і":
        root = word[:-2] + "о" + word[-1]
        forms |= {root + end for end in ("а", "у", "і", "ом", "ові")}
    elif word[3:] and word[-2] in "оеє":
        root = word[:-2] + word[-1]
        forms |= {root + end for end in ("а", "у", "і", "ом", "ові")}
    return forms


def _russian(word: str) -> set[str]:
    if word.endswith(_RU_VERB_ENDINGS) and len(word) > LONG:
        return _russian_verb(word)
    forms = set(_cases(word, "ru"))
    if word.endswith(_RU_ADJECTIVE_ENDINGS) and len(word) > LONG:
        return forms | adjective_forms(dictionary_form(word, "ru"), "ru")
    stem = word[:-1] if word[-1] in "аяоейьиы" else word
    forms |= {stem + ending for ending in _RU_PLURAL}
    if word[-1] in "аяое" and len(stem) > 1:
        forms |= _genitive_plural(stem, word[-1])
    if word.endswith(("ие", "ия")):
        forms |= {stem + "й", stem + "ю", stem + "ем"}
    for oblique in [f for f in _russian_extras(word) if f.endswith("у")]:
        forms |= {oblique[:-1] + ending for ending in _RU_PLURAL}
    return forms


def _genitive_plural(stem: str, ending: str) -> set[str]:
    forms = {stem + ("ь" if ending == "я" else "")}
    if stem[-1] in "кнлрцм" and stem[-2] not in "аеиоуыэюя":
        root = stem[:-2] if stem[-2] in "ьй" else stem[:-1]
        forms |= {root + "о" + stem[-1], root + "е" + stem[-1]}
    return forms


def _russian_verb(word: str) -> set[str]:
    """Return past and present of a regular verb, its participle and its reflexive."""
    stem, vowel = word[:-3], word[-3]
    endings = [f"{vowel}{past}" for past in ("л", "ла", "ло", "ли", "ть")]
    endings += _each("ет ют ут ит ят ат у ю н на но ны нный нная нное нные нного")
    endings += [f"{vowel}{end}" for end in _each("ет ют н на но ны нный нная нные")]
    endings += _each("ен ена ено ены енный енная енные")
    forms = {stem + ending for ending in endings}
    return forms | {f + ("сь" if f[-1] in "аоеиую" else "ся") for f in forms}


def _ukrainian(word: str) -> set[str]:
    forms = set(_cases(word, "uk"))
    if word.endswith(("ий", "ій")):
        return forms | adjective_forms(word, "uk")
    stem = word[:-1] if word[-1] in "аяоейьиії" else word
    forms |= {stem + ending for ending in _UK_PLURAL}
    if word.endswith("ія"):
        forms |= {stem + "й", stem + "ї"}
    if word.endswith(("ння", "ття")):
        forms.add(word[:-2])
    if word[-1] in "ао":
        forms.add(stem)
        if stem[-1:] in ("к", "н", "л") and stem[2:]:
            forms.add(f"{stem[:-1]}о{stem[-1]}")
    for oblique in [f for f in _ukrainian_extras(word) if f.endswith("у")]:
        forms |= {oblique[:-1] + ending for ending in _UK_PLURAL}
    return forms


def _english(word: str) -> Iterator[str]:
    yield word
    if word.endswith("e"):
        yield from (word + "s", word + "d", word[:-1] + "ing")
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        yield from (word[:-1] + "ies", word[:-1] + "ied", word + "ing")
    elif word.endswith(("s", "x", "z", "ch", "sh")):
        yield from (word + "es", word + "ed", word + "ing")
    else:
        yield from (word + "s", word + "ed", word + "ing")
        yield from (word + word[-1] + "ed", word + word[-1] + "ing")


def _joined(parts: list[frozenset[str]], by: str) -> Iterator[str]:
    count = 1
    for part in parts:
        count *= len(part)
    if count <= _MANY:
        yield from (by.join(chosen) for chosen in product(*parts))
    else:
        yield by.join(min(part, key=len) for part in parts)


def _by_last_letter(paradigms: tuple[Paradigm, ...]) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for ending, cut, endings in paradigms:
        rows.setdefault(ending[-1], []).append((ending, cut, endings.split()))
    return rows


def _plain(word: str) -> str:
    word = unicodedata.normalize("NFC", word).lower().replace("\u0301", "")
    return word.replace("ё", "е").replace("’", "'").replace("ʼ", "'").strip()


_RU_NAMES = _by_last_letter(_RU_ROWS)
_UK_NAMES = _by_last_letter(_UK_ROWS)
