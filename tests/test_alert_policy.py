"""Who is told, who is not, and why."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert import Subscriber
from monitor.alert.policy import RECIPIENTS, Decision, Plan, Subscribers, decide, plan
from monitor.item import SEVERITIES, Match, Origin, Place
from tests.alerts import BELGOROD, KOZINKA, ORIGIN, deleted, edited, match

PRESS = Origin(source="belgorod-governor", voice="press")


def one(name: str = "desk", **wish: Any) -> Subscriber:
    return Subscriber(name=name, sink=wish.pop("sink", "chat"), **wish)


def told(found: Plan) -> list[str]:
    return [name for envelope in found.envelopes for name in envelope.recipients]


@pytest.mark.parametrize(
    ("wish", "action"),
    [
        ({}, "now"),
        ({"places": ("RU-BEL",)}, "now"),
        ({"places": ("RU-BEL.grayvoronsky",)}, "now"),
        ({"places": ("RU-BEL.grayvoronsky.kozinka",)}, "now"),
        ({"places": ("UA-63", "RU")}, "now"),
        ({"places": ("UA-63",)}, "unconcerned"),
        ({"places": ("RU-BEL.gray",)}, "unconcerned"),
        ({"rules": ("belgorod-danger",)}, "now"),
        ({"rules": ("other",)}, "unconcerned"),
        ({"places": ("RU-BEL",), "rules": ("other",)}, "never"),
        ({"topics": ("uav", "fire")}, "now"),
        ({"topics": ("fire",)}, "never"),
        ({"voices": ("official",)}, "now"),
        ({"voices": ("press", "analyst")}, "never"),
        ({"severity": "warning"}, "now"),
        ({"severity": "critical"}, "never"),
    ],
)
def test_each_wish_counts(wish: dict[str, Any], action: str) -> None:
    """Places and rules say whom a match concerns; the rest narrows it down."""
    drone = match(places=(KOZINKA,), topics=("uav",), severity="warning")

    assert action == decide(drone, one(**wish), ORIGIN).action


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"topics": ("fire",)}, "topics: uav; wanted fire"),
        ({"voices": ("press", "party")}, "voices: official; wanted press, party"),
        ({"severity": "critical"}, "severity: info; wanted critical or more"),
        ({"places": ("RU",), "rules": ("x",)}, "rules: belgorod-danger; wanted x"),
    ],
)
def test_a_refusal_says_why(wish: dict[str, Any], words: str) -> None:
    """Who is not told can read what did not fit, and what they had asked for."""
    drone = match(topics=("uav",), severity="info")

    assert Decision("never", words) == decide(drone, one(**wish), ORIGIN)


@pytest.mark.parametrize("signal", ["danger", "alarm", "impact", "clear", "drill"])
def test_what_names_no_topic_is_about_any(signal: Any) -> None:
    """An "all clear" without a topic reaches those who asked for missiles."""
    decision = decide(match(signal=signal), one(topics=("missile",)), ORIGIN)

    assert "now" == decision.action


@pytest.mark.parametrize("signal", ["none", "forecast", "recap", "casualties"])
def test_other_news_without_a_topic_are_not_for_topics(signal: Any) -> None:
    """A summary that names no topic is not what those asked for who named some."""
    decision = decide(match(signal=signal), one(topics=("missile",)), ORIGIN)

    assert "never" == decision.action


def test_a_text_without_a_place_is_about_its_source_s_home() -> None:
    """ "Take cover!" of a governor concerns the region, and nobody elsewhere."""
    cover = match("Спуститесь в подвалы!", signal="alarm", places=())
    home = Origin(source="x", home="RU-BEL.grayvoronsky")

    actions = [
        decide(cover, one(places=(place,)), home).action
        for place in ("RU-BEL.grayvoronsky", "RU-BEL", "RU", "RU-KRS", "RU-BEL.g")
    ]

    assert ["now", "now", "now", "unconcerned", "unconcerned"] == actions
    elsewhere = replace(one(), places=("RU-BEL",))
    assert "unconcerned" == decide(cover, elsewhere, Origin(source="x")).action


def test_the_home_counts_only_where_no_place_is_named() -> None:
    """A governor who speaks of another region does not speak of his own."""
    there = match(places=(Place(id="RU-KRS", name="Курская область", within=("RU",)),))

    assert "unconcerned" == decide(there, one(places=("RU-BEL",)), ORIGIN).action


def test_a_plan_tells_and_explains() -> None:
    """A new match goes to those who want it; who is not told is told why."""
    desks = Subscribers(
        [
            one("b", places=("RU-BEL",), sink="mail"),
            one("a", places=("RU-BEL",)),
            one("quiet", places=("RU-BEL",), severity="critical"),
            one("kursk", places=("RU-KRS",)),
        ]
    )

    found = plan(match(severity="warning"), None, desks, ORIGIN)

    assert [("chat", ("a",)), ("mail", ("b",))] == [
        (envelope.sink, envelope.recipients) for envelope in found.envelopes
    ]
    assert (("quiet", "severity: warning; wanted critical or more"),) == (
        found.suppressed
    )
    assert {((), None)} == {
        (envelope.newly, envelope.was) for envelope in found.envelopes
    }


def test_envelopes_hold_so_many_at_most() -> None:
    """More recipients than an envelope takes are cut in order, none lost or twice."""
    many = Subscribers(one(f"p{number:04}") for number in range(2201))

    found = plan(match(), None, many, ORIGIN)

    assert [1000, 1000, 201] == [len(each.recipients) for each in found.envelopes]
    assert [f"p{number:04}" for number in range(2201)] == told(found)


def test_a_sink_that_is_not_there_is_said() -> None:
    """Who waits at a sink that is not configured is not told, and it is said."""
    desks = Subscribers([one("a"), one("b", sink="pager")])

    found = plan(match(), None, desks, ORIGIN, sinks=["chat"])

    assert ["a"] == told(found)
    assert (("b", "there is no sink 'pager'"),) == found.suppressed


def test_an_edit_goes_to_those_who_knew_and_to_those_it_now_concerns() -> None:
    """A correction says whom the new wording concerns: they may not have heard yet."""
    desks = Subscribers(
        [
            one("both", places=("RU-BEL",)),
            one("knew", places=("RU-BEL",), topics=("uav",)),
            one("new", places=("RU-BEL",), topics=("fire",)),
            one("never", places=("RU-BEL",), topics=("mine",)),
            one("elsewhere", places=("RU-KRS",)),
        ]
    )
    was = match(topics=("uav",))
    now = match(topics=("fire",), change="edited", version=2)

    found = plan(now, was, desks, ORIGIN)

    (envelope,) = found.envelopes
    assert ("both", "knew", "new") == envelope.recipients
    assert ("both", "new") == envelope.newly
    assert was == envelope.was
    assert ["never"] == [name for name, _ in found.suppressed]


def test_an_edit_that_matters_for_the_first_time_is_news_to_all() -> None:
    """An edited post that did not matter before is told as if it were new."""
    desks = Subscribers([one("a"), one("b", places=("RU-BEL",))])

    (envelope,) = plan(match(change="edited", version=2), None, desks, ORIGIN).envelopes

    assert ("a", "b") == envelope.recipients == envelope.newly


def test_an_edit_of_an_old_post_is_news_to_nobody() -> None:
    """A typo that is mended in last month's post, never told, warns nobody now."""
    desks = Subscribers([one("a", places=("RU-BEL",))])
    now = match(change="edited", version=2)
    old = msgspec.structs.replace(now.item, published=now.item.seen - timedelta(days=2))

    (envelope,) = plan(
        msgspec.structs.replace(now, item=old), None, desks, ORIGIN
    ).envelopes

    assert (("a",), ()) == (envelope.recipients, envelope.newly)


