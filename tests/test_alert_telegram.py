"""Telegram: what is sent, and what follows from each answer."""

from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from monitor.alert import Telegram
from monitor.alert.pace import Pacer
from monitor.alert.telegram import PACE
from monitor.clock import SystemClock
from monitor.errors import Gone, Moved, Rejected, Transient
from monitor.secret import Secret
from monitor.web import Web
from tests.alerts import alert, deleted, edited, match
from tests.botapi import BotApi, Limits, bot_api
from tests.clock import FakeClock

BOT = "7654321:AAF-a-token-that-must-not-show"


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    web = Web(
        SystemClock(),
        allow=[ip_network("127.0.0.0/8")],
        deadline=timedelta(seconds=0.3),
    )
    yield web
    await web.aclose()


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with bot_api(BOT) as api:
        yield api


def sink(api: BotApi, **other: Any) -> Telegram:
    return Telegram(name="chat", token=Secret(BOT), api=api.url, **other)


async def test_sends_one_message(api: BotApi, web: Web) -> None:
    """An alert is one message, without a preview; its id is what is returned."""
    told = alert("Работает ПВО & <b>", topics=("uav",))

    message = await sink(api).send(told, "-100500", web)

    (sent,) = api.log
    assert (str(sent.id), -100500) == (message, sent.chat)
    assert ["🔴 Опасность БПЛА — Белгородская область"] == sent.marked("b")
    assert ["Работает ПВО & <b>"] == sent.marked("blockquote")
    assert ["04:35 UTC"] == sent.marked("tg-time")
    ((method, body),) = api.calls
    assert "sendMessage" == method
    assert {"is_disabled": True} == body["link_preview_options"]


@pytest.mark.parametrize(
    ("to", "chat", "thread"),
    [
        ("42", 42, None),
        ("-1001:7", -1001, 7),
        ("-1001:1", -1001, None),
        ("@channel", "@channel", None),
    ],
)
async def test_addresses(
    api: BotApi, web: Web, to: str, chat: int | str, thread: int | None
) -> None:
    """An address is a chat or a thread of one; the general thread has no number."""
    api.forums[-1001] = {7}

    await sink(api).send(alert(), to, web)

    assert [(chat, thread)] == [(one.chat, one.thread) for one in api.log]


@pytest.mark.parametrize("to", ["", "x", "@", "12 3", "1:x", "-", "1:2:3", "٣", "@a/b"])
async def test_no_address_is_a_dead_address(api: BotApi, web: Web, to: str) -> None:
    """What cannot be an address is closed to us, and is not asked for."""
    with pytest.raises(Gone) as caught:
        await sink(api).send(alert(), to, web)

    assert not caught.value.everywhere
    assert [] == api.calls


async def test_edits_the_message(api: BotApi, web: Web) -> None:
    """A correction and a deletion change the message that was sent."""
    telegram, was = sink(api), match("Погибли 2")
    message = await telegram.send(alert("Погибли 2"), "5", web)

    await telegram.edit(edited(was, "Погибли 3"), "5", message, web)
    await telegram.edit(deleted(was), "5", message, web)

    assert ["sent", "edited", "edited"] == [one.change for one in api.log]
    assert {message} == {str(one.id) for one in api.log}
    assert ["Погибли 3"] == api.log[1].marked("blockquote")
    assert ["Погибли 2"] == api.log[2].marked("s")
    assert 1 == len(api.chat(5))


async def test_an_edit_that_changes_nothing_is_done(api: BotApi, web: Web) -> None:
    """Editing twice, as after a crash, is no failure."""
    telegram, was = sink(api), match("Погибли 2")
    message = await telegram.send(alert("Погибли 2"), "5", web)

    for _ in range(2):
        await telegram.edit(edited(was, "Погибли 3"), "5", message, web)

    assert 2 == len(api.log)
    assert "not modified" in api.refusals[0][1]


@pytest.mark.parametrize("message", ["999", "", "x/1", "-5"])
async def test_an_unknown_message_cannot_be_edited(
    api: BotApi, web: Web, message: str
) -> None:
    """A message that is not there, or has no such id, is Rejected: send it anew."""
    with pytest.raises(Rejected):
        await sink(api).edit(edited(match("a"), "b"), "5", message, web)


async def test_a_server_that_refuses_markup_gets_plain_text(
    api: BotApi, web: Web
) -> None:
    """Refused markup is said once more without; commands in it stay untouchable."""
    api.troubles.append("unparsable")

    message = await sink(api).send(alert("Нажми /stop, @user"), "5", web)

    (sent,) = api.log
    assert str(sent.id) == message
    assert "\n│ Нажми /\u2060stop, @\u2060user\n" in sent.text
    assert () == sent.entities


async def test_plain_text_that_is_refused_too_is_rejected(
    api: BotApi, web: Web
) -> None:
    """It is said once more, and no third time."""
    api.troubles.extend(["unparsable", "not ok"])

    with pytest.raises(Transient):
        await sink(api).send(alert(), "5", web)

    assert [] == api.log


