"""
The shape of the configuration files.

What a source or a sink may be told is written once: in the fields of its own
dataclass, from which its model here is made.  So are the rules, topics, places
and subscribers.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import date, timedelta
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from monitor.alert import SINKS, Pace, Subscriber
from monitor.collect import SOURCES
from monitor.filter import (
    Expectation,
    Pair,
    PlaceEntry,
    Rule,
    SignalEntry,
    TopicEntry,
)
from monitor.item import Voice
from monitor.secret import Secret

STRICT = ConfigDict(extra="forbid", frozen=True)
UNITS = ("hours", "minutes", "seconds", "milliseconds")
DURATION = r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?"
WRITTEN = "written_in_the_open"
INJECTED = {"origin", "every", "name", "preview", "pace"}  # not from a block's own keys


def duration(value: object) -> object:
    """Return the time that a text such as ``1h30m`` names."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(DURATION, value) if isinstance(value, str) else None
    if not found or not value:
        raise ValueError("write a duration such as 90s, 5m or 1h30m")
    named = zip(UNITS, found.groups(), strict=True)
    length = timedelta(**{unit: int(number or 0) for unit, number in named})
    if not length:
        raise ValueError("a duration is longer than nothing")
    return length


def day(value: object) -> object:
    """Return the date that a text such as ``2023-05-22`` names."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("write a date such as 2023-05-22") from None


Duration = Annotated[
    timedelta,
    BeforeValidator(duration, json_schema_input_type=str),
]
Day = Annotated[date, BeforeValidator(day, json_schema_input_type=str)]


class Block(BaseModel):
    """A block of settings: unknown keys are mistakes."""

    model_config = STRICT


class SecretRef(Block):
    """Where a secret is kept: ``{file: NAME}`` or ``{env: NAME}``."""

    file: str | None = None
    env: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_written_here(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                WRITTEN,
                "never write a secret here: {{file: NAME}} or {{env: NAME}}",
            )
        if len([key for key in ("file", "env") if value.get(key)]) != 1:
            raise ValueError("say where it is kept: {file: NAME} or {env: NAME}")
        return value


class Verified(Block):
    """Who vouches that a channel is whose it says, since when, and till when."""

    on: Day
    by: str
    until: Day | None = None


class SourceBlock(Block):
    """What every source may be told, whatever its kind."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)
    home: str = ""
    voice: Voice = "press"
    owner: str = ""
    verified: Verified | None = None
    note: str = ""
    every: Duration | None = None


class SinkBlock(Block):
    """What every sink may be told, whatever its kind."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)


class WebBlock(Block):
    """How the internet is met."""

    allow: list[IPvAnyNetwork] = Field(default_factory=list)
    pace: Duration = timedelta(seconds=1)


class DataCentre(Block):
    """Another data centre than Telegram's own, for tests."""

    id: int
    host: str
    port: int


class TelegramBlock(Block):
    """How Telegram is read: by previews, or with an account of one's own."""

    preview: str = Field(default="https://t.me", pattern=r"^https?://[^/?#]+/?$")
    session: SecretRef | None = None
    api_id: SecretRef | None = None
    api_hash: SecretRef | None = None
    dc: DataCentre | None = None
    rsa_keys: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _keys_only_for_tests(self) -> "TelegramBlock":
        if self.rsa_keys and not self.dc:
            raise ValueError("rsa_keys without dc would let a stranger read along")
        return self


def shape(kind: str, component: type, common: type[Block]) -> type[Block]:
    """Return the model of a block that makes a *component*, from its own fields."""
    hints = get_type_hints(component)
    own: dict[str, Any] = {"kind": (Literal[kind], ...)}
    for part in fields(component):
        if part.name in INJECTED or not part.init:
            continue
        default = part.default if part.default is not MISSING else ...
        if part.default_factory is not MISSING:
            default = Field(default_factory=part.default_factory)
        own[part.name] = (_typed(hints[part.name]), default)
    return create_model(f"{kind} {common.__name__}", __base__=common, **own)


def _typed(hint: Any) -> Any:
    """Return how a field of this type is written in a file."""
    return {
        timedelta: Duration,
        Secret: SecretRef,
        Secret | None: SecretRef | None,
    }.get(hint, hint)


PARTS: tuple[Any, ...] = (
    Subscriber, Rule, Expectation, PlaceEntry, TopicEntry, SignalEntry, Pair, Pace,
)  # fmt: skip
for _part in PARTS:  # they know nothing of pydantic, and are as strict as the rest
    _part.__pydantic_config__ = STRICT

SOURCE_BLOCKS = {kind: shape(kind, made, SourceBlock) for kind, made in SOURCES.items()}
SINK_BLOCKS = {kind: shape(kind, made, SinkBlock) for kind, made in SINKS.items()}
_sources: Any = reduce(or_, SOURCE_BLOCKS.values())
_sinks: Any = reduce(or_, SINK_BLOCKS.values())
AnySource: Any = Annotated[_sources, Field(discriminator="kind")]
AnySink: Any = Annotated[_sinks, Field(discriminator="kind")]


class Included(Block):
    """A file of lists; the main file may hold such lists, too."""

    sources: list[AnySource] = Field(default_factory=list)
    sinks: list[AnySink] = Field(default_factory=list)
    subscribers: list[Subscriber] = Field(default_factory=list)
    rules: list[Rule] = Field(default_factory=list)
    topics: list[TopicEntry] = Field(default_factory=list)
    signals: list[SignalEntry] = Field(default_factory=list)
    places: list[PlaceEntry] = Field(default_factory=list)


class Main(Included):
    """``monitor.yaml`` (DESIGN §5)."""

    state: str = "./var"
    redis: str | SecretRef | None = None
    include: list[str] = Field(default_factory=list)
    web: WebBlock = Field(default_factory=WebBlock)
    telegram: TelegramBlock = Field(default_factory=TelegramBlock)
