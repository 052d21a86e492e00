"""Everything around the program: who publishes, who is told, who keeps the books."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.chaos.acceptances import Acceptances
from tests.chaos.chats import Chats, Hooks
from tests.chaos.ledger import Ledger
from tests.chaos.press import Press
from tests.chaos.town import PLACES, chats_of
from tests.loopback import Answer, Request, Server, serve

LOOK = 0.002  # seconds between two looks at what is being answered
SURE = 3  # looks in a row without anything


@dataclass(frozen=True, slots=True)
class World:
    """The world, and where it is on loopback."""

    ledger: Ledger
    acceptances: Acceptances
    press: Press
    chats: Chats
    hooks: Hooks
    addresses: dict[str, str]

    @property
    def sending(self) -> int:
        """How many messages are being taken."""
        return self.chats.opened + self.hooks.opened

    @property
    def taken(self) -> int:
        """How many messages were taken."""
        return self.ledger.counts["arrivals"]

    async def quiet(self) -> None:
        """Wait until all is taken that a process had sent when it was stopped."""
        still = 0
        while still < SURE:
            await asyncio.sleep(LOOK)
            still = 0 if self.sending else still + 1


@asynccontextmanager
async def living(token: str, chance: random.Random) -> AsyncIterator[World]:
    """Serve a world while the block runs."""
    accepted = Acceptances()
    ledger = Ledger(accepted)
    press = Press(ledger, PLACES, chats_of, chance)
    chats = Chats(token, ledger, accepted, chance)
    hooks = Hooks(ledger, chance)
    async with (
        _served(press.answer) as paper,
        _served(chats.answer) as bot,
        _served(hooks.answer) as hook,
    ):
        addresses = {"press": paper.url, "bot": bot.url, "hook": hook.url}
        yield World(ledger, accepted, press, chats, hooks, addresses)


@asynccontextmanager
async def _served(
    answer: Callable[[Request], Awaitable[Answer]],
) -> AsyncIterator[Server]:
    """Serve without remembering every request."""

    async def forgetful(request: Request) -> Answer:
        server.requests.clear()
        return await answer(request)

    async with serve(forgetful) as server:
        yield server
