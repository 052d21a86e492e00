"""
How many entries of a stream a group has read, and how many it has not.

The server counts on while it can, and guesses or gives up where entries were deleted
singly.  A Redis 7.0 guesses where a newer server gives up.
"""

from tests.simulation.streams import UNKNOWN, Group, Stream


def read_on(stream: Stream, group: Group, id_: int, *, old: bool) -> int:
    """Return how many entries *group* has read, now that it was given *id_*."""
    if group.read != UNKNOWN:
        first = stream.ids[0] if stream.ids else 0
        if old:
            known = not _holes(stream, id_, old=old)
        else:
            known = group.last >= first and not _holes(stream, group.last, old=old)
        if known:
            return group.read + 1
    return _counted(stream, id_, old=old)


def lag(stream: Stream, group: Group, *, old: bool) -> int | None:
    """Return how many entries *group* has not got yet, if that can be told."""
    if not stream.added:
        return 0
    if group.read != UNKNOWN and not _holes(stream, group.last, old=old):
        return stream.added - group.read
    read = _counted(stream, group.last, old=old)
    return None if read == UNKNOWN else stream.added - read


def _counted(stream: Stream, id_: int, *, old: bool) -> int:
    """Return how many entries there ever were up to *id_*, or `UNKNOWN`."""
    if not stream.added:
        return 0
    if id_ <= stream.last and not stream.ids:
        return stream.added
    if id_ and id_ < stream.deleted and not old:
        return UNKNOWN
    if id_ >= stream.last:
        return stream.added if id_ == stream.last else UNKNOWN
    first = stream.ids[0]
    if stream.deleted < first and id_ <= first:
        return stream.added - len(stream.ids) + (id_ == first)
    return UNKNOWN


def _holes(stream: Stream, start: int, *, old: bool) -> bool:
    """Tell whether entries from *start* on were deleted singly, as far as known."""
    if not stream.ids or not stream.deleted:
        return False
    if old and stream.ids[0] > stream.deleted:
        return False
    return start <= stream.deleted
