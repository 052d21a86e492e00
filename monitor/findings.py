"""
What in an account calls for somebody, and how far the accounting has come; pure.

Each finding is a trouble for the operators: a key that stays while it lasts, and a text
that says what is wrong and what to do.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from monitor.account import UNEXPLAINED, Account
from monitor.stream import Depth, Letter

PATIENCE = timedelta(minutes=10)  # with what is on its way
OVERLAP = timedelta(minutes=10)  # what was seen first may be accepted last
LONGEST = timedelta(hours=24)  # of one window; after a long pause there are several
FIRST = timedelta(minutes=10)  # the window of an instance that never kept account
NAMED = 3  # keys or gaps that a text names
REASONS = 5  # kinds of dead letters that are told apart


class Window(NamedTuple):
    """A stretch of time, from `since` until before `until`."""

    since: datetime
    until: datetime


class Kept(msgspec.Struct, frozen=True):
    """
    How far the accounting has come.

    Attributes:
        until: Before then all is accounted for.
        last: The last number of each channel by then.
        found: What was found in the last window, by key.
        missing: How many entries of each queue were removed by others.
    """

    until: datetime | None = None
    last: dict[str, int] = {}
    found: dict[str, str] = {}
    missing: dict[str, int] = {}

    def window(self, now: datetime, unarchived: datetime | None) -> Window | None:
        """
        Return what is to be accounted for now; None if it is too early.

        Args:
            unarchived: When the oldest entry came that the archive does not hold.
        """
        end = now - PATIENCE
        if unarchived is not None:
            end = min(end, unarchived)
        until = self.until
        if until is None or until > now:  # the clock was ahead
            until = end - FIRST
        if end <= until:
            return None
        return Window(until - OVERLAP, min(end, until + LONGEST))


def found(accounts: Iterable[Account], window: Window) -> dict[str, str]:
    """Return what of *accounts* is unexplained."""
    findings: dict[str, str] = {}
    for account in accounts:
        if account.gaps:
            findings[f"gap:{account.source}"] = _gap(account)
        if account.unexplained:
            findings[f"lost:{account.source}"] = _lost(account, window)
    return findings


def letters(dead: Sequence[Letter]) -> dict[str, str]:
    """Return the dead letters that wait for somebody, by where and why they died."""
    alike: dict[tuple[str, str], int] = defaultdict(int)
    for letter in dead:
        alike[letter.queue, letter.why] += 1
    findings = {}
    for queue, why in list(alike)[:REASONS]:
        findings[f"dead:{_digest(queue, why)}"] = (
            f"{_some(alike[queue, why], 'dead letter')} in {queue}: {why}."
            " See: monitor dead list. Once the cause is mended: monitor dead retry."
        )
    rest = sum(alike[key] for key in list(alike)[REASONS:])
    if rest:
        findings["dead:more"] = f"{_some(rest, 'dead letter')} more, for other reasons."
    return findings


def orphans(depths: Iterable[Depth], outboxes: Collection[str]) -> dict[str, str]:
    """Return what waits in outboxes of which no sink is configured."""
    waiting = (depth for depth in depths if depth.queue.startswith("outbox:"))
    return {
        f"outbox:{one.queue}": f"{_some(one.length, 'alert')} in {one.queue} for a sink"
        " that is configured no more: give one this name again, and all is sent."
        for one in waiting
        if one.length and one.queue not in outboxes
    }


def removed(missing: Mapping[str, int], known: Mapping[str, int]) -> dict[str, str]:
    """Return what was removed from the queues since it was *known* how much is gone."""
    return {
        f"removed:{queue}:{count}": "Somebody else than the program removed"
        f" {_some(count - known.get(queue, 0), 'entry')} of {queue}, and what was in it"
        " may be lost. See who else uses this Redis, and monitor account."
        for queue, count in missing.items()
        if count > known.get(queue, 0)
    }


def _gap(account: Account) -> str:
    gaps = account.gaps
    named = ", ".join(
        f"{gap.first}" if gap.size == 1 else f"{gap.first}–{gap.last}"
        for gap in gaps[:NAMED]
    )
    more = f" and {len(gaps) - NAMED} gaps more" if len(gaps) > NAMED else ""
    count = sum(gap.size for gap in gaps)
    return (
        f"{account.source} published {_some(count, 'number')} that nobody saw:"
        f" {named}{more}. Look there yourself: they are not read any more."
    )


def _lost(account: Account, window: Window) -> str:
    posts = account.versions.get(UNEXPLAINED, 0)
    alerts = account.matches.get(UNEXPLAINED, 0)
    said = list[str]()
    if posts:
        said.append(f"{_some(posts, 'post')} taken in and never judged")
    if alerts:
        said.append(f"{_some(alerts, 'alert')} neither told nor waiting")
    keys = ", ".join(account.unexplained[:NAMED])
    since, until = (f"{one:%Y-%m-%dT%H:%MZ}" for one in _whole(window))
    return (
        f"{account.source}: {' and '.join(said)}, such as {keys}. See: monitor account"
        f" --from {since} --to {until} --source {account.source}"
    )


def _whole(window: Window) -> Iterator[datetime]:
    """Yield whole minutes around a window."""
    yield window.since
    yield window.until + timedelta(minutes=1)


def _some(count: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count} {what if count == 1 else plural}"


def _digest(*texts: str) -> str:
    return blake2b("\x1f".join(texts).encode(), digest_size=6).hexdigest()
