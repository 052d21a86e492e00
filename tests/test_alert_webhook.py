"""Webhooks: what is posted, how it is signed, and what a receiver makes of it."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import config
from monitor.alert import Webhook, message_key
from monitor.alert.webhook import event, signed
from monitor.errors import Failure, Gone, Misconfigured, Rejected, Transient
from monitor.item import Match, Origin, from_json
from monitor.secret import Secret, redact
from monitor.web import Web, encode_json
from tests.alerts import ORIGIN, PUBLISHED, alert, deleted, edited, match
from tests.clock import FakeClock
from tests.config_cases import write
from tests.loopback import Response, serve
from tests.receiver import LOST, SECRET, Forged, Receiver, receiving, verified
from tests.test_config import TODAY

OLD = "whsec_" + b64encode(b"the old key of this receiver").decode()
KEY = message_key("5f0c3b1de3a94b7f9b0a7f6a2a1c4e88", "belgorod-governor/1/1", "desk")


@pytest.fixture
async def web(clock: FakeClock) -> AsyncIterator[Web]:
    web = Web(clock, allow=[ip_network("127.0.0.0/8")], deadline=timedelta(seconds=0.5))
    yield web
    await web.aclose()


@pytest.fixture
def receiver(clock: FakeClock) -> Receiver:
    return Receiver(now=lambda: clock.now().timestamp())


def hook(secret: str = SECRET, **other: Any) -> Webhook:
    return Webhook(name="hook", secret=Secret(secret), **other)


async def test_a_receiver_verifies_it_and_reads_it(
    web: Web, receiver: Receiver
) -> None:
    """An event of CloudEvents says what the alert says, signed by Standard Webhooks."""
    seen = PUBLISHED + timedelta(seconds=20)
    told = replace(alert("Работает ПВО", topics=("uav",), seen=seen), key=KEY)

    async with receiving(receiver) as server:
        message = await hook().send(told, f"{server.url}/desk", web)

    ((path, got),) = receiver.heeded
    (request,) = server.requests
    assert ("/desk", KEY, KEY) == (path, got["id"], message)
    assert "application/cloudevents+json" in request.headers["content-type"]
    assert {
        "specversion": "1.0",
        "source": "/sources/belgorod-governor",
        "type": "monitor.alert.new",
        "subject": "belgorod-governor/12345",
        "time": "2023-05-24T04:35:20+00:00",
        "datacontenttype": "application/json",
    }.items() <= got.items()
    data = got["data"]
    assert "🔴 Опасность БПЛА" in data["message"]
    assert data["was"] is None
    assert told.match == from_json(json.dumps(data), Match)
    assert ORIGIN == from_json(json.dumps(data["origin"]), Origin)


async def test_the_text_is_as_it_was_accepted(web: Web, receiver: Receiver) -> None:
    """Spans point into the item's text, so nothing in it may be taken away."""
    text = "a\u202eb\u200d\x00 <b>ё</b>\n\u2028/stop @all"

    async with receiving(receiver) as server:
        await hook().send(alert(text), server.url, web)

    data = receiver.heeded[0][1]["data"]
    assert text == data["item"]["text"]
    assert "\u202e" not in data["message"]


@pytest.mark.parametrize(
    ("change", "kind"), [("new", "new"), ("edited", "edited"), ("deleted", "deleted")]
)
async def test_a_correction_is_an_event_of_its_own(
    change: str, kind: str, web: Web, receiver: Receiver
) -> None:
    """Its type says what changed, and `was` what it corrects."""
    was = match("Погибли 2")
    now = {
        "new": alert("Погибли 2"),
        "edited": edited(was, "Погибли 3"),
        "deleted": deleted(was),
    }[change]

    async with receiving(receiver) as server:
        await hook().edit(replace(now, key=KEY), server.url, "the-id-before", web)

    (got,) = (event for _, event in receiver.heeded)
    assert (f"monitor.alert.{kind}", KEY) == (got["type"], got["id"])
    assert now.match == from_json(json.dumps(got["data"]), Match)
    if now.was:
        assert was == from_json(json.dumps(got["data"]["was"]), Match)


def test_who_never_had_the_post_is_told_of_a_new_one() -> None:
    """What is a correction for others is news for who was not told before."""
    told = replace(edited(match("a"), "б"), was=None)

    assert "monitor.alert.new" == event(told, KEY)["type"]
    assert "monitor.alert.deleted" == event(deleted(match("a")), KEY)["type"]


