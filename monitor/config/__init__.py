"""
YAML becomes checked settings: all mistakes of all files at once, each with its
place, or working parts that need no further checking.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from monitor.alert import SINKS, Sink, Subscriber
from monitor.collect import SOURCES, Source
from monitor.config.document import Document, Path_, Problem
from monitor.config.shape import Included, Main, SecretRef, SourceBlock
from monitor.config.wording import hint, problem_of
from monitor.errors import Misconfigured
from monitor.filter import (
    Filter,
    Mistaken,
    PlaceEntry,
    Rule,
    SignalEntry,
    TopicEntry,
)
from monitor.filter import Problem as FilterProblem
from monitor.item import Origin
from monitor.secret import Secret
from monitor.web import Network

LISTS = ("sources", "sinks", "subscribers", "rules", "topics", "signals", "places")
NAMED = ("sources", "sinks", "subscribers", "rules", "topics")
COUNTRIES = ("RU", "UA")  # above every region; a national source's home
UNVOUCHED = "independent"  # how a channel speaks whose standing nobody vouches for now


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Everything the program was told, checked, as parts that work.

    Attributes:
        file: The main file; relative names in it are relative to its folder.
        redis: Address of a server of one's own; None is the embedded one.
        warnings: What is allowed, but may not be what was meant.
    """

    file: Path
    state: Path
    redis: Secret | None = None
    allow: tuple[Network, ...] = ()
    pace: timedelta = timedelta(seconds=1)
    sources: tuple[Source, ...] = ()
    sinks: tuple[Sink, ...] = ()
    subscribers: tuple[Subscriber, ...] = ()
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
    def names(self) -> Mapping[str, str]:
        """What each place is called, by its id."""
        places = self.filter.gazetteer
        return {place: places.name(place) for place in places}


@dataclass(slots=True)
class _Files:
    """The files of one configuration, as far as they have been read."""

    main: Path
    today: date
    problems: list[Problem] = field(default_factory=list)
    blocks: dict[str, list[tuple[Any, Document, Path_]]] = field(
        default_factory=lambda: {name: [] for name in LISTS}
    )

    def say(self, document: Document, path: Path_, message: str, **how: Any) -> None:
        self.problems.append(document.problem(path, message, **how))

    def of(self, kind: str) -> list[Any]:
        return [block for block, _, _ in self.blocks[kind]]


def load(file: Path, today: date) -> Settings:
    """
    Return the settings in *file* and in all files it includes.

    Raises:
        Misconfigured: They cannot be used; the text names every mistake.
    """
    files = _Files(file, today)
    root = _read(files, file, Main)
    if isinstance(root, Main):
        for included in _included(files, root):
            _read(files, included, Included)
    settings = _build(files, root) if isinstance(root, Main) else None
    mistakes = sorted(p for p in files.problems if p.level == "error")
    if mistakes or settings is None:
        raise Misconfigured("\n".join(map(str, mistakes)))
    return settings


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
    files = _Files(file, date.min)
    _read(files, file, Included)
    for kind in ("topics", "signals", "places"):
        files.blocks[kind] += [
            (block, Document(str(settings.file), []), ())
            for block in getattr(settings, kind)
        ]
    _no_name_twice(files)
    reader = _filter(
        files, *(files.of(k) for k in ("places", "topics", "signals", "rules"))
    )
    if reader is None or files.problems:
        raise Misconfigured("\n".join(map(str, sorted(files.problems))))
    return reader


def schema() -> dict[str, Any]:
    """Return the JSON Schema of every configuration file, for editors."""
    made = Main.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | made


def _read(files: _Files, path: Path, kind: type[Included]) -> Included | None:
    """Return the blocks of one file, having noted where each of them stands."""
    document = Document.read(path, _shown(path))
    files.problems += document.problems
    if document.problems:
        return None
    try:
        root = kind.model_validate({} if document.data is None else document.data)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            files.problems.append(problem_of(document, error, kind))
        return None
    for name in LISTS:
        for i, block in enumerate(getattr(root, name)):
            files.blocks[name].append((block, document, (name, i)))
    return root


