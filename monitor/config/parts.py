"""Checked blocks become parts that work: sources, sinks, secrets, the filter."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from monitor.alert import SINKS, Sink
from monitor.collect import SOURCES, Source
from monitor.config.document import Document, Path_
from monitor.config.files import Entry, Files
from monitor.config.kept import references, secret, shown
from monitor.config.shape import Block, SecretRef, SinkBlock, SourceBlock
from monitor.filter import Filter, Mistaken, Problem
from monitor.item import Origin, Voice
from monitor.secret import Secret

UNVOUCHED: Voice = "independent"  # a channel whose standing nobody vouches for now
NOBODY = Origin(source="")

Secrets = Mapping[tuple[int, Path_], Secret]


def secrets(files: Files) -> Secrets:
    """Return every secret by the document and the place that name it."""
    found: dict[tuple[int, Path_], Secret] = {}
    data = files.main.data if isinstance(files.main.data, dict) else {}
    roots: list[tuple[Document, Path_, Any]] = [
        (files.main, (key,), data.get(key)) for key in ("redis", "telegram")
    ]
    roots += [(e.document, e.path, e.raw) for e in files.entries["sinks"]]
    for document, path, block in roots:
        for way, where, name in references(block, path):
            try:
                text = secret(where, name, files.path.parent)
            except ValueError as error:
                document.say(way, f"{'.'.join(map(str, way))}: {error}")
            else:
                found[id(document), way] = Secret(text)
    return found


def redis(files: Files, secrets: Secrets) -> Secret | None:
    """Return the address of the Redis of one's own, if there is one."""
    given = files.root.redis
    if isinstance(given, SecretRef):
        return secrets.get((id(files.main), ("redis",)))
    return Secret(given) if given else None


def sources(files: Files, today: date) -> tuple[Source, ...]:
    """Return the sources; those that cannot be made are told."""
    made = [
        (entry, _source(files, entry, today))
        for entry in files.entries["sources"]
        if entry.value is not None
    ]
    good = [(entry, source) for entry, source in made if source is not None]
    _tell_of_twins(good)
    return tuple(source for _, source in good)


def sinks(files: Files, secrets: Secrets) -> tuple[Sink, ...]:
    """Return the sinks; those that cannot be made are told."""
    made = (
        _sink(entry, secrets)
        for entry in files.entries["sinks"]
        if entry.value is not None
    )
    return tuple(sink for sink in made if sink is not None)


def stale_after(files: Files) -> dict[str, timedelta]:
    """Return after how long something is no news any more, by the sinks that say so."""
    blocks = (entry.value for entry in files.entries["sinks"])
    return {one.name: one.stale_after for one in blocks if one and one.stale_after}


def judging(files: Files) -> Filter | None:
    """Return what reads and judges posts, or None if anything at all is wrong."""
    wrong = bool(files.mistakes)
    lists = ("topics", "signals", "rules")
    # its places have been checked, and take a second to make ready
    entries = [() if wrong else files.values("places")]
    entries += [tuple({e.name: e for e in files.values(n)}.values()) for n in lists]
    try:
        made = Filter(*entries)
    except Mistaken as mistakes:
        for problem in mistakes.problems:
            if not (wrong and problem.field in ("places", "topics")):
                _tell(files, problem)
        return None
    return None if wrong else made


def pinned(files: Files) -> None:
    """Note what the settings of an account will need, and that it is not read yet."""
    telegram = files.root.telegram
    for i, name in enumerate(telegram.rsa_keys):
        if not (files.path.parent / name).is_file():
            path = ("telegram", "rsa_keys", i)
            files.main.say(path, f"no file {name!r} in {shown(files.path.parent)}")
    if telegram.session:
        missing = [k for k in ("api_id", "api_hash") if not getattr(telegram, k)]
        for key in missing:
            files.main.say(("telegram",), f"telegram: the key {key!r} is needed, too")
        said = "accounts are not read yet; until then channels are read by the preview"
        files.main.say(("telegram", "session"), said, key=True, level="warning")


def _source(files: Files, entry: Entry, today: date) -> Source | None:
    block = entry.value
    own = _own(block, SourceBlock)
    made: Any = SOURCES[block.kind]  # a protocol does not say how it is made
    if "preview" in made.__dataclass_fields__:
        own["preview"] = files.root.telegram.preview.rstrip("/")
    if block.every:
        own["every"] = block.every
    origin = Origin(
        source=block.name,
        home=block.home,
        voice=_voice(entry, today),
        owner=block.owner or block.name,
    )
    source: Source | None = _made(entry, made, {**own, "origin": origin})
    return source


def _voice(entry: Entry, today: date) -> Voice:
    """Return in whose name a source speaks today: a standing can end."""
    block: SourceBlock = entry.value
    verified = block.verified
    if verified is None or verified.until is None or today < verified.until:
        return block.voice
    said = (
        f"{block.name}: its standing as {block.voice} ended on {verified.until}; "
        f"it is read as {UNVOUCHED}"
    )
    entry.say(("verified", "until"), said, level="warning")
    return UNVOUCHED


def _tell_of_twins(made: list[tuple[Entry, Source]]) -> None:
    """Note sources that read the same: each of their posts would be told twice."""
    first: dict[Any, str] = {}
    for entry, source in made:
        plain: Any = source
        read = replace(plain, origin=NOBODY, every=type(plain).every)
        before = first.setdefault(read, entry.name)
        if before != entry.name:
            said = f"{entry.name} reads the same as {before}"
            entry.say((), said, level="warning")


def _sink(entry: Entry, secrets: Secrets) -> Sink | None:
    own: dict[str, Any] = {"name": entry.name, **_own(entry.value, SinkBlock)}
    for key, value in own.items():
        if isinstance(value, SecretRef):
            own[key] = secrets.get((id(entry.document), (*entry.path, key)))
            if own[key] is None:
                return None
    made: Any = SINKS[entry.value.kind]
    sink: Sink | None = _made(entry, made, own)
    return sink


def _made(entry: Entry, made: Any, own: Mapping[str, Any]) -> Any:
    try:
        return made(**own)
    except ValueError as error:
        said = str(error)
        meant = [key for key, value in own.items() if said.startswith(repr(value))]
        entry.say(tuple(meant[:1]), said)
    return None


def _own(block: Block, common: type[Block]) -> dict[str, Any]:
    """Return the values of a block that only its own kind has."""
    shared = {"kind", *common.model_fields}
    return {
        key: getattr(block, key)
        for key in type(block).model_fields
        if key not in shared
    }


def _tell(files: Files, problem: Problem) -> None:
    """Note what the filter found, where it stands."""
    path = tuple(int(p) if p.isdigit() else p for p in problem.field.split("."))
    if problem.index is not None:
        path = (*path, problem.index)
    named = [e for e in files.entries[f"{problem.kind}s"] if e.name == problem.name]
    where = named or files.entries["places"]
    where[-1].say(path, f"{problem.name}: {problem.message}")
