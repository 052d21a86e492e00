"""Whether a Redis server is fit to hold what must not be lost."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from monitor.errors import Unavailable
from monitor.stream.door import Door

OLDEST = (7, 0)  # the first whose scripts may free memory when it is full
FULL = 0.85  # of maxmemory; then nothing more is taken in
ROOMY = 0.80  # of maxmemory; below it, taking in goes on
ROOM = 1 << 30  # bytes free on a disk; under it, nothing more is taken in
APART = 5  # seconds between two clocks that somebody keeps right
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
SETTINGS = (
    "appendfsync", "bind", "databases", "port", "protected-mode", "tls-port",
    "unixsocketperm",
)  # fmt: skip
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
    Return what is to be known of the server before it is used.

    A user of few rights asks for nothing that it may not: that would look like an
    intrusion.

    Raises:
        Away, Unavailable: as for `Door.call`.
    """
    info = _said(await door.call("INFO"))
    unlimited = await _asked(door, "ACL", "WHOAMI") == b"default"
    settings = await _settings(door) if unlimited else {}
    return facts(info, settings.get("appendfsync", "unknown"))


async def survey(door: Door, now: datetime) -> list[Fact]:
    """
    Return all that is to be known of the server, and who may reach it.

    Args:
        now: What time it is here.

    Raises:
        Away, Unavailable: as for `Door.call`.
    """
    info = _said(await door.call("INFO"))
    settings = await _settings(door)
    user = (await _asked(door, "ACL", "WHOAMI") or b"unknown").decode()
    client = _words(await _asked(door, "CLIENT", "INFO") or b"")
    time = await _asked(door, "TIME")
    return [
        *facts(info, settings.get("appendfsync", "unknown")),
        *access(user, settings),
        _database(client.get("db", "0"), settings, info),
        _server_clock(int(time[0]) if time else None, now),
    ]


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


def refuse(facts: Iterable[Fact]) -> None:
    """
    Refuse a server that is not fit.

    Raises:
        Unavailable: It is not; the text says what to change.
    """
    refused = [fact for fact in facts if fact.judgement == "fail"]
    if refused:
        raise Unavailable(
            "; ".join(f"redis: {f.name} is {f.value}: {f.advice}" for f in refused)
        )


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
    if not most:
        advice = "set `maxmemory`: without it, nothing stops before the machine is full"
        limit = Fact(name="maxmemory", value="none", judgement="warn", advice=advice)
        return [limit, Fact(name="used", value=_mib(used))]
    limit = Fact(name="maxmemory", value=_mib(most))
    if used >= FULL * most:
        advice = "raise `maxmemory`, or see which queue is not being worked on"
        full = Fact(name="used", value=_mib(used), judgement="warn", advice=advice)
        return [limit, full]
    return [limit, Fact(name="used", value=_mib(used))]


def access(user: str, settings: Mapping[str, str]) -> list[Fact]:
    """Judge who may connect, and as whom we did (CONFIG GET, ACL WHOAMI)."""
    return [_user(user, settings), _network(settings)]


def _user(user: str, settings: Mapping[str, str]) -> Fact:
    alone = settings.get("unixsocketperm") in ("700", "600")
    if user != "default" or (alone and settings.get("port") == "0"):
        return Fact(name="user", value=user)
    value = "default, who may do everything"
    advice = "give each role a user of its own: see deploy/redis-users"
    return Fact(name="user", value=value, judgement="warn", advice=advice)


def _network(settings: Mapping[str, str]) -> Fact:
    """Judge who can connect: this machine alone, or others."""
    ports = [settings.get(name, "0") for name in ("port", "tls-port")]
    if not settings:
        return Fact(name="network", value="unknown")
    if ports == ["0", "0"]:
        return Fact(name="network", value="none, a Unix socket")
    hosts = {host.lstrip("-") for host in settings.get("bind", "").split()}
    value = f"port {' and '.join(port for port in ports if port != '0')}"
    if hosts and hosts <= LOOPBACK:
        advice = "use a Unix socket: every user of this machine reaches that port"
    elif ports[0] == "0":
        return Fact(name="network", value=f"{value}, by TLS")
    elif settings.get("protected-mode") == "yes":
        advice = "set `port 0` and `tls-port`, or bind it to 127.0.0.1"
    else:
        advice = (
            "set `protected-mode yes`, `port 0` and `tls-port`: anybody may connect"
        )
        return Fact(name="network", value=value, judgement="fail", advice=advice)
    return Fact(name="network", value=value, judgement="warn", advice=advice)


def _database(
    number: str, settings: Mapping[str, str], info: Mapping[str, str]
) -> Fact:
    """Judge whether the database is the one that is meant."""
    value = f"{number} of {settings.get('databases', 'unknown')}"
    others = [
        name.removeprefix("db")
        for name in info
        if re.fullmatch(r"db\d+", name) and name != f"db{number}"
    ]
    if not others:
        return Fact(name="database", value=value)
    advice = f"is it the right one?  There are keys in {', '.join(others)}, too"
    return Fact(name="database", value=value, judgement="warn", advice=advice)


def _server_clock(time: int | None, now: datetime) -> Fact:
    if time is None:
        return Fact(name="clock", value="unknown")
    apart = abs(time - now.timestamp())
    if apart < APART:
        return Fact(name="clock", value="as ours")
    advice = "let both machines be synchronised: leases and ids are of its time"
    value = f"{apart:.0f} s from ours"
    return Fact(name="clock", value=value, judgement="warn", advice=advice)


def _write_errors(info: Mapping[str, str]) -> Fact:
    said = ("rdb_last_bgsave_status", "aof_last_write_status")
    failed = [name for name in said if info.get(name, "ok") != "ok"]
    if not failed:
        return Fact(name="last write to disk", value="ok")
    advice = f"{', '.join(failed)}: see the disk's space and the server's log"
    return Fact(
        name="last write to disk", value="failed", judgement="warn", advice=advice
    )


async def _settings(door: Door) -> dict[str, str]:
    """Return the settings that are judged, if we may know them."""
    flat = await _asked(door, "CONFIG", "GET", *SETTINGS) or []
    texts = [text.decode("utf-8", "replace") for text in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


async def _asked(door: Door, *command: str) -> Any:
    """Return an answer, or None if we are not allowed to ask, which is no fault."""
    try:
        return await door.call(*command)
    except Unavailable:
        return None


def _said(info: bytes) -> dict[str, str]:
    """Return the fields of an answer to INFO."""
    lines = info.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _words(client: bytes) -> dict[str, str]:
    """Return the fields of an answer to CLIENT INFO."""
    pairs = (word.partition("=") for word in client.decode("utf-8", "replace").split())
    return {name: text for name, _, text in pairs}


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
