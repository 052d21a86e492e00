"""Servers as they are deployed, on `redis.conf` and `users.acl`."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from monitor.stream.server import candidates

DEPLOY = Path(__file__).parent.parent / "deploy"
PATIENCE = 10.0  # seconds
USERS = ("collect", "filter", "alert", "deliver", "archive", "operator", "exporter")


def binaries() -> list[ParameterSet]:
    """Return the servers of this machine, as parameters of a test."""
    found = {path.resolve(): path.name for path in candidates()}
    return [pytest.param(path, id=name) for path, name in found.items()]


@dataclass(frozen=True)
class Deployed:
    """A server that runs with what is shipped, in a folder of its own."""

    folder: Path

    @property
    def credentials(self) -> Path:
        """The folder with a file for each user."""
        return self.folder / "credentials"

    @property
    def urls(self) -> Mapping[str, str]:
        """The address of each user, with its password."""
        return {
            name: (self.credentials / f"redis-{name}").read_text("ascii").strip()
            for name in USERS
        }


def shipped(folder: Path, *words: str) -> None:
    """Make the users in *folder*, as `redis-users` makes them on a machine."""
    folder.mkdir(exist_ok=True)
    places = {"ACL": folder / "users.acl", "CREDENTIALS": folder / "credentials",
              "SOCKET": folder / "redis.sock"}  # fmt: skip
    environment = {**os.environ, **{name: str(path) for name, path in places.items()}}
    subprocess.run([DEPLOY / "redis-users", *words], env=environment, check=True)  # noqa: S603 - our own


def settings(folder: Path) -> Path:
    """Write `redis.conf` for other folders than a machine's; return its file."""
    text = (DEPLOY / "redis.conf").read_text("utf-8")
    for place in ("/run/monitor-redis", "/var/lib/monitor-redis", "/etc/monitor-redis"):
        text = text.replace(place, str(folder))
    (folder / "redis.conf").write_text(text, "utf-8")
    return folder / "redis.conf"


@asynccontextmanager
async def deployed(folder: Path, binary: Path) -> AsyncIterator[Deployed]:
    """Run a server as it is deployed, while the block runs."""
    if not (folder / "users.acl").exists():
        shipped(folder)
    with (folder / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            binary, settings(folder), stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(PATIENCE):
            while not await _answers(folder / "redis.sock"):
                assert server.returncode is None, (folder / "log").read_text("utf-8")
                await asyncio.sleep(0.01)  # nothing tells when it is ready
        yield Deployed(folder)
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def _answers(path: Path) -> bool:
    """Return whether somebody answers at all: without a password, nothing else."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.write(b"PING\r\n")
    answer = await reader.readline()
    writer.close()
    return answer.startswith(b"-NOAUTH")
