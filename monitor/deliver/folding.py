"""What is told together, given what is known of each; pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from monitor.alert.step import Step, step
from monitor.deliver.mailbox import Ended, Opened
from monitor.stream import Begun


@dataclass(frozen=True, slots=True)
class Part:
    """An entry that is told together with others."""

    opened: Opened
    todo: Step
    doubts: int = 0


@dataclass(frozen=True, slots=True)
class Fold:
    """
    What is to be done with what is no news any more.

    Attributes:
        ended: Nothing.
        edits: First of all each changes the message that it corrects.
        told: They are told together.
    """

    ended: tuple[Ended, ...]
    edits: tuple[Opened, ...]
    told: tuple[Part, ...]


def fold(
    name: str, some: Sequence[tuple[Opened, Begun]], changed: Collection[str]
) -> Fold:
    """
    Sort what waits for the recipient of this *name*.

    Args:
        changed: Entries that have changed the message that they correct, or have found
            none that can be.
    """
    ended: list[Ended] = []
    edits: list[Opened] = []
    told: list[Part] = []
    for opened, begun in sorted(some, key=_version):
        todo = step(opened.envelope, name, begun.told)
        if todo.action == "done":
            ended.append(Ended(opened, known=begun.told))
        elif todo.action in ("edit", "ring") and opened.id not in changed:
            edits.append(opened)
        elif todo.action == "suppress" and not _has_older(opened, told):
            ended.append(Ended(opened, "suppressed", todo.why))
        else:
            told.append(Part(opened, todo, begun.doubts))
    return Fold(tuple(ended), tuple(edits), tuple(told))


def newest(told: Sequence[Part]) -> list[Part]:
    """Return of each post how it stands: its newest version alone is shown."""
    by_post = {part.opened.post: part for part in sorted(told, key=_part_version)}
    return [*by_post.values()]


def _version(one: tuple[Opened, Begun]) -> int:
    return one[0].envelope.match.item.version


def _part_version(part: Part) -> int:
    return part.opened.envelope.match.item.version


def _has_older(opened: Opened, told: Sequence[Part]) -> bool:
    return any(part.opened.post == opened.post for part in told)
