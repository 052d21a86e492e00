"""
YAML becomes checked settings: all mistakes of all files at once, each with its
place, or working parts that need no further checking.

    document   one file, and where each value stands   discretion  what may be shown
    written    how durations, addresses … are written  shape       what a block may say
    wording    what is wrong with it, in our words     files       all files, all blocks
    bonds      what they say of each other             kept        where secrets are
    parts      what works                              schema      for editors
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from monitor.alert import Sink, Subscriber
from monitor.collect import Source
from monitor.collect.telegram_web import Telegram
from monitor.config import bonds, parts
from monitor.config.document import Problem
from monitor.config.files import Files
from monitor.config.kept import placed
from monitor.config.schema import schema
from monitor.errors import Misconfigured
from monitor.filter import Filter, PlaceEntry, Rule, SignalEntry, TopicEntry
from monitor.item import Origin
from monitor.secret import Secret
from monitor.web import Network

__all__ = ["Problem", "Settings", "load", "schema", "shipped", "with_rules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Everything the program was told, checked, as parts that work.

    Attributes:
        file: The main file; relative names in it are relative to its folder.
        redis: Address of a server of one's own; None is the embedded one.
        allow: Networks that may be dialled although they are not public.
        pace: The least time between two requests to one host.
        operators: Names of the subscribers who are told of the program itself.
        stale_after: By sink, when something is no news any more; of those that say so.
        warnings: What is allowed, but may not be what was meant.
    """

    file: Path
    state: Path
    redis: Secret | None = None
    allow: tuple[Network, ...] = ()
    pace: timedelta = timedelta(seconds=1)
    sources: tuple[Source, ...] = ()
    sinks: tuple[Sink, ...] = ()
    stale_after: Mapping[str, timedelta] = field(default_factory=dict)
    subscribers: tuple[Subscriber, ...] = ()
    operators: tuple[str, ...] = ()
    filter: Filter
    rules: tuple[Rule, ...] = ()
    topics: tuple[TopicEntry, ...] = ()
    signals: tuple[SignalEntry, ...] = ()
    places: tuple[PlaceEntry, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def origins(self) -> Mapping[str, Origin]:
        """What is known of each source, by its name."""
        return {source.origin.source: source.origin for source in self.sources}

    @property
    def channels(self) -> frozenset[str]:
        """The sources that number all they publish, so that a gap can be told."""
        mine = (one for one in self.sources if isinstance(one, Telegram))
        return frozenset(one.origin.source for one in mine)

    @property
    def names(self) -> Mapping[str, str]:
        """What each place is called, by its id."""
        places = self.filter.gazetteer
        return {place: places.name(place) for place in places}


def load(file: Path, today: date) -> Settings:
    """
    Return the settings in *file* and in all files it includes.

    Args:
        today: Who vouches for a source may have ceased to by this day.

    Raises:
        Misconfigured: They cannot be used; the text names every mistake.
    """
    with _no_garbage():
        return _load(file, today)


def shipped() -> Path:
    """Return the folder of topics, places and rules that come with the program."""
    inside = Path(__file__).parent.parent / "shipped"  # an installed copy
    return inside if inside.is_dir() else Path(__file__).parents[2] / "config"


def with_rules(settings: Settings, file: Path) -> Filter:
    """
    Return what would judge by the rules in *file* instead of those in use.

    Raises:
        Misconfigured: They cannot be used; the text names every mistake.
    """
    files = Files.read(settings.file, rules=file)
    files.entries["subscribers"].clear()  # they may name rules that are not in it
    bonds.check(files, bonds.known(files))
    reader = parts.judging(files)
    if reader is None:
        raise Misconfigured("\n".join(map(str, files.mistakes)))
    return reader


def _load(file: Path, today: date) -> Settings:
    files = Files.read(file)
    bonds.check(files, bonds.known(files))
    secrets = parts.secrets(files)
    redis = parts.redis(files, secrets)
    sources, sinks = parts.sources(files, today), parts.sinks(files, secrets)
    parts.pinned(files)
    reader = parts.judging(files)
    if reader is None:
        raise Misconfigured("\n".join(map(str, files.mistakes)))
    root = files.root
    return Settings(
        file=file,
        state=placed(file, root.state),
        redis=redis,
        allow=tuple(root.web.allow),
        pace=root.web.pace,
        sources=sources,
        sinks=sinks,
        stale_after=parts.stale_after(files),
        subscribers=files.values("subscribers"),
        operators=tuple(root.operators),
        filter=reader,
        rules=files.values("rules"),
        topics=files.values("topics"),
        signals=files.values("signals"),
        places=files.values("places"),
        warnings=tuple(files.problems),
    )


@contextmanager
def _no_garbage() -> Iterator[None]:
    """
    Do not look for garbage meanwhile.

    A hundred thousand values are made and all are kept; going through them again
    and again for cycles takes four times as long as making them.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