def test_an_edit_that_matters_no_more_goes_to_nobody_new() -> None:
    """Who was told learns of it, and nobody else hears of something void."""
    desks = Subscribers(
        [one("knew", places=("RU-BEL",)), one("other", places=("RU-KRS",)), one("all")]
    )
    was = match()
    now = edited(was, "Всё спокойно.").match
    elsewhere = Place(id="RU-KRS", name="Курская область", within=("RU",))
    void = match(places=(elsewhere,), rules=(), change="edited", version=2)

    for new, newly in ((now, ("all", "knew")), (void, ())):
        (envelope,) = plan(new, was, desks, ORIGIN).envelopes
        assert ("all", "knew") == envelope.recipients
        assert newly == envelope.newly


def test_a_deletion_goes_to_those_who_knew() -> None:
    """A deletion reaches whom the post concerned, although its own text is gone."""
    desks = Subscribers([one("a", places=("RU-BEL",)), one("b", places=("RU-KRS",))])
    gone = deleted(match(places=(KOZINKA,)))

    (envelope,) = plan(gone.match, gone.was, desks, ORIGIN).envelopes

    assert (("a",), ()) == (envelope.recipients, envelope.newly)


def test_a_deletion_without_a_past_is_news_to_nobody() -> None:
    """Only the ledger can say who was told; the plan names candidates, none new."""
    desks = Subscribers([one("a", places=("RU-BEL",))])

    found = plan(match(change="deleted", version=2), None, desks, ORIGIN)

    assert [(("a",), ())] == [(one.recipients, one.newly) for one in found.envelopes]


