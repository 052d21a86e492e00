"""Names wait undeclined, and are found as if all their forms had been listed."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.filter.fold import fold
from monitor.filter.names import Anchor, Name, Names, Paradigm, forms_of
from monitor.filter.places import Gazetteer
from monitor.filter.words import Index, parse
from tests.filter_config import shipped_places

PARADIGMS: tuple[Paradigm, ...] = ("ru", "uk", "en", "ru adjective", "uk adjective")
STEM = st.text("абвгдежзиклмнопрстуєіїь'", min_size=1, max_size=7)
ENDING = st.sampled_from(
    ["", "ово", "ино", "ский", "ая", "ець", "ень", "ів", "ки", "ель", "ок", "-на-дону"]
)
WORD = st.builds("{}{}".format, STEM, ENDING).filter(
    lambda w: len(w.strip("'")) > 2 and w[0] != "'"
)
ADJECTIVE = st.builds("б{}{}".format, STEM, st.sampled_from(["ский", "ий", "ой"]))
LISTED = st.tuples(WORD, st.sampled_from(PARADIGMS[:3])) | st.tuples(
    ADJECTIVE, st.sampled_from(PARADIGMS[3:])
)


class Listing(Index[object]):
    """Keeps the names that a gazetteer has, instead of looking for them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[Name[object]] = []

    def add_name(self, name: Name[object]) -> None:
        """Keep *name*."""
        self.names.append(name)


def shipped_names() -> list[Name[object]]:
    """Return all that a shipped place may be called."""
    listing = Listing()
    Gazetteer(shipped_places()).enlist(listing)
    return listing.names


def missed(names: Names[object], name: Name[object]) -> Iterator[bytes]:
    """Yield each form of the longest word of *name* by which it is not found."""
    word = max(name.words, key=len)
    for form in forms_of(word, name.paradigm):
        if not any(anchor.term == name.term for anchor in names.anchors(form)):
            yield form


@settings(max_examples=60)
@given(st.lists(LISTED, min_size=1, max_size=5))
def test_every_form_finds_its_name(listed: list[tuple[str, Paradigm]]) -> None:
    """Whatever a name ends in, its beginning leads to it from each of its forms."""
    names: Names[object] = Names()
    given_names: list[Name[object]] = [
        Name((fold(word),), paradigm, number)
        for number, (word, paradigm) in enumerate(listed)
    ]
    for name in given_names:
        names.add(name)

    assert [] == [form for name in given_names for form in missed(names, name)]


def test_every_form_finds_its_place() -> None:
    """Of the shipped names, each is found in each of its cases."""
    names: Names[object] = Names()
    listed = shipped_names()
    for name in listed:
        names.add(name)

    assert [] == [form for name in listed[::9] for form in missed(names, name)]


def test_a_start_declines_nothing() -> None:
    """However many places there are, no name is declined before a text is read."""
    forms_of.cache_clear()
    index: Index[object] = Index()
    gazetteer = Gazetteer(shipped_places())
    gazetteer.enlist(index)
    before = forms_of.cache_info().misses
    words = index.cut("Обстріл: Козинка")

    assert words is not None
    assert any(hit for hit in index.find(words))
    assert before < len(gazetteer.nodes) / 10
    assert forms_of.cache_info().misses - before < 100


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        ("Куп'янськ", "у Купянську", True),
        ("Гора-Подол", "в #ГораПодоле", True),
        ("Гора-Подол", "в Горе-Подоле", True),
        ("Новая Таволжанка", "в Новой Таволжанке", True),
        ("Новая Таволжанка", "в Новую Зеландию", False),
        ("Новая Таволжанка", "в Таволжанке", False),
    ],
)
def test_signs_that_hashtags_leave_out_count_for_nothing(
    words: str, text: str, *, expected: bool
) -> None:
    """Apostrophes and hyphens may be written or not; every word of a name must be."""
    index: Index[str] = Index()
    index.add_name(Name(tuple(fold(words).split()), "ru", "found"))
    index.add(parse("зеландия~"), "other")
    cut = index.cut(text)
    found = {hit.term for hit in index.find(cut)} if cut else set()

    assert ("found" in found) == expected


def test_a_name_may_be_added_later() -> None:
    """What was declined for one name is declined again for the next one."""
    names: Names[str] = Names()
    names.add(Name((fold("Козинка"),), "ru", "first"))
    before = list(names.anchors(fold("козинке")))
    names.add(Name((fold("Козинки"),), "ru", "second"))
    after = {anchor.term for anchor in names.anchors(fold("козинках"))}

    assert before == [Anchor("first")]
    assert "second" in after
