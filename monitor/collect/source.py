"""What every source promises, and what it hands over."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from monitor.item import Item, Note, Origin
from monitor.web import Web


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """
    What a part of one read brought, and where the next read continues.

    Attributes:
        items: Posts as they stand now, oldest first, whether new or not: the
            stream compares them with what it has seen.  A post that was found
            deleted is one with ``change="deleted"``.
        cursor: The source's whole memory after these items, in its own form.
        notes: Ids that were met and are no posts, or no posts of their own.
        gap: Posts may be missing between the read before and this one.
    """

    items: tuple[Item, ...]
    cursor: str
    notes: tuple[Note, ...] = ()
    gap: bool = False


class Source(Protocol):
    """
    A place that publishes posts.

    A source is a frozen dataclass whose fields are its settings, so that equal
    settings are equal sources, and a reload restarts only what has changed.
    It keeps no state: the cursor is its memory, and the caller stores the
    cursor in the same transaction as the items it accounts for.  It does not
    log, retry, sleep or schedule.
    """

    @property
    def origin(self) -> Origin:
        """Its unique name, where it is at home, in whose name it speaks."""

    @property
    def every(self) -> timedelta:
        """How long to wait before reading again, once `read` has ended."""

    def read(self, cursor: str, web: Web) -> AsyncIterator[Batch]:
        """
        Yield batches after *cursor*, oldest first.

        A polled source yields what there is and ends.  A live one never ends.
        The first batch of a new source (one whose cursor is empty) is the past:
        it is marked as seen, and nobody is told.  A read that worked yields at
        least one batch, be it empty, so that the caller knows it worked.

        Args:
            cursor: Where the last read ended; empty on the very first.

        Raises:
            Transient: Read again later.
            Rejected: The publisher's answer makes no sense to us; read again
                when it is due, and let a person know.
            Gone: This source will not come back by itself.
        """

    @staticmethod
    def parse(
        body: bytes, *, source: str, url: str, received: datetime
    ) -> tuple[Item, ...]:
        """
        Return the items of one recorded answer, oldest first.

        Args:
            source: What to call the source in the items.
            url: Where the answer came from; relative links are relative to it.
            received: Becomes `Item.seen`, and `published` where none is given.

        Raises:
            Rejected: It is no answer of this kind of source.
        """
