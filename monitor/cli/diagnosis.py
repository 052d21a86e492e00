"""What `monitor doctor` looks at: Redis, the clock, the disk, the secrets."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from monitor.cli.operate import stream_of
from monitor.config import Settings
from monitor.errors import Transient, Unavailable

Level = Literal["ok", "warn", "fail"]

BUILT = datetime(2026, 11, 1, tzinfo=UTC)  # a clock before this has no time yet
ROOM = 1 << 30  # bytes; under it, intake stops before anything is lost
SIGNS = {"ok": "✓", "warn": "!", "fail": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, how it is, and what to do about it."""

    what: str
    level: Level
    said: str

    def __str__(self) -> str:
        return f"{SIGNS[self.level]} {self.what}: {self.said}"


async def examine(settings: Settings) -> list[Finding]:
    """Return what there is to say of everything the program stands on."""
    found = [_clock(), _disk(settings.state), *_state(settings.state)]
    try:
        async with stream_of(settings) as stream:
            found += [
                Finding(f"redis {one.name}", one.judgement, _words(one))
                for one in await stream.doctor()
            ]
    except Unavailable as reason:
        level: Level = "fail" if settings.redis else "warn"
        found.append(Finding("redis", level, str(reason)))
    except Transient as reason:
        found.append(Finding("redis", "fail", str(reason)))
    # a secret that is missing or that others can read has refused the configuration
    found.append(Finding("secrets", "ok", "all are there, and only we can read them"))
    return found


def _words(fact: Any) -> str:
    return f"{fact.value}: {fact.advice}" if fact.advice else fact.value


def _clock() -> Finding:
    now = datetime.now(UTC)
    if now < BUILT:
        return Finding(
            "clock", "fail", f"it says {now:%Y-%m-%d}: set it, run timesyncd"
        )
    if Path("/run/systemd/timesync/synchronized").exists():
        return Finding("clock", "ok", "synchronised")
    return Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC; not known who sets it")


def _disk(state: Path) -> Finding:
    place = next(p for p in (state, *state.parents) if p.exists())
    free = shutil.disk_usage(place).free
    said = f"{free / (1 << 30):.1f} GiB free at {place}"
    return Finding("disk", "ok" if free > ROOM else "fail", said)


def _state(state: Path) -> Iterator[Finding]:
    if not state.exists():
        yield Finding("state", "ok", f"{state} will be made at the first start")
    elif state.stat().st_mode & 0o077:
        yield Finding("state", "warn", f"others can look into it: chmod 700 {state}")
    elif not os.access(state, os.W_OK):
        yield Finding("state", "fail", f"{state} cannot be written by this user")
    else:
        yield Finding("state", "ok", f"{state} is ours alone")