def test_names_are_unique() -> None:
    """Two subscribers of one name could not be told apart in the ledger."""
    with pytest.raises(ValueError, match="two subscribers are called 'a'"):
        Subscribers([one("a"), one("a", places=("RU",))])


def test_subscribers_are_found_by_name() -> None:
    """They can be counted, walked in the order of names, and looked up."""
    desks = Subscribers([one("b"), one("a")])

    assert (2, ["a", "b"]) == (len(desks), [each.name for each in desks])
    assert (one("a"), None) == (desks.get("a"), desks.get("c"))


NAMED = ("RU", "RU-BEL", "RU-BEL.grayvoronsky", "RU-KRS", "UA-63")
wishes = st.builds(
    Subscriber,
    name=st.just(""),
    sink=st.sampled_from(["chat", "mail"]),
    places=st.lists(st.sampled_from(NAMED), max_size=2, unique=True).map(tuple),
    topics=st.lists(st.sampled_from(["uav", "fire"]), max_size=1).map(tuple),
    rules=st.lists(st.sampled_from(["r", "s"]), max_size=2, unique=True).map(tuple),
    voices=st.lists(st.sampled_from(["official", "press"]), max_size=1).map(tuple),
    severity=st.sampled_from(SEVERITIES),
)
matches = st.builds(
    match,
    signal=st.sampled_from(["danger", "none", "clear"]),
    places=st.lists(
        st.sampled_from([BELGOROD, KOZINKA]), max_size=2, unique_by=lambda p: p.id
    ).map(tuple),
    topics=st.lists(st.sampled_from(["uav", "fire"]), max_size=2).map(tuple),
    severity=st.sampled_from(SEVERITIES),
    rules=st.lists(
        st.sampled_from(["r", "s"]), min_size=1, max_size=2, unique=True
    ).map(tuple),
)


@given(wished=st.lists(wishes, max_size=12), found=matches, data=st.data())
def test_the_index_decides_as_one_by_one(
    wished: list[Subscriber], found: Match, data: st.DataObject
) -> None:
    """A plan tells whom `decide` tells, and refuses whom it refuses, in any order."""
    people = [replace(wish, name=f"p{n}") for n, wish in enumerate(wished)]
    origin = data.draw(st.sampled_from([ORIGIN, PRESS]))
    decided = {person.name: decide(found, person, origin) for person in people}
    shuffled = Subscribers(data.draw(st.permutations(people)))

    planned = plan(found, None, shuffled, origin)

    assert planned == plan(found, None, Subscribers(people), origin)
    assert {n for n, what in decided.items() if what.action == "now"} == set(
        told(planned)
    )
    assert {n: what.why for n, what in decided.items() if what.action == "never"} == (
        dict(planned.suppressed)
    )


@given(wished=st.lists(wishes, max_size=12), was=matches, now=matches)
def test_nobody_who_knew_is_forgotten(
    wished: list[Subscriber], was: Match, now: Match
) -> None:
    """A correction reaches everybody the old or the new wording concerns, once."""
    people = [replace(wish, name=f"p{n}") for n, wish in enumerate(wished)]
    knew, know = (
        {one.name for one in people if decide(each, one, ORIGIN).action == "now"}
        for each in (was, now)
    )

    planned = plan(now, was, Subscribers(people), ORIGIN)

    assert sorted(knew | know) == sorted(told(planned))
    assert know == {n for each in planned.envelopes for n in each.newly}
    assert all(0 < len(each.recipients) <= RECIPIENTS for each in planned.envelopes)
    assert not {name for name, _ in planned.suppressed} & (knew | know)
