"""Lets two servers hear the same, and tells where their answers part."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

from tests.simulation.model.sides import Side
from tests.simulation.model.words import Line, Made, lines

NOTHING_MADE = "5-1"  # an id where none was given yet
SPAN = 60  # commands between two empty servers


class Parted(AssertionError):
    """The two answered differently; the text has the shortest way there."""


class Pair:
    """
    A real server and the model of one, each behind a `Side`.

    Attributes:
        said: How often which command was said to both.
        refused: How often which error both answered.
        skipped: What the model does not know, and so neither was asked.
    """

    def __init__(self, real: Side, model: Side) -> None:
        self.real = real
        self.model = model
        self.said: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    async def empty(self) -> None:
        """Begin anew with two empty servers."""
        for side in (self.real, self.model):
            await side.ask(("FLUSHALL",))
            side.forget()

    async def ask(self, line: Line) -> tuple[Any, Any]:
        """Return what each of the two answers, the real one first."""
        name = str(line[0])
        try:
            model = await self.model.ask(_spoken(line, self.model))
        except NotImplementedError as unknown:
            self.skipped[str(unknown)[:60]] += 1
            return None, None
        real = await self.real.ask(_spoken(line, self.real))
        self.said[name] += 1
        if isinstance(real, tuple):
            self.refused[real[2] or real[0]] += 1
        return real, model

    async def hear(self, script: Sequence[Line]) -> None:
        """
        Say *script* to both, and compare every answer and what is there in the end.

        Raises:
            Parted: They differ.
        """
        await self.empty()
        for number, line in enumerate(script, start=1):
            real, model = await self.ask(line)
            if real != model:
                raise Parted(_told(script[:number], line, real, model))
        for line in await self.everything():
            real, model = await self.ask(line)
            if real != model:
                raise Parted(_told(script, line, real, model))

    async def everything(self) -> list[Line]:
        """Return commands whose answers are all that is there."""
        keys = await self.real.ask(("KEYS", "*"))
        asked: list[Line] = [("KEYS", "*")]
        for key in map(bytes.decode, keys):
            kind = await self.real.ask(("TYPE", key))
            asked += [("TYPE", key), ("PTTL", key), *CONTENTS[kind](key)]
            if kind == b"stream":
                for group in await self.real.ask(("XINFO", "GROUPS", key)):
                    name = group[1].decode()
                    asked.append(("XPENDING", key, name))
                    asked.append(("XPENDING", key, name, "-", "+", 10_000))
                    asked.append(("XINFO", "CONSUMERS", key, name))
        return asked


CONTENTS: dict[bytes, Callable[[str], list[Line]]] = {
    b"string": lambda key: [("GET", key)],
    b"hash": lambda key: [("HGETALL", key)],
    b"set": lambda key: [("SMEMBERS", key)],
    b"stream": lambda key: [
        ("XRANGE", key, "-", "+"),
        ("XINFO", "STREAM", key),
        ("XINFO", "GROUPS", key),
    ],
}


async def at_random(pair: Pair, seed: int, number: int = SPAN) -> None:
    """
    Say *number* random commands to both.

    Raises:
        Parted: They answered differently; the fewest commands that show it are told.
    """
    script = lines(Random(seed), number)  # noqa: S311 - no secret is made
    try:
        await pair.hear(script)
    except Parted as parted:
        shortest, last = await shrunk(script, parted, pair.hear)
        raise Parted(f"seed {seed}: {last}\n\n{_listed(shortest)}") from None


async def shrunk(
    script: Sequence[Any],
    parted: Parted,
    hear: Callable[[Sequence[Any]], Awaitable[None]],
) -> tuple[Sequence[Any], Parted]:
    """Return a shorter script that still parts the two, and how."""
    size = len(script) // 2
    while size:
        at = 0
        while at < len(script):
            shorter = [*script[:at], *script[at + size :]]
            try:
                await hear(shorter)
            except Parted as again:
                script, parted = shorter, again
            else:
                at += size
        size //= 2
    return script, parted


def _spoken(line: Line, side: Side) -> list[str | int]:
    made = side.made
    return [
        word
        if not isinstance(word, Made)
        else made[word.number % len(made)].decode()
        if made
        else NOTHING_MADE
        for word in line
    ]


def _told(script: Sequence[Line], line: Line, real: Any, model: Any) -> str:
    return f"after {len(script)}: {line}\n  real:  {real}\n  model: {model}"


def _listed(script: Sequence[Any]) -> str:
    return "\n".join(f"  {line}," for line in script)
