"""What to do for a recipient, given what they were told before."""

import pytest

from monitor.alert.step import Step, step
from monitor.item import Delivery, Envelope, Outcome
from tests.couriers import TIME, match


def _told(version: int, outcome: Outcome, message: str = "m1") -> Delivery:
    return Delivery(
        item=f"governor/1/{version}",
        subscriber="ann",
        sink="chat",
        outcome=outcome,
        at=TIME,
        message=message,
    )


@pytest.mark.parametrize(
    ("version", "correction", "newly", "told", "expected"),
    [
        (1, False, False, None, "send"),
        (1, False, False, _told(1, "delivered"), "done"),
        (1, False, False, _told(2, "edited"), "done"),
        (2, True, False, _told(1, "delivered"), "edit"),
        (2, True, False, _told(1, "dead", ""), "suppress"),
        (2, True, True, _told(1, "suppressed", ""), "send"),
        (2, True, False, None, "suppress"),
        (2, True, True, None, "send"),
        (2, False, False, None, "suppress"),
        (2, False, True, None, "send"),
        (3, True, False, _told(2, "edited"), "edit"),
        (2, True, False, _told(1, "delivered", ""), "correct"),
        (1, False, False, _told(1, "suppressed", ""), "done"),
        (1, False, False, _told(2, "suppressed", ""), "done"),
        (2, True, True, _told(1, "delivered", ""), "correct"),
    ],
)
def test_what_to_do_follows_from_what_was_told(
    *, version: int, correction: bool, newly: bool, told: Delivery | None, expected: str
) -> None:
    """An envelope and the ledger decide alone whether to send, edit or leave it."""
    envelope = Envelope(
        match=match("1", version, "edited" if version > 1 else "new"),
        sink="chat",
        recipients=("ann",),
        was=match("1") if correction else None,
        newly=("ann",) if newly else (),
    )

    assert expected == step(envelope, "ann", told).action
    assert isinstance(step(envelope, "ann", told), Step)
