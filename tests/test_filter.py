"""The one way in: an item is read, judged and explained."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.filter import Filter, Mistaken, PlaceEntry, Rule, TopicEntry
from monitor.item import Match
from tests.filter_config import made, origin, post, shipped_topics, small, small_places

KOZINKA = "RU-BEL.grayvoronsky.kozinka"
SLOWEST = 2.5  # seconds of processor time for a megabyte of marks; 0.04 if idle


def with_rules(*rules: Rule) -> Filter:
    """Return the small filter with these rules."""
    return made(small_places(), shipped_topics(), rules)


def names(match: Match | None) -> tuple[str, ...]:
    """Return the rules of a match."""
    return match.rules if match else ()


def test_a_village_tells_its_district_region_and_country() -> None:
    """What a place lies in comes with it, from near to far."""
    (place,) = small().read(post("с. Козинка под обстрелом"), origin()).places

    assert (KOZINKA, "Козинка") == (place.id, place.name)
    assert ("RU-BEL.grayvoronsky", "RU-BEL", "RU") == place.within
    assert ((3, 10),) == place.spans
    assert 0.9 < place.confidence <= 1


def test_a_title_is_read_but_never_pointed_into() -> None:
    """A place of the title alone has no spans; those of the text start at its start."""
    item = post("Дрон упал на Козинку.", title="Грайворонский округ")
    district, village = small().read(item, origin()).places

    assert ("RU-BEL.grayvoronsky", ()) == (district.id, district.spans)
    assert ((KOZINKA), ((13, 20),)) == (village.id, village.spans)


def test_a_repeated_name_is_one_place_with_all_its_spans() -> None:
    """One place is told once, however often it is named."""
    (place,) = small().read(post("Белгород! В Белгороде сирена"), origin()).places

    assert ((0, 8), (12, 21)) == place.spans


def test_namesakes_of_one_region_come_out_as_what_holds_them() -> None:
    """Of two villages in one region the region is certain, and nothing nearer."""
    (place,) = (
        small().read(post("В селе Никольское нет света"), origin("RU-BEL")).places
    )

    assert place.id == "RU-BEL"


def test_the_text_wins_over_the_home_of_its_source() -> None:
    """Home ranks what is open; a region that is named decides."""
    text = "Алексеевка Воронежской области без света"
    places = {p.id for p in small().read(post(text), origin("RU-BEL")).places}

    assert places == {"RU-VOR.alekseyevka", "RU-VOR"}


def test_a_deleted_item_matches_nothing() -> None:
    """What has no words meets no rule, though its source does."""
    reader = with_rules(Rule(name="governor", sources=("governor",)))

    assert names(reader.judge(post("Что угодно"), origin())) == ("governor",)
    assert reader.judge(post(""), origin()) is None


def test_rules_come_in_the_order_of_configuration() -> None:
    """A match names its rules in order, and bears the highest severity."""
    reader = with_rules(
        Rule(name="b", places=("RU-BEL",), severity="info"),
        Rule(name="a", signals=("danger",), severity="critical"),
        Rule(name="c", places=("RU",), severity="warning"),
    )
    match = reader.judge(post("Ракетная опасность в Белгороде"), origin())

    assert match is not None
    assert match.rules == ("b", "a", "c")
    assert match.severity == "critical"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Дрон над Белгородом, ДРГ в лесу", True),
        ("Дрон над Курском, ДРГ в лесу", False),
        ("Дрон над Белгородом", False),
        ("ДРГ под Белгородом", False),
        ("Дрон над Белгородом, ДРГ, идут учения", False),
    ],
)
def test_keys_are_anded_and_values_ored(text: str, *, expected: bool) -> None:
    """Every key that a rule gives has to be met, by any of its values."""
    rule = Rule(
        name="all",
        places=("RU-BEL", "UA-63"),
        topics=("uav",),
        words=("дрг", "диверсант~"),
        without=("учения~",),
    )

    assert bool(with_rules(rule).judge(post(text), origin())) == expected


PLACES = ["RU-BEL", "RU-KRS", "RU-BEL.belgorod", "RU"]
WORDS = ["дрон~", "опасност*", "отбой", "ракетная опасность"]
UNWANTED = ["дрон", "курск*"]
ALONE = {
    word: made(rules=[Rule(name=word, words=(word,))], signals=())
    for word in WORDS + UNWANTED
}
SIGNALS = ["danger", "clear", "none"]
RULE = st.builds(
    Rule,
    name=st.uuids().map(str),
    places=st.lists(st.sampled_from(PLACES), max_size=2).map(tuple),
    words=st.lists(st.sampled_from(WORDS), max_size=2).map(tuple),
    without=st.lists(st.sampled_from(UNWANTED), max_size=1).map(tuple),
    signals=st.lists(st.sampled_from(SIGNALS), max_size=2).map(tuple),
    sources=st.lists(st.sampled_from(["governor", "other"]), max_size=1).map(tuple),
)
TEXTS = st.lists(
    st.sampled_from(
        ["Белгород.", "Курск.", "дрон", "дроны", "ракетная опасность", "отбой", "Ура!"]
    ),
    max_size=5,
).map(" ".join)


def naively(rule: Rule, text: str) -> bool:
    """Whether *rule* matches, each key tried by itself in a filter of its own."""
    reading = small().read(post(text), origin())
    places = {id_ for p in reading.places for id_ in (p.id, *p.within)}

    def said(words: tuple[str, ...]) -> bool:
        return any(ALONE[word].judge(post(text), origin()) for word in words)

    return (
        bool(text)
        and (not rule.places or not places.isdisjoint(rule.places))
        and (not rule.words or said(rule.words))
        and not (rule.without and said(rule.without))
        and (not rule.signals or reading.signal in rule.signals)
        and (not rule.sources or "governor" in rule.sources)
    )


def is_sound(rule: Rule) -> bool:
    """Whether a drawn rule asks for something that can be."""
    asks = rule.places or rule.words or rule.signals or rule.sources
    return bool(asks) and not ("дрон" in rule.without and "дрон" in rule.words)


@settings(max_examples=30)
@given(st.lists(RULE.filter(is_sound), max_size=4), TEXTS)
def test_postings_are_naive_evaluation(rules: list[Rule], text: str) -> None:
    """Rules found by what a text has are those that trying each of them finds."""
    reader = made(small_places(), shipped_topics(), rules)
    match = reader.judge(post(text), origin())

    assert names(match) == tuple(r.name for r in rules if naively(r, text))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule(name="r", places=("RU-BLE",)), "RU-BEL"),
        (Rule(name="r", topics=("uavs",)), "uav"),
        (Rule(name="r"), "match everything"),
        (Rule(name="r", without=("дрон",)), "match everything"),
        (Rule(name="r", words=("др*н",)), "end of a word"),
        (Rule(name="r", words=("дрон",), without=("дрон~",)), "never match"),
        (Rule(name="r", words=("дрон летит",), without=("дрон*",)), "never match"),
        (Rule(name="r", words=("🔴",)), "no letters"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: Rule, said: str) -> None:
    """Unknown names get a hint; what can never match, or always does, is named."""
    with pytest.raises(Mistaken, match=said) as caught:
        with_rules(rule)

    assert caught.value.problems[0].name == "r"


def test_all_mistakes_are_told_at_once() -> None:
    """Whoever mends the configuration sees everything that is wrong with it."""
    topic = TopicEntry(name="t", words={"ru": ("a*",)})
    place = PlaceEntry(id="RU-X", kind="region", name="Икс")
    rules = (Rule(name="one"), Rule(name="one", topics=("x",)))
    with pytest.raises(Mistaken) as caught:
        made([place, place], [topic], rules)

    kinds = sorted(problem.kind for problem in caught.value.problems)

    assert kinds == ["place", "rule", "rule", "rule", "topic"]


def test_an_explanation_names_form_place_points_and_rules() -> None:
    """Why and why not stand in lines: form, place, score, claim, rule."""
    reader = with_rules(
        Rule(name="here", places=("RU-BEL",), signals=("danger",)),
        Rule(name="there", places=("RU-KRS",)),
    )
    lines = "\n".join(reader.explain(post("Опасность в Короче"), origin("RU-BEL")))

    assert "“Короче”: RU-BEL.korochansky.korocha" in lines
    assert "a common word -0.5" in lines
    assert "claim danger: “Опасность”" in lines
    assert "rule here: matches" in lines
    assert "rule there: no, by its places" in lines


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("В Белгороде объявлена тревога", "ru"),
        ("У Харкові оголошено тривогу", "uk"),
        ("Sirens sound in Kharkiv", "en"),
        ("Тривога", "uk"),
        ("Это было в Сумах", "ru"),
        ("Не виходьте на вулицю та бережіть себе", "uk"),
        ("12:30 🔴", ""),
        ("", ""),
    ],
)
def test_language_by_letters_and_small_words(text: str, language: str) -> None:
    """Letters tell the language, then small words, then it stays open."""
    assert small().read(post(text), origin()).language == language


@given(st.text(max_size=200), st.text(max_size=40))
def test_whatever_is_written_is_read(text: str, title: str) -> None:
    """No text makes reading or explaining fail, and every span lies inside it."""
    item = post(text, title=title)
    reading = small().read(item, origin("RU-BEL"))
    spans = [span for p in reading.places for span in p.spans]

    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert list(small().explain(item, origin()))


@pytest.mark.parametrize(
    "text",
    ["\u0301" * 1_000_000, "и\u0306" * 500_000, "Белгород" * 125_000, "a-" * 500_000],
    ids=["marks", "breves", "letters", "hyphens"],
)
def test_a_hostile_megabyte_is_bounded(text: str) -> None:
    """A megabyte made to be slow takes no more than its length allows."""
    start = time.process_time()
    small().judge(post(text), origin())

    assert time.process_time() - start < SLOWEST


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("", 0),
        ("🔴" * 1_000_000, 0),
        ("Белгород, Шебекино, Козинка, Алексеевка, Никольское. " * 2000, 9),
        ("над областью, в регионе, " * 5000, 1),
        ("а " * 500_000, 0),
        ("Б е л г о р о д " * 60_000, 1),
    ],
    ids=["empty", "emoji", "names", "unnamed", "letters", "spaced"],
)
def test_extremes_are_answered(text: str, most: int) -> None:
    """Nothing, only pictures, and ten thousand places are read and explained."""
    start = time.process_time()
    reading = small().read(post(text), origin("RU-BEL"))

    assert len(reading.places) <= most
    assert list(small().explain(post(text[:5000]), origin("RU-BEL")))
    assert time.process_time() - start < 5 * SLOWEST


@pytest.mark.parametrize(
    "text",
    [
        "отбой опасность не снята, Белгород если сирена " * 1300,
        "снята " * 8 + "опасность " * 2900,
        "опасность снята " * 1450,
        "Отбой Курск, Белгород, " * 400,
        "Отбой: Курск\n" * 12 + "Курск\n" * 2900,
    ],
    ids=["claims", "verbs", "pairs", "places", "list"],
)
def test_a_text_of_nothing_but_claims_is_bounded(text: str) -> None:
    """Claims and denials in their thousands are not weighed each with each."""
    start = time.process_time()
    small().judge(post(text), origin())

    assert time.process_time() - start < 4 * SLOWEST


def test_ten_thousand_rules_cost_what_matches() -> None:
    """A text that meets one of ten thousand rules asks none of the others."""
    many = [Rule(name=f"r{i}", words=(f"слово{i}ж",)) for i in range(10_000)]
    few, all_of_them = made(rules=many[:1]), made(rules=many)
    item = post("Обычный текст, в котором есть слово0ж и ничего больше")

    def spent(reader: Filter) -> float:
        reader.judge(item, origin())
        start = time.process_time()
        for _ in range(200):
            reader.judge(item, origin())
        return time.process_time() - start

    assert names(all_of_them.judge(item, origin())) == ("r0",)
    assert spent(all_of_them) < 50 * spent(few)


def test_threads_may_share_a_filter() -> None:
    """Texts read at the same time are read as they are one by one."""
    texts = [f"Белгород, дрон{i} над селом Козинка" for i in range(200)]
    alone = [small().read(post(text), origin()) for text in texts]
    shared = made(small_places(), shipped_topics())
    together: dict[int, object] = {}

    def read(start: int) -> None:
        for i in range(start, len(texts), 4):
            together[i] = shared.read(post(texts[i]), origin())

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [together[i] for i in range(len(texts))] == alone
