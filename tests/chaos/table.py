"""The figures of a run, and whether they are as they must be."""

from collections.abc import Iterator, Sequence
from statistics import quantiles

from tests.chaos.rampage import ROLES
from tests.chaos.run import Outcome

WRONG = (
    "invented",
    "mangled",
    "reordered",
    "duplicated, recorded",
    "duplicated by a stop",
    "duplicated, recognised",
    "refused",
    "ended by itself",
    "stopped badly",
    "stalled",
)
MANY = 60  # kills after which each kind must have hit something in flight


def figures(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield what is measured, and how much it is."""
    tally, ledger = outcome.tally, outcome.world.ledger
    counts, ends = ledger.counts, outcome.world.acceptances.counts
    yield "seed", f"{outcome.seed}"
    yield (
        "kills (with something in flight)",
        _of(tally.killed, tally.counts["killed at work"]),
    )
    for kind in (*ROLES, "server"):
        yield f"… of {kind}", _of(tally.kills[kind], tally.busy[kind])
    yield "… while it only started", f"{tally.counts['killed at the start']}"
    yield "kills a minute", f"{tally.killed / outcome.took * 60:.0f}"
    stops = _of(tally.counts["stops"], tally.counts["stops at work"])
    yield "orders to stop (while messages were sent)", stops
    yield "starts given up, the server was killed", f"{tally.counts['gave up']}"
    yield (
        "posts, edits, deletions",
        ", ".join(f"{counts[what]:,}" for what in ("posts", "edits", "deletions")),
    )
    yield "owed to chats", f"{ledger.obligations():,}"
    yield "messages and edits taken", f"{counts['arrivals']:,}"
    yield "lost", f"{len(outcome.lost)}"
    yield "set aside", f"{len(outcome.dead)}"
    for end in ("kill", "stop"):
        said = f"accepted and not recorded at a {end} (perhaps, server away)"
        yield said, _of(ends[end], ends[f"{end}, unknown"])
    yield "duplicated, of those at a kill", f"{counts['duplicated']}"
    yield "repeats that webhooks recognised", f"{outcome.world.hooks.repeats}"
    for what in WRONG:
        yield what, f"{counts[what]}"
    for what, kind in (("process", "kill"), ("server", "server")):
        took = _shares(tally.seconds[f"alone, {kind}"])
        yield f"kill of a {what} while all is well → its next work, s", took
    for kind in (*ROLES, "server"):
        took = _shares(tally.seconds[kind])
        yield f"kill of {kind} in the thick of it → its next work, s", took
    yield "start → ready, s", _shares(tally.seconds["start"])
    yield "SIGTERM → end, s", _shares(tally.seconds["stop"])
    yield "peace → all told, s", _seconds(outcome.settled)
    yield "then a new post → all told, s", _seconds(outcome.fresh)
    yield "then → every stage done, s", _seconds(outcome.drained)


def faults(outcome: Outcome) -> Iterator[str]:
    """Yield what is not as it must be."""
    tally, counts = outcome.tally, outcome.world.ledger.counts
    yield from (f"{what}: {counts[what]}" for what in WRONG if counts[what])
    yield from _unrecorded(outcome)
    if outcome.lost:
        yield f"lost: {len(outcome.lost)}, such as {outcome.lost[0]}"
    if outcome.dead:
        yield f"set aside: {len(outcome.dead)}, such as {outcome.dead[0]}"
    if outcome.fresh is None:
        yield "what was published after the last kill did not come"
    if outcome.drained is None:
        yield "some stage has not done with everything"
    if outcome.unexplained:
        yield f"the program's own account: {outcome.unexplained}"
    if tally.killed >= MANY:
        yield from _not_seen(outcome)


def _unrecorded(outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with what was sent and not recorded."""
    ends = outcome.world.acceptances.counts
    copies = outcome.world.ledger.counts["duplicated"]
    if copies > ends["kill"] + ends["kill, unknown"]:
        yield "more duplicates than sends that nobody recorded"
    if ends["stop"]:
        yield f"accepted and not recorded at a stop: {ends['stop']}"
    if ends["left behind"]:
        yield f"sent on before the last was recorded: {ends['left behind']}"


def _not_seen(outcome: Outcome) -> Iterator[str]:
    """Yield what should have happened so that the other figures mean something."""
    tally, counts = outcome.tally, outcome.world.ledger.counts
    for kind in (*ROLES, "server"):
        if not tally.busy[kind]:
            yield f"no kill of {kind} hit anything in flight"
    seen = {
        "no post was edited": counts["edits"],
        "no post was deleted": counts["deletions"],
        "nothing was accepted and not recorded": outcome.world.acceptances.counts[
            "kill"
        ],
        "nothing was sent at any order to stop": tally.counts["stops at work"],
    }
    yield from (what for what, count in seen.items() if not count)


def _of(count: int, part: int) -> str:
    return f"{count:,} ({part:,})"


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f}"


def _shares(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return " ".join(f"{one:.2f}" for one in seconds) or "–"
    cut = quantiles(seconds, n=100, method="inclusive")
    return f"p50 {cut[49]:.2f}, p99 {cut[98]:.2f}, max {max(seconds):.2f}"
