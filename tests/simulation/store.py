"""
A Redis server in memory, as far as the program uses one.

The program's own scripts, `Door`, `Stream` and `Reader` run on it unchanged.  What it
does not know it refuses by `NotImplementedError` instead of answering wrongly; and a
test compares what it does know with real servers, answer by answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ConnectionError as Broken

from tests.simulation.commands import COMMANDS, Command, command_of
from tests.simulation.facts import CONFIG, OLD_VERSION, VERSION, information
from tests.simulation.keyspace import Keyspace
from tests.simulation.lua import NO_COMMAND, Lua, Script
from tests.simulation.replies import (
    OK,
    Args,
    Refused,
    Status,
    arity,
    digest,
    failure,
    glob,
    integer,
    unsupported,
)
from tests.simulation.stream_commands import Waiting
from tests.simulation.streams import Stream

Argument = bytes | str | int | float
Answered = Callable[[Any], None]
Clock = Callable[[], float]

REBASE = 5000  # commands after which a copy is made, so that no more are repeated

OOM: Final = "OOM command not allowed when used memory > 'maxmemory'."
READ_ONLY: Final = "READONLY You can't write against a read only replica."
LOADING: Final = "LOADING Redis is loading the dataset in memory"
BROKEN_DISK: Final = "MISCONF Errors writing to the AOF file: No space left on device"
WRITES: Final = "ERR Write commands are not allowed from read-only scripts."
NO_SCRIPT: Final = "NOSCRIPT No matching script."
STREAM_GONE: Final = "UNBLOCKED the stream key no longer exists"
GROUP_GONE: Final = (
    "NOGROUP the consumer group this client was blocked on no longer exists"
)
CLOSED: Final = "Connection closed by server."
# What is answered though the data are still being read.
ALWAYS: Final = frozenset({b"ACL", b"CONFIG", b"INFO", b"TIME"})


@dataclass(frozen=True, slots=True)
class _Entry:
    """A command as it was run."""

    now: int
    out_of_memory: bool
    args: Args


class Store:
    """
    One server and its data.

    Attributes:
        out_of_memory: What could make data grow is refused; as it also is while
            `used_memory` is above `maxmemory` of `config`.
        read_only: It is a replica: what writes is refused.
        broken_disk: It cannot write to its disk: what writes is refused.
        loading: It has not read its data yet: nearly everything is refused.
        used_memory: What INFO says of it, in bytes.
        starts: How often it was started; connections of another start are broken.
        config: What CONFIG tells and sets; no more than told.
    """

    def __init__(self, clock: Clock, *, old: bool = False) -> None:
        """
        Start empty.

        Args:
            clock: Tells the server's time in seconds since 1970.
            old: It is a Redis 7.0, and not the Valkey that comes with the program.
        """
        self.out_of_memory = False
        self.read_only = False
        self.broken_disk = False
        self.loading = False
        self.used_memory = 1 << 20
        self.starts = 1
        self.config = dict(CONFIG)
        self._clock = clock
        self._keys = Keyspace(old=old)
        self._lua = Lua(self._called)
        self._compiled: dict[bytes, Script] = {}
        self._known: dict[bytes, Script] = {}
        self._script: Script | None = None  # the one that runs
        self._wrote = False  # it has written, as far as an old script may have
        self._waiting: dict[int, tuple[Waiting, Answered]] = {}
        self._tickets = 0
        self._journal: list[_Entry] | None = None
        self._synced = 0
        self._base = Keyspace(old=old)
        self._own: dict[bytes, Callable[[Args], Any]] = {
            b"ACL": self._access,
            b"CONFIG": self._configure,
            b"EVAL": self._eval,
            b"EVALSHA": self._evalsha,
            b"INFO": self._info,
            b"PING": self._ping,
            b"REPLICAOF": self._follow,
            b"SCRIPT": self._scripts,
            b"TIME": self._time,
        }

    def execute(self, command: Sequence[Argument]) -> Any:
        """
        Run one command, and return what a client gets, or a `Waiting`.

        Raises:
            RedisError: As redis-py raises it for the server's refusal.
            NotImplementedError: The model does not know this.
        """
        try:
            answer = self._process(
                [part if type(part) is bytes else _encoded(part) for part in command]
            )
        except Refused as refusal:
            raise failure(str(refusal)) from None
        finally:
            if self._keys.grown:
                self._wake()
        return bytes(answer) if type(answer) is Status else answer

    def wait(self, waiting: Waiting, answered: Answered) -> int:
        """
        Let *answered* be called with what *waiting* waits for, or with an exception.

        Returns:
            A ticket, with which one may `leave` again.
        """
        self._tickets += 1
        self._waiting[self._tickets] = waiting, answered
        return self._tickets

    def leave(self, ticket: int) -> None:
        """Wait no more, as a client whose time is over, or who is gone."""
        self._waiting.pop(ticket, None)

    # What may befall a server

    def restart(self) -> None:
        """End, and start with the same data: clients and scripts are forgotten."""
        self.starts += 1
        self._known.clear()
        gone, self._waiting = self._waiting, {}
        for _, answered in gone.values():
            answered(Broken(CLOSED))

    def sync(self) -> None:
        """Bring everything onto the disk, so that `lose_power` keeps it."""
        if self._journal is None or len(self._journal) > REBASE:
            self._base = self._keys.copy()
            self._journal = []
        self._synced = len(self._journal)

    def lose_power(self) -> int:
        """
        Go back to what the last `sync` left, and restart.

        Returns:
            How many commands were lost.
        """
        journal = self._journal
        if journal is None:
            raise RuntimeError("sync() has to be called now and then, as a disk does")
        self._journal = None
        self._keys = self._base.copy()
        for entry in journal[: self._synced]:
            self._repeat(entry)
        self._keys.grown.clear()
        self._journal = journal[: self._synced]
        self.restart()
        return len(journal) - self._synced

    def snapshot(self) -> Keyspace:
        """Return a copy of all data, as a backup has them."""
        return self._keys.copy()

    def restore(self, snapshot: Keyspace) -> None:
        """Go back to the data of *snapshot*, and restart."""
        self._keys = snapshot.copy()
        if self._journal is not None:
            self._journal = None
            self.sync()
        self.restart()

    def _repeat(self, entry: _Entry) -> None:
        self._advance(entry.now)
        before, self.out_of_memory = self.out_of_memory, entry.out_of_memory
        try:
            if entry.args[0].upper() in self._own:
                script = self._compiled[entry.args[1].lower()]
                self._run_script(script, entry.args)
            else:
                command_of(entry.args).run(self._keys, entry.args)
        except Refused:
            pass  # as it was then
        finally:
            self.out_of_memory = before

    @property
    def _full(self) -> bool:
        most = int(self.config["maxmemory"])
        above = most > 0 and self.used_memory > most
        return (self.out_of_memory or above) and not self.read_only

    def _note(self, args: Args) -> None:
        if self._journal is not None:
            entry = _Entry(self._keys.now, self._full, args)
            self._journal.append(entry)

    def _advance(self, now: int) -> None:
        for key in self._keys.advance(now):
            self._note([b"DEL", key])

    # A command's way

    def _process(self, args: Args) -> Any:
        self._advance(int(self._clock() * 1000))
        name = args[0].upper()
        own = self._own.get(name)
        if own is not None:
            if self.loading and name not in ALWAYS:
                raise Refused(LOADING)
            return own(args)
        command = COMMANDS.get(name) or command_of(args)
        if not command.fits(len(args)):
            raise arity(command.name)
        self._permit(writes=command.writes, grows=command.grows)
        if not command.writes:
            return command.run(self._keys, args)
        try:
            return command.run(self._keys, args)
        finally:
            self._note(args)

    def _permit(self, *, writes: bool, grows: bool) -> None:
        if grows and self._full:
            raise Refused(OOM)
        if writes and self.broken_disk:
            raise Refused(BROKEN_DISK)
        if writes and self.read_only:
            raise Refused(READ_ONLY)
        if self.loading:
            raise Refused(LOADING)

    def _wake(self) -> None:
        """Serve those who wait for what has changed, first come, first served."""
        grown, self._keys.grown = self._keys.grown, {}
        for ticket, (waiting, answered) in [*self._waiting.items()]:
            if not any(key in grown for key in waiting.keys):
                continue
            answer: Any
            try:
                answer = command_of(waiting.command).run(self._keys, waiting.command)
            except Refused as refusal:
                if waiting.command[0].upper() == b"XREAD":
                    continue  # the stream may come back
                answer = failure(self._unblocked(waiting, str(refusal)))
            if not isinstance(answer, Waiting):
                self._note(waiting.command)
                self.leave(ticket)
                answered(answer)

    def _unblocked(self, waiting: Waiting, refusal: str) -> str:
        """Return how one who waits is told that there is nothing to wait for."""
        if not self._keys.old:
            return refusal
        if isinstance(self._keys.get(waiting.keys[0]), Stream):
            return GROUP_GONE
        return STREAM_GONE

    # Scripts

    def _eval(self, args: Args) -> Any:
        if len(args) < 3:
            raise arity(args[0])
        return self._evalsha([args[0], self._load(args[1]), *args[2:]])

    def _evalsha(self, args: Args) -> Any:
        if len(args) < 3:
            raise arity(args[0])
        script = self._known.get(args[1].lower())
        if script is None:
            raise Refused(NO_SCRIPT)
        if script.flagged:
            self._permit(writes=script.writes, grows=not script.frugal)
        try:
            return self._run_script(script, args)
        finally:
            if script.writes:
                self._note(args)

    def _run_script(self, script: Script, args: Args) -> Any:
        count = integer(args[2])
        if count > len(args) - 3:
            raise Refused("ERR Number of keys can't be greater than number of args")
        if count < 0:
            raise Refused("ERR Number of keys can't be negative")
        self._script, self._wrote = script, False
        self._keys.blocking = False
        try:
            return self._lua.run(script, args[3 : 3 + count], args[3 + count :])
        finally:
            self._script = None
            self._keys.blocking = True

    def _called(self, args: Args) -> Any:
        """Run a command for the script that runs."""
        if not args:
            raise Refused(NO_COMMAND)
        command = COMMANDS.get(args[0])
        if command is None:
            if args[0].upper() == b"PING":
                return self._ping(args)
            command = command_of(args)
        arity = command.arity
        if len(args) != arity and (arity > 0 or len(args) < -arity):
            raise Refused("ERR Wrong number of args calling command from script")
        if command.writes:
            self._permit_script(command)
        return command.run(self._keys, args)

    def _permit_script(self, command: Command) -> None:
        script = self._script
        if script is None or not script.writes:
            if command.grows and self._full and not self._keys.old:
                raise Refused(OOM)
            raise Refused(WRITES)
        if script.flagged:
            return
        self._permit(writes=True, grows=command.grows and not self._wrote)
        self._wrote = True

    def _load(self, text: bytes) -> bytes:
        name = digest(text).encode()
        if name not in self._compiled:
            self._compiled[name] = self._lua.compile(text)
        self._known[name] = self._compiled[name]
        return name

    def _scripts(self, args: Args) -> Any:
        match [args[1].upper(), *args[2:]]:
            case [b"LOAD", text]:
                return self._load(text)
            case [b"EXISTS", *names]:
                return [int(name.lower() in self._known) for name in names]
            case [b"FLUSH"]:
                self._known.clear()
                return OK
        raise unsupported(args)

    # The server itself

    def _ping(self, args: Args) -> Any:
        if self.broken_disk:
            raise Refused(BROKEN_DISK)
        if len(args) > 2:
            raise arity(args[0])
        return args[1] if len(args) > 1 else Status(b"PONG")

    def _follow(self, args: Args) -> Status:
        before = self.read_only
        self.read_only = [part.upper() for part in args[1:]] != [b"NO", b"ONE"]
        if before and self.read_only:
            return Status(b"OK Already connected to specified master")
        return OK

    def _time(self, _: Args) -> list[bytes]:
        seconds, rest = divmod(int(self._clock() * 1_000_000), 1_000_000)
        return [b"%d" % seconds, b"%d" % rest]

    def _access(self, args: Args) -> bytes:
        if [one.upper() for one in args[1:]] != [b"WHOAMI"]:
            raise unsupported(args)
        return b"default"

    def _configure(self, args: Args) -> Any:
        match [args[1].upper(), *args[2:]]:
            case [b"GET", *patterns] if patterns:
                wanted = [glob(pattern.lower()).fullmatch for pattern in patterns]
                found = [
                    part.encode()
                    for pair in self.config.items()
                    if any(matches(pair[0].encode()) for matches in wanted)
                    for part in pair
                ]
                if found:
                    return found
            case [b"SET", name, value] if name.decode() in self.config:
                self.config[name.decode()] = value.decode()
                return OK
        raise unsupported(args)

    def _info(self, args: Args) -> bytes:
        return information(
            {
                "used_memory": self.used_memory,
                "maxmemory": self.config["maxmemory"],
                "maxmemory_policy": self.config["maxmemory-policy"],
                "loading": int(self.loading),
                "aof_enabled": int(self.config["appendonly"] == "yes"),
                "aof_last_write_status": "err" if self.broken_disk else "ok",
                "role": "slave" if self.read_only else "master",
                **(OLD_VERSION if self._keys.old else VERSION),
            },
            [part.decode().lower() for part in args[1:]],
        )


def _encoded(part: Argument) -> bytes:
    """Return an argument as the client packs it."""
    if type(part) is str:
        return part.encode()
    if type(part) in (int, float):
        return str(part).encode()
    raise unsupported(part)
