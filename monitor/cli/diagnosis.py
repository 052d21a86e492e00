"""What `monitor doctor` looks at: Redis, the clock, the disk, the secrets."""

import ctypes
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from monitor.cli.locks import ROLES, holder_of, lock_in
from monitor.cli.reach import stream_of, url_of
from monitor.config import Settings
from monitor.errors import Transient, Unavailable
from monitor.loss import SLACK, known_of
from monitor.secret import Secret, redact
from monitor.stream import Stream, find_binary
from monitor.stream.doctor import ROOM, Fact, survey
from monitor.stream.door import Door

Level = Literal["ok", "warn", "fail"]

BUILT = datetime(2026, 11, 1, tzinfo=UTC)  # a clock before this has no time yet
UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
TIMEX = 512  # bytes; the struct it fills has 208
REMEMBERED = timedelta(days=7)  # for so long a loss of progress is told
BACKLOG = 10_000  # entries that a stage has not worked on; a good hour of all sources


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at, and how it is.

    Attributes:
        level: `fail` is to be mended now, `warn` is lived with.
        said: What was seen.
        advice: What to do about it; empty if all is well.
    """

    what: str
    level: Level
    said: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Return what there is to say of everything the program stands on."""
    found = [_clock(), _disk(settings.state), _state(settings.state)]
    found += [*_secrets(settings), _roles(settings.state)]
    try:
        found += [one async for one in _redis(settings)]
    except (Transient, Unavailable) as reason:
        found.append(Finding("redis", "fail", redact(str(reason))))
    return found


