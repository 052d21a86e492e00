"""
A receiver of webhooks on loopback, as one would write it from the standard alone.

It verifies what it gets by www.standardwebhooks.com, and heeds each id once.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Answer, Raw, Request, Response, Server, serve

TOLERANCE = 5 * 60  # seconds between the two clocks
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the standard's own examples


class Forged(Exception):
    """It was not signed by who has the secret, or not now."""


def verified(
    secret: str, headers: Mapping[str, str], body: bytes, now: float
) -> Mapping[str, Any]:
    """
    Return the event in *body*.

    Raises:
        Forged: Its signature is not good.
    """
    key = base64.b64decode(secret.split("_", 1)[1])
    stamp = headers["webhook-timestamp"]
    if abs(now - int(stamp)) > TOLERANCE:
        raise Forged("the time is not now")
    to_sign = "{}.{}.{}".format(headers["webhook-id"], stamp, body.decode())
    mac = hmac.new(key, to_sign.encode(), hashlib.sha256)
    good = base64.b64encode(mac.digest()).decode()
    for one in headers["webhook-signature"].split(" "):
        version, _, given = one.partition(",")
        if version == "v1" and hmac.compare_digest(given, good):
            event: Mapping[str, Any] = json.loads(body)
            return event
    raise Forged("no signature fits")


@dataclass
class Receiver:
    """
    What was received.

    Attributes:
        now: Its own clock, in seconds since 1970.
        answers: What the next requests end in after they were heeded, 204 from then
            on; `Raw` of nothing is an answer that was lost.
        heeded: The events it took, in order, as (path, event).
        repeated: Ids that it was told again, and did not heed.
        forged: How many requests were not signed as they must be.
    """

    secret: str = SECRET
    now: Callable[[], float] = time.time
    answers: list[Answer] = field(default_factory=list)
    heeded: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    forged: int = 0
    _known: set[tuple[str, str]] = field(default_factory=set)

    def answer(self, request: Request) -> Answer:
        """Verify and heed a request, unless it is a repeat; then answer."""
        try:
            event = verified(self.secret, request.headers, request.body, self.now())
        except Forged:
            self.forged += 1
            return Response(401)
        known = request.path, request.headers["webhook-id"]
        if known in self._known:
            self.repeated.append(known[1])
        else:
            self._known.add(known)
            self.heeded.append((request.path, event))
        return self.answers.pop(0) if self.answers else Response(204)


LOST = Raw(b"")


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[Server]:
    """Run *receiver* on loopback while the block runs."""
    async with serve(receiver.answer) as server:
        yield server
