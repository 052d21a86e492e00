"""Foreign text arrives as text, and as nothing else."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert.inert import MARK, clean, cut, escape, line, link, still, units
from tests.bothtml import touchable

anything = st.text(max_size=300) | st.text("ab я\n👩🏽‍🚒🇺🇦é́/@<&\u200d", max_size=80)


@pytest.mark.parametrize(
    ("wrote", "seen"),
    [
        ("a\x1b[31mb\x00\x07\x9bc", "a[31mbc"),
        ("  a\r\nb\rc\u2028d\x85e\tf \n", "a\nb\nc\nd\ne\tf"),
        ("от\u202eбой\u2066!\u2069 \u200fx", "отбой! x"),
        ("за\u200bми\u00adна\ufeff \u2060я", "замина я"),
        ("a\ud83db", "ab"),
        ("flag \U000e0067\U000e007f", "flag"),
        ("👩🏽\u200d🚒 к\u200dот", "👩🏽\u200d🚒 кот"),
        ("❤️\u200d🔥", "❤️\u200d🔥"),
        ("и" + "\u0301" * 50 + "й", "и" + "\u0301" * 4 + "й"),
    ],
)
def test_drops_what_is_unseen_and_acts(wrote: str, seen: str) -> None:
    """Escapes, overrides and invisible characters go; letters, marks and emoji stay."""
    assert seen == clean(wrote)


@given(anything)
def test_a_clean_text_is_clean(text: str) -> None:
    """Cleaning twice is cleaning once, and leaves nothing but what can be encoded."""
    found = clean(text)

    assert found == clean(found)
    assert found == found.encode().decode()
    assert not [
        one for one in found if unicodedata.category(one) == "Cc" and one not in "\n\t"
    ]


@pytest.mark.parametrize(
    ("text", "room", "left"),
    [
        ("Отбой", 5, "Отбой"),
        ("Отбой тревоги", 9, "Отбой …"),
        ("Отбой тревоги", 8, "Отбой …"),
        ("Отбой, тревога", 8, "Отбой, …"),
        ("аааааааааа", 7, "ааааа …"),
        ("🔴🔴🔴", 6, "🔴🔴🔴"),
        ("🔴🔴🔴", 5, "🔴 …"),
        ("👩🏽\u200d🚒👩🏽\u200d🚒", 11, "👩🏽\u200d🚒 …"),
        ("👩🏽\u200d🚒👩🏽\u200d🚒", 8, " …"),
        ("🇺🇦🇷🇺🇬🇧", 9, "🇺🇦 …"),
        ("кое\u0301что", 5, "ко …"),
        ("abc", 2, ""),
        ("abc", -7, ""),
        ("", 0, ""),
    ],
)
def test_cuts_between_words_and_characters(text: str, room: int, left: str) -> None:
    """A cut leaves whole words or, of a long one, whole characters as a reader sees."""
    assert left == cut(text, room)


@given(text=anything.map(clean), room=st.integers(-3, 60))
def test_a_cut_fits_and_is_a_beginning(text: str, room: int) -> None:
    """What is left fits, begins as the text does, and says that it was cut."""
    left = cut(text, room)

    assert units(left) <= max(room, 0)
    assert text == left or not left or text.startswith(left.removesuffix(MARK))
    assert units(text) > room or left == text


@given(anything)
def test_an_excerpt_does_nothing_when_touched(text: str) -> None:
    """In an excerpt no command and no mention is left, and no second line."""
    found = line(text)

    assert [] == touchable(found, [])
    assert len(found.splitlines()) <= 1


@given(anything)
def test_a_stilled_text_does_nothing_when_touched(text: str) -> None:
    """Where nothing may be left out, a word joiner keeps a command from being one."""
    found = still(clean(text))

    assert [] == touchable(found, [])
    assert clean(text) == found.replace("\u2060", "")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://t.me/x/1?a=1&b=2", "https://t.me/x/1?a=1&b=2"),
        ("http://example.org:8080/я", "http://example.org:8080/я"),
        ("HTTPS://Example.org", "https://example.org"),
        ("https://пример.рф/x", "https://xn--e1afmkfd.xn--p1ai/x"),
        ("https://[::1]/x", "https://[::1]/x"),
        ("https://t.me@evil.org/", ""),
        ("https://a:b@evil.org/", ""),
        ("javascript:alert(1)", ""),
        ("tg://resolve?domain=x", ""),
        ("//evil.org", ""),
        ("t.me/x", ""),
        ("https://", ""),
        ("https:///x", ""),
        ("https://a b/", ""),
        ("https://a\u202eb/", ""),
        ("https://a\n.b/", ""),
        ("https://[::1", ""),
        ("https://a:99999/", ""),
        ("https://" + "a" * 70 + ".org", ""),
        ("https://e.org/" + "a" * 3000, ""),
        ("", ""),
    ],
)
def test_links_lead_to_web_pages(url: str, safe: str) -> None:
    """A link is one of the web, names its host as it is, and hides no password."""
    assert safe == link(url)


@given(st.text(max_size=60).map("https://".__add__))
def test_no_address_breaks_a_link(url: str) -> None:
    """Whatever an address holds, it stays within its quotes, and makes no error."""
    assert not set(escape(link(url))) & set("<>\"'\n")
