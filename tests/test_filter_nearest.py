"""Why a post meets no rule, told by the rule that it came nearest to."""

from dataclasses import replace

import msgspec
import pytest

from monitor.filter import Filter, Rule
from monitor.filter.rules import NEAR, Rules
from monitor.item import Media
from tests.filter_config import made, origin, post, shipped_topics, small_places

DANGER = Rule(
    name="belgorod-danger",
    places=("RU-BEL",),
    topics=("uav", "missile"),
    without=("учения~",),
    severity="critical",
)

EXCLUDED = "belgorod-danger: excluded by `without` учения~"


def weighed(text: str, *rules: Rule, source: str = "governor") -> str:
    """Return why a post meets none of *rules*; empty if it meets one."""
    reader: Filter = made(small_places(), shipped_topics(), rules or (DANGER,))
    whose = origin(source=source)
    return reader.weigh(post(text, source=source), whose).why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Дрон над Белгородом", ""),
        ("Белгород: открыта библиотека", "belgorod-danger: no topic"),
        ("Дрон над Курском", "belgorod-danger: no place"),
        ("Дрон над Белгородом: идут учения", EXCLUDED),
        ("Сегодня день города", "no rule is about it"),
        ("", "no text"),
    ],
)
def test_says_what_was_missing(text: str, why: str) -> None:
    """Each key of a rule may be what a post lacks."""
    assert why == weighed(text)


def test_a_post_of_pictures_is_media_only() -> None:
    """It has no words to meet a rule by, and that is all there is to say."""
    photo = msgspec.structs.replace(post(""), media=(Media(kind="photo"),))
    reader = made(small_places(), shipped_topics(), (DANGER,))
    assert "media only" == reader.weigh(photo, origin()).why


def test_the_rule_that_lacks_least_is_nearest() -> None:
    """Of those that lack as much, the gravest counts, and then the first."""
    far = Rule(name="far", places=("RU-BEL",), topics=("uav",), words=("дрг",))
    near = Rule(name="near", places=("RU-BEL",), topics=("uav",))
    grave = replace(near, name="grave", topics=("mine",), severity="critical")
    text = "Белгород: открыта библиотека"

    assert "near: no topic" == weighed(text, far, near)
    assert "grave: no topic" == weighed(text, far, near, grave)
    assert "far: no word, no topic" == weighed(text, far)
    assert "near: no topic" == weighed(text, near, replace(near, name="second"))


def test_a_voice_alone_brings_no_rule_near() -> None:
    """Every post of an official has that voice; it says nothing of the rule."""
    rule = Rule(name="loud", voices=("official",), words=("сирен*",))
    assert "no rule is about it" == weighed("Сегодня день города", rule)


def test_a_source_brings_a_rule_near() -> None:
    """A rule about a source is about what it publishes."""
    rule = Rule(name="governor", sources=("governor",), words=("сирен*",))
    assert "governor: no word" == weighed("Сегодня день города", rule)
    other = weighed("Сегодня день города", rule, source="other")
    assert "no rule is about it" == other


def test_few_rules_are_looked_at_however_many_there_are() -> None:
    """Ten thousand rules about one place cost what a few cost."""
    rules = Rules(
        [
            Rule(name=f"r{n}", places=("RU-BEL",), words=(f"слово{n}",))
            for n in range(10_000)
        ]
    )
    looked_at = [len(near) for near in rules._near.values()]  # noqa: SLF001 - the bound
    assert NEAR == max(looked_at)
    features = frozenset({("places", "RU-BEL"), ("voices", "official")})
    assert "r0: no word" == rules.nearest(features)
