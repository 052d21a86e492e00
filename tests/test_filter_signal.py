"""An all-clear is never read as an alarm, nor an alarm as an all-clear."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.filter_config import FIXTURES, origin, post, small

WHERE = ["Белгород", "В Шебекине", "на территории Грайворонского округа", ""]
CLEARS = [
    "Отбой ракетной опасности", "Отбой", "Отбой воздушной тревоги", "Дан отбой",
    "Ракетная опасность отменена", "Отмена ракетной опасности",
    "Ракетная опасность снята", "Опасность по БПЛА снята",
    "Режим ракетной опасности отменён", "Угроза миновала", "Опасность миновала",
    "Угроза атаки БПЛА миновала", "Тревога отменена", "Отменена воздушная тревога",
    "Сняли режим беспилотной опасности", "Угрозы нет", "Опасности больше нет",
]  # fmt: skip
DANGERS = [
    "Ракетная опасность", "Опасность атаки БПЛА", "Воздушная тревога",
    "Угроза удара беспилотников", "Звучит сирена", "Работает ПВО",
    "Ракетная опасность не снята", "Опасность по БПЛА сохраняется",
    "Отбоя не было, ракетная опасность", "Не покидайте укрытия до отбоя",
    "Отбой ещё не объявлен, опасность сохраняется",
]  # fmt: skip
LOADED = yaml.safe_load((FIXTURES / "signals.yaml").read_text("utf-8"))
CASES: list[dict[str, str]] = LOADED["cases"]
SHAM = yaml.safe_load((FIXTURES / "allclears.yaml").read_text("utf-8"))
SHAM_OR_TRUE: list[dict[str, str]] = SHAM["cases"]
OF_ONE_TOWN = [
    case["text"]
    for case in SHAM_OR_TRUE
    if not re.search(
        "шебекин|shebekin|област|region|вс[её]|кроме", case["text"], re.IGNORECASE
    )
]
UNSAFE = {"danger", "alarm", "impact", "casualties"}


def signal(text: str) -> str:
    """Return how *text* is read."""
    return small().read(post(text), origin("RU-BEL")).signal


@given(
    st.sampled_from(CLEARS),
    st.sampled_from(WHERE),
    st.sampled_from(["", "!", ".", " ✅"]),
    st.booleans(),
)
def test_every_wording_of_an_all_clear(
    said: str, where: str, end: str, shout: object
) -> None:
    """Before or after the place, shouted or not, it stays an all-clear."""
    text = f"{said} {where}{end}".strip()

    assert signal(text.upper() if shout else text) == "clear"


@given(
    st.sampled_from(DANGERS),
    st.sampled_from(WHERE),
    st.sampled_from(["", "!", ".", " 🔴"]),
    st.booleans(),
)
def test_no_wording_of_a_danger_is_an_all_clear(
    said: str, where: str, end: str, shout: object
) -> None:
    """A danger that goes on is one, whatever words of its end stand in it."""
    text = f"{said} {where}{end}".strip()

    assert signal(text.upper() if shout else text) in UNSAFE


@given(st.sampled_from(CLEARS), st.sampled_from(["danger", "alarm"]))
def test_a_partial_all_clear_is_none(said: str, kind: str) -> None:
    """Where a danger goes on elsewhere, the post as a whole calls nothing off."""
    rest = "опасность атаки БПЛА" if kind == "danger" else "воздушная тревога"

    assert signal(f"{said} в Белгороде. В Шебекине сохраняется {rest}.") in UNSAFE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Отбой ракетной опасности.", "clear"),
        ("Отбой!", "clear"),
        ("Ракетная опасность на территории области отменена.", "clear"),
        ("Отмена ракетной опасности.", "clear"),
        ("Ракетная опасность снята.", "clear"),
        ("Опасность по БПЛА снята на всей территории области", "clear"),
        ("Режим ракетной опасности отменён", "clear"),
        ("Угроза миновала", "clear"),
        ("Сирены в Белгороде отключены, угрозы нет", "clear"),
        ("Учебная тревога: 4 марта проверка сирен", "drill"),
        ("Вчера в Шебекино был обстрел, повреждено 5 домов", "recap"),
        ("Взрыв газа в жилом доме в Старом Осколе", "none"),
        ("Дрон атаковал легковой автомобиль, мужчина скончался", "casualties"),
        ("Уточнение: пострадавших двое, а не трое", "correction"),
        ("Шебекинский округ: от взрыва FPV-дрона ранен житель", "casualties"),
    ],
)
def test_wordings_that_others_misread(text: str, expected: str) -> None:
    """The sentences on which comparable programs fail are read right."""
    assert signal(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Отбой отменяется, ракетная опасность!", "danger"),
        ("Отбой скоро будет", "none"),
        ("Ждите отбоя", "none"),
        ("Ложный отбой", "none"),
        ("Нет данных о снятии ракетной опасности", "danger"),
        ("Из-за угрозы БПЛА отменены рейсы", "danger"),
        ("Ракетная опасность! Занятия в школах отменены", "danger"),
        ("Отбой. Погибших и раненых нет", "clear"),
        ("Погиб мужчина. Опасность миновала", "casualties"),
        ("Взрывы в Белгороде. Отбой", "clear"),
        ("Никто не пострадал, разрушений нет", "none"),
        ("Пострадавшие есть, погибших нет", "casualties"),
        ("Напоминаем: при сигнале «Воздушная тревога» спуститесь в укрытие", "none"),
        ("Сирены не звучали", "none"),
        ("Тревога — отбой", "clear"),
        ("До отбоя оставайтесь в укрытиях", "alarm"),
        ("Після відбою тривоги рух відновлено", "none"),
    ],
)
def test_what_turns_the_meaning(text: str, expected: str) -> None:
    """Denials, delays, conditions and causes turn a meaning round, or do not."""
    assert signal(text) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["text"])[:40])
def test_wordings_met_along_the_border(case: dict[str, str]) -> None:
    """Officials' own ways to warn, report and call off are read as they are meant."""
    assert signal(case["text"]) == case["signal"]


