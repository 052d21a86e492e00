"""The key of a message, by which services know it again."""

import re
import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert import NOT_RECOGNISED, Repeats, message_key

INSTANCE = "5f0c3b1de3a94b7f9b0a7f6a2a1c4e88"


def test_is_the_same_in_another_process() -> None:
    """A restart comes to the same key, whatever Python's hashes are seeded with."""
    here = message_key(INSTANCE, "governor/1/1", "night-desk")

    say = "from monitor.alert import message_key as k; print(k(*{!r}))"
    given = say.format((INSTANCE, "governor/1/1", "night-desk"))
    there = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", given], capture_output=True, check=True, text=True
    )

    assert here == there.stdout.strip()
    assert re.fullmatch("[0-9a-f]{32}", here)


def test_no_two_messages_share_one() -> None:
    """Instances, versions, recipients and parts all tell messages apart."""
    of = product(
        (INSTANCE, INSTANCE[::-1]),
        ("governor/1/1", "governor/1/2", "governor/11/1"),
        ("night-desk", "night", "desk"),
        ("", "ring", "edit"),
    )

    keys = [message_key(*four) for four in of]

    assert 2 * 3 * 3 * 3 == len(set(keys)) == len(keys)


@given(st.text(min_size=1, max_size=12), st.data())
def test_where_a_name_ends_counts(text: str, data: st.DataObject) -> None:
    """No text can be cut elsewhere so that two messages get one key."""
    cuts = st.integers(0, len(text))
    one, other = data.draw(st.tuples(cuts, cuts).filter(lambda two: two[0] != two[1]))

    a, b, c, d = text[:one], text[one:], text[:other], text[other:]

    assert message_key(INSTANCE, a, b) != message_key(INSTANCE, c, d)
    assert message_key(INSTANCE, "", a, b) != message_key(INSTANCE, "", c, d)
    assert message_key(INSTANCE, a, b) != message_key(INSTANCE, "", a, b)


@pytest.mark.parametrize("name", ["night-desk", "\ud83d", "имя", "x" * 5000])
def test_whoever_reads_it_cannot_try_names(name: str) -> None:
    """Without the instance's own name no guess of a subscriber can be confirmed."""
    key = message_key(INSTANCE, "governor/1/1", name)

    assert key != message_key("", "governor/1/1", name)
    assert name not in key


def test_a_sink_says_by_what() -> None:
    """What carries a key is recognised; nothing recognises nothing."""
    assert Repeats("webhook-id").recognised
    assert not NOT_RECOGNISED.recognised
