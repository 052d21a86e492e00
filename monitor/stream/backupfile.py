"""
A backup as one file: a line of JSON that says what it is, and all that was kept.

The line has the SHA-256 of what follows it, which is zstd: each key as its length (u32)
and msgpack.  So a file proves by itself that it is whole, before anything is done with
it; and who reads it next year sees from its first line what can read it.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO, Protocol

import msgspec
import zstandard

from monitor.errors import Unavailable
from monitor.stream.backup import STAGED, Kept, Snapshot
from monitor.stream.dayfile import sync_folder

FORMAT = "monitor-backup"
VERSION = 1
LEVEL = 3
LONGEST_LINE = 64 * 1024  # bytes of the first line
LARGEST = 512 << 20  # bytes of a key; a server takes no more
CHUNK = 1 << 20
LENGTH = struct.Struct(">I")
NOT_YET = "0" * 64
APART = (STAGED, "lease:")  # what is in no backup


class _Hash(Protocol):
    def update(self, part: bytes, /) -> None: ...


class _Form(msgspec.Struct):
    format: str
    version: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """
    The first line.

    Attributes:
        made: When it was taken.
        epoch: Of which database.
        server: What it was kept on; an older one cannot read it.
        keys: How many there are.
        size: Bytes of them, unpacked.
        sha256: Of everything after this line.
    """

    format: str = FORMAT
    version: int = VERSION
    made: datetime
    epoch: str
    server: str
    keys: int
    size: int
    sha256: str = NOT_YET


def write(path: Path, what: Snapshot, made: datetime, *, force: bool) -> Head:
    """
    Make *path* hold exactly this, readable by nobody else, or leave it as it was.

    Args:
        force: A file that is there already is replaced.

    Raises:
        Unavailable: There is one already, or it cannot be written.
    """
    fresh: Path | None = None
    try:
        # It can be read by us alone from its first moment on.
        number, name = mkstemp(".tmp", f"{path.name}.", path.parent)
        fresh = Path(name)
        with os.fdopen(number, "wb") as file:
            head = _fill(file, what, made)
            os.fsync(file.fileno())
        if force:
            fresh.replace(path)
        else:
            os.link(fresh, path)  # unlike a rename it replaces nothing
        sync_folder(path.parent)
    except FileExistsError:
        raise Unavailable(f"{path} is there already: say --force") from None
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from None
    finally:
        if fresh is not None:
            with suppress(OSError):  # it has its own name now, or is worth nothing
                fresh.unlink()
    return head


def read(path: Path) -> tuple[Head, Snapshot]:
    """
    Return what *path* holds, once all of it is proved.

    Raises:
        Unavailable: It is no backup, not whole, or of a newer program.
    """
    try:
        with path.open("rb") as file:
            head = _head(path, file)
            begin = file.tell()
            digest = sha256()
            while part := file.read(CHUNK):
                digest.update(part)
            if digest.hexdigest() != head.sha256:
                raise _damaged(path, "it is not what was once written")
            file.seek(begin)
            kept = list(_kept(path, file, head))
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from None
    if len(kept) != head.keys or len({one.name for one in kept}) != head.keys:
        raise _damaged(path, f"{len(kept)} keys instead of {head.keys}")
    return head, Snapshot(head.epoch, head.server, kept)


def _fill(file: BinaryIO, what: Snapshot, made: datetime) -> Head:
    records = [msgspec.msgpack.encode(one) for one in what.kept]
    head = Head(
        made=made,
        epoch=what.epoch,
        server=what.server,
        keys=len(records),
        size=sum(LENGTH.size + len(record) for record in records),
    )
    _write_line(file, head)
    packer, digest = zstandard.ZstdCompressor(level=LEVEL).compressobj(), sha256()
    for record in records:
        _write_part(file, digest, packer.compress(LENGTH.pack(len(record)) + record))
    _write_part(file, digest, packer.flush())
    head = msgspec.structs.replace(head, sha256=digest.hexdigest())
    file.seek(0)
    _write_line(file, head)  # as long as before
    file.flush()
    return head


def _write_line(file: BinaryIO, head: Head) -> None:
    file.write(msgspec.json.encode(head) + b"\n")


def _write_part(file: BinaryIO, digest: "_Hash", part: bytes) -> None:
    digest.update(part)
    file.write(part)


def _head(path: Path, file: BinaryIO) -> Head:
    """Return the first line, which says whether we can read the others."""
    line = file.readline(LONGEST_LINE)
    try:
        said = msgspec.json.decode(line, type=_Form)
        if said.format != FORMAT:
            raise _foreign(path)
        if said.version > VERSION:
            raise Unavailable(
                f"{path} is a backup of form {said.version}, and this program reads "
                f"form {VERSION}: use a newer monitor; nothing was changed"
            )
        return msgspec.json.decode(line, type=Head)
    except msgspec.DecodeError:  # a ValidationError, too
        raise _foreign(path) from None


def _kept(path: Path, file: BinaryIO, head: Head) -> Iterator[Kept]:
    left = head.size
    unpack = msgspec.msgpack.Decoder(Kept).decode
    try:
        with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as body:
            while left > 0:
                (length,) = LENGTH.unpack(_exactly(body, LENGTH.size))
                left -= LENGTH.size + length
                if left < 0 or length > LARGEST:
                    break
                one = unpack(_exactly(body, length))
                if not one.name or one.name.startswith(APART):
                    raise _damaged(path, f"no backup keeps {one.name!r}")
                yield one
            if left or body.read(1):
                raise _damaged(path, "it holds something else than its first line says")
    except (zstandard.ZstdError, msgspec.DecodeError, EOFError) as error:
        raise _damaged(path, str(error)) from None


def _exactly(body: zstandard.ZstdDecompressionReader, length: int) -> bytes:
    parts = list[bytes]()
    while length:
        if not (part := body.read(min(length, CHUNK))):
            raise EOFError("it ends in the middle of a key")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _foreign(path: Path) -> Unavailable:
    return Unavailable(f"{path} is no backup of monitor; nothing was changed")


def _damaged(path: Path, why: str) -> Unavailable:
    return Unavailable(f"{path} is damaged: {why}; nothing was changed")
