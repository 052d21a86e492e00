"""
Lua scripts of the simulated store, run as Redis runs them.

They are the program's own scripts, in the Lua that Redis has; their commands run on the
model.  What they are answered and what they answer is converted as Redis does it: no
value is `false`, a number loses what follows its point, a list ends at its first `nil`.
"""

import re
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn

from lupa import lua51

from tests.simulation.replies import Args, Refused, Status, digest, failure, unsupported

Call = Callable[[Args], Any]

SANDBOX: Final = Path(__file__).with_name("sandbox.lua")
FLAGS: Final = frozenset({"allow-oom", "no-writes"})
EXACT = 10**16  # whole numbers up to it are written without an exponent
PLAIN: Final = frozenset({b"boolean", b"nil", b"number", b"string"})
FAR = 1 << 63
ON_STACK = 3000  # values that can be handed over one by one
PACKED: Final = frozenset({int, bytes})
TOO_SHORT: Final = "bad argument #{} to 'pack' (string too short)"
ARGUMENTS: Final = "ERR Command arguments must be strings or integers"
NO_COMMAND: Final = "ERR Please specify at least one argument for this call"


@dataclass(frozen=True, slots=True)
class Script:
    """
    A script that was compiled.

    Attributes:
        flagged: It says by a first line what it does; an old one does not.
        writes: It may write.
        frugal: It may run although memory is full.
    """

    function: Any
    flagged: bool
    writes: bool
    frugal: bool


