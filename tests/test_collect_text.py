"""Plain text out of what publishers send."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.collect import text as module
from monitor.collect.text import (
    LONGEST,
    line,
    line_of_html,
    text_of_html,
    tidy,
    unescape,
)

MARKUP = [
    "<b>", "</b>", "<br>", "<br/>", "<p>", "</p>", "<div class='x'>", "</div>", "<td>",
    '<a href="x>y">', "</a>", "<a title=it's>", "<!--", "-->", "<![CDATA[", "]]>", "<",
    ">", "&amp;", "&amp;amp;", "&lt;", "&nbsp;", "&#10;", "&#x", "<pre>", "</pre>", "&",
    "<script>", "</script>", " ", "\n", "\t", "\r\n", "\x00", "\u2028", "слово", "=",
    '"',
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Удар по селу<br>Пострадавших нет", "Удар по селу\nПострадавших нет"),
        ("атаке<br/>В городе", "атаке\nВ городе"),
        ("a<br /><br>b", "a\n\nb"),
        ("<p>один</p><p>два</p>", "один\nдва"),
        ("<div>один</div>два<div><div>три</div></div>", "один\nдва\nтри"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("до<blockquote>цитата</blockquote>после", "до\nцитата\nпосле"),
        ("<p>a<br></p><p>b</p>", "a\nb"),
        ("<div>a</div><br><div>b</div>", "a\n\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("в <b>селе</b> <i>Приречье</i>", "в селе Приречье"),
        ("Приреч<b>ье</b>", "Приречье"),
        ("a \n\t b", "a b"),
        (" a <br> b ", "a\nb"),
        ("<pre>  a\n    b</pre>c", "a\n    b\nc"),
        ("<pre>\na\n\nb</pre>", "a\n\nb"),
        ("x <code>y  z</code>", "x y z"),
        ("", ""),
    ],
)
def test_breaks_lines_as_a_reader_sees_them(source: str, expected: str) -> None:
    """Breaks and the edges of blocks are line breaks, other spaces are one space."""
    assert expected == text_of_html(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("A &amp; B &nbsp; C", "A & B \u00a0 C"),
        ("A & B", "A & B"),
        ("&laquo;Отбой&raquo; &mdash; &#1076;&#x430;", "«Отбой» — да"),
        ("&lt;b&gt;", "<b>"),
        ("&amp;lt;", "&lt;"),
        ("&unknown; &#xD800; &#0;", "&unknown; \ufffd \ufffd"),
        ("&#" + "9" * 5000 + ";", "\ufffd" + "9" * 4991 + ";"),
        ("a&#10;b&#32;&#32;c", "a b c"),
        ("5 < 6 and 7 > 2", "5 < 6 and 7 > 2"),
        ("при t <0 и > 5", "при t <0 и > 5"),
    ],
)
def test_resolves_character_references_once(source: str, expected: str) -> None:
    """What is escaped is what the publisher wrote, and no markup."""
    assert expected == text_of_html(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<a href='?a&amp;amp;b'>x?a=1&amp;amp;b=2</a>", "x?a=1&b=2"),
        ("<a>x&amp;y</a>", "x&y"),
        ("R&amp;amp;D", "R&amp;D"),
        ("<a>a</a> R&amp;amp;D", "a R&amp;D"),
    ],
)
def test_mends_what_is_escaped_twice_in_links(source: str, expected: str) -> None:
    """The visible address of a link is the address; elsewhere nothing is guessed."""
    assert expected == text_of_html(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a<script>var x = '<b>';</script>b", "ab"),
        ("a<SCRIPT>x</Script >b", "ab"),
        ("a<style>p {}</style>b", "ab"),
        ("a<!-- c <b> -->b", "ab"),
        ("<!DOCTYPE html><?xml version='1.0'?>b", "b"),
        ("<![CDATA[дважды]]> обёрнуто", "дважды обёрнуто"),
    ],
)
def test_leaves_out_what_is_not_meant_to_be_read(source: str, expected: str) -> None:
    """Scripts, styles, comments and declarations are no text."""
    assert expected == text_of_html(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Тревога <b в городе", "Тревога <b в городе"),
        ("Тревога <!-- в городе", "Тревога в городе"),
        ("Тревога <script>в городе", "Тревога в городе"),
        ("<a title=it's>Тревога</a> don't", "Тревога don't"),
        ('<a title="x>y">Тревога</a>', "Тревога"),
        ('<a title="x>Тревога</a> в городе', "Тревога в городе"),
        ('Тревога <a href="https://exam', "Тревога"),
        ("Тревога</", "Тревога"),
        ("</b>Тревога</b></i>", "Тревога"),
    ],
)
def test_broken_markup_hides_no_words(source: str, expected: str) -> None:
    """A lost word may be a lost warning, so what is unclear is shown."""
    assert expected == text_of_html(source)


@pytest.mark.parametrize("read", [text_of_html, tidy, line, line_of_html])
def test_no_control_characters_are_left(read: object) -> None:
    """What could disturb a terminal, a log or a codec is gone from every text."""
    assert callable(read)
    result = read("a\x00\x07\x1b\x1e\x1f\x7f\x85\ud800\ufeffb")
    assert result.replace("\n", "").replace(" ", "") == "a\ufffdb"
    result.encode()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        (" a  \t b \n\n c ", "a b\n\nc"),
        ("a &amp; <b>", "a &amp; <b>"),
        ("a\u2028b", "a\nb"),
    ],
)
def test_plain_text_keeps_its_lines(source: str, expected: str) -> None:
    """Plain text is no HTML; only its spaces and control characters are put right."""
    assert expected == tidy(source)


def test_a_line_has_no_breaks() -> None:
    """Titles and names are one line."""
    assert "a b c" == line("a\nb\r\n c")
    assert "a b c" == line_of_html("a<br>b<p>c")


@pytest.mark.parametrize("read", [text_of_html, tidy])
def test_a_long_text_ends_at_64_kib(read: object) -> None:
    """A text that is too long is cut at a whole character, and says so."""
    assert callable(read)
    result = read("я" * 100_000)

    assert len(result.encode()) <= LONGEST
    assert result.endswith("я…")
    assert "я" * 32_768 == read("я" * 32_768)


HOSTILE = {
    "comments": "<!--",
    "references": "&amp;lt;",
    "ampersands": "&",
    "angles": "<",
    "names": "<a ",
    "ends": "</a",
    "quotes": '<a href="',
    "both quotes": "<a x=\"><a x='>",
    "equals": "<a= =",
    "unclosed": '<a x="> " ',
    "declarations": "<![",
    "scripts": "<script>",
    "deep": "<div>",
    "formatting": "<b a=1><p>",
    "breaks": "<br>",
    "spaces": " \t",
    "digits": "&#99999999999",
    "cdata": "<![CDATA[",
    "pre": "<pre> ",
    "edges": "<p> <br> ",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_markup_takes_no_longer_than_other_markup(unit: str) -> None:
    """A quarter of a mebibyte of anything is read in a moment."""
    source = unit * (256 * 1024 // len(unit))
    began = time.process_time()

    result = text_of_html(source)

    assert time.process_time() - began < 30  # were it quadratic, minutes
    assert len(result.encode()) <= LONGEST


@given(st.lists(st.sampled_from(MARKUP) | st.text(max_size=4)).map("".join))
def test_what_has_been_read_is_in_its_one_form(source: str) -> None:
    """Putting a text right that is right changes nothing, whatever the source."""
    source = source.replace("<pre", "")
    assert tidy(text_of_html(source)) == text_of_html(source)
    assert tidy(tidy(source)) == tidy(source)
    assert line(line_of_html(source)) == line_of_html(source)


@given(st.lists(st.sampled_from(MARKUP) | st.text(max_size=4)).map("".join))
def test_the_quick_way_and_the_careful_way_agree(source: str) -> None:
    """Markup that one expression can mark is marked as reading tag by tag would."""
    quick = module._SIMPLE.sub(module._mark, source)  # noqa: SLF001 - its very subject
    if "<" in quick or "&amp;amp;" in quick or "<![CDATA[" in source:
        return
    assert module._Scan(source).marked() == quick  # noqa: SLF001 - as above


@given(st.text())
def test_escaped_text_comes_back(words: str) -> None:
    """Whatever is written, escaping and reading it gives the same text."""
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert tidy(words).replace("\n", " ").split() == text_of_html(escaped).split()


@given(st.text())
def test_references_never_raise(words: str) -> None:
    """Any ampersands and digits are resolved or left, and no error."""
    unescape(words)
    unescape(f"&#{words};&#x{words};&{words};")
