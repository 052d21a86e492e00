"""
What the numbers of a channel are that are no posts of their own.

A channel counts everything: posts, further parts of albums, service messages.  The
preview shows all that is public, so a number between two that are shown belongs to
something that was deleted, or hidden, before we looked.  Where nothing was looked at,
nothing is said: those numbers stay unexplained, and the account shows them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from monitor.collect.telegram_page import Post
from monitor.item import Note, What

WIDEST = 1_000  # numbers that are missing in a row; more are for a person to look at
MOST = 2_000  # notes of one page, which has some 20 posts

_Meaning = tuple[What, str]


def notes_of(
    source: str, posts: Sequence[Post], after: int, received: datetime
) -> tuple[Note, ...]:
    """
    Return what the numbers above *after* are that are no posts of their own.

    Args:
        posts: All that a page shows, ascending; nothing that is public is missing
            between them, nor between the first of them and *after*.
    """
    told = islice(_meanings(posts, after), MOST)
    return tuple(
        Note(source=source, id=str(number), what=what, why=why, at=received)
        for number, (what, why) in told
    )


def _meanings(posts: Sequence[Post], after: int) -> Iterator[tuple[int, _Meaning]]:
    """Yield each number above *after* that is no post, and what it is."""
    shown = _shown(posts)
    last_parts = {post.last: post for post in posts}
    before = after
    for number in sorted(number for number in shown if number > after):
        if number - before - 1 <= WIDEST:
            yield from _hole(before, number, last_parts.get(before))
        meaning = shown[number]
        if meaning:
            yield number, meaning
        before = number


def _shown(posts: Sequence[Post]) -> dict[int, _Meaning | None]:
    """Return every number that the page shows, and what it is if it is no post."""
    shown: dict[int, _Meaning | None] = {}
    for post in posts:
        shown.update({part: ("part", str(post.id)) for part in post.parts})
    for post in posts:
        shown[post.id] = None if post.item else ("service", "")
    return shown


def _hole(
    before: int, number: int, post: Post | None
) -> Iterator[tuple[int, _Meaning]]:
    """
    Yield what lies between two numbers that are shown, the first by the end of *post*.

    A message has one medium: a post that shows more of them is an album, even where
    its parts are no links, as those of documents.
    """
    media = len(post.item.media) if post and post.item else 0
    unlinked = max(media - 1 - len(post.parts), 0) if post else 0
    for missing in range(before + 1, number):
        if post and missing - before <= unlinked:
            yield missing, ("part", str(post.id))
        else:
            yield missing, ("absent", "")