@pytest.mark.parametrize("case", SHAM_OR_TRUE, ids=lambda case: str(case["text"])[:50])
def test_an_all_clear_and_what_only_looks_like_one(case: dict[str, str]) -> None:
    """Denied, put off, void, past, taught, or beside a danger, it is none."""
    read = signal(case["text"])

    assert read != "clear" or case["signal"] == "clear"
    assert case["signal"] == "not clear" or read in case["signal"].split("|")


@given(
    st.sampled_from(OF_ONE_TOWN),
    st.sampled_from(["🔴 Шебекино — ракетная опасность", "Тревога в Шебекино!"]),
    st.booleans(),
)
def test_a_danger_elsewhere_outweighs_any_all_clear(
    text: str, danger: str, above: object
) -> None:
    """Whatever a post calls off in Belgorod, Shebekino is not told that it is over."""
    of_belgorod = f"Белгород: {text}"
    both = [danger, of_belgorod] if above else [of_belgorod, danger]
    reading = small().read(post("\n".join(both)), origin("RU-BEL"))

    assert reading.signal != "clear"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Отбой в Курске. Дрон вчера упал в Шебекино", ["RU-KRS.kursk"]),
        ("Отбой в Белгороде и Курске", ["RU-BEL.belgorod", "RU-KRS.kursk"]),
        (
            "Отбой тревоги: Белгород\nШебекино",
            ["RU-BEL.belgorod", "RU-BEL.shebekinsky.shebekino"],
        ),
        ("Отбой! Белгород, спокойной ночи", ["RU-BEL.belgorod"]),
    ],
)
def test_an_all_clear_is_for_the_places_it_names(text: str, places: list[str]) -> None:
    """Another place that its text mentions is not told that the danger is over."""
    reading = small().read(post(text), origin("RU-BEL"))

    assert reading.signal == "clear"
    assert sorted(places) == sorted(place.id for place in reading.places)


@pytest.mark.parametrize(
    "rest", ["Ракетная опасность в Шебекино. ", "Обзор рынка зерна за неделю. "]
)
def test_a_text_too_long_to_judge_is_no_all_clear(rest: str) -> None:
    """Where a danger may stand in what is not judged, nothing is called off."""
    assert signal("Отбой в Белгороде. " + "Так бывает часто. " * 600 + rest * 600) == (
        "none"
    )
