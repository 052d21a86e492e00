"""Where secrets are kept: in $CREDENTIALS_DIRECTORY, beside the file, in the
environment; never in a file that is shown.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.config.discretion import looks_secret
from monitor.config.document import Path_

LARGEST = 64 * 1024  # bytes; a session has 400, a private key 4,000
OTHERS = 0o077  # what owner and nobody else may do is left


def references(block: Any, path: Path_ = ()) -> Iterator[tuple[Path_, str, str]]:
    """Yield each ``{file: NAME}`` and ``{env: NAME}`` of a block as it is written."""
    if not isinstance(block, Mapping):
        return
    if len(block) == 1:
        ((where, name),) = block.items()
        if where in ("file", "env") and name and isinstance(name, str):
            yield path, where, name
    for key, inner in block.items():
        yield from references(inner, (*path, key))


def secret(where: str, name: str, folder: Path) -> str:
    """
    Return the secret that is kept in a file or in the environment.

    Raises:
        ValueError: It is not there, or not kept as a secret is; what is said shows
            nothing of it.
    """
    if looks_secret(name):
        raise ValueError("write where the secret is kept, not the secret itself")
    text = (_of_environment(name) if where == "env" else _of_file(name, folder)).strip()
    if not text:
        raise ValueError(f"{name!r} is empty")
    return text


def _of_environment(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("write the name of a variable, such as BOT_TOKEN")
    if name not in os.environ:
        raise ValueError(f"the environment has no {name}")
    return os.environ[name]


def _of_file(name: str, folder: Path) -> str:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    granted = (
        Path(credentials) / name if credentials and Path(name).name == name else None
    )
    beside = folder / name
    try:
        if granted and granted.is_file():
            return _read(granted)
        if not beside.is_file():
            looked = [place.parent for place in (granted, beside) if place]
            raise ValueError(f"no file {name!r} in {' or '.join(map(shown, looked))}")
        if beside.stat().st_mode & OTHERS:
            raise ValueError(f"others can read it: chmod 600 {shown(beside)}")
        return _read(beside)
    except UnicodeDecodeError:
        raise ValueError(f"{name!r} is no text in UTF-8") from None
    except OSError as error:
        raise ValueError(f"{name!r} cannot be read: {error.strerror}") from None


def _read(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"{path.name!r} is larger than 64 KiB, too large for a secret")
    return raw.decode("utf-8")


def placed(file: Path, name: str) -> Path:
    """Return the path that a name in the main *file* stands for."""
    return Path(os.path.normpath(file.parent.absolute() / name))


def shown(path: Path) -> str:
    """Return a path as a person in the current folder would write it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):  # it lies elsewhere, or the folder is gone
        return str(path)
