"""
The shape of the configuration files.

What a source or a sink may be told is written once: in the fields of its own
dataclass, from which its model here is made.  So are the rules, topics, places
and subscribers.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from monitor.alert import SINKS, Pace, Subscriber
from monitor.collect import SOURCES
from monitor.config.written import (
    SERVER,
    WRITTEN,
    Address,
    Day,
    Duration,
    Folder,
    Name,
    Net,
    Number,
    Port,
    Text,
    Whole,
    server,
)
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
INJECTED = {"origin", "every", "name", "preview", "pace"}  # not from a block's own keys
ADDRESSES = {"url", "api", "preview"}  # fields that are one, whoever has them


class Block(BaseModel):
    """A block of settings: unknown keys are mistakes."""

    model_config = STRICT


class SecretRef(Block):
    """
    Where a secret is kept: ``{file: NAME}`` or ``{env: NAME}``.

    Attributes:
        file: A file in $CREDENTIALS_DIRECTORY, else beside the main file.
        env: A variable of the environment.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["file"]}, {"required": ["env"]}]}
    )

    file: str | None = None
    env: str | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _not_written_here(
        cls, value: object, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                WRITTEN, "never write a secret here: {file: NAME} or {env: NAME}"
            )
        made = handler(value)
        if bool(made.file) == bool(made.env):
            raise ValueError("say where it is kept: {file: NAME} or {env: NAME}")
        return made


Redis = Annotated[
    Annotated[
        str,
        BeforeValidator(server),
        WithJsonSchema({"type": "string", "pattern": f"^{SERVER}$"}),
        Tag("address"),
    ]
    | Annotated[SecretRef, Tag("secret")],
    Discriminator(lambda given: "secret" if isinstance(given, Mapping) else "address"),
]


class Verified(Block):
    """
    Who vouches that a channel is whose it says, since when, and till when.

    Attributes:
        on: The day on which it was looked at.
        by: Where that can be read.
        until: From this day on nobody vouches for it.
    """

    on: Day
    by: Text
    until: Day | None = None

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.until and self.until <= self.on:
            raise ValueError(f"it ends on {self.until}, and began on {self.on}")
        return self


class SourceBlock(Block):
    """
    What every source may be told, whatever its kind.

    Attributes:
        name: Unique; part of every item's key.
        home: Id of the place that ranks ambiguous place names, such as RU-BEL.
        voice: In whose name it speaks.
        owner: One owner is one witness, however many channels it runs.
        verified: Who vouches for it.
        note: For people; the program does not read it.
        every: How often it is read.
    """

    name: Name
    home: str = ""
    voice: Voice = "press"
    owner: str = ""
    verified: Verified | None = None
    note: str = ""
    every: Duration | None = None


class SinkBlock(Block):
    """
    What every sink may be told, whatever its kind.

    Attributes:
        name: Unique; what subscribers call it by.
        stale_after: What waits for longer, as while the sink is not there, is told in
            one message, and not as news; 1h by default.
    """

    name: Name
    stale_after: Duration | None = None


class WebBlock(Block):
    """
    How the internet is met.

    Attributes:
        allow: Networks that may be dialled although they are not public.
        pace: The least time between two requests to one host.
    """

    allow: list[Net] = Field(default_factory=list)
    pace: Duration = timedelta(seconds=1)


class DataCentre(Block):
    """Another data centre than Telegram's own, for tests."""

    id: Number
    host: Text
    port: Port


class TelegramBlock(Block):
    """
    How Telegram is read: by previews, or with an account of one's own.

    Attributes:
        preview: Where /s/<channel> is read without an account.
        session: Made by `monitor telegram login`.
        api_id: From my.telegram.org, like the hash.
        rsa_keys: PEM files of that data centre, beside the main file.
    """

    preview: Address = "https://t.me"
    session: SecretRef | None = None
    api_id: SecretRef | None = None
    api_hash: SecretRef | None = None
    dc: DataCentre | None = None
    rsa_keys: list[Text] = Field(default_factory=list)

    @model_validator(mode="after")
    def _keys_only_for_tests(self) -> Self:
        if self.rsa_keys and not self.dc:
            raise ValueError("rsa_keys without dc would let a stranger read along")
        return self


class Main(Block):
    """
    What only the main file says.

    Attributes:
        state: Folder of the archive, locks and the embedded server's data.
        redis: Address of a server of one's own; null starts an embedded one.
        include: Files of lists; * and ** stand for any name and any folders.
        operators: Subscribers who are told when the program itself is in trouble.
    """

    state: Folder = "./var"
    redis: Redis | None = None
    include: list[Folder] = Field(default_factory=list)
    operators: list[Text] = Field(default_factory=list)
    web: WebBlock = Field(default_factory=WebBlock)
    telegram: TelegramBlock = Field(default_factory=TelegramBlock)


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
        own[part.name] = (_typed(part.name, hints[part.name]), default)
    doc = "\n".join((component.__doc__ or "").strip().splitlines())
    title = f"{kind}-{common.__name__.removesuffix('Block').lower()}"
    return create_model(title, __base__=common, __doc__=doc, **own)


def _typed(field: str, hint: Any) -> Any:
    """Return how a field of this name and type is written in a file."""
    if hint is str and field in ADDRESSES:
        return Address
    return {
        timedelta: Duration,
        Secret: SecretRef,
        Secret | None: SecretRef | None,
        int: Whole,
        int | None: Whole | None,
        bool: StrictBool,
        bool | None: StrictBool | None,
    }.get(hint, hint)


PARTS: tuple[Any, ...] = (
    Subscriber, Rule, Expectation, PlaceEntry, TopicEntry, SignalEntry, Pair, Pace,
)  # fmt: skip
for _part in PARTS:  # they know nothing of pydantic, and are as strict as the rest
    _part.__pydantic_config__ = STRICT

SOURCE_BLOCKS = {kind: shape(kind, made, SourceBlock) for kind, made in SOURCES.items()}
SINK_BLOCKS = {kind: shape(kind, made, SinkBlock) for kind, made in SINKS.items()}

# The lists of a file: blocks of several kinds, or of one.
KINDS: Mapping[str, Mapping[str, type[Block]]] = {
    "sources": SOURCE_BLOCKS,
    "sinks": SINK_BLOCKS,
}
ENTRIES: Mapping[str, type] = {
    "subscribers": Subscriber,
    "rules": Rule,
    "topics": TopicEntry,
    "signals": SignalEntry,
    "places": PlaceEntry,
}
LISTS = (*KINDS, *ENTRIES)


@cache
def adapter(shape: Any) -> TypeAdapter[Any]:
    """Return what checks a block of this shape."""
    return TypeAdapter(shape)
