"""
The command line: what people and service managers call, and the exit codes.

0 done · 1 it was looked at and is not as it should be · 2 usage · 69 unavailable ·
75 try again · 78 configuration (sysexits.h).  With ``--json`` a reading command
writes NDJSON on standard output and everything else on standard error.

A command is the `command` of the module of its name, which is imported when it is
called: the program's own parts take most of a second, and `--help` needs none.
"""

import difflib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import ENOSPC, EPIPE
from typing import Any

import click

from monitor import __version__
from monitor.errors import Misconfigured, Transient, Unavailable
from monitor.secret import redact

UNAVAILABLE, TRY_AGAIN, CONFIGURATION = 69, 75, 78
INTERRUPTED = 130  # by Ctrl-C, as shells have it

LASTING = ("run", "demo", "tail")  # until they are told to stop, which is no failure

COMMANDS = {
    "run": "Do the work until told to stop.",
    "demo": "Show the whole program on a recording: no key, no internet.",
    "check": "Check the configuration; with --online, ask sources and sinks too.",
    "test": "Try the `expect:` lines of rules, topics and signals.",
    "explain": "Say what a text is read as, and who would be told of it, and why.",
    "sources": "List, try, import and export what is listened to.",
    "subscribers": "The people and desks who are told.",
    "tail": "Follow what is collected, what matters, and who was told.",
    "replay": "Run the past through the rules once more; nobody is told.",
    "account": "What was seen and what became of it, and whether it adds up.",
    "dead": "What could not be worked on or delivered, and why.",
    "backup": "Keep all progress of this instant in a file.",
    "restore": "Put back what a backup has kept, and look whether it stands.",
    "doctor": "Look at Redis, the clock, the disk and the secrets.",
    "schema": "Print the configuration's JSON Schema, for editors.",
}


class Commands(click.Group):
    """The commands in `COMMANDS`, and what their errors mean to the outside."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; its module is imported now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in LASTING:
            # While it starts there is nothing to drain; the daemon takes over then.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        found: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, or say which was probably meant."""
        close = difflib.get_close_matches(args[0], COMMANDS, 1)
        if close and args[0] not in COMMANDS:
            ctx.fail(f"No such command {args[0]!r}; did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list of commands without importing one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was called."""
        with _ending():  # before click makes other ends of Ctrl-C and closed pipes
            return super().invoke(ctx)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program; what fails while it shows help ends like everything else."""
        with _ending():
            return super().main(*args, **kwargs)


@contextmanager
def _ending() -> Iterator[None]:
    """Turn what ends a command into its exit code and one text."""
    try:
        yield
    except Misconfigured as mistakes:
        code, text = CONFIGURATION, str(mistakes)
    except Unavailable as reason:
        code, text = UNAVAILABLE, f"monitor: {reason}"
    except Transient as reason:
        code, text = TRY_AGAIN, f"monitor: {reason}"
    except KeyboardInterrupt:
        code, text = INTERRUPTED, ""
    except OSError as error:
        if error.errno not in (EPIPE, ENOSPC):
            raise
        _discard_output()
        code = 0 if error.errno == EPIPE else UNAVAILABLE  # `| head` is no mistake
        text = f"monitor: {error.strerror}" if code else ""
    else:
        return
    if text:
        click.echo(redact(text), err=True)
    sys.exit(code)


def _discard_output() -> None:
    """Let what is still to be written go nowhere; Python would complain of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 not as it should be, 2 usage, 69 unavailable, "
    "75 try again later, 78 configuration.",
)
@click.version_option(__version__, prog_name="monitor")
def commands() -> None:
    """Listens to a region's official channels and feeds, and tells whom it concerns."""
    if os.environ.get("NO_COLOR"):  # no-color.org: any text but an empty one
        click.get_current_context().color = False
    elif os.environ.get("FORCE_COLOR"):
        click.get_current_context().color = True


def main(args: Sequence[str] | None = None) -> None:
    """Run the command that the process was called with, and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding gets escapes for what it cannot show.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    commands(args, prog_name="monitor")
