"""The file of a backup: whole or refused, and nobody's but ours."""

import json
import os
import resource
import signal
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import Unavailable
from monitor.stream.backup import Kept, Snapshot
from monitor.stream.backupfile import LENGTH, Head, read, write

NOW = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)
KEPT = (
    Kept("epoch", "string", -1, 16, "a" * 40, b"\x00\xff\n"),
    Kept("ledger:город/1", "hash", 5, 2, "0" * 13, os.urandom(3000)),
    Kept("items", "stream", -1, 0, "b" * 40, b"\x00" * 5000),
)
WHAT = Snapshot("e1", "Valkey 9.1.2", KEPT)


def written(folder: Path, what: Snapshot = WHAT) -> Path:
    path = folder / "kept"
    write(path, what, NOW, force=True)
    return path


def forged(folder: Path, body: bytes, **head: Any) -> Path:
    """Write a file whose first line fits what follows, whatever that is."""
    said = {
        "format": "monitor-backup", "version": 1, "made": NOW.isoformat(), "epoch": "e",
        "server": "s", "keys": 0, "size": 0, "sha256": sha256(body).hexdigest(),
    }  # fmt: skip
    path = folder / "kept"
    path.write_bytes(json.dumps(said | head).encode() + b"\n" + body)
    return path


def packed(*kept: Kept) -> tuple[bytes, int]:
    records = [msgspec.msgpack.encode(one) for one in kept]
    body = b"".join(LENGTH.pack(len(record)) + record for record in records)
    return zstandard.compress(body), len(body)


def test_what_was_kept_is_read(tmp_path: Path) -> None:
    """Names, times and bytes come back, and the first line says what they are."""
    path = written(tmp_path)

    head, what = read(path)

    assert (KEPT, "e1", "Valkey 9.1.2") == (tuple(what.kept), what.epoch, what.server)
    assert (3, NOW, 1, "monitor-backup") == (
        head.keys, head.made, head.version, head.format,
    )  # fmt: skip
    line = json.loads(path.read_bytes().partition(b"\n")[0])
    assert sha256(path.read_bytes().partition(b"\n")[2]).hexdigest() == line["sha256"]


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """Whatever others may do in that folder by default."""
    before = os.umask(0)
    try:
        path = written(tmp_path)
    finally:
        os.umask(before)

    assert 0o600 == path.stat().st_mode & 0o777


