"""However many are started at once, one works, and the others have dialled nobody."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from resource import struct_rusage

import pytest

from monitor import log
from monitor.cli.locks import ROLES, lock_in
from monitor.cli.run import LEVELS
from monitor.systemd import only_one
from tests.daemons import Paper, configured, printed, until

REFUSED = 69
MOST = 1.5  # seconds of the processor for a refusal; it takes a tenth of one


@pytest.fixture
async def paper() -> AsyncIterator[Paper]:
    """A newspaper, which notes who dialled it."""
    async with printed() as paper:
        yield paper


@dataclass
class Started:
    """A process, and how it ended."""

    process: "subprocess.Popen[bytes]"
    used: struct_rusage | None = None

    def ended(self) -> bool:
        """Return whether it has ended; note what it used of the machine."""
        if self.used is None:
            pid, status, used = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.used = used
                self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.used is not None

    def said(self) -> str:
        """Return what it wrote to its standard error."""
        assert self.process.stderr
        return self.process.stderr.read().decode()


@dataclass
class Crowd:
    """Processes that are started at once, and ended with the test."""

    started: list[Started]

    def start(self, *files: Path) -> None:
        """Start one for each configuration."""
        for file in files:
            command = [sys.executable, "-m", "monitor", "run", "-c", str(file),
                       "--log-level", "error"]  # fmt: skip
            process = subprocess.Popen(command, stderr=subprocess.PIPE)  # noqa: S603 - our own
            self.started.append(Started(process))

    def left(self) -> list[Started]:
        """Return those that have not ended."""
        return [one for one in self.started if not one.ended()]

    def refused(self) -> list[Started]:
        """Return those that have."""
        return [one for one in self.started if one.used]

    async def until_left(self, count: int) -> None:
        """Wait until all but so many were refused."""
        await until(lambda: len(self.left()) <= count, 50)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """Nobody yet."""
    crowd = Crowd([])
    yield crowd
    for one in crowd.left():
        one.process.kill()
    for one in crowd.started:
        one.process.communicate()


def refusals(crowd: Crowd) -> set[str]:
    """Return what those say that were refused, each in a line."""
    for one in crowd.refused():
        assert REFUSED == one.process.returncode
    said = [one.said() for one in crowd.refused()]
    assert all(text.count("\n") == 1 for text in said)
    return set(said)


def test_the_levels_are_those_of_the_log() -> None:
    """What can be asked for is what there is; `run` does not import the log for it."""
    assert log.LEVELS == LEVELS


async def test_of_twenty_that_start_at_once_one_works(
    tmp_path: Path, paper: Paper, crowd: Crowd
) -> None:
    """All the others say in a line who has the work, in a fraction of a second."""
    file = configured(tmp_path, paper)
    crowd.start(*[file] * 20)
    await crowd.until_left(1)
    (works,) = crowd.left()
    await until(lambda: paper.reads)

    assert not works.ended()
    who = f"is in use by process {works.process.pid}\n"
    refused = [one.used for one in crowd.refused() if one.used]
    used = [one.ru_utime + one.ru_stime for one in refused]
    assert 19 == len(used)
    assert max(used) < MOST
    assert {f"monitor: {file} (collect) {who}"} >= {
        said.replace("process unknown", f"process {works.process.pid}")
        for said in refusals(crowd)
    }


async def test_none_dials_while_another_has_the_state(
    tmp_path: Path, paper: Paper, crowd: Crowd
) -> None:
    """Whoever it is that holds the lock: of four not one gets as far as a socket."""
    file = configured(tmp_path, paper)
    (file.parent / "state").mkdir()
    with only_one(lock_in(file.parent / "state", ROLES[0]), "this state"):
        crowd.start(*[file] * 4)
        await crowd.until_left(0)

    assert all("is in use by process" in said for said in refusals(crowd))
    assert [] == paper.reads


async def test_one_account_has_one_instance(
    tmp_path: Path, paper: Paper, crowd: Crowd
) -> None:
    """On states of their own, but with one token, one works, and only it dials."""
    files = [configured(tmp_path / str(n), paper) for n in range(3)]
    for n, file in enumerate(files):
        token = (files[0].parent / "token").read_text("ascii")
        (file.parent / "token").write_text(token, "ascii")
        text = file.read_text("utf-8").replace("/feed.xml", f"/{n}.xml")
        file.write_text(text, "utf-8")
    crowd.start(*files)
    await crowd.until_left(1)
    (works,) = crowd.left()
    await until(lambda: paper.reads)

    winner = crowd.started.index(works)
    assert {f"/{winner}.xml"} == set(paper.reads)
    said = refusals(crowd)
    assert all(text.startswith("monitor: sink chat is in use by") for text in said)