def _included(files: _Files, root: Main) -> Iterator[Path]:
    """Yield the files that the main file's patterns name, each once, in order."""
    document = Document.read(files.main, _shown(files.main))
    seen = {files.main.resolve()}
    for i, pattern in enumerate(root.include):
        absolute = Path(pattern).is_absolute()
        base = Path("/") if absolute else files.main.parent
        found = sorted(base.glob(pattern.lstrip("/")))
        if not found:
            level = "warning" if any(c in pattern for c in "*?[") else "error"
            files.say(document, ("include", i), "names no file", level=level)
        for path in found:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _build(files: _Files, root: Main) -> Settings | None:
    """Return working parts, or None; what is wrong is added to the problems."""
    _no_name_twice(files)
    places = tuple(files.of("places"))
    topics, signals = tuple(files.of("topics")), tuple(files.of("signals"))
    rules = tuple(files.of("rules"))
    main = Document.read(files.main, _shown(files.main))
    redis = _secret_of(files, main, ("redis",), root.redis)
    sources = tuple(_sources(files, root))
    sinks = tuple(_sinks(files))
    _subscribers_reach_sinks(files)
    reader = _filter(files, places, topics, signals, rules)
    if reader is not None:
        _places_are_known(files, reader)
    if reader is None or any(p.level == "error" for p in files.problems):
        return None
    return Settings(
        file=files.main,
        state=(files.main.parent / root.state).absolute(),
        redis=redis,
        allow=tuple(ip_network(str(net)) for net in root.web.allow),
        pace=root.web.pace,
        sources=sources,
        sinks=sinks,
        subscribers=tuple(files.of("subscribers")),
        filter=reader,
        rules=rules,
        topics=topics,
        signals=signals,
        places=places,
        warnings=tuple(sorted(p for p in files.problems if p.level == "warning")),
    )


def _no_name_twice(files: _Files) -> None:
    for kind in NAMED:
        first: dict[str, str] = {}
        for block, document, path in files.blocks[kind]:
            where = f"{document.at((*path, 'name')).file}"
            if block.name in first:
                before = first[block.name]
                said = f"{kind[:-1]} {block.name!r} was defined before, in {before}"
                files.say(document, (*path, "name"), said)
            mark = document.at((*path, "name"))
            first.setdefault(block.name, f"{where}:{mark.line}")


def _sources(files: _Files, root: Main) -> Iterator[Source]:
    for block, document, path in files.blocks["sources"]:
        made: Any = SOURCES[block.kind]  # a protocol does not say how it is made
        own = _own(block, SourceBlock)
        if "preview" in getattr(made, "__dataclass_fields__", {}):
            own["preview"] = root.telegram.preview.rstrip("/")
        if block.every:
            own["every"] = block.every
        origin = Origin(
            source=block.name,
            home=block.home,
            voice=_voice(files, block, document, path),
            owner=block.owner or block.name,
        )
        try:
            yield made(origin=origin, **own)
        except ValueError as error:
            files.say(document, path, str(error))


def _voice(files: _Files, block: Any, document: Document, path: Path_) -> Any:
    """Return in whose name a source speaks today: a standing can end."""
    verified = block.verified
    if verified is None or verified.until is None or files.today < verified.until:
        return block.voice
    said = f"{block.name}: its standing as {block.voice} ended on {verified.until}"
    at = (*path, "verified", "until")
    files.say(document, at, f"{said}; it is read as {UNVOUCHED}", level="warning")
    return UNVOUCHED


def _sinks(files: _Files) -> Iterator[Sink]:
    for block, document, path in files.blocks["sinks"]:
        own = {"name": block.name}
        for key, value in _own(block, None).items():
            if isinstance(value, SecretRef):
                own[key] = _secret_of(files, document, (*path, key), value)
            else:
                own[key] = value
        if None in (
            own[key] for key in own if isinstance(getattr(block, key), SecretRef)
        ):
            continue
        try:
            yield SINKS[block.kind](**own)
        except ValueError as error:
            files.say(document, path, str(error))


def _own(block: BaseModel, common: type[BaseModel] | None) -> dict[str, Any]:
    """Return the values of a block that only its own kind has."""
    shared = {"kind", "name", *(common.model_fields if common else ())}
    return {
        key: getattr(block, key)
        for key in type(block).model_fields
        if key not in shared
    }


