"""`monitor check` and `monitor test`: whether what is configured can work."""

import asyncio
from pathlib import Path

from tests.botapi import bot_api
from tests.channel import Channel
from tests.feeds import entry, rss
from tests.loopback import Answer, Handler, Response, routes, serve
from tests.worlds import ask, bot, call, token_of, told, write

FEED = '{{name: {0}, kind: feed, url: "{1}/{0}.xml"}}'


def test_a_good_configuration_is_summed_up(tmp_path: Path) -> None:
    """Its parts are counted, for people and for programs."""
    file = write(tmp_path)
    said, counted = call("check", "-c", file), call("check", "--json", "-c", file)

    assert 0 == said.exit_code
    assert "1 sink, 1 subscriber, 2 rules, 1 topic, 3 places, 1 warning" in said.stdout
    assert "no sources: nothing is read" in said.stderr
    assert "No operators" in said.stderr
    assert 2 == told(counted)[0]["rules"]


def test_operators_are_those_who_are_told_of_the_program(tmp_path: Path) -> None:
    """Where there are some, nothing is said of the log."""
    file = write(tmp_path)
    file.write_text(file.read_text("utf-8") + "operators: [desk]\n", "utf-8")
    result = call("check", "-c", file)

    assert 0 == result.exit_code
    assert "No operators" not in result.stderr


def test_a_warning_is_told_and_is_no_mistake(tmp_path: Path) -> None:
    """A standing that has ended is named with its place, beside the answer."""
    ended = "{on: 2020-01-01, by: x, until: 2021-01-01}"
    source = f'[{{name: a, kind: feed, url: "http://x.org/", verified: {ended}}}]'

    result = call("check", "--json", "-c", write(tmp_path, sources=source))

    assert 0 == result.exit_code
    assert [1] == [one["warnings"] for one in told(result)]
    assert "warning" in result.stderr


def test_an_expectation_that_is_not_met_is_shown(tmp_path: Path) -> None:
    """The rule, how it fails, and the text; and the exit code is 1."""
    file = write(tmp_path, expected="false")
    result, asked = call("test", "-c", file), call("test", "--json", "-c", file)

    assert [1, 1] == [result.exit_code, asked.exit_code]
    assert "rule drones: it matches" in result.stdout
    assert "Над Грайвороном беспилотник" in result.stdout
    assert ["it matches"] == [one["failure"] for one in told(asked)]


def test_expectations_that_are_met_are_counted(tmp_path: Path) -> None:
    """Nothing on standard output, a count beside it, and 0."""
    result = call("test", "-c", write(tmp_path))

    assert (0, "") == (result.exit_code, result.stdout)
    assert "1 of 1 expectations met" in result.stderr


async def test_online_every_source_and_sink_is_asked(tmp_path: Path) -> None:
    """Each is answered by what it brought or is called; nobody is told anything."""
    channel = Channel()
    channel.write(1, 2, 3)
    chat = bot(tmp_path)
    async with serve(channel.answer) as server, bot_api(token_of(tmp_path)) as api:
        sinks = f"[{chat.replace('http://127.0.0.1:9', api.url)}]"
        source = "[{name: okrug, kind: telegram, channel: okrug}]"
        people = '[{name: desk, sink: chat, to: "5"}]'
        file = write(tmp_path, sinks=sinks, sources=source, preview=server.url,
                     subscribers=people)  # fmt: skip

        result = await ask("check", "--online", "--json", "-c", file)

    answers = {one["name"]: one for one in told(result)[1:]}
    assert 0 == result.exit_code
    assert "3 posts" in answers["okrug"]["said"]
    assert "monitor_test_bot" in answers["chat"]["said"]
    assert [] == api.log


async def test_online_one_that_fails_is_marked_and_the_others_answer(
    tmp_path: Path,
) -> None:
    """A missing feed, a hanging one and a good one: three lines, in bounded time, 1."""

    async def hang(_: object) -> Response:
        await asyncio.Event().wait()
        return Response()

    table: dict[str, Answer | Handler | bytes] = {
        "/good.xml": Response(200, rss(entry(1))),
        "/hangs.xml": hang,
    }
    async with serve(routes(table)) as server:
        names = ("good", "gone", "hangs")
        feeds = ", ".join(FEED.format(name, server.url) for name in names)
        file = write(tmp_path, sources=f"[{feeds}]")

        result = await ask("check", "--online", "--timeout", "0.5", "-c", file)

    lines = result.stdout.splitlines()
    assert 1 == result.exit_code
    assert [True, False, False] == [
        any(line.startswith(f"✓ source {name}:") for line in lines) for name in names
    ]
    assert any("hangs: no answer" in line for line in lines)
    assert "2 of 4 answered" in result.stderr
    assert "Traceback" not in result.stderr