async def test_a_repeat_is_recognised(
    clock: FakeClock, web: Web, receiver: Receiver
) -> None:
    """Where the answer was lost, the second try has the same id, and is not heeded."""
    told = replace(alert(), key=KEY)
    receiver.answers = [LOST]

    async with receiving(receiver) as server:
        with pytest.raises(Transient):
            await hook().send(told, server.url, web)
        clock.advance(timedelta(hours=9))
        await hook().send(told, server.url, web)

    assert ([KEY], 1, 0) == (receiver.repeated, len(receiver.heeded), receiver.forged)
    first, second = server.requests
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert "webhook-id" == Webhook.repeats.by


async def test_what_has_no_key_is_named_all_the_same(
    web: Web, receiver: Receiver
) -> None:
    """An event has an id, be it only the version's, and not the item's own words."""
    async with receiving(receiver) as server:
        for told in (alert(), alert(), edited(match(), "б")):
            await hook().send(told, server.url, web)

    assert (2, 1) == (len(receiver.heeded), len(receiver.repeated))
    assert all(len(event["id"]) == 32 for _, event in receiver.heeded)


def test_signs_as_the_standard_does() -> None:
    """The example of the standard's own libraries comes out, to the letter."""
    headers = signed(
        Secret(SECRET),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    } == headers


@given(st.text(max_size=50), st.integers(0, 2**40), st.binary(min_size=24, max_size=64))
def test_whatever_is_posted_is_signed(text: str, now: int, key: bytes) -> None:
    """The signature is of the very bytes that go out, and of no others."""
    secret = "whsec_" + b64encode(key).decode()
    body = encode_json({"text": text})
    headers = signed(Secret(secret), KEY, now, body)

    assert verified(secret, headers, body, now + 200)["text"] is not None
    for forged, at in ((body[:-1] + b" }", now), (body, now + 400)):
        with pytest.raises(Forged):
            verified(secret, headers, forged, at)


async def test_a_secret_is_changed_without_a_gap(web: Web, receiver: Receiver) -> None:
    """While there are two, a receiver with either of them is served."""
    both, other = f"{SECRET} {OLD}", Receiver(OLD, receiver.now)

    async with receiving(receiver) as one, receiving(other) as two:
        for server in (one, two):
            await hook(both).send(alert(), server.url, web)

    assert (1, 0, 1, 0) == (
        len(receiver.heeded), receiver.forged, len(other.heeded), other.forged,
    )  # fmt: skip
    assert OLD not in redact(f"a library says {OLD}")


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_AA==", "whsec_Zm9v", SECRET.removeprefix("whsec_"), SECRET + "!",
        "whsec_" + b64encode(bytes(65)).decode(), "whsec_кирилл", SECRET[:-3],
        f"{SECRET} whsec_Zm9v", f"{SECRET} whsec_!",
    ],
)  # fmt: skip
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    """A key that anybody could guess, or that was cut off, does not start."""
    with pytest.raises(ValueError, match="24 to 64 random bytes") as refused:
        hook(secret)

    assert secret not in str(refused.value)


async def failed(sink: Webhook, to: str, web: Web) -> Failure:
    with pytest.raises(Failure) as failure:
        await sink.send(alert(), to, web)
    return failure.value


@pytest.mark.parametrize(
    ("status", "headers", "kind", "everywhere"),
    [
        (410, {}, Gone, True),
        (401, {}, Gone, True),
        (404, {}, Gone, True),
        (429, {}, Transient, True),
        (503, {"Retry-After": "9"}, Transient, True),
        (503, {}, Transient, False),
        (500, {"Retry-After": "9"}, Transient, False),
        (422, {}, Rejected, None),
    ],
)
async def test_an_address_of_all_is_refused_for_all(
    status: int,
    headers: dict[str, str],
    kind: type[Failure],
    everywhere: bool | None,  # noqa: FBT001 - a case of the table
    web: Web,
) -> None:
    """What the sink's own address refuses waits for a person; one alert does not."""
    async with serve(lambda _: Response(status, b"", headers)) as server:
        failure = await failed(hook(url=server.url), "", web)

    assert kind is type(failure)
    assert everywhere is getattr(failure, "everywhere", None)


