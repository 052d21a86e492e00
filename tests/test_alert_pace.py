"""No limit is ever passed, and none is left unused."""

from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alert import Pace, Window
from monitor.alert.pace import Pacer
from monitor.alert.telegram import PACE

CLOSE = 1e-5  # two sums of floats that are one moment
SMALL = Pace(
    per_recipient=timedelta(seconds=1),
    per_group=Window(count=4, span=timedelta(seconds=10)),
    overall_per_second=3,
    group_mark="-",
    thread_mark=":",
)


def run(pacer: Pacer, wanted: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return when each is sent that is *wanted* since then, as a courier does it."""
    sent, now = [], 0.0
    waiting = sorted(wanted)
    while waiting:
        due = [(max(pacer.ready_at(to, now), at), at, to) for at, to in waiting]
        moment, at, to = min(due)
        if moment <= now:
            pacer.took(to, now)
            sent.append((now, to))
            waiting.remove((at, to))
        now = max(now, moment)
    return sent


def most_within(moments: list[float], span: float) -> int:
    """Return the most of *moments* that lie within any *span*."""
    return max(
        (sum(at <= each < at + span - CLOSE for each in moments) for at in moments),
        default=0,
    )


def check(sent: list[tuple[float, str]], pace: Pace) -> None:
    by_chat = defaultdict(list)
    for at, to in sent:
        by_chat[to.partition(":")[0]].append(at)
    assert pace.overall_per_second
    assert pace.per_recipient
    assert pace.per_group
    everything = [at for at, _ in sent]
    assert most_within(everything, 1) <= pace.overall_per_second
    for chat, moments in by_chat.items():
        assert most_within(moments, pace.per_recipient.total_seconds()) <= 1
        if chat.startswith("-"):
            span = pace.per_group.span.total_seconds()
            assert most_within(moments, span) <= pace.per_group.count


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 20, allow_nan=False),
            st.sampled_from(["1", "2", "3:5", "3:6", "-1", "-1:7", "-2"]),
        ),
        max_size=30,
    )
)
def test_no_limit_is_passed(wanted: list[tuple[float, str]]) -> None:
    """However messages come, no chat, group or second gets more than it takes."""
    check(run(Pacer(SMALL), wanted), SMALL)


def test_a_full_load_uses_the_whole_allowance() -> None:
    """With enough chats waiting, 95 % of the overall limit and more is used."""
    pacer, now, sent = Pacer(PACE), 0.0, 0
    while now < 60:
        to = str(sent)
        ready = pacer.ready_at(to, now)
        if ready <= now:
            pacer.took(to, now)
            sent += 1
        now = max(now, ready)

    assert PACE.overall_per_second is not None
    assert sent >= 0.95 * 60 * PACE.overall_per_second


@pytest.mark.parametrize(("to", "least"), [("7", 0.95 * 120), ("-7", 0.95 * 40)])
def test_one_chat_gets_all_it_may(to: str, least: float) -> None:
    """One chat alone gets its message a second, a group its twenty a minute."""
    sent = run(Pacer(PACE), [(0.0, to)] * 150)

    assert len([at for at, _ in sent if at < 120]) >= least


def test_the_first_of_a_burst_go_at_once() -> None:
    """A warning to thirty chats does not wait thirty times for one of them."""
    sent = run(Pacer(PACE), [(0.0, str(number)) for number in range(30)])

    assert 29 == len([at for at, _ in sent if at == 0])


def test_a_thread_shares_its_chat_s_pace() -> None:
    """Two threads of a forum are one chat; two chats are two."""
    pacer = Pacer(SMALL)
    pacer.took("-1:5", 10.0)

    assert [11.0, 11.0, 10.0] == [
        pacer.ready_at(to, 10.0) for to in ("-1:6", "-1", "-2")
    ]


def test_holds_one_or_all() -> None:
    """A hold stops one chat or everybody until then; a shorter one changes nothing."""
    pacer = Pacer(Pace())
    pacer.hold("1", 20.0)
    pacer.hold("1", 15.0)
    assert [20.0, 10.0] == [pacer.ready_at(to, 10.0) for to in ("1", "2")]

    pacer.hold(None, 40.0)
    pacer.hold(None, 30.0)
    assert [40.0, 40.0] == [pacer.ready_at(to, 10.0) for to in ("1", "2")]
    assert 41.0 == pacer.ready_at("1", 41.0)


def test_no_pace_is_no_wait() -> None:
    """Where nothing is limited, everything may go at once, and nothing is kept."""
    pacer = Pacer(Pace())
    for _ in range(100):
        pacer.took("1", 5.0)

    assert (5.0, 0) == (pacer.ready_at("1", 5.0), len(pacer))


def test_less_than_one_a_second() -> None:
    """A slow service is fed at its own rate, such as one in four seconds."""
    pacer = Pacer(Pace(overall_per_second=0.25))
    pacer.took("1", 0.0)

    assert [4.0, 4.0] == [pacer.ready_at("2", now) for now in (0.0, 4.0)]


def test_what_rounds_to_nothing_is_now() -> None:
    """A wait shorter than any sleep is no wait, or a courier would never stop."""
    pacer = Pacer(SMALL)
    pacer.took("1", 0.1)
    almost = 1.1 - 1e-9

    assert almost == pacer.ready_at("1", almost)


def test_idle_chats_are_forgotten() -> None:
    """Memory holds the chats of the last window and those on hold, not all ever."""
    pacer, now = Pacer(PACE), 0.0
    for number in range(20_000):
        now = number / 20
        pacer.took(str(number), now)
        pacer.hold(f"held {number}", now + 30)

    recent, held = 20 * 61, 20 * 30
    assert len(pacer) <= recent + 2 * held
    assert pacer.ready_at("held 19999", now) == now + 30
