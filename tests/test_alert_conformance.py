"""
What every sink must do, whatever it sends to.

A new sink is tested by its line in `SINKS` and by its API's refusals under
``fixtures/alert/<kind>/refusals.json``: what it answered, and what follows from it.
"""

import io
import json
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    redirect_stdout,
)
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from monitor import errors
from monitor.alert import SINKS, Message, Pace, Repeats, Sink
from monitor.alert.digest import digest
from monitor.clock import SystemClock
from monitor.errors import Failure, Gone, Moved, Transient
from monitor.secret import Secret
from monitor.web import Web
from tests.alerts import PUBLISHED, alert, deleted, edited, match
from tests.bothtml import read
from tests.loopback import Request, Response, json_response, serve

FIXTURES = Path(__file__).parent / "fixtures" / "alert"
CANARY = "31337:canary-that-must-not-show"
CANARIES = {"webhook": f"whsec_{b64encode(CANARY.encode()).decode()}"}
ADDRESS = "-100200300"
HOSTILE = (
    "\x1b[31mкрасный\x1b[0m <b>не жирный</b> &amp; [bold]x[/bold] *_`~ @everyone "
    "/stop\u202eзад наперёд\u2066 <script>alert(1)</script>\r\nвторая\x00 \ud83d\u200b"
)
INERT = (
    "[31mкрасный[0m <b>не жирный</b> &amp; [bold]x[/bold] *_`~ @everyone "
    "/stopзад наперёд <script>alert(1)</script>"
)


@dataclass(frozen=True)
class Refusal:
    """An answer of a service, and what follows from it."""

    kind: str
    number: int
    status: int
    body: Any
    action: str
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    everywhere: bool | None = None
    address: str | None = None


def refusals(kind: str) -> list[Refusal]:
    text = (FIXTURES / kind / "refusals.json").read_text(encoding="utf-8")
    return [
        Refusal(kind, number, **case) for number, case in enumerate(json.loads(text))
    ]


ALL = [refusal for kind in SINKS for refusal in refusals(kind)]
each_sink = pytest.mark.parametrize("kind", SINKS)
each_refusal = pytest.mark.parametrize(
    "refusal", ALL, ids=lambda one: f"{one.kind}-{one.number}-{one.status}"
)


def canary(kind: str) -> str:
    """Return a secret that a sink of this *kind* takes for one."""
    return CANARIES.get(kind, CANARY)


def there(sink: Sink) -> str:
    """Return an address of somebody: a chat, or below the sink's own if it has one."""
    url = getattr(sink, "url", "")
    return f"{url}/{ADDRESS}" if url else ADDRESS


def made(kind: str, url: str) -> Sink:
    """Return a sink of this *kind* whose service is at *url*."""
    sink = SINKS[kind]
    hints = get_type_hints(sink)
    given: dict[str, Any] = {}
    for part in fields(sink):  # type: ignore[arg-type] # every sink is a dataclass
        if hints[part.name] is Secret:
            given[part.name] = Secret(canary(kind))
        elif part.name in {"api", "url"}:
            given[part.name] = url
        elif part.name == "name":
            given[part.name] = kind
        elif part.init and part.default is part.default_factory is MISSING:
            raise AssertionError(f"{kind}: how is {part.name!r} to be set in a test?")
    return sink(**given)


RECOGNISING = [
    kind for kind in SINKS if made(kind, "http://127.0.0.1:1").repeats.recognised
]


@asynccontextmanager
async def service(
    kind: str,
    status: int = 200,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[Sink, Web, list[Request]]]:
    """Run a service that always answers so; yield the sink, and what it asks."""

    def answer(request: Request) -> Response:
        del request
        if isinstance(body, str):
            html = {"Content-Type": "text/html"}
            return Response(status, body, html | dict(headers or {}))
        return json_response(body, status, headers)

    allow = [ip_network("127.0.0.0/8")]
    web = Web(SystemClock(), allow=allow, deadline=timedelta(seconds=5))
    async with serve(answer) as server:
        yield made(kind, server.url), web, server.requests
        await web.aclose()


def refusing(
    refusal: Refusal,
) -> AbstractAsyncContextManager[tuple[Sink, Web, list[Request]]]:
    """Run a service that always refuses so."""
    return service(refusal.kind, refusal.status, refusal.body, refusal.headers)


GOOD: Mapping[str, Any] = {"ok": True, "result": {"message_id": 17}, "id": "17"}


def everything(error: BaseException) -> str:
    """Return all that a log could show of *error* and of what led to it."""
    before = error.__cause__ or error.__context__
    told = f"{error!s} {error!r} {vars(error)!r}"
    return told + (everything(before) if before else "")


async def failure_of(attempt: Awaitable[Any]) -> Failure | None:
    """Return how an *attempt* failed, if it did; what it prints is swallowed."""
    try:
        with redirect_stdout(io.StringIO()):
            await attempt
    except Failure as failure:
        return failure
    return None


@each_sink
def test_has_its_refusals(kind: str) -> None:
    """A sink whose refusals nobody wrote down is one nobody has seen refuse."""
    assert (FIXTURES / kind / "refusals.json").exists()
    assert kind == kind.lower() == SINKS[kind].__name__.lower()


@each_sink
def test_equal_settings_are_equal_sinks(kind: str) -> None:
    """A sink is its settings: a reload restarts only what has changed."""
    one, other = (made(kind, "http://127.0.0.1:1") for _ in range(2))

    assert one == other
    assert hash(one) == hash(other)
    assert kind == one.name
    assert isinstance(one.pace, Pace)
    assert isinstance(one.repeats, Repeats)


