"""How an alert is worded."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alert import Alert
from monitor.alert.compose import (
    LIMIT,
    changes,
    correction,
    headline,
    html,
    language_of,
    plain,
    voice,
    why,
)
from monitor.alert.inert import MARK, clean, still
from monitor.alert.words import LANGUAGES, SAY, TOPICS, VOICES, WHAT
from monitor.item import Match, Origin, Place, Word
from tests.alerts import (
    BELGOROD,
    DISTRICT,
    KOZINKA,
    NAMES,
    ORIGIN,
    PUBLISHED,
    alert,
    deleted,
    edited,
    item,
    match,
)
from tests.bothtml import read, touchable, units


def quoted(markup: str) -> str:
    """Return what stands in the quote, as a reader sees it."""
    found = re.search(r"<blockquote expandable>(.*)</blockquote>", markup, re.DOTALL)
    return unescape(re.sub("<[^>]*>", "", found[1])) if found else ""


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"topics": ("missile",)}, "🔴 Ракетная опасность — Белгородская область"),
        (
            {"topics": ("missile",), "severity": "warning"},
            "🟠 Ракетная опасность — Белгородская область",
        ),
        ({"signal": "clear"}, "✅ Отбой — Белгородская область"),
        (
            {"signal": "clear", "topics": ("missile",)},
            "✅ Отбой ракетной опасности — Белгородская область",
        ),
        (
            {"signal": "clear", "topics": ("missile", "uav")},
            "✅ Отбой: ракеты, БПЛА — Белгородская область",
        ),
        ({"signal": "drill"}, "🧪 Учебная тревога — Белгородская область"),
        ({"signal": "alarm"}, "🔴 Тревога — Белгородская область"),
        (
            {"signal": "impact", "topics": ("air-defence", "uav", "roads")},
            "🔴 Атака БПЛА — Белгородская область",
        ),
        (
            {"signal": "impact", "topics": ("roads", "gas-station"), "places": ()},
            "🔴 Происшествие: дороги, gas station — belgorod-governor",
        ),
        ({"signal": "recap"}, "📋 Сводка — Белгородская область"),
        ({"signal": "none"}, "📣 belgorod-governor: Белгородская область"),
        ({"signal": "none", "places": ()}, "📣 belgorod-governor: Работает система"),
        ({"places": (BELGOROD, KOZINKA)}, "🔴 Опасность — Козинка"),
        ({"places": (KOZINKA, BELGOROD, DISTRICT)}, "🔴 Опасность — Козинка"),
        ({"change": "deleted"}, "🗑 Удалено: Опасность — Белгородская область"),
        (
            {"topics": ("missile",), "language": "uk"},
            "🔴 Ракетна небезпека — Белгородская область",
        ),
        (
            {"signal": "clear", "language": "en", "topics": ("uav",)},
            "✅ All clear: drones — Белгородская область",
        ),
    ],
)
def test_the_first_line_says_it_all(given: dict[str, Any], line: str) -> None:
    """The first line says how grave, what and where, in the language of the text."""
    found = headline(match("Работает система", **given))

    assert line == found


def test_many_places_are_counted() -> None:
    """Places that the first line has no room for are counted, not lost."""
    many = tuple(
        Place(id=f"RU-BEL.d{number}", name=f"Грайворонский округ {number}")
        for number in range(9)
    )

    found = headline(match(places=many))

    assert "🔴 Опасность — Грайворонский округ 0, Грайворонский округ 1 +7" == found


@given(
    name=st.text(max_size=90),
    text=st.text(max_size=90),
    signal=st.sampled_from(["none", "danger"]),
)
def test_the_first_line_is_one_short_line(name: str, text: str, signal: Any) -> None:
    """Whatever a place is called, the first line is one, of at most 64 units."""
    found = headline(
        match(text, signal=signal, places=(Place(id="RU-BEL", name=name),))
    )

    assert units(found) <= 64
    assert len(found.splitlines()) == 1
    assert [] == touchable(found, [])


@pytest.mark.parametrize(
    ("language", "text", "speak"),
    [
        ("uk", "Работает", "uk"),
        ("en", "Работает", "en"),
        ("", "Работает", "ru"),
        ("", "Небезпека її", "uk"),
        ("de", "Entwarnung", "en"),
        ("", "", "en"),
    ],
)
def test_speaks_the_language_of_the_text(language: str, text: str, speak: str) -> None:
    """An alert speaks the language that was read, or what its letters suggest."""
    assert speak == language_of(match(text, language=language))


def test_every_language_has_every_word() -> None:
    """No wording is there in one language and missing in another."""
    for table in (SAY, WHAT, TOPICS, VOICES):
        assert set(LANGUAGES) == set(table)
        assert 1 == len({frozenset(table[language]) for language in LANGUAGES})


def test_says_why_it_came() -> None:
    """The reason names the rules, the way up from a place, the topics and the words."""
    found = match(places=(KOZINKA,), topics=("uav",))
    words = (Word(word="дрг"), Word(word="эвакуация~"))
    reading = msgspec.structs.replace(found.reading, words=words)
    found = msgspec.structs.replace(found, reading=reading)

    assert (
        "Козинка < Грайворонский округ < Белгородская область · "
        "правила: belgorod-danger · темы: БПЛА · слова: дрг, эвакуация~"
    ) == why(found, names=NAMES)
    assert why(found).startswith("Козинка · правила")
    assert "topics: drones" in why(found, "en")


def test_names_the_voice() -> None:
    """Who speaks is said in words."""
    party = Alert(match=match(), origin=Origin(source="x", voice="party"))

    assert "сторона конфликта" == voice(party)
    assert "party to the conflict" == voice(party, "en")


def test_a_whole_message() -> None:
    """A message is the meaning, time and place, quote, source and reason, in order."""
    told = Alert(
        match=match("Работает ПВО <b>& co</b>", places=(KOZINKA,), topics=("uav",)),
        origin=ORIGIN,
        names=NAMES,
    )

    time = '<tg-time unix="1684902900" format="t">04:35 UTC</tg-time>'
    source = '<a href="https://t.me/vvgladkov/12345">belgorod-governor</a>'
    assert html(told).splitlines() == [
        "<b>🔴 Опасность БПЛА — Козинка</b>",
        f"{time} · Козинка &lt; Грайворонский округ &lt; Белгородская область",
        "<blockquote expandable>Работает ПВО &lt;b&gt;&amp; co&lt;/b&gt;</blockquote>",
        f"{source} · официальный источник",
        "Почему: правила: belgorod-danger · темы: БПЛА",
    ]


def test_the_same_without_markup() -> None:
    """Without markup a bar stands before each of the publisher's lines."""
    assert plain(alert("Первая\n✅ Отбой", topics=("uav",))).splitlines() == [
        "🔴 Опасность БПЛА — Белгородская область",
        "04:35 UTC",
        "│ Первая",
        "│ ✅ Отбой",
        "belgorod-governor · официальный источник",
        "Почему: правила: belgorod-danger · темы: БПЛА",
        "https://t.me/vvgladkov/12345",
    ]