async def _redis(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what the server says of itself, and what lies in it."""
    url = await url_of(settings)
    if url is None:
        yield _embedded(settings.state)
        return
    door = Door(url, "")
    try:
        facts = await survey(door, datetime.now(UTC))
    finally:
        await door.aclose()
    for fact in facts:
        yield _fact(fact)
    if all(fact.judgement != "fail" for fact in facts):
        async with stream_of(settings) as stream:
            pulse = await stream.database.pulse(count=False)
            yield _progress(stream.epoch, pulse.count, settings.state)
            yield _missing(await stream.database.missing())
            yield _dead(len(await stream.dead()))
            yield _parked(await stream.directory.parking())
            yield await _backlog(stream)


def _fact(fact: Fact) -> Finding:
    return Finding(f"redis {fact.name}", fact.judgement, fact.value, fact.advice)


def _embedded(state: Path) -> Finding:
    """Return what is to be said of a server that does not run."""
    try:
        binary = find_binary()
    except Unavailable as reason:
        return Finding("redis", "fail", "not running, and none to start", str(reason))
    said = f"not running on {state}; `monitor run` starts {binary}"
    return Finding("redis", "warn", said, "look again while it runs")


def _missing(missing: dict[str, int]) -> Finding:
    """Return whether somebody removed what waits."""
    if not missing:
        return Finding("queues", "ok", "nothing was removed from them by hand")
    said = ", ".join(f"{name}: {count} entries" for name, count in missing.items())
    advice = "somebody removed them, and they may not have been told: who has `xadd`?"
    return Finding("queues", "warn", said, advice)


def _progress(epoch: str, count: int, state: Path) -> Finding:
    """Return whether this is the Redis in which our progress was, and as new."""
    known, lost = state / "epoch", state / "epoch.before"
    remembered = known_of(state)
    if remembered and remembered.epoch == epoch and count < remembered.count - SLACK:
        said = "this Redis is an older state of the one that was worked on"
        advice = "was a backup put back?  The sources are read again from there"
        return Finding("progress", "fail", said, advice)
    if os.access(known, os.R_OK) and known.read_text("ascii").strip() != epoch:
        said = "this Redis knows nothing of what was read until now"
        advice = "was it flushed, or is another one named in `redis:`?"
        return Finding("progress", "fail", said, advice)
    if os.access(lost, os.R_OK):
        when = datetime.fromtimestamp(lost.stat().st_mtime, UTC)
        if datetime.now(UTC) - when < REMEMBERED:
            said = f"lost with what was in Redis, {when:%Y-%m-%d %H:%M} UTC"
            advice = "posts around then were not told; see who flushed or replaced it"
            return Finding("progress", "warn", said, advice)
    return Finding("progress", "ok", "kept")


def _dead(count: int) -> Finding:
    if not count:
        return Finding("dead letters", "ok", "none")
    return Finding("dead letters", "warn", str(count), "see: monitor dead list")


def _parked(parked: dict[str, str]) -> Finding:
    if not parked:
        return Finding("parked", "ok", "nobody")
    who = "; ".join(f"{name}: {why}" for name, why in sorted(parked.items())[:10])
    advice = "mend the cause; it is tried again within a day, or at a reload (SIGHUP)"
    return Finding("parked", "warn", redact(who), advice)


async def _backlog(stream: Stream) -> Finding:
    """Return how much waits for the stages that work on it."""
    waiting = {
        f"{one.queue} for {one.group}": one.pending + (one.lag or 0)
        for one in await stream.depths()
    }
    late = {name: count for name, count in waiting.items() if count > BACKLOG}
    if not late:
        return Finding("backlog", "ok", f"{sum(waiting.values())} entries wait")
    said = ", ".join(f"{name}: {count}" for name, count in late.items())
    return Finding("backlog", "warn", said, "does that role run? its log says why not")


def _clock() -> Finding:
    now = datetime.now(UTC)
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < BUILT:
        return Finding("clock", "fail", said, "it is wrong: set it, and run timesyncd")
    state = _adjtimex()
    if state == UNSYNCHRONISED:
        advice = "nothing keeps it right: run systemd-timesyncd or chrony"
        return Finding("clock", "warn", f"{said}, not synchronised", advice)
    known = "synchronised" if state >= 0 else "not known who keeps it"
    return Finding("clock", "ok", f"{said}, {known}")


def _adjtimex() -> int:
    """Return the kernel's state of the clock; negative where it does not tell us."""
    ask = getattr(ctypes.CDLL(None), "adjtimex", None)
    # a struct of noughts asks and changes nothing
    return int(ask(ctypes.create_string_buffer(TIMEX))) if ask else -1


def _disk(state: Path) -> Finding:
    place = next(one for one in (state, *state.parents) if one.exists())
    free = shutil.disk_usage(place).free
    said = f"{free / (1 << 30):.1f} GiB free at {place}"
    if free > ROOM:
        return Finding("disk", "ok", said)
    return Finding("disk", "fail", said, "make room: under 1 GiB nothing more is taken")


def _state(state: Path) -> Finding:
    if not state.exists():
        return Finding("state", "ok", f"{state} will be made at the first start")
    if not state.is_dir():
        return Finding("state", "fail", f"{state} is no folder", "move it away")
    if not os.access(state, os.W_OK | os.X_OK):
        advice = "run this as the user that the program runs as"
        return Finding("state", "fail", f"we cannot write to {state}", advice)
    if state.stat().st_mode & 0o077:
        said = f"others can look into {state}"
        return Finding("state", "warn", said, f"chmod 700 {state}")
    return Finding("state", "ok", f"{state} is ours alone")


def _roles(state: Path) -> Finding:
    """Return which roles run here; they may run elsewhere, so none is no failure."""
    holders = {role: holder_of(lock_in(state, role)) for role in ROLES}
    said = ", ".join(f"{role} ({pid})" for role, pid in holders.items() if pid)
    absent = [role for role, pid in holders.items() if not pid]
    if not absent:
        return Finding("roles", "ok", f"all run: {said}")
    missing = f"{said or 'none'}; not running here: {', '.join(absent)}"
    return Finding("roles", "warn", missing, "start them with: monitor run")


def _secrets(settings: Settings) -> Iterator[Finding]:
    """Yield every secret in use: one missing or open has refused the configuration."""
    parts: list[tuple[str, Any]] = [(f"sink {one.name}", one) for one in settings.sinks]
    parts += [(f"source {one.origin.source}", one) for one in settings.sources]
    for owner, part in parts:
        for one in fields(part) if is_dataclass(part) else ():
            if isinstance(getattr(part, one.name), Secret):
                what = f"secret {one.name} of {owner}"
                yield Finding(what, "ok", "is there, and not open to others")
