"""
Streams of the simulated store: entries, groups, and what is pending.

An id is one number here, its milliseconds above and its sequence below 64 bits, so that
numbers are in the order of ids.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from typing import Any, Final, Self

from tests.simulation import listpack
from tests.simulation.replies import MOST, Refused

NODE_ENTRIES = 100  # of stream-node-max-entries
NODE_BYTES = 4096  # of stream-node-max-bytes
LAST_ID: Final = MOST << 64 | MOST
UNKNOWN = -1  # how many entries a group has read

TOO_SMALL: Final = (
    "ERR The ID specified in XADD is equal or smaller than the target stream top item"
)
EXHAUSTED: Final = (
    "ERR The stream has exhausted the last possible ID, unable to add more items"
)


def id_of(number: int) -> bytes:
    """Return an id as the server writes it."""
    return b"%d-%d" % (number >> 64, number & MOST)


class Node:
    """
    Entries that are stored together.

    Attributes:
        last: The newest one, though it be deleted.
        live: How many are there.
        gone: How many are marked as deleted.
        size: In bytes.
        fields: The names of those of its first entry.
    """

    __slots__ = ("fields", "gone", "last", "live", "size")

    def __init__(self, fields: tuple[bytes, ...]) -> None:
        self.fields = fields
        self.last = 0
        self.live = 0
        self.gone = 0
        self.size = listpack.EMPTY + 2 + 2 + 2
        self.size += listpack.of_number(len(fields)) + sum(
            map(listpack.of_text, fields)
        )

    def copy(self) -> "Node":
        """Return one that changes by itself."""
        other = Node.__new__(Node)
        other.fields, other.last = self.fields, self.last
        other.live, other.gone, other.size = self.live, self.gone, self.size
        return other


class Nack:
    """An entry that was given to a consumer and not acknowledged yet."""

    __slots__ = ("count", "owner", "time")

    def __init__(self, owner: bytes, time: int, count: int) -> None:
        self.owner = owner
        self.time = time
        self.count = count


class Group:
    """
    A consumer group.

    Attributes:
        last: The id up to which it was given everything.
        read: How many entries that was, or `UNKNOWN`.
        pending: What it has not acknowledged.
        order: The ids of that, in order.
        consumers: Their names, and the ids pending for each, in order.
    """

    __slots__ = ("consumers", "last", "order", "pending", "read")

    def __init__(self, last: int, read: int) -> None:
        self.last = last
        self.read = read
        self.pending: dict[int, Nack] = {}
        self.order: list[int] = []
        self.consumers: dict[bytes, list[int]] = {}

    def give(self, id_: int, owner: bytes, time: int, count: int) -> None:
        """Make *id_* pending for *owner*, whoever had it."""
        mine = self.consumers.setdefault(owner, [])
        nack = self.pending.get(id_)
        if nack is None:
            self.pending[id_] = Nack(owner, time, count)
            _insert(self.order, id_)
            _insert(mine, id_)
            return
        if nack.owner != owner:
            _remove(self.consumers[nack.owner], id_)
            _insert(mine, id_)
            nack.owner = owner
        nack.time, nack.count = time, count

    def drop(self, id_: int) -> bool:
        """Make *id_* pending no more; return False if it was not."""
        nack = self.pending.pop(id_, None)
        if nack is None:
            return False
        _remove(self.order, id_)
        _remove(self.consumers[nack.owner], id_)
        return True

    def copy(self) -> Self:
        """Return one that changes by itself."""
        other = type(self)(self.last, self.read)
        other.pending = {
            id_: Nack(nack.owner, nack.time, nack.count)
            for id_, nack in self.pending.items()
        }
        other.order = self.order.copy()
        other.consumers = {name: ids.copy() for name, ids in self.consumers.items()}
        return other


class Stream:
    """
    A stream.

    Attributes:
        entries: Fields of each entry, alternating names and values.
        ids: Of the entries, in order.
        last: The newest id that was ever given.
        deleted: The newest id that was deleted singly.
        added: How many entries there ever were.
        groups: By name.
    """

    __slots__ = (
        "_nodes",
        "_starts",
        "added",
        "deleted",
        "entries",
        "groups",
        "ids",
        "last",
    )

    def __init__(self) -> None:
        self.entries: dict[int, tuple[bytes, ...]] = {}
        self.ids: list[int] = []
        self.last = 0
        self.deleted = 0
        self.added = 0
        self.groups: dict[bytes, Group] = {}
        self._nodes: dict[int, Node] = {}
        self._starts: list[int] = []  # the ids by which nodes are known, in order

    def next_id(self, now: int) -> int:
        """
        Return the id of an entry that is added now.

        Raises:
            Refused: There is none left.
        """
        if now << 64 > self.last:
            return now << 64
        if self.last == LAST_ID:
            raise Refused(EXHAUSTED)
        return self.last + 1

    def append(self, id_: int, fields: tuple[bytes, ...]) -> None:
        """
        Add an entry at the end.

        Raises:
            Refused: Its id does not come after all that were ever there.
        """
        if id_ <= self.last:
            raise Refused(EXHAUSTED if self.last == LAST_ID else TOO_SMALL)
        self._place(id_, fields)
        self.entries[id_] = fields
        self.ids.append(id_)
        self.last = id_
        self.added += 1

    def _place(self, id_: int, fields: tuple[bytes, ...]) -> None:
        names = fields[::2]
        node = self._nodes[self._starts[-1]] if self._starts else None
        if (
            node is None
            or node.size + sum(map(len, fields)) >= NODE_BYTES
            or node.live + node.gone >= NODE_ENTRIES
        ):
            node = self._nodes[id_] = Node(names)
            self._starts.append(id_)
        start = self._starts[-1]
        node.last = id_
        node.live += 1
        elements = len(names) + 3
        node.size += 2 + listpack.of_number((id_ >> 64) - (start >> 64))
        node.size += listpack.of_number((id_ & MOST) - (start & MOST))
        if names == node.fields:
            node.size += sum(map(listpack.of_text, fields[1::2]))
        else:
            elements += len(names) + 1
            node.size += listpack.of_number(len(names))
            node.size += sum(map(listpack.of_text, fields))
        node.size += listpack.of_number(elements)

    def delete(self, id_: int) -> bool:
        """Delete one entry; return False if it is not there."""
        if self.entries.pop(id_, None) is None:
            return False
        _remove(self.ids, id_)
        at = bisect_right(self._starts, id_) - 1
        node = self._nodes[self._starts[at]]
        if node.live == 1:
            del self._nodes[self._starts.pop(at)]
        else:
            node.live -= 1
            node.gone += 1
        self.deleted = max(self.deleted, id_)
        return True

    def span(self, first: int, last: int, count: int | None = None) -> Sequence[int]:
        """Return the ids of entries from *first* to *last*, the oldest *count*."""
        start = bisect_left(self.ids, first)
        stop = bisect_right(self.ids, last, start)
        if count is not None:
            stop = min(stop, start + count)
        return self.ids[start:stop]

    def shown(self, id_: int) -> list[Any]:
        """Return an entry as it is answered."""
        return [id_of(id_), list(self.entries[id_])]

    def trim(
        self, *, before: int = 0, most: int | None = None, whole: bool, limit: int
    ) -> int:
        """
        Remove the oldest entries, and return how many.

        Args:
            before: Of ids before this one, if not *most* is given.
            most: Until so many are left.
            whole: Only nodes that can go as a whole.
            limit: Not more than this; 0 is no limit.
        """
        removed = 0
        while self._starts:
            start = self._starts[0]
            node = self._nodes[start]
            if most is not None and len(self.ids) <= most:
                break
            if limit and removed + node.live > limit:
                break
            if most is not None:
                goes = len(self.ids) - node.live >= most
            else:
                goes = node.last < before
            if goes:
                removed += node.live
                self._forget(node.live)
                del self._nodes[self._starts.pop(0)]
                continue
            if not whole:
                removed += self._thin(node, before, most)
            break
        return removed

    def _thin(self, node: Node, before: int, most: int | None) -> int:
        number = len(self.ids) - most if most is not None else self._older(before)
        self._forget(number)
        node.live -= number
        node.gone += number
        return number

    def _older(self, than: int) -> int:
        return bisect_left(self.ids, than)

    def _forget(self, number: int) -> None:
        for id_ in self.ids[:number]:
            del self.entries[id_]
        del self.ids[:number]

    def nodes(self) -> Iterator[tuple[int, Node]]:
        """Yield the nodes and what they are known by, oldest first."""
        for start in self._starts:
            yield start, self._nodes[start]

    def arrange(self, nodes: Sequence[tuple[int, Node]]) -> None:
        """Take over the nodes of a stream with the same entries."""
        self._nodes = dict(nodes)
        self._starts = [start for start, _ in nodes]

    def copy(self) -> Self:
        """Return one that changes by itself."""
        other = type(self)()
        other.entries = self.entries.copy()
        other.ids = self.ids.copy()
        other.last, other.deleted, other.added = self.last, self.deleted, self.added
        other.groups = {name: group.copy() for name, group in self.groups.items()}
        other.arrange([(start, node.copy()) for start, node in self.nodes()])
        return other


def _insert(order: list[int], id_: int) -> None:
    if not order or order[-1] < id_:
        order.append(id_)
    else:
        insort(order, id_)


def _remove(order: list[int], id_: int) -> None:
    if order[0] == id_:
        del order[0]
    else:
        del order[bisect_left(order, id_)]
