"""
By what the entries of a feed are known, from one read to the next.

The publisher's own id is kept as it is.  Without one, an entry has the id that it had
at the read before, if it is one of those; of those that share their link it is the one

1. with its date and words;
2. with its date, if each time one has that: the words were edited;
3. with its words, if the link has none of its dates any more: there are publishers who
   date everything anew at each answer;
4. that was the only one, if it is so now too, and the link is more than a whole site.

Any other is new: a lost warning is worse than a second one.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from monitor.collect.feed_entry import Entry, canonical, short


class Sign(NamedTuple):
    """What an entry without an id can be known again by; each a hash, or empty."""

    place: str
    when: str
    words: str


class Known(NamedTuple):
    """An entry of the last read, and the id it was given."""

    sign: Sign
    id: str


def known(named: Mapping[str, Entry]) -> tuple[Known, ...]:
    """Return what to remember of entries *named* by their ids."""
    return tuple(
        Known(_sign(entry), identity)
        for identity, entry in named.items()
        if not entry.native
    )


def named(entries: Sequence[Entry], before: Sequence[Known] = ()) -> dict[str, Entry]:
    """
    Return *entries* by their ids, in their order.

    Of the new ones that share their usual id, the oldest has it.
    """
    kept = _kept([entry for entry in entries if not entry.native], before)
    taken = {one.id for one in before}
    found: dict[str, Entry] = {}
    for entry in entries:
        usual, full = entry.identities()
        identity = None if entry.native else kept.get(_sign(entry))
        found[identity or (full if usual in taken else usual)] = entry
        if not entry.native:
            taken.add(usual)
    return found


def _kept(entries: Iterable[Entry], before: Iterable[Known]) -> dict[Sign, str]:
    then: dict[str, list[Known]] = {}
    for one in before:
        then.setdefault(one.sign.place, []).append(one)
    now: dict[str, dict[Sign, str]] = {}
    for entry in entries:
        sign = _sign(entry)
        if sign.place in then:
            now.setdefault(sign.place, {})[sign] = canonical(entry.link)
    kept: dict[Sign, str] = {}
    for place, signs in now.items():
        link = next(iter(signs.values()))
        kept |= _again(list(signs), then[place], link)
    return kept


def _again(now: Sequence[Sign], then: Sequence[Known], link: str) -> dict[Sign, str]:
    """Return the ids of those of *now* that were there *then*; all share one *link*."""
    page = "/" in link or "?" in link
    told = dict(then)
    found = _of_one_date(now, then, undated=page)
    found |= {sign: told[sign] for sign in now if sign in told}
    if not found and link:
        found = _of_one_wording(now, then)
    if not found and page and len(now) == len(then) == 1:
        found = {now[0]: then[0].id}
    return found


def _of_one_date(
    now: Sequence[Sign], then: Sequence[Known], *, undated: bool
) -> dict[Sign, str]:
    dates = Counter(sign.when for sign in now)
    earlier = Counter(one.sign.when for one in then)
    ids = {one.sign.when: one.id for one in then}
    return {
        sign: ids[sign.when]
        for sign in now
        if dates[sign.when] == earlier[sign.when] == 1 and (sign.when or undated)
    }


def _of_one_wording(now: Sequence[Sign], then: Sequence[Known]) -> dict[Sign, str]:
    left: dict[str, deque[str]] = {}
    for one in then:
        left.setdefault(one.sign.words, deque()).append(one.id)
    return {sign: left[sign.words].popleft() for sign in now if left.get(sign.words)}


def _sign(entry: Entry) -> Sign:
    words, when = short(entry.words), entry.when and short(entry.when)
    link = canonical(entry.link)
    if link:
        return Sign(short(link), when, words)
    titled = when and entry.title.source
    return Sign(short(f"\n{entry.title.source}") if titled else words, when, words)
