"""What all commands have in common: help, exit codes, colours, and how they end."""

import asyncio
import importlib
import os
import signal
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

import click
import pytest

from monitor.cli import COMMANDS, main
from tests.worlds import Done, call, run, started, write

ESCAPE = "\x1b["
HEAVY = {"pydantic", "yaml", "httpx", "redis", "msgspec", "asyncio", "structlog"}


async def python(script: str, **environment: str) -> Done:
    """Run *script* in an interpreter that has imported nothing yet."""
    begin = "import sys; from monitor.cli import main\n"
    return await run(sys.executable, "-c", begin + script, **environment)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_has_help(name: str) -> None:
    """A command in the list has a module, its name, and help that says what it does."""
    command = importlib.import_module(f"monitor.cli.{name}").command
    result = call(name, "--help")

    assert isinstance(command, click.Command)
    assert name == command.name
    assert 0 == result.exit_code
    assert command.help


async def test_help_imports_none_of_the_program() -> None:
    """`--help` shows every command, and waits for no library but click."""
    done = await python("try: main(['--help'])\nfinally: print(*sys.modules)")

    assert all(f"\n  {name} " in done.out for name in COMMANDS)
    assert set() == HEAVY & set(done.out.splitlines()[-1].split())


async def test_what_only_looks_needs_no_redis(tmp_path: Path) -> None:
    """check, test, explain, sources and schema do not even import its client."""
    script = (
        "for words in 'check', 'test', 'explain x', 'sources list', 'schema':\n"
        "    try: main(words.split())\n"
        "    except SystemExit as end: assert not end.code, words\n"
        "assert 'redis' not in sys.modules"
    )

    done = await python(script, MONITOR_CONFIG=str(write(tmp_path)))

    assert 0 == done.code, done.err
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chek"], "did you mean 'check'?"),
        (["check", "--onlin"], "--online"),
        (["explain"], "give either TEXT or --stdin"),
        (["explain", "text", "--stdin"], "give either TEXT or --stdin"),
        (["replay"], "--from"),
        (["replay", "--from", "yesterday"], "write 2023-05-22"),
        (["replay", "--from", "0001-01-01T00:00+03:00"], "write 2023-05-22"),
        (["replay", "--from", "2023-05-22", "--speed", "0x"], "such as 60x"),
        (["replay", "--from", "2023-05-22", "--speed", "infx"], "such as 60x"),
        (["replay", "--from", "2023-05-22", "--to", "2023-05-22"], "before --to"),
        (["tail", "alerts"], "deliveries"),
        (["tail", "--last", "-1"], "--last"),
        (["run", "everything"], "archive"),
        (["dead", "retry"], "--all"),
        (["sources", "parse", "telegramm", __file__], "did you mean 'telegram'?"),
        (["sources", "parse", "feed", "/no/such/file"], "does not exist"),
    ],
)
def test_a_mistyped_command_says_what_is_right(words: list[str], said: str) -> None:
    """What cannot be meant ends with 2, and one sentence says what would do."""
    result = call(*words)

    assert 2 == result.exit_code
    assert said in result.stderr
    assert "" == result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["run"], ["check"], ["test"], ["explain", "x"], ["sources", "list"],
        ["sources", "test", "x"], ["sources", "export"], ["subscribers", "list"],
        ["tail"], ["replay", "--from", "2023-05-22"], ["dead", "list"], ["doctor"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_mistakes_of_the_configuration_end_with_78(
    words: list[str], tmp_path: Path
) -> None:
    """Every command names all mistakes with their places, on standard error alone."""
    file = write(tmp_path, sinks="[{name: here, kind: consle}]", sources="[{name: A}]")

    result = call(*words, "-c", file)

    assert 78 == result.exit_code
    assert "" == result.stdout
    assert f"{file}:25:" in result.stderr
    assert f"{file}:26:" in result.stderr


def test_no_configuration_ends_with_78(tmp_path: Path) -> None:
    """A file that is not there is named, and so is the way to name another."""
    result = call("check", "-c", tmp_path / "none.yaml")

    assert 78 == result.exit_code
    assert "none.yaml" in result.stderr
    assert "--config" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["tail"],
        ["dead", "list"],
        ["dead", "drop", "1"],
        ["replay", "--from", "20230522"],
    ],
    ids=" ".join,
)
def test_nothing_that_runs_is_69(words: list[str], tmp_path: Path) -> None:
    """What needs a running instance or an archive says so in one line."""
    result = call(*words, "-c", write(tmp_path))

    assert 69 == result.exit_code
    assert 1 == len(result.stderr.splitlines())
    assert str(tmp_path / "state") in result.stderr


def test_a_redis_that_does_not_answer_is_75(tmp_path: Path) -> None:
    """A server that is configured and away may be back soon: try again."""
    file = write(tmp_path, redis=f"unix://{tmp_path}/none.sock")

    result = call("dead", "list", "-c", file)

    assert 75 == result.exit_code
    assert 1 == len(result.stderr.splitlines())


@pytest.mark.parametrize(
    ("environment", "escapes"),
    [
        ({"FORCE_COLOR": "1"}, 2),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, 0),
        ({"FORCE_COLOR": "", "NO_COLOR": ""}, 0),
    ],
)
def test_colours_are_for_who_wants_them(
    environment: dict[str, str], escapes: int, tmp_path: Path
) -> None:
    """A pipe gets none, unless somebody asks; and NO_COLOR has the last word."""
    result = call("test", "-c", write(tmp_path, expected="false"), env=environment)

    assert escapes == result.stdout.count(ESCAPE) - result.stdout.count(f"{ESCAPE}1m")


def ended(out: TextIO) -> object:
    """Return the exit code of a command whose standard output is *out*."""
    with redirect_stdout(out), pytest.raises(SystemExit) as end:
        main(["schema"])
    with suppress(OSError):
        out.close()
    return end.value.code


def test_a_full_disk_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Output that cannot be written ends with 69 and the reason."""
    code = ended(Path("/dev/full").open("w"))  # noqa: SIM115 - closed where it is used

    assert 69 == code
    assert "monitor: No space left on device\n" == capsys.readouterr().err


def test_a_reader_that_leaves_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """`monitor schema | true` ends quietly with 0."""
    reader, writer = os.pipe()
    os.close(reader)

    assert 0 == ended(os.fdopen(writer, "w"))
    assert "" == capsys.readouterr().err


async def test_told_to_stop_while_it_starts_is_no_failure(tmp_path: Path) -> None:
    """SIGTERM that comes before the daemon is up ends it with 0, too."""
    file, slow = tmp_path / "monitor.yaml", tmp_path / "slow.yaml"
    file.write_text("include: [slow.yaml]")
    os.mkfifo(slow)  # the program waits for this part of its configuration
    async with started("monitor", "run", "-c", file) as process:
        while not is_read(slow) and process.returncode is None:
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)

        assert 0 == await process.wait()


def is_read(fifo: Path) -> bool:
    """Return whether somebody has opened *fifo* to read it."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