@each_sink
def test_shows_no_secret(kind: str) -> None:
    """Nothing secret is in what a sink is printed as."""
    sink = made(kind, "http://127.0.0.1:1")

    assert canary(kind) not in f"{sink!r} {sink!s}"


@each_refusal
async def test_each_refusal_leads_to_its_action(refusal: Refusal) -> None:
    """What a service answered leads to the action that is written beside it."""
    async with refusing(refusal) as (sink, web, _):
        with pytest.raises(Failure) as caught:
            await sink.send(alert(), there(sink), web)

    failure = caught.value
    wanted: type[Failure] = getattr(errors, refusal.action)
    assert isinstance(failure, wanted)
    if isinstance(failure, Transient) and refusal.retry_after is not None:
        assert timedelta(seconds=refusal.retry_after) == failure.retry_after
    if isinstance(failure, Transient | Gone) and refusal.everywhere is not None:
        assert refusal.everywhere == failure.everywhere
    if isinstance(failure, Moved):
        assert refusal.address == failure.address


@each_refusal
async def test_no_refusal_shows_a_secret_or_an_address(refusal: Refusal) -> None:
    """Neither a token nor where a person is reached is in any error."""
    was = match("a")
    async with refusing(refusal) as (sink, web, _):
        for attempt in (
            sink.send(alert(), there(sink), web),
            sink.edit(edited(was, "b"), there(sink), "17", web),
            sink.check(web),
        ):
            if failure := await failure_of(attempt):
                told = everything(failure)
                assert canary(refusal.kind) not in told
                assert ADDRESS not in told


@pytest.mark.parametrize("kind", RECOGNISING)
@pytest.mark.parametrize("told", [alert(), digest([alert()], PUBLISHED)])
async def test_what_is_recognised_carries_its_key(kind: str, told: Message) -> None:
    """A sink that says so tells its service the key, the same with each attempt."""
    told = replace(told, key="0f" * 16)
    async with service(kind, 500) as (sink, web, asked):
        for _ in range(2):
            await failure_of(sink.send(told, there(sink), web))

    seen = [f"{one.target} {one.headers} {one.body.decode()}" for one in asked]
    assert [True, True] == [told.key in one for one in seen]
    assert asked[0].body == asked[1].body


@each_sink
async def test_a_service_that_echoes_the_secret_does_not_spread_it(kind: str) -> None:
    """What a broken server says of us is not passed on as it is."""
    echo = {"ok": False, "error_code": 400, "description": f"bad {canary(kind)}"}
    async with service(kind, 400, echo) as (sink, web, _):
        if failure := await failure_of(sink.send(alert(), there(sink), web)):
            assert canary(kind) not in everything(failure)


@each_sink
async def test_no_answer_shows_no_secret(kind: str) -> None:
    """Where nobody listens, the error names the host and nothing secret."""
    web = Web(SystemClock(), allow=[ip_network("127.0.0.0/8")])
    sink = made(kind, "http://127.0.0.1:1")

    failure = await failure_of(sink.send(alert(), there(sink), web))
    await web.aclose()

    if failure:
        assert isinstance(failure, Transient)
        assert canary(kind) not in everything(failure)


@each_sink
@pytest.mark.parametrize("change", ["new", "edited", "deleted"])
async def test_hostile_text_arrives_as_text(kind: str, change: str) -> None:
    """Whatever a post holds, a reader sees its text, and nothing unseen acts."""
    was = match(HOSTILE, title=HOSTILE, forward=HOSTILE, id="1", places=())
    out = io.StringIO()
    async with service(kind, 200, GOOD) as (sink, web, asked):
        with redirect_stdout(out):
            assert out is sys.stdout
            if change == "new":
                told = alert(HOSTILE, title=HOSTILE, forward=HOSTILE, places=())
                await sink.send(told, there(sink), web)
            elif change == "edited":
                await sink.edit(edited(was, f"{HOSTILE} 2"), there(sink), "17", web)
            else:
                await sink.edit(deleted(was), there(sink), "17", web)
        arrived = [out.getvalue(), *(_text(request) for request in asked)]

    shown = "".join(arrived)
    assert INERT in shown
    assert not [one for one in shown if not one.isprintable() and one not in "\n\t"]


@each_sink
async def test_a_digest_is_told_and_is_inert(kind: str) -> None:
    """A sink tells of many alerts at once, and their texts arrive as text."""
    alerts = [alert(HOSTILE, id=str(n), forward=HOSTILE, places=()) for n in range(99)]
    out = io.StringIO()
    async with service(kind, 200, GOOD) as (sink, web, asked):
        with redirect_stdout(out):
            await sink.send(digest(alerts, PUBLISHED), there(sink), web)
        arrived = [out.getvalue(), *(_text(request) for request in asked)]

    shown = "".join(arrived)
    assert 1 == len([text for text in arrived if text])
    assert 40 == shown.count("красный[0m <b>не ж")
    assert "99 сообщений" in shown.splitlines()[0]
    assert not [one for one in shown if not one.isprintable() and one not in "\n\t"]


def _text(request: Request) -> str:
    """Return what a reader of this request's message sees, whatever its markup."""
    body = json.loads(request.body or b"{}")
    assert isinstance(body, dict)
    if body.get("specversion"):
        return str(body["data"]["message"])
    if body.get("parse_mode") == "HTML":
        return read(body["text"])[0]
    return "\n".join(str(value) for value in body.values())
