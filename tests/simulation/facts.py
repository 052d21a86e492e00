"""What the simulated server says of itself and its settings."""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.simulation.replies import unsupported

VERSION: Final = {
    "redis_version": "7.2.4",
    "server_name": "valkey",
    "valkey_version": "9.1.2",
}
OLD_VERSION: Final = {"redis_version": "7.0.15"}
CONFIG: Final = {
    "appendfsync": "always",
    "appendonly": "yes",
    "bind": "* -::*",
    "databases": "16",
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "port": "0",
    "protected-mode": "yes",
    "save": "",
    "tls-port": "0",
    "unixsocketperm": "700",
}
SECTIONS: Final = {
    "Server": ("redis_version", "server_name", "valkey_version"),
    "Memory": ("used_memory", "maxmemory", "maxmemory_policy"),
    "Persistence": (
        "loading",
        "rdb_last_bgsave_status",
        "aof_enabled",
        "aof_last_write_status",
    ),
    "Replication": ("role",),
}


def information(said: Mapping[str, object], wanted: Sequence[str]) -> bytes:
    """
    Return what INFO answers.

    Args:
        said: By the names of INFO; what is missing there is as it should be.
        wanted: Names of sections in small letters; none are all.
    """
    if {*wanted} - {name.lower() for name in SECTIONS}:
        raise unsupported(wanted)
    lines = []
    for name, facts in SECTIONS.items():
        if not wanted or name.lower() in wanted:
            known = {"rdb_last_bgsave_status": "ok", **said}
            lines.append(f"# {name}")
            lines += [f"{fact}:{known[fact]}" for fact in facts if fact in known]
            lines.append("")
    return "\r\n".join(lines).encode()
