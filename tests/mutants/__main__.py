"""
``make mutants``: plant each bug of `planted` into a copy of the program, and see
whether the tests notice.

    python -m tests.mutants [--jobs N] [NAME …]

The tests that are to catch them run on the program as it is, too: they must pass, or
being caught would mean nothing.  A bug whose place is not found any more is an error: a
check that checks nothing looks like one that passes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tests.mutants.planted import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
PARTS = ("monitor", "tests", "config", "deploy", "docs", "pyproject.toml", "README.md")
LONGEST = 240  # seconds; a bug that makes the tests hang is caught, too
FAILED = 1  # what pytest says when a test has failed
SPARE = ("__pycache__", ".hypothesis", "mutants")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a planted bug."""

    mutant: Mutant
    caught: bool
    by: str
    seconds: float


def main() -> int:
    """Plant them all, print what came of each, and return 1 if one was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    chosen = [one for one in MUTANTS if not given.names or one.name in given.names]
    began = perf_counter()
    with ThreadPoolExecutor(given.jobs) as pool:
        sound = pool.submit(_unharmed, chosen)
        outcomes = list(pool.map(_tried, chosen))
    for one in outcomes:
        verdict = "caught" if one.caught else "MISSED"
        print(f"{verdict}  {one.mutant.name:<28} {one.seconds:5.1f} s  {one.by}")  # noqa: T201
    missed = [one.mutant.name for one in outcomes if not one.caught]
    took = perf_counter() - began
    caught = len(outcomes) - len(missed)
    print(f"{caught} of {len(outcomes)} planted bugs caught in {took:.0f} s")  # noqa: T201
    if fault := sound.result():
        print(f"The tests fail without any bug planted:\n{fault}")  # noqa: T201
    return 1 if missed or fault else 0


def _unharmed(chosen: Sequence[Mutant]) -> str:
    """Return what fails on the program as it is; empty if nothing does."""
    tests = list(dict.fromkeys(test for one in chosen for test in one.tests))
    with tempfile.TemporaryDirectory(prefix="monitor-mutants-") as folder:
        done = _run(_copy(Path(folder)), tests, stop=False)
    return "" if done.returncode == 0 else done.stdout[-4000:]


def _tried(mutant: Mutant) -> Outcome:
    """Plant one bug, and run the tests that are to catch it."""
    began = perf_counter()
    with tempfile.TemporaryDirectory(prefix="monitor-mutants-") as folder:
        copy = _copy(Path(folder))
        _plant(mutant, copy)
        try:
            done = _run(copy, mutant.tests, stop=True)
            caught, by = done.returncode == FAILED, _blamed(done.stdout)
        except subprocess.TimeoutExpired:
            caught, by = True, f"no end after {LONGEST} s"
    return Outcome(mutant, caught, by, perf_counter() - began)


def _copy(folder: Path) -> Path:
    """Return a folder with the program and its tests, and nothing they leave behind."""
    spare = shutil.ignore_patterns(*SPARE)
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=spare)
        else:
            shutil.copy2(source, target)
    return folder


def _plant(mutant: Mutant, copy: Path) -> None:
    for file, right, wrong in mutant.changes:
        path = copy / file
        text = path.read_text("utf-8")
        if text.count(right) != 1:
            found = text.count(right)
            raise SystemExit(
                f"{mutant.name}: its place is found {found} times in {file}: "
                f"mend tests/mutants/planted.py\n{right}"
            )
        path.write_text(text.replace(right, wrong), "utf-8")


def _run(
    copy: Path, tests: Sequence[str], *, stop: bool
) -> subprocess.CompletedProcess[str]:
    """Run *tests* on the copy, which comes before the program that is installed."""
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "-p", "no:randomly", "--no-header", "--tb=line", *(["-x"] if stop else []),
        *tests,
    ]  # fmt: skip
    own = {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "PLAYED": "1"}
    return subprocess.run(  # noqa: S603 - no shell, and no word from outside
        command,
        cwd=copy,
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=LONGEST * (1 if stop else 3),
        check=False,
    )


def _blamed(said: str) -> str:
    """Return which test failed first, or what else pytest had to say."""
    lines = said.splitlines()
    failed = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    words = (failed or lines or ["nothing was said"])[0].split()
    return words[1] if failed else " ".join(words)


if __name__ == "__main__":
    sys.exit(main())