@pytest.mark.parametrize(
    "to",
    [
        "", "nobody", "ftp://127.0.0.1/x", "http://a:b@127.0.0.1/x", "http://[::1",
        "http://10.1.2.3/hook", "http://169.254.169.254/latest/meta-data/",
        "http://[fd00::1]/",
    ],
)  # fmt: skip
async def test_where_we_may_not_go_nobody_is_reached(to: str, web: Web) -> None:
    """An address of our own network, or none at all, is closed, and not repeated."""
    failure = await failed(hook(), to, web)

    assert isinstance(failure, Gone)
    assert "webhook: " in str(failure)
    assert failure.everywhere == (not to)
    if to:
        assert to not in str(failure)
        assert "10.1.2.3" not in str(failure)


async def test_an_address_of_all_that_is_none_is_told(web: Web) -> None:
    """It stands in the configuration, so its host may be named, and nobody is told."""
    failure = await failed(hook(url="http://10.1.2.3/hook"), "", web)

    assert isinstance(failure, Gone)
    assert failure.everywhere
    assert "webhook: 10.1.2.3: " in str(failure)


async def test_no_answer_names_nobody(web: Web) -> None:
    """What a subscriber's host is called is part of where they are reached."""
    failure = await failed(hook(), "http://127.0.0.1:1/desk", web)

    assert "webhook: connection refused" == str(failure)
    assert isinstance(failure, Transient)
    assert (False, False) == (failure.everywhere, failure.unsure)


async def test_a_hanging_receiver_is_given_up(web: Web) -> None:
    """Nobody knows what it did, so it is told again."""

    async def hang(_: object) -> Response:
        await asyncio.Event().wait()
        return Response()

    async with serve(hang) as server:
        failure = await failed(hook(), server.url, web)

    assert isinstance(failure, Transient)
    assert "no whole answer" in str(failure)
    assert failure.unsure


async def test_who_is_checked_gets_no_alert(
    clock: FakeClock, web: Web, receiver: Receiver
) -> None:
    """`check` posts a signed event that cannot be taken for news, each time anew."""
    async with receiving(receiver) as server:
        said = [await hook(url=server.url).check(web)]
        clock.advance(timedelta(seconds=1))
        said += [await hook(url=server.url).check(web), await hook().check(web)]
        with pytest.raises(Gone):
            await hook(OLD, url=server.url).check(web)

    assert ["signed event" in one for one in said] == [True, True, False]
    assert [("monitor.check", None)] * 2 == [
        (got["type"], got.get("data")) for _, got in receiver.heeded
    ]
    assert 1 == receiver.forged


# Configuration

SINK = "{{name: hook, kind: webhook, secret: {{file: hook-secret}}{0}}}"
DESK = "{{name: desk, sink: hook{0}}}"


def configured(
    folder: Path, sink: str = "", to: str = "", secret: str = SECRET
) -> Path:
    own = f"sinks: [{SINK.format(sink)}]\nsubscribers: [{DESK.format(to)}]\n"
    return write(folder, {"own": own, "files": {"hook-secret": secret}})


def test_is_configured_for_each_or_for_all(tmp_path: Path) -> None:
    """Either each subscriber has an URL, or the sink has one."""
    each = configured(tmp_path / "a", to=', to: "https://hooks.example.org/desk"')
    for_all = configured(tmp_path / "b", ', url: "https://example.org/all"')

    assert (hook(),) == config.load(each, TODAY).sinks
    assert (hook(url="https://example.org/all"),) == config.load(for_all, TODAY).sinks


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "subscribers.0: the key 'to' is needed: their address in 'hook'"),
        (
            {"to": ", to: desk"},
            "own.yaml:2:44: error: subscribers.0.to: write an address",
        ),
        ({"to": ', to: "http://a:b@x.org/"'}, "subscribers.0.to: no name and password"),
        ({"sink": ", url: nowhere"}, "sinks.0.url: write an address"),
        (
            {"secret": "whsec_short", "to": ", to: http://x.org/"},
            "24 to 64 random bytes",
        ),
    ],
)
def test_what_is_wrong_with_it_is_told(
    how: dict[str, str], said: str, tmp_path: Path
) -> None:
    """A secret or an address that cannot work is a mistake with its place."""
    with pytest.raises(Misconfigured) as mistakes:
        config.load(configured(tmp_path, **how), TODAY)

    assert said in str(mistakes.value)
    assert "whsec_short" not in str(mistakes.value)
