"""
The people of the town: chats of a bot, and webhooks, which know a repeat.

Both take everything, a little later than it comes, so that there is something in flight
at most times; and both write down what they took before they answer.
"""

import asyncio
import random
from collections import OrderedDict
from typing import Any

from tests.botapi import BotApi
from tests.chaos.acceptances import Acceptances
from tests.chaos.ledger import Arrival, Ledger
from tests.loopback import Answer, Request, Response

BEFORE, AFTER = 0.01, 0.03  # seconds at most, until something is taken and answered
REMEMBERED = 50_000  # events of webhooks
KEPT = 5_000  # messages that can still be edited
DELETED = "🗑"


class Chats:
    """
    The Bot API, and whoever reads what it is sent.

    Attributes:
        opened: Requests that are being answered.
    """

    def __init__(
        self, token: str, ledger: Ledger, accepted: Acceptances, chance: random.Random
    ) -> None:
        """Write down in *ledger* what comes, and in *accepted* what is new."""
        self.opened = 0
        self._api = BotApi(token)
        self._ledger, self._accepted, self._chance = ledger, accepted, chance

    async def answer(self, request: Request) -> Answer:
        """Take a request, write down what came of it, and answer."""
        self.opened += 1
        try:
            await asyncio.sleep(self._chance.random() * BEFORE)
            answer = await self._api.answer(request)
            self._read()
            await asyncio.sleep(self._chance.random() * AFTER)
            return answer
        finally:
            self.opened -= 1

    def _read(self) -> None:
        """Write down what is new, and keep no more than can be edited."""
        for message in self._api.log:
            chat, id_ = f"bot-{message.chat}", str(message.id)
            words = "".join(message.marked("blockquote"))
            edits, gone = message.change == "edited", DELETED in message.text
            arrival = Arrival(chat, id_, words, edits=edits, gone=gone)
            post = self._ledger.arrived(arrival)
            if not edits:
                self._accepted.accepted(id_, post, chat)
        self._api.log.clear()
        self._api.calls.clear()
        self._api.forget(KEPT)
        for refusal in self._api.refusals:
            if "not modified" not in refusal[1]:
                self._ledger.wrong("refused", f"{refusal}")
        self._api.refusals.clear()


class Hooks:
    """
    Receivers of webhooks, told apart by the path.

    Attributes:
        opened: Requests that are being answered.
        repeats: Events that came again, and were recognised.
    """

    def __init__(self, ledger: Ledger, chance: random.Random) -> None:
        """Write down in *ledger* what comes."""
        self.opened = 0
        self.repeats = 0
        self._ledger, self._chance = ledger, chance
        self._ids: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._events: OrderedDict[tuple[str, ...], str] = OrderedDict()

    async def answer(self, request: Request) -> Response:
        """Take an event, unless it was taken before."""
        self.opened += 1
        try:
            await asyncio.sleep(self._chance.random() * BEFORE)
            chat, id_ = f"hook-{request.path[1:]}", request.headers["webhook-id"]
            if (chat, id_) in self._ids:
                self.repeats += 1
            else:
                self._take(chat, id_, request.json())
            await asyncio.sleep(self._chance.random() * AFTER)
            return Response(204)
        finally:
            self.opened -= 1

    def _take(self, chat: str, id_: str, event: Any) -> None:
        """Write down an event that is new, and look whether it says something new."""
        item, was = event["data"]["item"], event["data"]["was"]
        gone = item["change"] == "deleted"
        words = was["item"]["text"] if gone and was else item["text"]
        edits = event["type"] != "monitor.alert.new"
        post = f"hook of {item['source']}/{item['id']}"
        arrival = Arrival(chat, post, words, edits=edits, gone=gone, recognised=True)
        same = (chat, post, str(item["version"]), item["change"])
        if same in self._events:
            self._ledger.wrong("duplicated, recognised", f"{arrival} as another event")
        self._ids[chat, id_] = None
        self._events[same] = id_
        for known in (self._ids, self._events):
            if len(known) > REMEMBERED:
                known.popitem(last=False)
        self._ledger.arrived(arrival)
