"""Folding keeps every character in its place, whatever is written."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.filter.fold import (
    fold,
    folded_words,
    hide_addresses,
    readable,
    spellings,
)

SLOWEST = 2.5  # seconds of processor time for a megabyte; 0.08 if idle


@given(st.text())
def test_one_byte_for_one_character(text: str) -> None:
    """An offset into the folded text is an offset into the text."""
    assert len(fold(text)) == len(text)


@given(st.text())
def test_hiding_addresses_keeps_the_length(text: str) -> None:
    """Blanked links leave every other character where it was."""
    assert len(hide_addresses(text)) == len(text)


@given(st.text(max_size=40))
def test_case_never_matters(text: str) -> None:
    """Russian and Ukrainian letters fold the same in either case."""
    kept = "".join(c for c in text if c in "абвгґдеєжзиіїйклмнопрстуфхцчшщъыьэюя ")

    assert fold(kept) == fold(kept.upper())


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("БЕЛГОРОДЕ", "белгороде"),
        ("Бeлгopoд", "белгород"),
        ("Бел\u200bго\u200bрод", "белгород"),
        ("Белгоро\u0301д", "белгород"),
        ("Бел\u00adгород", "белгород"),
        ("Б\u0336е\u0336л\u0336город", "белгород"),
        (unicodedata.normalize("NFD", "Йошкар-Ола"), "йошкар-ола"),
        (unicodedata.normalize("NFD", "Їжакове"), "їжакове"),
        ("Орёл", "орел"),
        (unicodedata.normalize("NFD", "Орёл"), "орел"),
        ("𝐁𝐞𝐥𝐠𝐨𝐫𝐨𝐝", "belgorod"),
        ("Ｂｅｌｇｏｒｏｄ", "belgorod"),
        ("Ⓑⓔⓛⓖⓞⓡⓞⓓ", "belgorod"),
        ("Вelgorоd", "belgorod"),
        ("Белг0род", "белгород"),
        ("#Белгород31", "белгород"),
        ("Куп’янськ", "куп'янськ"),
        ("Kupʼyansk", "kup'yansk"),
        ("Ростов‑на‑Дону", "ростов-на-дону"),
        ("Belgorod's", "belgorod"),
        ("🔴Белгород🔴", "белгород"),
    ],
)
def test_what_writers_vary_is_dropped(written: str, plain: str) -> None:
    """Disguised, stressed, decomposed and decorated words are looked up plainly."""
    (word,) = fold(written).split()

    assert plain in [readable(key) for key in spellings(word)]


def test_a_mark_never_makes_another_letter() -> None:
    """A breve of its own makes й, and nothing makes й of и."""
    assert folded_words("и\u0306од") == folded_words("йод")
    assert folded_words("йод") != folded_words("иод")


@pytest.mark.parametrize(
    "text",
    ["https://t.me/belgorod", "@belgorod_news", "t.me/kursk", "www.kursk.com/a"],
)
def test_addresses_are_not_read(text: str) -> None:
    """A channel's own address says nothing about where something happened."""
    assert not hide_addresses(text).strip()


def test_an_abbreviation_is_no_address() -> None:
    """A dot alone makes no link."""
    assert hide_addresses("г. Строитель, ул. Мира, 5.") == "г. Строитель, ул. Мира, 5."


@pytest.mark.parametrize(
    "text",
    [
        "\u0301" * 1_000_000,
        "\u0335" * 1_000_000,
        "и\u0306" * 500_000,
        "а" * 1_000_000,
        "a." * 100_000,
        "a-" * 500_000,
        "@" * 200_000,
    ],
    ids=["stress", "strokes", "breves", "letters", "dots", "hyphens", "at"],
)
def test_hostile_text_is_bounded(text: str) -> None:
    """A million marks, signs of links, one endless word: time is as the length."""
    start = time.process_time()
    for word in fold(hide_addresses(text)).split():
        spellings(word)

    assert time.process_time() - start < SLOWEST