def test_a_file_is_replaced_only_if_one_says_so(tmp_path: Path) -> None:
    """What is there stays as it is, also if it came while we were at work."""
    path = tmp_path / "kept"
    path.write_text("yesterday's", "ascii")

    with pytest.raises(Unavailable, match="--force"):
        write(path, WHAT, NOW, force=False)
    assert "yesterday's" == path.read_text("ascii")

    write(path, WHAT, NOW, force=True)
    assert 3 == read(path)[0].keys
    assert [path] == list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Where nothing can be written, nothing is."""
    with pytest.raises(Unavailable, match="No such file or directory"):
        write(tmp_path / "nowhere" / "kept", WHAT, NOW, force=False)


NOISE = (
    "import os, resource, signal, sys\n"
    "from datetime import UTC, datetime\n"
    "from pathlib import Path\n"
    "from monitor.stream.backup import Kept, Snapshot\n"
    "from monitor.stream.backupfile import write\n"
    "signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[2]))\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
    "noise = Kept('x', 'string', -1, 1, 'd', os.urandom(200_000))\n"
    "write(Path(sys.argv[1]), Snapshot('e', 's', [noise] * 9), "
    "datetime.now(UTC), force=len(sys.argv) > 3)\n"
)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("death", ["SIG_DFL", "SIG_IGN"], ids=["killed", "full"])
def test_half_a_backup_is_none(
    death: str,
    there: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
) -> None:
    """Who is killed in the midst of writing, or finds a full disk, leaves no file."""
    path = tmp_path / "kept"
    if there:
        path.write_text("yesterday's", "ascii")
    words = [str(path), death, *(["force"] if there else [])]

    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", NOISE, *words], capture_output=True, check=False
    )

    left = [one for one in tmp_path.iterdir() if one != path]
    if death == "SIG_DFL":
        assert -signal.SIGXFSZ == done.returncode
        assert [50_000] == [one.stat().st_size for one in left]
    else:
        assert b"Unavailable: " in done.stderr
        assert b"File too large" in done.stderr
        assert [] == left
    assert there == path.exists()
    if there:
        assert "yesterday's" == path.read_text("ascii")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 50_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_what_is_damaged_is_refused(data: st.DataObject, tmp_path: Path) -> None:
    """Cut off anywhere, with one byte changed or some added, it is not what it was."""
    path, good = tmp_path / "damaged", tmp_path / "kept"
    whole = (good if good.exists() else written(tmp_path)).read_bytes()
    line = whole.index(b"\n")
    at = data.draw(st.integers(0, len(whole) - 1))
    how = data.draw(st.sampled_from(["cut", "changed", "added"]))
    if how == "cut":
        damaged = whole[:at]
    elif how == "changed":
        # In the first line, what is said of the keys; a server's name proves nothing.
        at = data.draw(st.integers(line, len(whole) - 1))
        other = data.draw(st.integers(1, 255)) ^ whole[at]
        damaged = whole[:at] + bytes([other]) + whole[at + 1 :]
    else:
        damaged = whole + data.draw(st.binary(min_size=1, max_size=9))
    path.write_bytes(damaged)

    with pytest.raises(Unavailable, match="nothing was changed"):
        read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n", b"{}\n", b"[1]\n", b"x" * 100_000, b'{"format": "tar"}\n',
        b'{"format": "tar", "version": 1}\n', b"\x28\xb5\x2f\xfd\n", b"REDIS0011\n",
        b'{"format": "monitor-backup", "version": 1}\n',
        b'{"format": "monitor-backup", "version": "1"}\n',
    ],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_backup_is_refused(content: bytes, tmp_path: Path) -> None:
    """A file of something else is called one, and not a damaged one."""
    path = tmp_path / "kept"
    path.write_bytes(content)

    with pytest.raises(Unavailable, match="is no backup of monitor"):
        read(path)


def test_a_newer_form_is_refused(tmp_path: Path) -> None:
    """Whatever else a newer program writes, its first line says so to an older one."""
    path = forged(tmp_path, b"", version=2, keys="many")

    with pytest.raises(Unavailable, match=r"form 2, .* form 1: use a newer monitor"):
        read(path)


X = Kept("x", "string", -1, 1, "d", b"x")


@pytest.mark.parametrize(
    ("kept", "head"),
    [
        ((X,), {"keys": 2}),
        ((X, X), {"keys": 2}),
        ((X, X), {"keys": 1}),
        ((X,), {"keys": 1, "size": 3}),
        ((X,), {"keys": 1, "size": 10_000}),
        ((X,), {"keys": 0, "size": 0}),
        ((msgspec.structs.replace(X, name="lease:filter"),), {"keys": 1}),
        ((msgspec.structs.replace(X, name="stage:x"),), {"keys": 1}),
        ((msgspec.structs.replace(X, name=""),), {"keys": 1}),
        ((msgspec.structs.replace(X, kind="list"),), {"keys": 1}),
        ((msgspec.structs.replace(X, lives="soon"),), {"keys": 1}),
    ],
)
def test_a_forged_file_is_refused(
    kept: tuple[Kept, ...], head: dict[str, Any], tmp_path: Path
) -> None:
    """A right sum is not enough: what it holds has to be what a backup holds."""
    body, size = packed(*kept)

    with pytest.raises(Unavailable, match="nothing was changed"):
        read(forged(tmp_path, body, **{"size": size} | head))


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """No more is unpacked than the first line says, and no key is endless."""
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    parts = [packer.compress(LENGTH.pack(2**32 - 1))]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(256)]
    bomb = b"".join([*parts, packer.flush()])

    tracemalloc.start()
    for size in (9, 2**40):
        with pytest.raises(Unavailable, match="nothing was changed"):
            read(forged(tmp_path, bomb, keys=1, size=size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 20 << 20


def test_the_first_line_fits_whatever_comes_after(tmp_path: Path) -> None:
    """An empty database is a backup, too."""
    path = written(tmp_path, Snapshot("e", "s", ()))

    head, what = read(path)

    assert (0, 0, ()) == (head.keys, head.size, tuple(what.kept))
    assert isinstance(head, Head)