class Lua:
    """One Lua, whose scripts call the commands of one store."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._bug: BaseException | None = None
        self._lua = lua51.LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
        )
        self._compile, self._run, self._run_with, self._shown = self._lua.execute(
            SANDBOX.read_bytes(),
            self._invoke,
            self._pack,
            self._unpack,
            self._missing,
            lambda text: digest(text).encode(),
        )

    def compile(self, text: bytes) -> Script:
        """
        Return a script ready to run.

        Raises:
            Refused: It is none.
        """
        first, line_end, rest = text.partition(b"\n")
        flags = None
        if first.startswith(b"#!"):
            flags = _flags(first.decode())
            text = line_end + rest
        compiled = self._compile(text)
        if isinstance(compiled, tuple):
            why = compiled[1].decode("utf-8", "replace")
            raise Refused(f"ERR Error compiling script (new function): {why}")
        if flags is None:
            return Script(compiled, flagged=False, writes=True, frugal=True)
        writes = "no-writes" not in flags
        frugal = "allow-oom" in flags or not writes
        return Script(compiled, flagged=True, writes=writes, frugal=frugal)

    def run(self, script: Script, keys: Args, argv: Args) -> Any:
        """
        Run *script*, and return what it answers.

        What it has written stays, however it ends.

        Raises:
            Refused: It ended with an error.
        """
        if len(keys) + len(argv) < ON_STACK:
            answer = self._run_with(script.function, len(keys), *keys, *argv)
        else:
            table = self._lua.table_from
            answer = self._run(script.function, table(keys), table(argv))
        bug, self._bug = self._bug, None
        if bug is not None:  # whatever the script made of it
            raise bug
        if type(answer) is not tuple:
            answer = (answer,)
        if answer[0] == b"err":
            raise Refused(_told(*answer[1:]))
        return self._plain(answer)

    def _plain(self, shown: tuple[Any, ...]) -> Any:
        """Return what the sandbox shows of a value as Redis answers it."""
        kind = shown[0]
        if kind in PLAIN:
            return self._part(shown[1])
        if kind == b"list":
            return [self._part(part) for part in shown[1:]]
        if kind == b"table":
            return [self._part(shown[1][n]) for n in range(1, shown[2] + 1)]
        if kind == b"ok":
            return Status(shown[1])
        if kind == b"err":
            return failure(shown[1].decode("utf-8", "replace"))
        return None

    def _part(self, value: Any) -> Any:
        kind = type(value)
        if kind is bytes:
            return value
        if kind is int or kind is float:
            whole = int(value)
            return whole if -FAR <= whole < FAR else -FAR  # as x86 has it
        if kind is bool:
            return 1 if value else None
        if value is None or lua51.lua_type(value) != "table":
            return None
        shown = self._shown(value)
        return self._plain(shown if type(shown) is tuple else (shown,))

    def _invoke(self, *args: Any) -> Any:
        """Run one command of a script; its answer is as the sandbox expects it."""
        try:
            answer = self._call(
                [arg if type(arg) is bytes else _argument(arg) for arg in args]
            )
            kind = type(answer)
            if kind is bytes or kind is int:
                return answer
            return self._into(answer)
        except Refused as refusal:
            return None, str(refusal).encode()
        except BaseException as error:  # noqa: BLE001 - Lua must not swallow it
            return self._broken(error)

    def _into(self, answer: Any) -> Any:
        if answer is None:
            return False
        if type(answer) is Status:
            return True, -1, bytes(answer)
        if len(answer) > ON_STACK:
            return self._table(answer)
        return True, len(answer), *map(self._table, answer)

    def _table(self, answer: Any) -> Any:
        """Return an answer, or a part of one, as a value of Lua."""
        kind = type(answer)
        if kind is bytes or kind is int:
            return answer
        if answer is None:
            return False
        if kind is list:
            return self._lua.table_from([self._table(part) for part in answer])
        raise unsupported(answer)

    def _broken(self, error: BaseException) -> tuple[None, bytes]:
        self._bug = self._bug or error
        return None, b"ERR the model cannot do this"

    def _missing(self, name: bytes) -> NoReturn:
        self._bug = unsupported(name.decode())
        raise self._bug

    def _pack(self, form: bytes, *values: Any) -> Any:
        try:
            return _layout(form).pack(values)
        except ValueError as error:
            return None, str(error).encode()
        except BaseException as error:  # noqa: BLE001 - Lua must not swallow it
            return self._broken(error)

    def _unpack(self, form: bytes, text: bytes, start: int = 1) -> Any:
        try:
            return _layout(form).unpack(text, start)
        except ValueError as error:
            return None, str(error).encode()
        except BaseException as error:  # noqa: BLE001 - Lua must not swallow it
            return self._broken(error)


def _flags(line: str) -> frozenset[str]:
    engine, *rest = line.split()
    if engine != "#!lua":
        raise unsupported(line)
    flags = frozenset[str]()
    for part in rest:
        name, _, value = part.partition("=")
        if name != "flags":
            raise Refused(f"ERR Unknown lua shebang option: {part}")
        flags = frozenset(filter(None, value.split(",")))
    for flag in sorted(flags - FLAGS):
        if flag in ("allow-stale", "no-cluster", "allow-cross-slot-keys"):
            raise unsupported(line)
        raise Refused(f"ERR Unexpected flag in script shebang: {flag}")
    return flags


def _argument(value: Any) -> bytes:
    if type(value) is int and abs(value) <= EXACT:
        return b"%d" % value
    if type(value) in (int, float):
        raise unsupported(value)  # versions differ in how they write it
    raise Refused(ARGUMENTS)


def _told(why: bytes, line: int | None = None) -> str:
    text = why.decode("utf-8", "replace")
    return text if line is None else f"{text} script: on @user_script:{line}."


CODES: Final = {
    b"b": "b", b"B": "B", b"h": "h", b"H": "H", b"i": "i", b"I": "I", b"l": "q",
    b"L": "Q", b"i1": "b", b"I1": "B", b"i2": "h", b"I2": "H", b"i4": "i", b"I4": "I",
    b"i8": "q", b"I8": "Q",
}  # fmt: skip


class _Layout:
    """A format of Lua's `struct`, as far as it is also one of Python's."""

    def __init__(self, form: bytes) -> None:
        order = form[:1].decode() if form[:1] in (b"<", b">") else "<"
        parts = re.findall(rb"[bBhHlL]|[iI]\d*|c\d+", form.lstrip(b"<>"))
        if b"".join(parts) != form.lstrip(b"<>") or b"c0" in parts:
            raise unsupported(form)
        codes = [
            f"{int(part[1:])}s" if part.startswith(b"c") else CODES[part]
            for part in parts
        ]
        self._struct = struct.Struct(order + "".join(codes))
        sizes = [struct.calcsize(order + code) for code in codes]
        self._parts = [
            (part.startswith(b"c"), part[:1].islower(), size)
            for part, size in zip(parts, sizes, strict=True)
        ]
        self._texts = [(n, part[2]) for n, part in enumerate(self._parts) if part[0]]

    def pack(self, values: tuple[Any, ...]) -> bytes:
        """Return *values* as bytes."""
        if len(values) != len(self._parts):
            raise unsupported(values)
        if {*map(type, values)} <= PACKED:
            for at, size in self._texts:
                if len(values[at]) < size:
                    raise ValueError(TOO_SHORT.format(at + 3))
            with suppress(struct.error, TypeError):  # a number too large, or a text
                return self._struct.pack(*values)
        return self._struct.pack(*map(_fitting, self._parts, values))

    def unpack(self, text: bytes, start: int) -> tuple[Any, ...]:
        """Return what *text* holds from *start*, counted from 1, and where it ends."""
        end = start - 1 + self._struct.size
        if end > len(text):
            raise ValueError("bad argument #2 to 'unpack' (data string too short)")
        return *self._struct.unpack_from(text, start - 1), end + 1


@lru_cache(maxsize=64)
def _layout(form: bytes) -> _Layout:
    return _Layout(form)


def _fitting(part: tuple[bool, bool, int], value: Any) -> Any:
    """Return *value* as Lua's library takes it for a text or a number of some bytes."""
    text, signed, size = part
    if text:
        if type(value) is not bytes:
            raise unsupported(value)
        return value
    if type(value) is bytes and re.fullmatch(rb"-?\d{1,15}", value):
        value = int(value)  # Lua takes a text for its number, too
    if type(value) not in (int, float) or abs(value) > EXACT:
        raise unsupported(value)
    whole = int(value) & ((1 << 8 * size) - 1)
    return whole - (1 << 8 * size) if signed and whole >> (8 * size - 1) else whole
