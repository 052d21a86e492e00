"""
Many seeds and all crash points, as one table: ``python -m tests.simulation``.

    --seeds 2000            that many, from `--from` on, of `--minutes` each
    --seed 17 [--trace]     one again, with what happened line by line
    --crash-points all      every one of every story; or so many, evenly spread
    --crash news:123        one again
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from multiprocessing.pool import Pool
from typing import TypeVar

from tests.simulation.chaos import MINUTES, run
from tests.simulation.crash import spread, told
from tests.simulation.ending import Result
from tests.simulation.summary import Summary

T = TypeVar("T")

STEP = 25  # runs between two words on how far we are


def main(words: Sequence[str]) -> int:
    """Do what the *words* say, and return 1 if anything was not as promised."""
    asked = _parser().parse_args(words)
    if asked.seed is not None:
        again = f"--seed {asked.seed} --minutes {asked.minutes:g}"
        return _show(run(asked.seed, asked.minutes, keep=True), again, asked.trace)
    if asked.crash:
        story, _, number = asked.crash.partition(":")
        result = told(story, int(number or 0), keep=True)
        return _show(result, f"--crash {asked.crash}", asked.trace)
    summary = Summary()
    with multiprocessing.get_context("fork").Pool(asked.workers) as pool:
        if asked.crash_points:
            _crash(pool, asked.crash_points, summary)
        seeds = range(asked.first, asked.first + asked.seeds)
        results = pool.imap(partial(run, minutes=asked.minutes), seeds)
        for seed, result in _counted(seeds, results):
            _add(summary, result, f"--seed {seed} --minutes {asked.minutes:g}")
    _print(*summary.lines())
    return 1 if summary.bad or (asked.seeds and summary.missed()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--crash-points", default="")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--crash", default="")
    parser.add_argument("--trace", action="store_true")
    return parser


def _crash(pool: Pool, wanted: str, summary: Summary) -> None:
    points = [*spread(0 if wanted == "all" else int(wanted))]
    results = pool.imap(_crashed, points, chunksize=8)
    for (story, number), result in _counted(points, results):
        _add(summary, result, f"--crash {story}:{number}")


def _crashed(point: tuple[str, int]) -> Result:
    return told(*point)


def _counted(
    what: Sequence[T], results: Iterable[Result]
) -> Iterator[tuple[T, Result]]:
    """Yield what was asked and what came of it, and say how far we are."""
    for n, (one, result) in enumerate(zip(what, results, strict=True), start=1):
        yield one, result
        if n % STEP == 0 or n == len(what):
            sys.stderr.write(f"{n} of {len(what)}\n")


def _add(summary: Summary, result: Result, again: str) -> None:
    summary.add(result, again)
    if result.verdict.violations:
        _print(again, *(f"  {one}" for one in result.verdict.violations))


def _show(result: Result, again: str, trace: bool) -> int:  # noqa: FBT001 - as asked
    """Show one run: all of it, or what became of the posts that went wrong."""
    posts = result.verdict.posts
    about = [
        line
        for line in result.lines
        if trace or any(f"{post}/" in line or f"{post} " in line for post in posts)
    ]
    summary = Summary()
    _add(summary, result, again)
    _print(*about, *summary.lines(), f"the run is {result.digest}")
    return 1 if summary.bad else 0


def _print(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 - it is what was asked for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