def test_what_is_old_has_its_day() -> None:
    """A post that was seen long after it was published is shown with its day."""
    late = alert(seen=PUBLISHED + timedelta(hours=13))

    found = html(late)

    assert 'format="dt">2023-05-24 04:35 UTC</tg-time>' in found


def test_time_without_the_tag() -> None:
    """Servers that do not know the tag, and times it cannot hold, get plain UTC."""
    ancient = PUBLISHED.replace(year=1969)

    assert "\n04:35 UTC\n" in html(alert(), tg_time=False)
    assert "\n04:35 UTC\n" in html(alert(published=ancient, seen=ancient))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Погибли 2 человека", "Погибли 3 человека", ("«2» → «3»",)),
        ("а 2 б 5 в", "а 3 б 7 в", ("«2» → «3»", "«5» → «7»")),
        ("Отбой", "Отбой в районе", ("добавлено: «в районе»",)),
        ("Отбой в районе", "Отбой", ("убрано: «в районе»",)),
        (
            "1 а 2 а 3 а 4",
            "5 а 6 а 7 а 8",
            ("«1» → «5»", "«2» → «6»", "«3» → «7»", "…"),
        ),
        ("тот же", "тот  же\n", ()),
        ("а " * 400, "б " * 400, ()),
        ("", "ново", ("добавлено: «ново»",)),
    ],
)
def test_says_what_changed(old: str, new: str, said: tuple[str, ...]) -> None:
    """A change is said in short, old and new, unless too much is new."""
    assert said == changes(item(old), item(new), "ru")


def test_an_edit_says_so() -> None:
    """An edited post shows its new text, when it was changed, and what in it."""
    told = edited(match("Погибли 2"), "Погибли 3")

    lines = html(told).splitlines()

    assert "✏️ Изменено в источнике 04:35 UTC: «2» → «3»" == lines[2]
    assert "Погибли 3" == quoted(html(told))


def test_an_edit_that_turns_shows_what_it_was() -> None:
    """Where the meaning turned, the old first line stands struck beside the new."""
    told = edited(match("Тревога", signal="alarm"), "Отбой", signal="clear")

    assert html(told).startswith(
        "<b>✅ Отбой — Белгородская область</b>  "
        "<s>🔴 Тревога — Белгородская область</s>\n"
    )


def test_an_edit_that_matters_no_more_says_so() -> None:
    """Who was told of a post that matters no more is told that it does not."""
    told = edited(match("Тревога в Козинке"), "Тревога", places=())
    void = msgspec.structs.replace(told.match, rules=())

    said = correction(Alert(match=void, origin=ORIGIN, was=told.was))

    assert said.endswith("убрано: «в Козинке»; больше не подходит под правила")


