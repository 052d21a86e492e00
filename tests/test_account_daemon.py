"""The whole daemon on loopback: what `monitor account` prints is what was published."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.config import Settings
from monitor.stream import Stream
from monitor.trouble import Teller
from tests.botapi import BotApi, bot_api
from tests.channel import Channel, album, text
from tests.daemons import bots, loaded, looking, met, settled, until, working
from tests.loopback import Request, Response, serve
from tests.worlds import ask, told

TOWN = """\
state: ./state
web: {{allow: [127.0.0.0/8], pace: 1ms}}
telegram: {{preview: "{preview}"}}
places:
  - id: RU-BEL
    kind: region
    name: {{ru: Белгородская область}}
    places: [{{id: grayvoron, kind: town, name: {{ru: Грайворон}}}}]
topics: [{{name: uav, words: {{ru: [беспилотник~]}}}}]
rules: [{{name: drones, places: [RU-BEL], topics: [uav], severity: warning}}]
sinks: [{{name: chat, kind: telegram, token: {{file: token}}, api: "{api}"}}]
subscribers:
  - {{name: ann, sink: chat, to: "1", places: [RU-BEL]}}
  - {{name: bob, sink: chat, to: "2", places: [RU-BEL], severity: critical}}
  - {{name: cid, sink: chat, to: "3", places: [RU-BEL]}}
  - {{name: dan, sink: chat, to: "4", places: [UA]}}
  - {{name: desk, sink: chat, to: "9", rules: [drones], topics: [uav]}}
operators: [desk]
sources:
  - {{name: okrug, kind: telegram, channel: okrug, home: RU-BEL, voice: official, every: 30ms}}
