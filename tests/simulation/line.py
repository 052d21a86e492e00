"""
What lies between a process and the one Redis: latency, loss, partitions, restarts.

A command that was sent goes its way whatever becomes of its sender: it may be applied
after the process has died, or after it has given up and sent another one.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final
from zlib import crc32

from redis.exceptions import ConnectionError as Broken
from redis.exceptions import RedisError

import monitor.stream
from monitor.stream.door import Script
from tests.simulation.chronicle import Chronicle
from tests.simulation.process import Life
from tests.simulation.store import Argument, Store
from tests.simulation.stream_commands import Waiting
from tests.simulation.weather import CALM, Weather

FOLDER: Final = Path(monitor.stream.__file__).parent / "scripts"
SCRIPTS: Final = {
    Script(path.stem).hash: path.stem for path in sorted(FOLDER.glob("*.lua"))
}
TELLING: Final = frozenset({"accept", "publish", "fanout", "settle", "begin"})
CLOSED = "Connection closed by server."
REFUSED = "Error 111 connecting to 127.0.0.1:6379. Connection refused."
RESET = "Error while reading from 127.0.0.1:6379 : (104, 'Connection reset by peer')"
UNREACHABLE = "Error 113 connecting to 127.0.0.1:6379. No route to host."

Point = Callable[[Life], None]


class Redis:
    """
    The one server, as those see it who dial it.

    Attributes:
        store: What it holds.
        everysec: It brings its log onto the disk each second, not at each command.
        frozen_until: Till then it answers nobody; what was sent waits.
    """

    def __init__(self, store: Store, *, everysec: bool = False) -> None:
        self.store = store
        self.everysec = everysec
        self.frozen_until = 0.0
        self.down_until = 0.0
        if everysec:
            store.config["appendfsync"] = "everysec"

    def stop(self, until: float) -> None:
        """End at once and come up again at *until* with all that was written."""
        self.down_until = max(self.down_until, until)
        self.store.restart()

    def lose_power(self, until: float) -> int:
        """Lose what is not on the disk yet; return how many commands that was."""
        self.down_until = max(self.down_until, until)
        return self.store.lose_power()


@dataclass(slots=True, eq=False)
class _Call:
    """One command on its way."""

    command: Sequence[Argument]
    name: str
    answer: "asyncio.Future[Any]"
    starts: int
    ticket: int = 0
    ending: asyncio.TimerHandle | None = field(default=None)


@dataclass(slots=True)
class Cable:
    """
    What all lines have in common.

    Attributes:
        weather: How often what goes wrong.
        point: Called wherever a process may die.
        context: In which what is nobody's runs.
    """

    redis: Redis
    chronicle: Chronicle
    dice: Random
    point: Point
    context: Context
    weather: Weather = CALM


class Line:
    """The connections of one life: a `monitor.stream.door.Wire`."""

    def __init__(self, cable: Cable, life: Life) -> None:
        self._cable, self._life = cable, life
        self._redis, self._chronicle = cable.redis, cable.chronicle
        self._dice = cable.dice
        self._loop = asyncio.get_running_loop()

    async def exchange(self, command: Sequence[Argument]) -> Any:
        """Send one command, and return the plain answer; see `Wire`."""
        life = self._life
        life.check()
        self._cable.point(life)
        life.check()
        call = _Call(
            command,
            _name(command),
            self._loop.create_future(),
            self._redis.store.starts,
        )
        self._send(call)
        try:
            return await call.answer
        except asyncio.CancelledError:
            self._hang_up(call)
            raise
        except RedisError:
            life.troubled = self._loop.time()
            raise

    async def aclose(self) -> None:
        """Close every connection; there are none that outlast a command."""

    def _later(self, delay: float, do: Callable[..., object], *args: Any) -> Any:
        return self._loop.call_later(delay, do, *args, context=self._cable.context)

    def _latency(self) -> float:
        slow = self._dice.random() < self._cable.weather.slow
        return self._dice.uniform(1, 8) if slow else self._dice.uniform(0.0001, 0.002)

    def _send(self, call: _Call) -> None:
        dice, weather, now = self._dice, self._cable.weather, self._loop.time()
        if now < self._redis.down_until:
            self._chronicle.count("redis refused a connection")
            self._later(0.001, _fail, call, REFUSED)
            return
        if now < self._life.cut_until:
            self._vanish(call)
            return
        fate = dice.random()
        if fate < weather.request_lost:
            self._chronicle.count("request lost")
            self._break_off(call)
        elif fate < weather.request_lost + weather.request_late:
            self._chronicle.count("request late")
            self._later(dice.uniform(8, 40), self._arrive, call)
        else:
            self._later(self._latency(), self._arrive, call)

    def _vanish(self, call: _Call) -> None:
        """Lose a command that was sent into a partition; TCP may try it again."""
        self._chronicle.count("request into a partition")
        if self._dice.random() < 0.5:
            self._later(self._dice.uniform(0.001, 5), _fail, call, UNREACHABLE)
        elif self._dice.random() < 0.2:
            self._chronicle.count("request late")
            left = self._life.cut_until - self._loop.time()
            self._later(left + self._dice.uniform(0, 5), self._arrive, call)

    def _break_off(self, call: _Call) -> None:
        """Let a sender see that the line broke, or just never hear anything again."""
        if self._dice.random() < 0.7:
            self._later(self._latency(), _fail, call, RESET)

    def _arrive(self, call: _Call) -> None:
        redis = self._redis
        now = self._loop.time()
        if redis.store.starts != call.starts or now < redis.down_until:
            self._lost(call, CLOSED)
            return
        if now < redis.frozen_until:
            self._later(redis.frozen_until - now + 1e-6, self._arrive, call)
            return
        answer: Any
        try:
            answer = redis.store.execute(call.command)
        except RedisError as error:
            answer = error
        if not isinstance(answer, Waiting):
            self._serve(call, answer)
        elif not call.answer.done():
            call.ticket = redis.store.wait(answer, partial(self._serve, call))
            call.ending = self._later(answer.block / 1000, self._give_up, call)

    def _give_up(self, call: _Call) -> None:
        """End a blocking read that has got nothing."""
        self._redis.store.leave(call.ticket)
        self._serve(call, None)

    def _serve(self, call: _Call, answer: Any) -> None:
        """Let the server have answered; that the answer arrives is another matter."""
        if call.ending is not None:
            call.ending.cancel()
            call.ticket, call.ending = 0, None
        chronicle, dice, weather = self._chronicle, self._dice, self._cable.weather
        chronicle.note(self._life, call.name, _sum(call.command), crc32(_said(answer)))
        if call.name == "adopt" and "others" in call.command and _taken(answer):
            chronicle.count("orphans taken over")
        if self._life.alive and not call.answer.done():
            self._cable.point(self._life)
        gone = call.answer.done()
        if isinstance(answer, Broken):
            self._lost(call, CLOSED)
            return
        fate = dice.random()
        if gone or self._loop.time() < self._life.cut_until:
            self._unheard(call)
        elif fate < weather.reply_lost:
            self._unheard(call)
            self._break_off(call)
        elif fate < weather.reply_lost + weather.reply_late:
            self._unheard(call)
            self._later(dice.uniform(8, 40), _give, call, answer)
        else:
            self._later(self._latency(), self._reply, call, answer)

    def _reply(self, call: _Call, answer: Any) -> None:
        if call.starts != self._redis.store.starts:
            self._unheard(call)
            self._lost(call, CLOSED)
        elif self._loop.time() < self._life.cut_until:
            self._unheard(call)
        else:
            _give(call, answer)

    def _unheard(self, call: _Call) -> None:
        """Count an answer that its sender never heard."""
        self._chronicle.count("reply lost")
        if call.name in TELLING:
            self._chronicle.count(f"reply of {call.name} lost")

    def _lost(self, call: _Call, why: str) -> None:
        self._chronicle.count("connection broken")
        _fail(call, why)

    def _hang_up(self, call: _Call) -> None:
        """Close the connection; the server sees it soon, if it is to be reached."""
        life, now = self._life, self._loop.time()
        if life.alive:
            life.troubled = now
        if call.ticket and now >= life.cut_until:
            self._later(self._dice.uniform(0.0001, 0.002), self._leave, call)

    def _leave(self, call: _Call) -> None:
        if call.ending is not None:
            call.ending.cancel()
            self._redis.store.leave(call.ticket)


def _name(command: Sequence[Argument]) -> str:
    """Return what a command is called: its script's name, if it runs one."""
    name = str(command[0])
    return SCRIPTS.get(str(command[1]), "script") if name == "EVALSHA" else name


def _taken(answer: Any) -> bool:
    """Return whether an answer of ``adopt.lua`` holds entries."""
    return isinstance(answer, list) and bool(answer[2])


def _sum(command: Sequence[Argument]) -> int:
    return crc32(
        b"\0".join(
            part if isinstance(part, bytes) else str(part).encode("utf-8", "replace")
            for part in command
        )
    )


def _said(answer: Any) -> bytes:
    """Return an answer as bytes, the same for the same answer."""
    return repr(answer).encode()


def _give(call: _Call, answer: Any) -> None:
    if call.answer.done():
        return
    if isinstance(answer, Exception):
        call.answer.set_exception(answer)
    else:
        call.answer.set_result(answer)


def _fail(call: _Call, why: str) -> None:
    _give(call, Broken(why))
