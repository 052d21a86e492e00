"""What to do for one recipient of an envelope, given what the ledger has of them."""

from dataclasses import dataclass
from typing import Literal

from monitor.item import SEVERITIES, Delivery, Envelope

Action = Literal["send", "correct", "edit", "ring", "suppress", "done"]
ALARMING = ("danger", "alarm", "impact", "casualties")
AND = "\n"  # between the ids of messages that tell of one post


@dataclass(frozen=True, slots=True)
class Receipt:
    """Which message was taken, and a digest of the address it lies at."""

    message: str = ""
    address: str = ""


NO_RECEIPT = Receipt()


@dataclass(frozen=True, slots=True)
class Step:
    """What to do for one recipient, with which message of what address, and why."""

    action: Action
    message: str = ""
    address: str = ""
    why: str = ""


def step(envelope: Envelope, recipient: str, told: Delivery | None) -> Step:
    """
    Return what to do for *recipient*, given what they were *told* of the post.

    A correction changes the message that was sent; one that warns of more is also sent
    anew, for an edit rings nobody.  Where there is no message to change, as after a
    digest, it is a message of its own that says what it corrects.  Those who never were
    told are told only if the new wording concerns them by itself.
    """
    item = envelope.match.item
    reached = told is not None and told.outcome in ("delivered", "edited")
    known = told is not None and int(told.item.rpartition("/")[2]) >= item.version
    if known and (reached or not envelope.again):
        return Step("done")
    if told and reached and told.message:
        action: Action = "ring" if warns_of_more(envelope) else "edit"
        return Step(action, told.message, address=told.address)
    if reached:
        return Step("correct")
    if item.change == "new" or recipient in envelope.newly or envelope.again:
        return Step("send")
    return Step("suppress", why="was not told of the post before")


def warns_of_more(envelope: Envelope) -> bool:
    """Return whether a correction is worse news than what it corrects."""
    now, was = envelope.match, envelope.was
    if was is None or not now.rules or now.item.change == "deleted":
        return False
    more = SEVERITIES.index(now.severity) > SEVERITIES.index(was.severity)
    alarms = now.reading.signal in ALARMING and was.reading.signal not in ALARMING
    return more or alarms
