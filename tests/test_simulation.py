"""
Seeds of the simulated world: whatever breaks, nothing is lost and nothing comes twice.

``python -m tests.simulation --seed 17`` tells one of them again.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.chaos import run
from tests.simulation.ending import Result
from tests.simulation.sometimes import SOMETIMES

SEEDS, AT_A_TIME = 60, 5
MINUTES = 6.0
SHORT = 3.0


@pytest.mark.parametrize("first", range(1, SEEDS + 1, AT_A_TIME))
def test_nothing_is_lost_whatever_breaks(
    first: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Everybody is told once and in order what was published, and it is all known."""
    counts: Counter[str] = Counter()
    for seed in range(first, first + AT_A_TIME):
        result = run(seed, MINUTES)
        assert not result.verdict.violations, _told(seed, result)
        counts += result.counts + Counter(result.verdict.figures)

    assert counts["told"] > 0
    _compare(_shared(tmp_path_factory), first, counts)


def _told(seed: int, result: Result) -> str:
    """Return what went wrong, and what happened to the posts that it is about."""
    again = run(seed, MINUTES, keep=True)
    words = (f"{post}{end}" for post in again.verdict.posts for end in "/ ")
    about = tuple(words)
    lines = [line for line in again.lines if any(word in line for word in about)]
    return "\n".join([
        f"python -m tests.simulation --seed {seed} --minutes {MINUTES:g}",
        *result.verdict.violations,
        *lines[-60:],
    ])  # fmt: skip


def _shared(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this run of the tests have."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "simulation"
    folder.mkdir(exist_ok=True)
    return folder


def _compare(folder: Path, first: int, counts: Counter[str]) -> None:
    """Let whoever comes last see whether every kind of trouble has happened."""
    done = folder / f"{first}.json"
    done.with_suffix(".tmp").write_text(json.dumps(counts), "utf-8")
    done.with_suffix(".tmp").replace(done)
    files = [*folder.glob("*.json")]
    if len(files) * AT_A_TIME < SEEDS:
        return
    total: Counter[str] = Counter()
    for file in files:
        total += Counter(json.loads(file.read_text("utf-8")))
    assert [] == [what for what in SOMETIMES if not total[what]]
    assert total["process killed"] > 200
    assert total["obligations"] > 8_000
    assert total["duplicated"] <= total["unrecorded"]


def test_the_same_seed_is_the_same_run() -> None:
    """Everything that reached the world comes again, at the same moments."""
    one, other = run(7, SHORT), run(7, SHORT)

    assert one.digest == other.digest
    assert one.counts == other.counts
    assert run(8, SHORT).digest != one.digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_it_is_the_same_run_in_another_process(hash_seed: str) -> None:
    """No order depends on how Python hashes, or on what lies where in memory."""
    code = f"from tests.simulation.chaos import run; print(run(9, {SHORT}).digest)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
        text=True,
        timeout=50,
    )

    assert run(9, SHORT).digest == done.stdout.strip()
