"""
What the program stands on: its locks, the Redis it was given or keeps itself.

Separate processes may share one state folder, each with roles of its own; whichever
comes first starts the embedded server, and if that one ends, another starts it again.
"""

import math
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from socket import gethostname
from uuid import getnode, uuid4

from monitor import log
from monitor.clock import Clock
from monitor.config import Settings
from monitor.errors import Transient, Unavailable
from monitor.secret import Secret
from monitor.stream import GROUPS, Server, Stream
from monitor.systemd import lock_of, only_one

PATIENCE = timedelta(seconds=60)  # with a Redis that is not there yet at the start
LOOK = timedelta(seconds=1)  # between two looks whether it is there
GLANCE = timedelta(seconds=10)  # between two looks whether it was flushed
LOST = (
    "it knows nothing of what was read until now: sources are caught up with from when "
    "they were last read, and what they published since is told as late; what waited "
    "to be sent is lost"
)
STEADY = timedelta(seconds=60)  # a server that ends sooner ends for a reason that stays


@contextmanager
def only_us(settings: Settings, roles: Sequence[str]) -> Iterator[None]:
    """
    Keep a second instance from this state's *roles* and from our accounts.

    Raises:
        Unavailable: There is one already, or the state folder cannot be used.
    """
    state = settings.state
    with ExitStack() as stack:
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{state}: {error.strerror}") from None
        for role in roles:
            stack.enter_context(only_one(state / "lock" / role, f"{state} ({role})"))
        for sink in settings.sinks if "deliver" in roles else ():
            token = getattr(sink, "token", None)
            if isinstance(token, Secret):
                stack.enter_context(only_one(lock_of(token), f"sink {sink.name}"))
        yield


def embedded(settings: Settings, clock: Clock) -> Server | None:
    """Return the server in the state folder, unless one was given."""
    return None if settings.redis else Server(settings.state, clock=clock)


async def connect(
    settings: Settings, clock: Clock, server: Server | None, roles: Sequence[str] = ()
) -> Stream:
    """
    Return the stream, on the given Redis, which may come up only after us, or on ours.

    Args:
        roles: Those that work on it; without, all.

    Raises:
        Unavailable: It did not come up, or is of no use to us.
    """
    url = settings.redis.reveal() if settings.redis else ""
    if server:
        url = await server.ensure()
    stream = await _reached(url, settings, clock, roles or GROUPS)
    _look_at(stream, settings.state)
    return stream


async def _reached(
    url: str, settings: Settings, clock: Clock, groups: Sequence[str]
) -> Stream:
    owner = owner_of(settings.state)
    sinks = [sink.name for sink in settings.sinks]
    began, told = clock.monotonic(), False
    while True:
        try:
            return await Stream.connect(
                url, owner, sinks=sinks, groups=groups, clock=clock
            )
        except Transient as failure:
            if clock.monotonic() - began > PATIENCE.total_seconds():
                raise Unavailable(str(failure)) from None
            if not told:
                log.get("daemon").warning("redis_awaited", why=str(failure))
            told = True
            await clock.sleep(LOOK)


def owner_of(state: Path) -> str:
    """
    Return under which name we read and hold leases: that of this folder, here.

    It is the same after a restart.  A copy of the folder has another one, beside it or
    on another machine: else both would hold every lease, and tell everything twice.
    """
    here = f"{machine()}/{state.resolve()}"
    place = blake2b(here.encode("utf-8", "surrogateescape"), digest_size=6)
    return f"{_kept(state / 'instance', uuid4().hex)}-{place.hexdigest()}"


def machine(identity: Path = Path("/etc/machine-id")) -> str:
    """
    Return what tells this machine from others: its id, and its name.

    Cloned machines may have the same id, those in containers none at all.
    """
    with suppress(OSError, ValueError):
        return f"{identity.read_text('ascii').strip()}/{gethostname()}"
    return f"{getnode():x}/{gethostname()}"


def _look_at(stream: Stream, state: Path) -> None:
    """Tell what is doubtful about this Redis, or whether it is another than before."""
    tell = log.get("daemon").warning
    for fact in stream.facts:
        if fact.judgement == "warn":
            tell("redis_unfit", why=f"{fact.name} is {fact.value}: {fact.advice}")
    if _is_news(stream.epoch, state):
        tell("redis_is_another", why=LOST)


async def watch(
    stream: Stream,
    state: Path,
    clock: Clock,
    remember: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """
    Tell when Redis loses all it has while we work; the stages go on alone.

    Args:
        remember: Called at every look; see `loss.Memory`.
    """
    while True:
        await clock.sleep(GLANCE)
        with suppress(Transient, Unavailable):  # the stages tell of it
            if await stream.is_another() and _is_news(stream.epoch, state):
                log.get("daemon").error("redis_flushed", why=LOST)
            if remember:
                await remember()


def _is_news(epoch: str, state: Path) -> bool:
    """Tell whether this database is another than our state knows, and remember it."""
    known = state / "epoch"
    try:
        before = _kept(known, epoch)
        if before == epoch:
            return False
        (state / "epoch.before").write_text(before, "ascii")  # the doctor sees it
        fresh = known.with_name(f"epoch.{uuid4().hex}")
        fresh.write_text(epoch, "ascii")
        fresh.replace(known)
    except OSError:  # such as a full disk: told once more at the next start
        pass
    return True


async def tend(server: Server | None, clock: Clock) -> None:
    """Start the embedded server again when it is gone, whoever had started it."""
    failing, restless, tell = False, False, log.get("daemon")
    started = -math.inf
    while server:
        await clock.sleep(LOOK)
        before = server.pid
        try:
            await server.ensure()
        except (Unavailable, OSError) as reason:
            if not failing:
                tell.error("server_gone", why=str(reason))
            failing = True
            continue
        failing = False
        if server.pid == before:
            continue
        now = clock.monotonic()
        if now - started > STEADY.total_seconds():
            restless = False
            tell.warning("server_started_again", pid=server.pid)
        elif not restless:
            restless = True
            why = "see the disk's space, and redis/server.log in `state`"
            tell.error("server_keeps_ending", why=why)
        started = now


def _kept(path: Path, text: str) -> str:
    """Return what *path* holds, which is *text* if nobody has written it before."""
    fresh = path.with_name(f"{path.name}.{uuid4().hex}")
    with suppress(FileExistsError):
        fresh.write_text(text, "ascii")
        try:
            os.link(fresh, path)  # of several processes that start, one is first
        finally:
            fresh.unlink()
    return path.read_text("ascii").strip()
