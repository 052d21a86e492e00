"""What is deployed: units that systemd takes, and a Redis that forgets nothing."""

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.errors import Unavailable
from monitor.stream.doctor import survey
from monitor.stream.door import Door
from monitor.stream.server import find_binary
from tests.servers import Deployed, deployed

DEPLOY = Path(__file__).parent.parent / "deploy"
ROLES = ("collect", "filter", "alert", "deliver", "archive")
UNITS = [*(f"monitor@{role}.service" for role in ROLES), "monitor-redis.service"]
KINDS = (".service", ".target", ".conf", ".sysusers", ".tmpfiles")
FILES = sorted(
    path for path in DEPLOY.rglob("*.*") if path.suffix in KINDS and path.is_file()
)
COMMENT = ("#", ";")
ONLINE = ("monitor@collect.service", "monitor@deliver.service")
PROGRAM = re.compile(r"^ExecStart=\S+", re.MULTILINE)

analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A folder with the units and their drop-ins, whose programs exist."""
    folder = tmp_path / "units"
    shutil.copytree(DEPLOY, folder)
    for unit in folder.glob("*.service"):
        text = unit.read_text("utf-8")
        unit.write_text(
            re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        )
    return folder


def systemd(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of systemd-analyze on the units of *folder*."""
    # the colon adds the system's own units: sockets and targets that ours name
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:", "LC_ALL": "C"}
    return subprocess.run(  # noqa: S603 - the system's own
        ["systemd-analyze", "--no-pager", *words],  # noqa: S607 - found on PATH
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@analyze
@pytest.mark.parametrize("unit", [*UNITS, "monitor.target"])
def test_systemd_takes_the_units(units: Path, unit: str) -> None:
    """Every unit loads with its drop-ins, without a warning."""
    verified = systemd(units, "verify", "--man=no", unit)

    assert ("", 0) == (verified.stderr, verified.returncode)


@analyze
@pytest.mark.parametrize("unit", UNITS)
def test_the_units_are_hardened(units: Path, unit: str) -> None:
    """
    Those on the internet are exposed by 1.1 of 10 or less, the others by 0.2.
    """
    bound = (
        1.1 if unit in ("monitor@collect.service", "monitor@deliver.service") else 0.2
    )
    judged = systemd(units, "security", "--offline=true", "--threshold=15", unit)
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", judged.stdout)

    assert 0 == judged.returncode
    assert exposure
    assert float(exposure[1]) <= bound


@analyze
@pytest.mark.parametrize("unit", UNITS)
def test_only_those_who_need_the_internet_have_it(units: Path, unit: str) -> None:
    """A role that neither reads nor sends has no network at all."""
    judged = systemd(units, "security", "--offline=true", unit)
    shut = re.search(r"^(.) PrivateNetwork=", judged.stdout, re.MULTILINE)

    assert shut
    assert (unit not in ONLINE) == (shut[1] == "+")


def test_the_token_is_shown_to_one_role() -> None:
    """Only the role that delivers is given the bot's token."""
    holders = {
        path.parent.name
        for path in FILES
        for key, value in directives(path)
        if key.startswith("LoadCredential") and value.startswith("bot-token:")
    }

    assert {"monitor@deliver.service.d"} == holders


def test_all_roles_are_in_the_target() -> None:
    """To enable the target is to start every role and the Redis."""
    wanted = " ".join(
        value for key, value in directives(DEPLOY / "monitor.target") if key == "Wants"
    )

    assert sorted(UNITS) == sorted(wanted.split())


def test_the_units_start_what_the_program_offers() -> None:
    """Each instance is a role of ``monitor run``, which takes a file by ``-c``."""
    (started,) = [
        value for key, value in directives(DEPLOY / "monitor@.service")
        if key == "ExecStart"
    ]  # fmt: skip

    assert "/usr/bin/monitor run %i -c /etc/monitor/monitor.yaml" == started


def test_the_guide_knows_every_place() -> None:
    """Each file and folder that the units name is one that the guide tells of."""
    guide = (DEPLOY.parent / "docs" / "systemd.md").read_text("utf-8")
    places = {
        place.split(":")[-1]
        for path in FILES
        for _, value in directives(path)
        for place in re.findall(r"(?:bot-token:)?/(?:etc|var|usr)/[\w/.-]+", value)
    }

    assert places
    assert {place for place in places if place not in guide} == set()


def directives(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the settings of a unit."""
    for line in path.read_text("utf-8").splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith(COMMENT):
            yield key, value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_line_has_its_reason(path: Path) -> None:
    """
    A directive stands under a comment, or under another one that does.
    """
    bare, explained = [], False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("["):
            explained = False
        elif line.startswith(COMMENT):
            explained = True
        elif not explained and not line.startswith(("Description=", "Documentation=")):
            bare.append(f"{number}: {line}")

    assert [] == bare


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="not installed")
def test_the_users_are_made(tmp_path: Path) -> None:
    """The roles' user is made, and is in the group that reaches the socket."""
    (tmp_path / "etc").mkdir()
    ran("systemd-sysusers", f"--root={tmp_path}", DEPLOY / "monitor.sysusers")
    users = {line.split(":")[0] for line in lines(tmp_path / "etc/passwd")}
    groups = [line.split(":") for line in lines(tmp_path / "etc/group")]

    assert {"monitor", "monitor-redis"} == users
    assert ["monitor-redis"] == [group[0] for group in groups if group[3] == "monitor"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="not installed")
def test_the_folders_are_made(tmp_path: Path) -> None:
    """The configuration is read by the roles alone, the secrets by root alone."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nmonitor:x:777:\n")
    tmpfiles = DEPLOY / "monitor.tmpfiles"
    ran("systemd-tmpfiles", "--create", f"--root={tmp_path}", tmpfiles)
    made = {
        path.name: (path.stat().st_mode & 0o777, path.stat().st_gid)
        for path in (tmp_path / "etc").rglob("*") if path.is_dir()
    }  # fmt: skip

    assert {
        "monitor": (0o750, 777),
        "credentials": (0o700, 0),
        "monitor-redis": (0o755, 0),
    } == made


def ran(*command: str | Path) -> None:
    """Run a command that has to end well."""
    subprocess.run(command, check=True)  # noqa: S603 - the system's own


def lines(path: Path) -> list[str]:
    """Return the lines of a file."""
    return path.read_text("utf-8").splitlines()


@pytest.fixture
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployed]:
    """A server that runs with `redis.conf` and `users.acl`, in other folders."""
    async with deployed(tmp_path_factory.mktemp("r"), find_binary()) as server:
        yield server


@pytest.fixture
async def door(redis: Deployed) -> AsyncIterator[Door]:
    """What an operator may ask it."""
    door = Door(redis.urls["operator"], "")
    yield door
    await door.aclose()


async def test_redis_runs_as_it_is_told(redis: Deployed, door: Door) -> None:
    """A real server takes every line, and keeps what must not be lost."""
    wanted = {
        "port": "0",
        "databases": "1",
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "aof-load-truncated": "yes",
        "save": "",
        "maxmemory": str(1 << 30),
        "maxmemory-policy": "noeviction",
        "unixsocketperm": "770",
        "enable-debug-command": "no",
        "enable-module-command": "no",
    }
    flat = [text.decode() for text in await door.call("CONFIG", "GET", *wanted)]

    assert wanted == dict(zip(flat[::2], flat[1::2], strict=True))
    assert 0o770 == (redis.folder / "redis.sock").stat().st_mode & 0o777


async def test_redis_has_one_database(redis: Deployed) -> None:
    """Whoever names another database gets an error, and no empty one."""
    door = Door(redis.urls["operator"] + "?db=1", "")
    with pytest.raises(Unavailable, match="select"):
        await door.call("PING")
    await door.aclose()


async def test_the_doctor_finds_nothing_to_change(redis: Deployed) -> None:
    """What is shipped passes what is judged, to the last fact."""
    door = Door(redis.urls["operator"], "")
    facts = await survey(door, datetime.now(UTC))
    await door.aclose()

    assert [] == [fact for fact in facts if fact.judgement != "ok"]
    assert len(facts) >= 12


def test_redis_may_grow_within_its_unit() -> None:
    """The unit's memory holds the data twice, for the child that rewrites the file."""
    conf = (DEPLOY / "redis.conf").read_text("utf-8")
    held = re.search(r"^maxmemory (\d+)gb$", conf, re.MULTILINE)
    unit = dict(directives(DEPLOY / "monitor-redis.service"))
    limit = re.fullmatch(r"(\d+)M", unit["MemoryMax"])

    assert held
    assert limit
    assert int(limit[1]) >= 2 * 1024 * int(held[1]) + 256