async def test_an_old_server_is_told_no_tg_time(api: BotApi, web: Web) -> None:
    """Where the tag is unknown a setting leaves it out, and nothing is refused."""
    await sink(api, tg_time=False).send(alert(), "5", web)

    assert [] == api.log[0].marked("tg-time")
    assert "\n04:35 UTC\n" in api.log[0].text


@pytest.mark.parametrize(
    "text", ["🔴 " * 6000, "&" * 9000, "/stop " * 3000, "я" * 4096]
)
async def test_no_text_is_too_long(api: BotApi, web: Web, text: str) -> None:
    """The longest post fits, with and without markup."""
    await sink(api).send(alert(text), "5", web)
    api.troubles.append("unparsable")
    await sink(api).send(alert(text), "5", web)

    assert 2 == len(api.log)
    assert not {"bot_command"} & {e.kind for one in api.log for e in one.entities}
    assert all(len(one.entities) <= 100 for one in api.log)


async def test_the_chat_refuses(api: BotApi, web: Web) -> None:
    """A chat that is blocked or unknown is gone, and one that moved says whereto."""
    api.blocked.add(1)
    api.unknown.add(2)
    api.moved[-3] = -1003

    for to in ("1", "2"):
        with pytest.raises(Gone) as gone:
            await sink(api).send(alert(), to, web)
        assert not gone.value.everywhere
    with pytest.raises(Moved) as moved:
        await sink(api).send(alert(), "-3", web)
    assert "-1003" == moved.value.address


async def test_a_revoked_token_ends_the_sink(api: BotApi, web: Web) -> None:
    """A wrong token is no fault of an address: nothing can be sent to anybody."""
    for token in ("7654321:another-token", "no-token-at-all"):
        wrong = Telegram(name="chat", token=Secret(token), api=api.url)
        with pytest.raises(Gone) as caught:
            await wrong.send(alert(), "5", web)
        assert caught.value.everywhere
        assert token not in str(caught.value)


async def test_an_api_we_may_not_dial_ends_the_sink(api: BotApi) -> None:
    """A private address that nobody allowed costs no alert: all of them wait."""
    strict = Web(SystemClock())

    with pytest.raises(Gone) as caught:
        await sink(api).send(alert(), "5", strict)

    assert caught.value.everywhere
    await strict.aclose()


@pytest.mark.parametrize("trouble", ["hang", "drop", "500", "502", "portal", "not ok"])
async def test_trouble_is_tried_again(api: BotApi, web: Web, trouble: Any) -> None:
    """No answer, a broken one, or a page of somebody between us: try again."""
    api.troubles.append(trouble)

    with pytest.raises(Transient) as caught:
        await sink(api).send(alert(), "5", web)
    assert BOT not in f"{caught.value!s} {caught.value!r}"
    assert [] == api.log

    await sink(api).send(alert(), "5", web)
    assert 1 == len(api.log)


async def test_a_lost_answer_may_cost_one_copy(api: BotApi, web: Web) -> None:
    """What was done and not answered is sent again: one more copy, never none."""
    api.troubles.append("lost answer")

    with pytest.raises(Transient):
        await sink(api).send(alert(), "5", web)
    await sink(api).send(alert(), "5", web)

    assert 2 == len(api.chat(5))


async def test_a_lost_edit_costs_nothing(api: BotApi, web: Web) -> None:
    """An edit whose answer was lost is repeated without a trace."""
    telegram, was = sink(api), match("a")
    message = await telegram.send(alert("a"), "5", web)
    api.troubles.append("lost answer")

    with pytest.raises(Transient):
        await telegram.edit(edited(was, "b"), "5", message, web)
    await telegram.edit(edited(was, "b"), "5", message, web)

    assert 1 == len(api.chat(5))


async def test_flood_control_stops_the_bot(web: Web) -> None:
    """A 429 says how long, and that it stands for every chat."""
    clock = FakeClock()
    async with bot_api(BOT, now=clock.monotonic, limits=Limits(ban=7)) as api:
        telegram = sink(api)
        for _ in range(3):
            await telegram.send(alert(), "5", web)
        with pytest.raises(Transient) as caught:
            await telegram.send(alert(), "5", web)

    assert (timedelta(seconds=7), True) == (
        caught.value.retry_after,
        caught.value.everywhere,
    )


async def test_the_pace_keeps_clear_of_flood_control(web: Web) -> None:
    """Fed at its own pace, the sink is never told to slow down, not by a group."""
    clock = FakeClock()
    wanted = [str(n) for n in range(1, 41)] + ["-1", "-1:5", "7"] * 15
    async with bot_api(
        BOT, now=clock.monotonic, limits=Limits(per_chat=1, burst=1)
    ) as api:
        api.forums[-1] = {5}
        telegram, pacer = sink(api), Pacer(PACE)
        for to in wanted:
            while (ready := pacer.ready_at(to, clock.monotonic())) > clock.monotonic():
                clock.advance(timedelta(seconds=ready - clock.monotonic()))
            pacer.took(to, clock.monotonic())
            await telegram.send(alert(), to, web)

        assert [] == api.refusals
        assert len(wanted) == len(api.log)


async def test_says_who_it_is(api: BotApi, web: Web) -> None:
    """A check names the bot, so that a mistaken token is seen."""
    assert "bot monitor_test_bot (123)" == await sink(api).check(web)