def _secret_of(
    files: _Files, document: Document, path: Path_, ref: SecretRef | str | None
) -> Secret | None:
    """Return the secret that *ref* names, or None and a problem noted."""
    if ref is None:
        return None
    if isinstance(ref, str):
        if "@" in ref and ":" in ref.split("@")[0].split("//")[-1]:
            said = "keep an address with a password in {file: NAME} or {env: NAME}"
            files.problems.append(Problem(document.at(path), said))
        return Secret(ref)
    try:
        return Secret(_kept(ref, files.main.parent))
    except ValueError as error:
        files.say(document, path, str(error))
        return None


def _kept(ref: SecretRef, folder: Path) -> str:
    """Return the text of a secret from where it is kept."""
    if ref.env:
        text = os.environ.get(ref.env, "").strip()
        if not text:
            raise ValueError(f"the environment has no {ref.env}")
        return text
    name = str(ref.file)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    places = [Path(credentials) / name] if credentials else []
    places.append(folder / name)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        looked = " and ".join(_shown(place.parent) for place in places)
        raise ValueError(f"no file {name!r} in {looked}")
    if path.parent == folder and path.stat().st_mode & 0o077:
        raise ValueError(f"others can read it: chmod 600 {_shown(path)}")
    text = path.read_text("utf-8").strip()
    if not text:
        raise ValueError(f"the file {name!r} is empty")
    return text


def _subscribers_reach_sinks(files: _Files) -> None:
    sinks = [block.name for block in files.of("sinks")]
    rules = [block.name for block in files.of("rules")]
    for subscriber, document, path in files.blocks["subscribers"]:
        if subscriber.sink not in sinks:
            said = (
                f"no sink is called {subscriber.sink!r}{hint(subscriber.sink, sinks)}"
            )
            files.say(document, (*path, "sink"), said)
        for i, rule in enumerate(subscriber.rules):
            if rule not in rules:
                said = f"no rule is called {rule!r}{hint(rule, rules)}"
                files.say(document, (*path, "rules", i), said)


def _filter(
    files: _Files,
    places: Sequence[PlaceEntry],
    topics: Sequence[TopicEntry],
    signals: Sequence[SignalEntry],
    rules: Sequence[Rule],
) -> Filter | None:
    """Return what reads and judges posts, or None and the problems noted."""
    try:
        return Filter(places, topics, signals, rules)
    except Mistaken as mistakes:
        for problem in mistakes.problems:
            document, path = _block_of(files, problem)
            path = (*path, *_keys(problem.field))
            if problem.index is not None:
                path = (*path, problem.index)
            files.say(document, path, f"{problem.name}: {problem.message}")
    return None


def _keys(field: str) -> Path_:
    """Return the way that a dotted name such as ``pairs.0.things`` describes."""
    return tuple(int(part) if part.isdigit() else part for part in field.split("."))


def _block_of(files: _Files, problem: FilterProblem) -> tuple[Document, Path_]:
    """Return where the block stands that a problem is about."""
    if problem.kind == "place":
        return _place_of(files, problem.name)
    named = [
        one for one in files.blocks[f"{problem.kind}s"] if one[0].name == problem.name
    ]
    _, document, path = named[-1]  # of two with one name, the later is one too many
    return document, path


def _place_of(files: _Files, id_: str) -> tuple[Document, Path_]:
    """Return where the last place with this full id stands."""
    found = [
        (document, (*path, *way))
        for entry, document, path in files.blocks["places"]
        for way in _ways_to(entry, id_)
    ]
    return found[-1]


def _ways_to(entry: PlaceEntry, id_: str) -> Iterator[Path_]:
    if entry.id == id_:
        yield ()
    elif id_.startswith(f"{entry.id}."):
        rest = id_.removeprefix(f"{entry.id}.")
        for i, inner in enumerate(entry.places):
            for way in _ways_to(inner, rest):
                yield ("places", i, *way)


def _places_are_known(files: _Files, reader: Filter) -> None:
    """Note every home and every subscriber's place that no file of places has."""
    known = {*COUNTRIES, *reader.gazetteer}
    for block, document, path in files.blocks["sources"]:
        if block.home and block.home not in known:
            said = f"no place is called {block.home!r}{hint(block.home, [*known])}"
            files.say(document, (*path, "home"), said)
    for block, document, path in files.blocks["subscribers"]:
        for i, place in enumerate(block.places):
            if place not in known:
                said = f"no place is called {place!r}{hint(place, [*known])}"
                files.say(document, (*path, "places", i), said)


def _shown(path: Path) -> str:
    """Return a path as a person in the current folder would write it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