"""  # noqa: E501 - as it would be written
DRONE, QUIET, DULL = "Над Грайвороном беспилотник", "Грайворон: тихо", "День города"
PHOTO = '<a class="tgme_widget_message_photo_wrap" href="https://t.me/okrug/{}"></a>'


@dataclass
class Town:
    """A channel, a chat, and a daemon between them."""

    channel: Channel
    api: BotApi
    file: Path
    blind: bool = False  # the preview shows its newest page only
    reads: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Response:
        """Serve the channel."""
        self.reads.append(request.target)
        if self.blind and request.path.startswith("/s/"):
            return Response(200, self.channel.page())
        return self.channel.answer(request)

    async def read(self) -> None:
        """Wait until the channel as it stands now has been read."""
        seen = len(self.reads)
        await until(lambda: len(self.reads) > seen + 2)


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[tuple[Town, Settings]]:
    """Serve a town, and write its configuration."""
    channel = Channel()
    async with bot_api(f"{next(bots)}:a-bot-of-tests") as api:
        api.blocked.add(3)
        made = Town(channel, api, folder / "monitor.yaml")
        async with serve(made.answer) as server:
            (folder / "token").write_text(api.token, "ascii")
            (folder / "token").chmod(0o600)
            said = TOWN.format(preview=server.url, api=api.url)
            made.file.write_text(said, "utf-8")
            yield made, loaded(made.file)


def publish(town: Town, posts: Mapping[int, str]) -> None:
    """Let posts appear."""
    town.channel.posts |= {number: text(said) for number, said in posts.items()}


async def lived(town: Town, stream: Stream) -> None:
    """Let everything happen that an account has to tell of."""
    channel = town.channel
    publish(town, {4: DRONE, 6: QUIET, 7: DULL, 8: "", 9: "в закрепе", 15: DULL})
    channel.posts[8] = PHOTO.format(8)
    channel.posts[10] = album(10, 11, 12) + text("Беспилотник: фото из Грайворона")
    channel.service = {9}  # 5, 13 and 14 were deleted before we saw them
    await until(lambda: len(town.api.chat(1)) == 2)
    publish(town, {4: f"{DRONE}, второй", 7: "Праздник"})
    await until(lambda: "второй" in town.api.chat(1)[0])
    del channel.posts[15]
    publish(town, {16: DULL})
    await town.read()
    town.blind, channel.shown = True, 2
    publish(town, {20: DULL, 21: DULL})  # after 17 to 19, which no page shows any more
    await town.read()
    await settled(stream)


BLOCKED = "telegram: 403 Forbidden: bot was blocked by the user"
PARKED = f"the address is parked: {BLOCKED}"
EXPECTED: dict[str, Any] = {
    "source": "okrug",
    "ids": {
        "past": 3, "matched": 2, "filtered": 5, "media only": 1, "deleted": 1,
        "absent": 3, "service": 1, "part": 2,
    },
    "versions": {"matched": 3, "filtered": 7, "media only": 1, "deleted": 1},
    "filtered": {"drones: no topic": 1, "no rule is about it": 6},
    "gaps": [[17, 19]],
    "matches": {"delivered": 4, "edited": 2, "suppressed": 5, "dead": 1},
    "suppressed": {"severity: warning; wanted critical or more": 3, PARKED: 2},
    "dead": {BLOCKED: 1},
    "repeats": 0,
    "unexplained": [],
}  # fmt: skip


@pytest.mark.timeout(90)
async def test_an_account_of_a_channel_is_what_its_maker_knows(tmp_path: Path) -> None:
    """Every id, every version, everybody concerned; live, and where nothing runs."""
    async with town(tmp_path) as (made, settings):
        publish(made, {1: DRONE, 2: DULL, 3: DULL})
        async with working(settings), looking(settings.state) as stream:
            await met(stream, "okrug")
            await lived(made, stream)
            now = datetime.now(UTC) + timedelta(hours=1)
            window = ("--from", "2026-01-01", "--to", f"{now:%Y-%m-%dT%H:%M}")
            live = await ask("account", *window, "--json", "-c", made.file)
            shown = await ask("account", *window, "-c", made.file)
        copytree(settings.state / "archive", tmp_path / "copy" / "state" / "archive")
        text_ = made.file.read_text("utf-8").replace("./state", "./copy/state")
        copy = tmp_path / "copy.yaml"
        copy.write_text(text_, "utf-8")
        later = await ask("account", *window, "--json", "-c", copy)

    (okrug,) = [one for one in told(live) if one["source"] == "okrug"]
    assert EXPECTED == {name: okrug[name] for name in EXPECTED}
    assert okrug in told(later), "an archive alone is enough"
    assert 1 == live.exit_code == later.exit_code == shown.exit_code
    assert "nothing runs on" in later.stderr
    assert "numbers that nobody saw: 17–19 (3)" in shown.stdout
    assert "3 numbers are unexplained" in shown.stderr


async def test_an_operator_is_told_once_and_when_it_is_over(tmp_path: Path) -> None:
    """A trouble goes the way of all alerts; its end edits what was sent; it adds up."""
    async with (
        town(tmp_path) as (made, settings),
        working(settings),
        looking(settings.state) as stream,
    ):
        await met(stream, "okrug")
        teller = Teller("intake", stream, SystemClock())
        for _ in range(3):
            await teller.tell({"stopped": "Nothing is read: the disk is full."})
            await until(lambda: made.api.chat(9))
        (first,) = made.api.chat(9)
        await teller.tell({})
        await until(lambda: made.api.chat(9) != [first])
        (over,) = made.api.chat(9)
        await settled(stream)
        since = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M}"
        said = await ask("account", "--from", since, "--json", "-c", made.file)

    assert first.startswith("🔴 monitor: Nothing is read: the disk is full.")
    assert over.startswith("🔵 monitor: Over since")
    assert [9, 9] == [message.chat for message in made.api.log]
    (ours,) = [one for one in told(said) if one["source"] == "monitor"]
    assert ({"matched": 1}, {"delivered": 1, "edited": 1}) == (
        ours["ids"],
        ours["matches"],
    )
    assert 0 == said.exit_code
