r"""
Day files: the lines of one finished day, for ever, readable by ``zstdcat | jq``.

A file is a row of zstd frames, each about 1 MB of whole lines with a checksum,
and a seal: a frame that every zstd reader skips, holding how many lines there are
and the SHA-256 of them all (what ``zstdcat FILE | sha256sum`` prints).  So a file
proves by itself that it is whole, without the base it was written from, and what
is damaged costs one frame, not the day.

Lines end with ``\n`` and nothing else: U+2028 inside a line is a letter like others.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard

from monitor.errors import Unavailable

LEVEL = 3  # 130k items/s and 321 bytes an item; 9 is three times slower for 11 % less
BLOCK = 1 << 20  # bytes of lines a frame: beyond it, zstd gains little
CHUNK = 1 << 17
FRAME = b"\x28\xb5\x2f\xfd"  # how a zstd frame begins (RFC 8878, 3.1.1)
SKIPPED = 0x184D2A5E  # one of the 16 numbers of frames to skip (RFC 8878, 3.1.2)
SEAL = struct.Struct("<IIQ32s")  # number, size of the rest, lines, SHA-256
MODE = 0o600


class Damaged(Unavailable):
    """
    A file of the archive is not what was once written; nothing was deleted.

    Attributes:
        path: The file; the text says what to do.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}")
        self.path = path


class Seal(NamedTuple):
    """What a file says of itself: how many lines, and their SHA-256."""

    lines: int
    digest: bytes


def write(path: Path, lines: Iterable[bytes], aside: Path | None = None) -> Seal:
    """
    Make *path* hold exactly these *lines*, or leave it as it was.

    The file appears whole and on the disk, under its name, in one step.

    Args:
        lines: Without their ends.
        aside: Another name that the file replaced is to keep.

    Raises:
        OSError: Nothing was changed.
    """
    fresh = path.with_name(path.name + ".tmp")
    try:
        with open(fresh, "wb", opener=private) as file:
            seal = _fill(file, lines)
            file.flush()
            os.fsync(file.fileno())
        if aside:
            os.link(path, aside)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)  # a full disk gets its room back
    sync_folder(path.parent)
    return seal


def lines(path: Path) -> Iterator[bytes]:
    """
    Yield the lines of *path*, oldest first, without their ends.

    Raises:
        Damaged: What came before is right, and the file is not whole.
        OSError: It cannot be read.
    """
    digest, total = sha256(), 0
    with _opened(path) as file:
        for block in _blocks(path, file):
            digest.update(block)
            rows = block.split(b"\n")
            total += len(rows) - 1
            yield from rows[:-1]
        _proved(path, file, Seal(total, digest.digest()))


def verify(path: Path) -> Seal:
    """
    Read the whole of *path* and return its seal, which is true.

    Raises:
        Damaged: It is not.
        OSError: It cannot be read.
    """
    digest, total = sha256(), 0
    with _opened(path) as file:
        for block in _blocks(path, file):
            digest.update(block)
            total += block.count(b"\n")
        return _proved(path, file, Seal(total, digest.digest()))


def is_whole(path: Path) -> bool:
    """
    Read the whole of *path*, and tell whether it is what was once written.

    Raises:
        OSError: It cannot be read.
    """
    try:
        verify(path)
    except Damaged:
        return False
    return True


def seal_of(path: Path) -> Seal | None:
    """
    Return what *path* says of itself, unproved; None if it says nothing.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return _seal(file)


def salvage(path: Path) -> Iterator[bytes]:
    """
    Yield the lines of every frame of *path* that is still intact.

    After a damaged frame it goes on with the next one, which is found by how it
    begins; what only looks like a beginning fails its checksum.

    Raises:
        OSError: It cannot be read.
    """
    data = path.read_bytes()  # compressed, a day; salvage is rare
    start = data.find(FRAME)
    while start >= 0:
        block, end = _frame(data, start)
        if block.endswith(b"\n"):
            yield from block.split(b"\n")[:-1]
        start = data.find(FRAME, end)


def aside(path: Path, on: date) -> Path:
    """Return a name for *path*, found damaged *on* a day, that nothing has yet."""
    names = (f"{path.name}.damaged-{on}{suffix}" for suffix in _suffixes())
    return next(new for name in names if not (new := path.with_name(name)).exists())


def sync_folder(folder: Path) -> None:
    """Put the names in *folder* on the disk; a rename alone does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private(path: str, flags: int) -> int:
    """Open a file that nobody else may read; for `open` as its *opener*."""
    return os.open(path, flags, MODE)


def _suffixes() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in count(2))


def _fill(file: BinaryIO, lines: Iterable[bytes]) -> Seal:
    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    digest, total = sha256(), 0
    for block, rows in _grouped(lines):
        digest.update(block)
        total += rows
        file.write(packer.compress(block))
    file.write(SEAL.pack(SKIPPED, SEAL.size - 8, total, digest.digest()))
    return Seal(total, digest.digest())


def _grouped(lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    block: list[bytes] = []
    size = 0
    for line in lines:
        block += (line, b"\n")
        size += len(line) + 1
        if size >= BLOCK:
            yield b"".join(block), len(block) // 2
            block, size = [], 0
    if block:
        yield b"".join(block), len(block) // 2


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise Damaged(path, "it is missing; put a copy back") from error
    with file:
        yield file


def _proved(path: Path, file: BinaryIO, read: Seal) -> Seal:
    if (sealed := _seal(file)) is None:
        raise Damaged(path, "it has no seal; its end is missing")
    if sealed != read:
        raise Damaged(path, f"{sealed.lines} lines were sealed, {read.lines} are there")
    return read


def _seal(file: BinaryIO) -> Seal | None:
    if file.seek(0, os.SEEK_END) < SEAL.size:
        return None
    file.seek(-SEAL.size, os.SEEK_END)
    number, size, total, digest = SEAL.unpack(file.read(SEAL.size))
    sealed = (number, size) == (SKIPPED, SEAL.size - 8)
    return Seal(total, digest) if sealed else None


def _blocks(path: Path, file: BinaryIO) -> Iterator[bytes]:
    data = b""
    unpacker = zstandard.ZstdDecompressor()
    while data := data or file.read(CHUNK):
        frame, parts = unpacker.decompressobj(), list[bytes]()
        while not frame.eof:
            if not (data := data or file.read(CHUNK)):
                raise Damaged(path, "it ends in the middle of a frame")
            with _told_as_damage(path):
                parts.append(frame.decompress(data))
            data = frame.unused_data
        yield b"".join(parts)


@contextmanager
def _told_as_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except zstandard.ZstdError as error:
        raise Damaged(path, str(error)) from error


def _frame(data: bytes, start: int) -> tuple[bytes, int]:
    """Return the lines of the frame at *start* and its end; none if it is bad."""
    frame, parts = zstandard.ZstdDecompressor().decompressobj(), []
    end = start
    try:
        while not frame.eof and end < len(data):
            piece = data[end : end + CHUNK]
            parts.append(frame.decompress(piece))
            end += len(piece)
    except zstandard.ZstdError:
        return b"", start + len(FRAME)
    if not frame.eof:
        return b"", start + len(FRAME)
    return b"".join(parts), end - len(frame.unused_data)
