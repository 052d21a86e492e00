"""
A small configuration, and the commands as somebody calls them.

    file = write(tmp_path, sources='[{name: …}]')
    result = call("check", "-c", file)

    assert 0 == result.exit_code
"""

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from monitor.cli import commands

bots = itertools.count(os.getpid() * 1000)  # a token is in use only once on a machine

SMALL = """
state: {state}
redis: {redis}
web: {{allow: [127.0.0.0/8], pace: 10ms}}
telegram: {{preview: "{preview}"}}
places:
  - id: RU-BEL
    kind: region
    name: {{ru: Белгородская область}}
    places:
      - {{id: grayvoron, kind: town, name: {{ru: Грайворон}}}}
      - {{id: kozinka, kind: village, name: {{ru: Козинка}}}}
topics:
  - {{name: uav, words: {{ru: [беспилотник~, дрон~]}}}}
signals:
  - {{name: clear, words: {{ru: [отбой]}}}}
  - {{name: danger, words: {{ru: ["работает ПВО"]}}}}
rules:
  - name: drones
    places: [RU-BEL]
    topics: [uav]
    severity: critical
    expect: [{{text: "Над Грайвороном беспилотник", match: {expected}}}]
  - {{name: words, words: ["штаб~"], voices: [official], severity: info}}
sinks: {sinks}
sources: {sources}
subscribers: {subscribers}
"""


def write(folder: Path, **parts: str) -> Path:
    """Write a small configuration, and return its file; *parts* replace the usual."""
    usual = {
        "state": "./state",
        "expected": "true",
        "redis": "null",
        "preview": "https://t.me",
        "sinks": "[{name: here, kind: console}]",
        "sources": "[]",
        "subscribers": "[{name: desk, sink: here, places: [RU-BEL]}]",
    }
    file = folder / "monitor.yaml"
    file.write_text(SMALL.format(**usual | parts), "utf-8")
    return file


def bot(folder: Path, url: str = "http://127.0.0.1:9", name: str = "chat") -> str:
    """Write a token that nobody else uses; return a sink of that bot."""
    token = folder / f"{name}-token"
    token.write_text(f"{next(bots)}:a-bot-of-tests", "ascii")
    token.chmod(0o600)
    return (
        f'{{name: {name}, kind: telegram, token: {{file: {name}-token}}, api: "{url}"}}'
    )


def token_of(folder: Path, name: str = "chat") -> str:
    """Return the token that `bot` wrote."""
    return (folder / f"{name}-token").read_text("ascii")


def call(*args: object, stdin: bytes = b"", **how: Any) -> Result:
    """Return what a command answers, run in this process."""
    words = [str(arg) for arg in args]
    return CliRunner().invoke(commands, words, input=stdin, **how)


async def ask(*args: object) -> Result:
    """Return what a command answers, while the loop serves what it asks for."""
    return await asyncio.to_thread(call, *args)


def told(result: Result) -> list[Any]:
    """Return the lines of JSON on standard output."""
    return [json.loads(line) for line in result.stdout.splitlines()]


@dataclass(frozen=True)
class Done:
    """How a process ended, and what it wrote."""

    code: int
    out: str
    err: str


async def run(*command: object, **environment: str) -> Done:
    """Run a process to its end; ``monitor`` as first word is the program."""
    async with started(*command, **environment) as process:
        out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def started(
    *command: object, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process while the block runs; it is killed at its end."""
    words = list(map(str, command))
    if words[0] == "monitor":
        words[:1] = [sys.executable, "-m", "monitor"]
    process = await asyncio.create_subprocess_exec(
        *words,
        env=os.environ | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
