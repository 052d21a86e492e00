"""Lets a real server and the model hear the same, and tells where answers part."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, Final

from monitor.stream.door import Wire
from tests.simulation.model.shifts import jobs
from tests.simulation.model.sides import UNKNOWN, Hearer, Line
from tests.simulation.model.words import BEGIN, lines
from tests.simulation.model.work import BEGIN as BEGIN_WORK
from tests.simulation.model.work import Crew, Job

CONTAINERS: Final = frozenset({"CONFIG", "SCRIPT", "XGROUP", "XINFO"})
SPAN = 100  # commands between two empty servers


class Parted(AssertionError):
    """The two answered differently; the text has the shortest way there."""


class Pair:
    """
    A real server, and the model of one.

    Attributes:
        answered: How often which command was said to both, and not refused.
        found: How often it was not in vain: there was something to find or to change.
        refused: How often both answered which error, by its code.
        unknown: How often the model did not know what was said; nor was the real one
            asked then.
    """

    def __init__(self, real: Hearer, model: Hearer) -> None:
        self.real = real
        self.model = model
        self.answered: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.unknown = 0

    @property
    def compared(self) -> int:
        """How many answers were compared."""
        return self.answered.total() + self.refused.total()

    async def hear(self, script: Sequence[Line]) -> None:
        """
        Say *script* to both, empty as they are, and look at all that is there then.

        Raises:
            Parted: They differ in an answer.
        """
        await self.say([*BEGIN, *script])
        await self.say(await self.everything())

    async def say(self, script: Sequence[Line]) -> None:
        """
        Say *script* to both, as they are.

        Raises:
            Parted: They differ in an answer.
        """
        answers = await self.model.hear(script)
        both = [
            (line, answer)
            for line, answer in zip(script, answers, strict=True)
            if answer is not UNKNOWN
        ]
        self.unknown += len(script) - len(both)
        real = await self.real.hear([line for line, _ in both])
        for (line, modelled), answer in zip(both, real, strict=True):
            if modelled != answer:
                raise Parted(f"{line}\n  real:  {answer}\n  model: {modelled}")
            self.count(line, answer)

    def count(self, line: Line, answer: Any) -> None:
        """Note that both have answered so."""
        if isinstance(answer, tuple):
            self.refused[answer[2] or answer[0]] += 1
            return
        name = str(line[0]).upper()
        if name in CONTAINERS:
            name += f"|{line[1]!s}".upper()
        self.answered[name] += 1
        self.found[name] += bool(answer)

    async def everything(self) -> list[Line]:
        """Return commands whose answers are all that there is."""
        (keys,) = await self.model.hear([("KEYS", "*")])
        asked: list[Line] = [("KEYS", "*")]
        kinds = await self.model.hear([("TYPE", key) for key in keys])
        for key, kind in zip(keys, kinds, strict=True):
            asked += [("TYPE", key), ("PTTL", key)]
            asked += [(*line, key, *more) for line, more in CONTENTS[kind]]
            if kind == b"stream":
                (groups,) = await self.model.hear([("XINFO", "GROUPS", key)])
                for _, name, *_ in groups:
                    asked.append(("XPENDING", key, name))
                    asked.append(("XPENDING", key, name, "-", "+", 10_000))
                    asked.append(("XINFO", "CONSUMERS", key, name))
        return asked


class Town:
    """
    The work of the program on two servers, step by step.

    Attributes:
        pair: The two, to be talked to as they are.
        did: How often what was done that was not in vain, by its name.
    """

    def __init__(self, pair: Pair, real: Wire, model: Wire) -> None:
        self.pair = pair
        self.did: Counter[str] = Counter()
        self._wires = (real, model)

    async def work(self, script: Sequence[Job]) -> None:
        """
        Do all of *script* on both, empty as they are, and look at all that is there.

        Raises:
            Parted: They differ in what came of something, or in what was said for it.
        """
        await self.pair.say(BEGIN_WORK)
        real, model = (Crew(wire) for wire in self._wires)
        for job in (("begin",), *script):
            results = [await crew.do(job) for crew in (real, model)]
            heard = [crew.wire.heard.copy() for crew in (real, model)]
            if results[0] != results[1] or heard[0] != heard[1]:
                raise Parted(_told(job, results, heard))
            for said, answer in heard[0]:
                self.pair.count(said, answer)
            real.wire.heard.clear()
            model.wire.heard.clear()
        self.did += real.did
        await self.pair.say(await self.pair.everything())


def _told(job: Job, results: Sequence[Any], heard: Sequence[Any]) -> str:
    for real, model in zip(*heard, strict=False):
        if real != model:
            return f"{job}\n  real:  {real}\n  model: {model}"
    return f"{job}\n  real:  {results[0]}\n  model: {results[1]}"


# What is said to see all of a key: before its name, and behind it.
CONTENTS: dict[bytes, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {
    b"string": [(("GET",), ())],
    b"hash": [(("HGETALL",), ())],
    b"set": [(("SMEMBERS",), ())],
    b"stream": [
        (("XRANGE",), ("-", "+")),
        (("XINFO", "STREAM"), ()),
        (("XINFO", "GROUPS"), ()),
    ],
}


async def at_random(pair: Pair, seed: int, number: int = SPAN) -> None:
    """
    Say *number* random commands to both.

    Raises:
        Parted: They answered differently; the fewest commands that show it are told.
    """
    script = lines(Random(seed), number)  # noqa: S311 - no secret is made
    await _shortest(seed, script, pair.hear)


async def work_at_random(town: Town, seed: int, number: int = SPAN) -> None:
    """
    Let *number* random things be done on both.

    Raises:
        Parted: They answered differently; the fewest things that show it are told.
    """
    script = jobs(Random(seed), number)  # noqa: S311 - no secret is made
    await _shortest(seed, script, town.work)


async def _shortest(
    seed: int,
    script: Sequence[Any],
    hear: Callable[[Sequence[Any]], Awaitable[None]],
) -> None:
    try:
        await hear(script)
    except Parted as parted:
        shortest, last = await shrunk(script, parted, hear)
        told = "\n".join(f"  {line}," for line in shortest)
        raise Parted(f"seed {seed}: {last}\n\n{told}") from None


async def shrunk(
    script: Sequence[Any],
    parted: Parted,
    hear: Callable[[Sequence[Any]], Awaitable[None]],
) -> tuple[Sequence[Any], Parted]:
    """Return a shorter script that still parts the two, and how it does."""
    size = max(len(script) // 2, 1)
    while True:
        before = len(script)
        at = 0
        while at < len(script):
            shorter = [*script[:at], *script[at + size :]]
            try:
                await hear(shorter)
            except Parted as again:
                script, parted = shorter, again
            else:
                at += size
        if size == 1 and len(script) == before:
            return script, parted
        size = max(size // 2, 1)
