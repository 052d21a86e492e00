"""Whether a Redis server is fit to hold what must not be lost."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from monitor.errors import Unavailable
from monitor.stream.door import Door

OLDEST = (7, 0)  # the first whose scripts may free memory when it is full
FULL = 0.85  # of maxmemory; then nothing more is taken in
ROOMY = 0.80  # of maxmemory; below it, taking in goes on
ROOM = 1 << 30  # bytes free on a disk; under it, nothing more is taken in
AMPLE = ROOM + ROOM // 10  # bytes; above it, taking in goes on


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """
    One thing that was looked at.

    Attributes:
        judgement: `fail` is refused at the start; `warn` is said and lived with.
        advice: What to change, if it is not `ok`.
    """

    name: str
    value: str
    judgement: Literal["ok", "warn", "fail"] = "ok"
    advice: str = ""


async def examine(door: Door) -> list[Fact]:
    """
    Return what is to be known of the server.

    Raises:
        Away, Unavailable: as for `Door.call`.
    """
    return facts(_said(await door.call("INFO")), await _fsync(door))


async def shortage(door: Door, *, stopped: bool) -> str:
    """
    Return why nothing more may be taken in, or nothing; see `fullness`.

    Raises:
        Away, Unavailable: as for `Door.call`.
    """
    return fullness(_said(await door.call("INFO")), stopped=stopped)


def fullness(info: Mapping[str, str], *, stopped: bool) -> str:
    """
    Return why a server should be given nothing more to hold, or nothing.

    Args:
        info: What it says of itself (INFO).
        stopped: It is given nothing now: it has to have some more room before it is
            given anything again, so that it does not go back and forth.
    """
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    limit = ROOMY if stopped else FULL
    if most and used >= limit * most:
        return f"redis holds {_mib(used)} of {_mib(most)}: see what is not worked on"
    if info.get("aof_last_write_status", "ok") != "ok":
        return "redis cannot write its file: see the disk's space and the server's log"
    return ""


def scarcity(free: int, *, stopped: bool) -> str:
    """Return why nothing more should be put on a disk with *free* bytes, or nothing."""
    if free >= (AMPLE if stopped else ROOM):
        return ""
    return f"{_mib(free)} free on the disk: make room, the last 1 GiB is kept back"


def facts(info: Mapping[str, str], fsync: str) -> list[Fact]:
    """Judge what the server says of itself (INFO, and its `appendfsync`)."""
    return [
        _version(info),
        _role(info),
        _append_only(info),
        _fsync_fact(info, fsync),
        _policy(info),
        *_memory(info),
        _write_errors(info),
    ]


def _version(info: Mapping[str, str]) -> Fact:
    version = info.get("redis_version", "0")
    valkey = info.get("valkey_version")
    value = f"Valkey {valkey}" if valkey else f"Redis {version}"
    major, minor = (int(part) for part in f"{version}.0".split(".")[:2])
    if (major, minor) >= OLDEST:
        return Fact(name="version", value=value)
    advice = "run Redis 7.0 or newer, or Valkey"
    return Fact(name="version", value=value, judgement="fail", advice=advice)


def _role(info: Mapping[str, str]) -> Fact:
    role = info.get("role", "unknown")
    if role in ("master", "unknown"):
        return Fact(name="role", value=role)
    advice = "a replica takes no writes: name the primary in `redis:`"
    return Fact(name="role", value=role, judgement="warn", advice=advice)


def _append_only(info: Mapping[str, str]) -> Fact:
    if info.get("aof_enabled") == "1":
        return Fact(name="appendonly", value="yes")
    advice = "set `appendonly yes`: now a crash of the server loses minutes to an hour"
    return Fact(name="appendonly", value="no", judgement="warn", advice=advice)


def _fsync_fact(info: Mapping[str, str], fsync: str) -> Fact:
    if fsync != "no" or info.get("aof_enabled") != "1":
        return Fact(name="appendfsync", value=fsync)
    advice = "set `appendfsync always`, or `everysec` to lose a second to a power cut"
    return Fact(name="appendfsync", value=fsync, judgement="warn", advice=advice)


def _policy(info: Mapping[str, str]) -> Fact:
    policy = info.get("maxmemory_policy", "unknown")
    if policy in ("noeviction", "unknown"):
        return Fact(name="maxmemory-policy", value=policy)
    advice = "set `maxmemory-policy noeviction`: any other one deletes what waits"
    return Fact(name="maxmemory-policy", value=policy, judgement="fail", advice=advice)


def _memory(info: Mapping[str, str]) -> list[Fact]:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    limit = Fact(name="maxmemory", value=_mib(most) if most else "none")
    if most and used >= FULL * most:
        advice = "raise `maxmemory`, or see which queue is not being worked on"
        full = Fact(name="used", value=_mib(used), judgement="warn", advice=advice)
        return [limit, full]
    return [limit, Fact(name="used", value=_mib(used))]


def _write_errors(info: Mapping[str, str]) -> Fact:
    said = ("rdb_last_bgsave_status", "aof_last_write_status")
    failed = [name for name in said if info.get(name, "ok") != "ok"]
    if not failed:
        return Fact(name="last write to disk", value="ok")
    advice = f"{', '.join(failed)}: see the disk's space and the server's log"
    return Fact(
        name="last write to disk", value="failed", judgement="warn", advice=advice
    )


async def _fsync(door: Door) -> str:
    try:
        answer = await door.call("CONFIG", "GET", "appendfsync")
    except Unavailable:  # the user is not allowed to ask, which is no fault
        return "unknown"
    return answer[1].decode() if answer else "unknown"


def _said(info: bytes) -> dict[str, str]:
    """Return the fields of an answer to INFO."""
    lines = info.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
