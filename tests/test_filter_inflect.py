"""Every case form of a name is known, and so is every form of a rule's word."""

from collections.abc import Iterator

import pytest

from monitor.filter.inflect import Language, adjective_forms, declined, inflected
from tests.filter_config import FIXTURES


def gold(language: str) -> Iterator[tuple[str, str]]:
    """Yield each name of the hand-checked list with each of its forms."""
    for line in (FIXTURES / f"names.{language}.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, *forms = line.split("|")
            for form in forms:
                yield name, form


@pytest.mark.parametrize("language", ["ru", "uk"])
def test_no_form_of_a_name_is_missed(language: Language) -> None:
    """Genitive, locative and instrumental of every listed name are generated."""
    missed = [
        (name, form)
        for name, form in gold(language)
        if form.lower().replace("ё", "е") not in declined(name, language)
    ]

    assert missed == []


def test_the_lists_are_long_enough() -> None:
    """At least sixty Russian and thirty Ukrainian names are checked by hand."""
    assert len({name for name, _ in gold("ru")}) >= 60
    assert len({name for name, _ in gold("uk")}) >= 30


@pytest.mark.parametrize("name", ["Шебекино", "Козинка", "Белгород"])
def test_the_name_itself_is_a_form(name: str) -> None:
    """Names in -о stay as they are in live speech, and all do in lists."""
    assert name.lower() in declined(name, "ru")


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("эвакуация", "эвакуации эвакуацию эвакуацией"),
        ("учения", "учений учениях учениями"),
        ("дрон", "дроны дронов дронами дрону"),
        ("ракета", "ракет ракеты ракетами"),
        ("подросток", "подростки подростков подростку"),
        ("боец", "бойцы бойцов бойца"),
        ("осколок", "осколки осколков осколками"),
        ("окно", "окна окон окнами"),
        ("дорога", "дорог дорогах дороги"),
        ("ракетный", "ракетная ракетной ракетных ракетную"),
        ("атаковать", "атаковал атакована атаковали атакован"),
        ("взорвать", "взорвал взорван взорвали взорвались"),
        ("подстанция", "подстанций подстанции"),
        ("вибух", "вибухи вибухів вибухами"),
        ("тривога", "тривоги тривогу тривозі"),
        ("безпілотник", "безпілотники безпілотників"),
        ("attack", "attacks attacked attacking"),
        ("strike", "strikes striking"),
        ("casualty", "casualties"),
        ("siren", "sirens"),
    ],
)
def test_words_of_rules_take_every_form(word: str, forms: str) -> None:
    """`слово~` finds singular and plural, cases, and the past of verbs."""
    assert set(forms.split()) <= inflected(word)


def test_adjectives_agree_with_anything() -> None:
    """An adjective is known before область, район, округа and districts alike."""
    wanted = {"белгородская", "белгородской", "белгородского", "белгородских"}

    assert wanted <= adjective_forms("белгородский", "ru")
    assert {"харківська", "харківській"} <= adjective_forms("харківський", "uk")


def test_a_hyphenated_name_declines_on_either_side() -> None:
    """Both "Гору-Подол" and "Гора-Подола" are written."""
    forms = declined("Гора-Подол", "ru")

    assert {"горы-подола", "гора-подола", "гору-подол"} <= forms


def test_a_name_of_many_words_stays_small() -> None:
    """A long official name does not multiply without end."""
    forms = declined("Новая Старая Красная Белая Верхняя Нижняя Слобода", "ru")

    assert len(forms) == 1
