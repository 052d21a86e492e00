"""How values are written: durations, dates, names, addresses and networks."""

import re
from datetime import date, timedelta
from ipaddress import ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from monitor.web import Network

UNITS = ("hours", "minutes", "seconds", "milliseconds")
DURATION = r"(?:([0-9]+)h)?(?:([0-9]+)m(?!s))?(?:([0-9]+)s)?(?:([0-9]+)ms)?"
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
LONGEST = timedelta(days=366)
NAME = r"[a-z0-9][a-z0-9._-]{0,63}"  # it stands in keys, paths and addresses
SERVER = r"(rediss?://[^/\s@]|unix:///)[^\s@]*"
WRITTEN = "written_in_the_open"


def duration(value: object) -> object:
    """Return the time that a text such as ``1h30m`` names."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(DURATION, value) if isinstance(value, str) else None
    if not found or not value:
        raise ValueError("write a duration such as 90s, 5m or 1h30m")
    named = zip(UNITS, found.groups(), strict=True)
    try:
        length = timedelta(**{unit: int(number or 0) for unit, number in named})
    except (OverflowError, ValueError):  # more digits than there are years
        length = timedelta.max
    if not length or length > LONGEST:
        raise ValueError("a duration is longer than nothing and at most a year")
    return length


def shortest(length: timedelta) -> str:
    """Return how a person would write a duration."""
    rest, written = length // timedelta(milliseconds=1), ""
    for unit, sign in ((3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")):
        count, rest = divmod(rest, unit)
        written += f"{count}{sign}" if count else ""
    return written


def day(value: object) -> object:
    """Return the date that a text such as ``2023-05-22`` names."""
    if isinstance(value, date):
        return value
    text = str(value)
    try:
        # fromisoformat knows other ways to write one, too
        found = date.fromisoformat(text) if re.fullmatch(DAY, text) else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError("write a date such as 2023-05-22")
    return found


def name(value: object) -> object:
    """Return *value* if it can name something that keys and files are named by."""
    if not isinstance(value, str) or not re.fullmatch(NAME, value):
        raise ValueError(
            "write a name of small letters, digits, '-', '_' and '.', such as "
            "night-desk; 64 at most"
        )
    return value


def address(value: object) -> object:
    """Return *value* if it is an address of the web that holds no password."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        good = False
    if isinstance(value, str) and re.search(r"//[^/]*@", value):
        raise PydanticCustomError(WRITTEN, "no name and password in an address")
    if not good or re.search(r"\s", str(value)):
        raise ValueError("write an address such as https://example.org/feed")
    return value


def network(value: object) -> Network:
    """Return the network that a text such as ``10.0.0.0/8`` names."""
    try:
        wide = ip_network(str(value), strict=False)
    except ValueError:
        raise ValueError("write a network such as 10.0.0.0/8") from None
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError(f"write the network of that host: {wide}") from None


def server(value: object) -> object:
    """Return *value* if it is an address of a Redis that holds no password."""
    if isinstance(value, str) and ("@" in value or "password=" in value):
        raise PydanticCustomError(
            WRITTEN, "keep an address with a password in {file: NAME} or {env: NAME}"
        )
    if not isinstance(value, str) or not re.fullmatch(SERVER, value):
        raise ValueError(
            "write an address such as redis://host:6379/0, rediss://… or "
            "unix:///path/to/socket"
        )
    return value


def filled(value: str) -> str:
    """Return *value* if it says anything."""
    if not value.strip() or not value.isprintable():
        raise ValueError("write a text that says something, on one line")
    return value


def path(value: str) -> str:
    """Return *value* if it is a path as it will be understood."""
    if value.startswith("~"):
        raise ValueError("write the path in full: ~ stands for nobody's home here")
    return filled(value)


def whole(value: object) -> object:
    """Return *value* unless it is a truth, which pydantic takes for 0 or 1."""
    if isinstance(value, bool):
        raise ValueError("write a whole number")  # noqa: TRY004 - for pydantic
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    WithJsonSchema({"type": "string", "examples": ["20s", "5m", "1h30m"]}),
]
Day = Annotated[
    date,
    BeforeValidator(day),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Name = Annotated[
    str,
    BeforeValidator(name),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME}$"}),
]
Address = Annotated[
    str,
    BeforeValidator(address),
    WithJsonSchema({"type": "string", "pattern": "^https?://"}),
]
Net = Annotated[
    Any,
    PlainValidator(network),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.0/8"]}),
]
Text = Annotated[str, AfterValidator(filled)]
Folder = Annotated[str, AfterValidator(path)]
Whole = Annotated[int, BeforeValidator(whole)]
Number = Annotated[int, Field(ge=1), BeforeValidator(whole)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(whole)]
