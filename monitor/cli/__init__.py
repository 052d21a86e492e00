"""
The command line: what people and service managers call, and the exit codes.

0 done · 1 it was looked at and is not as it should be · 2 usage · 69 unavailable ·
75 try again · 78 configuration (sysexits.h).  With ``--json`` a reading command
writes NDJSON on standard output and everything else on standard error.
"""

import sys

import click

from monitor import __version__
from monitor.cli.look import check, doctor, explain, schema, test
from monitor.cli.operate import dead, replay, subscribers, tail
from monitor.cli.run import demo, run
from monitor.cli.sources import sources
from monitor.errors import Misconfigured, Transient, Unavailable
from monitor.secret import redact

UNAVAILABLE, TRY_AGAIN, CONFIGURATION = 69, 75, 78


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="monitor")
def commands() -> None:
    """Listens to a region's official channels and feeds, and tells whom it concerns."""


for _command in (
    run, demo, check, test, explain, sources, replay,
    subscribers, tail, dead, doctor, schema,
):  # fmt: skip
    commands.add_command(_command)


def main() -> None:
    """Run the command that the process was called with, and exit."""
    try:
        commands(standalone_mode=True)
    except Misconfigured as mistakes:
        sys.exit(_refuse(str(mistakes), CONFIGURATION))
    except Unavailable as reason:
        sys.exit(_refuse(f"monitor: {reason}", UNAVAILABLE))
    except Transient as reason:
        sys.exit(_refuse(f"monitor: {reason}", TRY_AGAIN))
    except BrokenPipeError:  # `monitor tail | head` is no mistake
        sys.stderr.close()
        sys.exit(0)


def _refuse(text: str, code: int) -> int:
    click.echo(redact(text), err=True)
    return code
