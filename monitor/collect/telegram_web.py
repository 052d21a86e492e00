"""
Telegram without an account: the public preview, https://t.me/s/<channel>.

A page has about 20 messages, ascending; ``?before=N`` asks for the ones before N.  A
read takes the newest page, and older ones until it meets what it knows; so nothing
depends on how many posts a page has.  As the newest page is read again each time, it
also tells of edits and deletions:

* every post is handed over as it stands now, and the stream sees what changed;
* a post that is remembered and missing on the page is asked for by itself, for a page
  may lack a post that still exists.  Only "Post not found" means that it was deleted.

A name can change hands, a number cannot: the channel's numeric id, which every post
carries, is pinned, and nothing of another channel is handed over under its name.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from monitor.collect.source import Batch
from monitor.collect.telegram_numbers import notes_of
from monitor.collect.telegram_page import (
    Page,
    Post,
    channel_number,
    is_usual,
    read_page,
)
from monitor.errors import Failure, Gone, Rejected, Transient
from monitor.item import Item, Origin
from monitor.web import Answer, Web

PAGES = 250  # the most that one read goes back
REMEMBERED = 100  # posts, some five pages
QUESTIONS = 5  # about missing posts, a read
BACKDATED = 600  # seconds that a post may be older than its coming out
ASK_AGAIN = 600  # seconds until a question without a clear answer is asked again
PATIENCE = 120  # seconds; one of t.me's servers may lag behind another
OK = 200


class Known(msgspec.Struct, frozen=True, array_like=True):
    """A post that was seen: its number, that of its last part, when it came out."""

    id: int
    last: int
    published: int


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What the cursor holds.

    Attributes:
        channel: The numeric id that the name is pinned to.
        newest: The highest number seen, parts of albums and service messages too.
        since: The lowest number of the first read; what is below it is the past, and
            moves onto the page when newer posts are deleted.
        posts: The newest posts, ascending.
        begun: When a first read found no posts (Unix time); what is older is the past.
        doubts: Posts that were missing, and when to ask for them (Unix time).
    """

    channel: int | None = None
    newest: int = 0
    since: int = 0
    begun: int = 0
    posts: tuple[Known, ...] = ()
    doubts: dict[int, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Telegram:
    """
    One public channel.

    Attributes:
        channel: Its name, without the "@".
        id: Its numeric id, plain or as ``-100…``; otherwise the first seen is pinned.
        preview: Where ``/s/<channel>`` is read.

    Raises:
        ValueError: The name cannot be one of a channel.
    """

    origin: Origin
    every: timedelta = timedelta(seconds=20)
    channel: str
    id: int | None = None
    preview: str = "https://t.me"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", self.channel):
            raise ValueError(f"{self.channel!r} is no name of a public channel")

    async def read(self, cursor: str, web: Web) -> AsyncIterator[Batch]:
        """Yield what is on the pages since *cursor*; see `Source.read`."""
        memory = self._recall(cursor)
        pages, gap = await self._walk(memory, web, back=bool(cursor))
        after = memory.newest if not gap else pages[0].posts[0].id - 1
        for page, posts, known in _account(memory, pages):
            start = max(after, known.since - 1)
            notes = notes_of(self.origin.source, page.posts, start, page.received)
            memory, after = known, known.newest
            items = tuple(post.item for post in posts if post.item)
            yield Batch(items=items, cursor=_write(memory), notes=notes, gap=gap)
            gap = False
        items, known = await self._ask(memory, pages[-1], web)
        if known != memory:
            yield Batch(items=items, cursor=_write(known))

    @staticmethod
    def parse(
        body: bytes, *, source: str, url: str, received: datetime
    ) -> tuple[Item, ...]:
        """Return the posts of one page; see `Source.parse`."""
        page = read_page(body, source=source, received=received)
        if not page.posts and not page.empty:
            where = f"{url}: " if url else ""
            raise Rejected(f"{where}the page has no posts, and is of no channel")
        return tuple(post.item for post in page.posts if post.item)

    def _recall(self, cursor: str) -> Memory:
        try:
            memory = msgspec.json.decode(cursor or "{}", type=Memory)
        except msgspec.MsgspecError as error:
            raise Rejected(f"{self.channel}: the cursor is damaged: {error}") from None
        if self.id is None:
            return memory
        number = channel_number(self.id)
        if memory.channel not in {None, number}:
            raise Gone(
                f"{self.channel}: what was read is of channel {memory.channel}, the"
                f" settings say {number}; give the other channel a source of its own"
            )
        return msgspec.structs.replace(memory, channel=number)

    async def _walk(
        self, memory: Memory, web: Web, *, back: bool
    ) -> tuple[list[Page], bool]:
        """Return pages from what is known to the newest, and whether some miss."""
        pages = [await self._page(web, memory.channel)]
        pin = memory.channel or next(iter(pages[0].channels), None)
        while back and pages[0].posts and pages[0].posts[0].id > memory.newest + 1:
            before = pages[0].posts[0].id
            if _last_of_the_past(memory, pages[0].posts):
                break
            if len(pages) == PAGES:
                return pages, True
            page = await self._page(web, pin, f"?before={before}")
            if not page.posts:
                break  # the start of the channel
            if page.posts[0].id >= before:
                return pages, True
            pages.insert(0, page)
        return pages, False

    async def _page(self, web: Web, pin: int | None, query: str = "") -> Page:
        url = f"{self.preview.rstrip('/')}/s/{self.channel}{query}"
        answer = await web.get(url, follow=False)
        if answer.status != OK:
            raise Rejected(
                f"no public preview of {self.channel} ({answer.status}): it is absent,"
                " private, restricted, a group, or has its preview switched off"
            )
        page = await self._read(answer)
        if not page.posts and not page.empty:
            raise Rejected(f"{self.channel}: a page that has no posts and no reason")
        for number in page.channels:
            if number != (pin or page.channels[0]):
                raise Gone(
                    f"{self.channel}: the name changed hands: it was channel"
                    f" {pin or page.channels[0]}, and is channel {number} now; if the"
                    " settings name another than before, give it a source of its own"
                )
        return page

    async def _read(self, answer: Answer) -> Page:
        """Return the page; nothing else waits while an unusual one is read."""
        read = partial(
            read_page,
            answer.body,
            source=self.origin.source,
            received=answer.received,
        )
        return read() if is_usual(answer.body) else await asyncio.to_thread(read)

    async def _ask(
        self, memory: Memory, page: Page, web: Web
    ) -> tuple[tuple[Item, ...], Memory]:
        """Ask for missing posts that are due; return the deleted, and what we know."""
        now = int(page.received.timestamp())
        due = sorted((at, number) for number, at in memory.doubts.items() if at <= now)
        items = []
        for _, number in due[:QUESTIONS]:
            try:
                deleted = await self._deleted(memory, number, page.name, web)
            except Transient:
                break  # and the next read learns how long to wait
            except Failure:
                deleted = None
            if deleted:
                items.append(deleted)
                memory = _forget(memory, number)
            else:
                memory = _doubt(memory, number, now + ASK_AGAIN)
        return tuple(items), memory

    async def _deleted(
        self, memory: Memory, number: int, name: str, web: Web
    ) -> Item | None:
        """Return the post's deletion, if its own page says that there is none."""
        url = f"{self.preview.rstrip('/')}/{self.channel}/{number}?embed=1&mode=tme"
        answer = await web.get(url, follow=False)
        page = await self._read(answer)
        # "Channel … not found" says nothing of the post
        if page.posts or not page.error or "channel" in page.error.lower():
            return None
        published = next(post.published for post in memory.posts if post.id == number)
        return Item(
            source=self.origin.source,
            id=str(number),
            change="deleted",
            url=f"https://t.me/{name or self.channel}/{number}",
            published=datetime.fromtimestamp(published, UTC),
            seen=answer.received,
        )


def _account(
    memory: Memory, pages: Sequence[Page]
) -> Iterator[tuple[Page, list[Post], Memory]]:
    """
    Yield each page, those of its posts that count, and what is known after it.

    A page that was cut is the last, unless it is the newest anyway: beyond it, posts
    would be skipped.
    """
    cut = next((n for n, page in enumerate(pages) if page.cut), len(pages) - 1)
    present: set[int] = set()
    if not memory.newest:
        memory = _begun(memory, pages)
    for page in pages[: cut + 1]:
        recent = [post for post in page.posts if post.last >= memory.since]
        posts = _recognised(memory, recent, edge=page is pages[0])
        present.update(post.id for post in posts)
        memory = _after(memory, page, posts)
        if page is pages[cut]:
            memory = _doubting(memory, pages[: cut + 1], present)
        yield page, posts, memory


def _begun(memory: Memory, pages: Sequence[Page]) -> Memory:
    """Return *memory* with what tells the past of a channel from its news."""
    posts = [post for page in pages for post in page.posts]
    if not posts:
        begun = memory.begun or int(pages[0].received.timestamp())
        return msgspec.structs.replace(memory, begun=begun)
    first = max(posts[0].id, _last_of_the_past(memory, posts) + 1)
    return msgspec.structs.replace(memory, since=first)


def _last_of_the_past(memory: Memory, posts: Iterable[Post]) -> int:
    """Return the last number from before a first read that found nothing, or 0."""
    if memory.newest or not memory.begun:
        return 0
    before = datetime.fromtimestamp(memory.begun - BACKDATED, UTC)
    past = (p.last for p in posts if p.item and p.item.published < before)
    return max(past, default=0)


def _recognised(memory: Memory, posts: Iterable[Post], *, edge: bool) -> list[Post]:
    """
    Return *posts*, those that begin with a later part of a known album under its id.

    Either the album's first part was deleted, or the page begins inside the album; at
    the *edge* of what was read that cannot be told apart, so it is left out there.
    """
    found = []
    for place, post in enumerate(posts):
        album = next((a for a in memory.posts if a.id < post.id <= a.last), None)
        if album is None:
            found.append(post)
        elif post.item and not (edge and place == 0):
            url = post.item.url.removesuffix(str(post.id)) + str(album.id)
            item = msgspec.structs.replace(post.item, id=str(album.id), url=url)
            parts = (post.id, *post.parts)
            found.append(Post(id=album.id, item=item, parts=parts))
    return found


def _after(memory: Memory, page: Page, posts: Iterable[Post]) -> Memory:
    """Return *memory* with the posts of *page* in it."""
    known = {post.id: post for post in memory.posts}
    for post in posts:
        if post.item:
            published = int(post.item.published.timestamp())
            known[post.id] = Known(post.id, post.last, published)
    return msgspec.structs.replace(
        memory,
        channel=memory.channel or next(iter(page.channels), None),
        newest=max([memory.newest, *(post.last for post in page.posts)]),
        posts=tuple(known[number] for number in sorted(known)[-REMEMBERED:]),
    )


def _doubting(memory: Memory, pages: Sequence[Page], present: set[int]) -> Memory:
    """
    Return *memory* with the doubts that *pages*, read without a gap, give rise to.

    A post between those that are there is asked for at once.  One that is newer than
    all of them may be unknown yet to the server that answered: it has some time.
    """
    numbers = [post.id for page in pages for post in page.posts]
    low, high = min(numbers, default=0), max(numbers, default=0)
    now = int(pages[-1].received.timestamp())
    doubts = {}
    for number in (post.id for post in memory.posts if post.id not in present):
        if number in memory.doubts:
            doubts[number] = memory.doubts[number]
        elif low < number < high:
            doubts[number] = now
        elif number > high and not pages[-1].cut:
            doubts[number] = now + PATIENCE
    return msgspec.structs.replace(memory, doubts=doubts)


def _doubt(memory: Memory, number: int, at: int) -> Memory:
    return msgspec.structs.replace(memory, doubts={**memory.doubts, number: at})


def _forget(memory: Memory, number: int) -> Memory:
    return msgspec.structs.replace(
        memory,
        posts=tuple(post for post in memory.posts if post.id != number),
        doubts={n: at for n, at in memory.doubts.items() if n != number},
    )


def _write(memory: Memory) -> str:
    return msgspec.json.encode(memory).decode()
