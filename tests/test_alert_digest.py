"""How many alerts are told in one message."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alert import Alert, Digest
from monitor.alert.console import render
from monitor.alert.digest import digest, headline, html, plain
from monitor.alert.inert import clean
from monitor.alert.webhook import WHOLE, summary
from tests.alerts import BELGOROD, KOZINKA, PUBLISHED, alert, deleted, edited, match
from tests.bothtml import read, touchable, units

HOUR = timedelta(hours=1)
NIGHT = 8 * HOUR


def hourly(count: int, **given: Any) -> list[Alert]:
    """Return so many alerts, an hour apart, the oldest first."""
    return [
        alert(
            f"Работает ПВО, № {n}", id=str(n), published=PUBLISHED + n * HOUR, **given
        )
        for n in range(count)
    ]


def made(*alerts: Alert) -> Digest:
    """Return a digest of *alerts*, told an hour after the last of them."""
    last = max(one.match.item.published for one in alerts)
    return digest(alerts, last + HOUR)


def shown(markup: str) -> list[str]:
    """Return what a reader of Telegram sees, by lines."""
    return read(markup)[0].splitlines()


@pytest.mark.parametrize(
    ("count", "language", "line"),
    [
        (1, "ru", "📭 Пока связи не было (04:35 UTC): 1 сообщение"),
        (2, "ru", "📭 Пока связи не было (04:35–05:35 UTC): 2 сообщения"),
        (5, "ru", "📭 Пока связи не было (04:35–08:35 UTC): 5 сообщений"),
        (3, "uk", "📭 Поки зв'язку не було (04:35–06:35 UTC): 3 повідомлення"),
        (1, "en", "📭 While there was no connection (04:35 UTC): 1 message"),
        (3, "en", "📭 While there was no connection (04:35–06:35 UTC): 3 messages"),
        (
            37,
            "ru",
            "📭 Пока связи не было (2023-05-24 04:35–16:35 UTC): 37 сообщений",
        ),
    ],
)
def test_the_first_line_says_what_it_is(count: int, language: str, line: str) -> None:
    """It names the hours and the number, as the language of most alerts counts it."""
    told = made(*hourly(count, language=language))

    assert line == headline(told) == shown(html(told))[0]


@pytest.mark.parametrize(
    ("count", "word"),
    [
        (11, "сообщений"),
        (12, "сообщений"),
        (21, "сообщение"),
        (22, "сообщения"),
        (111, "сообщений"),
        (114, "сообщений"),
        (101, "сообщение"),
    ],
)
def test_numbers_are_declined(count: int, word: str) -> None:
    """Twenty-one is one, and eleven is not."""
    assert headline(made(*hourly(1) * count)).endswith(f": {count} {word}")


def test_each_alert_is_a_line_the_gravest_first() -> None:
    """How grave, when, where, the first words; of those alike the newest first."""
    warning, danger = hourly(2, severity="warning"), hourly(2, places=(KOZINKA,))
    clear = alert("Отбой", signal="clear", published=PUBLISHED + 3 * HOUR)

    _, *lines = shown(html(made(*warning, *danger, clear)))

    assert [
        "✅ 07:35 UTC Белгородская область: Отбой",
        "🔴 05:35 UTC Козинка: Работает ПВО, № 1",
        "🔴 04:35 UTC Козинка: Работает ПВО, № 0",
        "🟠 05:35 UTC Белгородская область: Работает ПВО, № 1",
        "🟠 04:35 UTC Белгородская область: Работает ПВО, № 0",
    ] == lines


def test_a_line_leads_to_its_post() -> None:
    """In markup the place is the link, in plain text the address follows."""
    told = made(alert("Тревога"))
    _, entities = read(html(told))

    links = [dict(one.attributes)["href"] for one in entities if one.kind == "a"]
    assert ["https://t.me/vvgladkov/12345"] == links
    assert plain(told).endswith("Тревога https://t.me/vvgladkov/12345")


def test_what_was_corrected_is_shown_as_it_is_now() -> None:
    """An edit shows the new words, a deletion the old ones, struck out and last."""
    gone, changed = match("Ложное", id="1"), match("Было", id="2", severity="info")

    _, first, last = shown(html(made(deleted(gone), edited(changed, "Стало"))))

    assert first.endswith("Стало")
    assert last.startswith("🗑")
    assert last.endswith("Ложное")


def test_what_has_no_room_is_counted_by_source() -> None:
    """Forty lines are shown, and it is said how many more there are, and of whom."""
    told = made(*hourly(300), *hourly(200, source="kursk", severity="info"))

    lines = shown(html(told))

    assert "… и ещё 460: belgorod-governor 260, kursk 200" == lines[-1]
    assert 42 == len(lines)
    assert len(told.alerts) == 500


def test_few_alerts_show_more_of_their_words() -> None:
    """What room there is, is used."""
    long = "Слово " * 200

    (_, alone), (_, *many) = (
        shown(html(made(*[alert(long)] * count))) for count in (1, 40)
    )

    assert 380 < len(alone) < 480
    assert all(90 < len(line) < 110 for line in many)


text = st.text(st.characters(exclude_categories=()), max_size=300)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(text, text), min_size=1, max_size=60), st.integers(300, 4096))
def test_any_text_fits_and_is_inert(texts: list[tuple[str, str]], limit: int) -> None:
    """Whatever was published, markup is ours, and nothing answers to a touch."""
    place = {"places": (BELGOROD,)}
    told = made(*(alert(said, source=f"s{name}", **place) for said, name in texts))

    visible, entities = read(html(told, limit))

    assert units(visible) <= limit
    assert units(plain(told, limit)) <= limit
    assert [] == touchable(visible, [*entities])
    assert len(entities) <= 100
    assert clean(visible) == visible.strip()


def test_the_console_shows_each_with_its_link() -> None:
    """Colours do not change what is said."""
    told = made(*hourly(2))

    assert [*plain(told).splitlines(), ""] == render(told).splitlines()
    assert "\x1b[1m📭" in render(told, color=True)


def test_a_webhook_gets_the_data_of_each() -> None:
    """One event tells of all: most with their data, the rest by what names them."""
    told = made(*hourly(WHOLE + 1))

    event = summary(told, "key")

    data = event["data"]
    assert ("monitor.digest", "key") == (event["type"], event["id"])
    assert [str(WHOLE - n) for n in range(WHOLE)] == [
        one["item"]["id"] for one in data["alerts"]
    ]
    assert ["belgorod-governor/0/1"] == [one["item"] for one in data["more"]]
    assert plain(told) == data["message"]