def test_a_deletion_strikes_the_text() -> None:
    """A deleted post is shown as it was, struck, under a line that says it is gone."""
    lines = html(deleted(match("Тревога", topics=("uav",)))).splitlines()

    assert "<b>🗑 Удалено: Опасность БПЛА — Белгородская область</b>" == lines[0]
    assert "🗑 Удалено в источнике 04:35 UTC" == lines[2]
    assert "<blockquote expandable><s>Тревога</s></blockquote>" == lines[3]
    titled = html(deleted(match("Тревога", title="Важно")))
    assert "<blockquote expandable><s>Важно</s><s>\nТревога</s></blockquote>" in titled


def test_a_title_stands_in_the_quote() -> None:
    """A title is the publisher's too: in the quote, bold, and only once."""
    both = html(alert("Текст", title="Заголовок <i>"))
    same = html(alert("Заголовок и текст", title="Заголовок"))

    assert "expandable><b>Заголовок &lt;i&gt;</b>\nТекст</blockq" in both
    assert "expandable>Заголовок и текст</blockquote>" in same


def test_a_forwarded_post_says_whose_it_is() -> None:
    """Who wrote a post first is said, with nothing in it to touch."""
    assert "источник · переслано от evil\n" in html(alert(forward="@evil\n"))


def test_no_text_is_no_quote() -> None:
    """A post without a text has no empty quote, which the server would refuse."""
    assert "blockquote" not in html(alert(" \u200b\n"))


def test_a_bad_link_is_no_link() -> None:
    """An address that does not lead to the web is not linked to."""
    assert "\nbelgorod-governor · " in html(alert(url="javascript:alert(1)"))


@pytest.mark.parametrize(
    "text",
    [
        "слово " * 2000,
        "я" * 9000,
        "🔴" * 5000,
        "&<>" * 4000,
        "\n" * 9000 + "х",
        "а\n" * 5000,
    ],
)
def test_only_the_quote_is_cut(text: str) -> None:
    """However long the text, the message fits, and all but the quote is whole."""
    told = alert(text, topics=("uav",), title="Очень длинный заголовок " * 9)

    left, _ = read(html(told))

    assert units(left) <= LIMIT
    assert left.startswith("🔴 Опасность БПЛА — Белгородская область\n04:35 UTC\n")
    assert left.endswith("источник\nПочему: правила: belgorod-danger · темы: БПЛА")
    assert units(left) > LIMIT - 20 or len(text.strip()) < 10
    assert units(plain(told)) <= LIMIT


def test_commands_and_mentions_cannot_be_touched() -> None:
    """What would send a command or ring a person stands as code in the quote."""
    text, entities = read(html(alert("Нажми /stop@our_bot и @everyone, a@b.org ok/no")))

    assert ["code", "code"] == [one.kind for one in entities if one.kind == "code"]
    assert not {"bot_command", "mention"} & {one.kind for one in entities}
    assert "Нажми /stop@our_bot и @everyone, a@b.org ok/no" in text


def test_too_many_mentions_end_the_quote() -> None:
    """A list of mentions longer than a message may mark ends at the last marked one."""
    for told in (alert("@someone " * 300), deleted(match("/stop " * 300))):
        _, entities = read(html(told))
        assert len(entities) <= 100
        assert not {"bot_command", "mention"} & {one.kind for one in entities}


hostile = st.text(max_size=200) | st.text(
    "<>&\"'/@aя \n\t\u202e\u200d👩🏽🚒🇺🇦\u0301\x1b", max_size=120
)
changed = st.sampled_from(["sent", "edited", "deleted"])


def of(kind: str, found: Match, text: str) -> Alert:
    """Return an alert of a post that was sent, edited or deleted with this *text*."""
    if kind == "edited":
        return edited(found, text)
    was = msgspec.structs.replace(found, item=item(text, title=found.item.title))
    return deleted(was) if kind == "deleted" else Alert(match=was, origin=ORIGIN)


@settings(max_examples=150)
@given(text=hostile, title=hostile, kind=changed, limit=st.integers(400, 900))
def test_any_text_arrives_as_text(text: str, title: str, kind: str, limit: int) -> None:
    """Any text is valid markup, fits, arrives as it was, and acts on no touch."""
    told = of(kind, match(places=(KOZINKA,), title=title, topics=("uav",)), text)
    found = html(told, limit)

    left, entities = read(found)

    whole = "\n".join(filter(None, [clean(title), clean(text)]))
    shown = quoted(found)
    assert whole == shown or shown in clean(text) or shown.endswith(MARK)
    assert whole.endswith(shown) or whole.startswith(shown.removesuffix(MARK))
    assert units(left) <= limit
    assert not {"bot_command", "mention"} & {one.kind for one in entities}
    assert units(plain(told, limit)) <= limit


@given(text=hostile, kind=changed)
def test_without_markup_every_line_is_whose_it_seems(text: str, kind: str) -> None:
    """No line of the publisher's can pass for one of ours."""
    found = plain(of(kind, match(), text))

    theirs = [line for line in found.split("\n") if line.startswith("│ ")]
    assert [f"│ {line}" for line in clean(text).split("\n") if clean(text)] == theirs
    assert [] == touchable(still(found), [])
