"""
Webhook: signed events for a program of somebody else's.

Headers and signature are those of Standard Webhooks (www.standardwebhooks.com), the
body is an event of CloudEvents 1.0 (cloudevents.io) in structured JSON; libraries of
any language verify the one and read the other.  The event says what a receiver needs
of the alert, and nothing of who is told.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import msgspec

from monitor.alert import compose, digest
from monitor.alert.sink import Alert, Digest, Message, Pace, Repeats, message_key
from monitor.answer import REDIRECTED, TRY_AGAIN, retry_after
from monitor.errors import Failure, Gone, Rejected, Transient
from monitor.secret import Secret
from monitor.web import Reply, Web, encode_json

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # bytes of a key, as Standard Webhooks has it
NOWHERE = "webhook: the address is no public one that begins with http:// or https://"
WHOLE = 100  # alerts of a digest with all of their data: some 300 KB
LEAST_WAIT = timedelta(seconds=1)  # whoever names a moment that is past

# What says that the address is wrong, or our signature, whatever the message may be.
# A redirect is not followed: who is told is decided in the configuration.
CLOSED: Mapping[int, str] = dict.fromkeys(REDIRECTED, "the receiver is elsewhere") | {
    401: "is the secret the receiver's, and are both clocks right?",
    402: "the receiver wants to be paid",
    403: "is the secret the receiver's, and are both clocks right?",
    404: "nobody receives there",
    405: "nobody receives there",
    407: "a proxy wants a password",
    410: "the receiver wants no more",
}

Change = Literal["new", "edited", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """
    Post each alert, and each correction of one, as a signed event.

    A subscriber's address is an URL; those who have none are reached at `url`.

    Attributes:
        secret: whsec_ and 24 to 64 bytes in base64, as the receiver has it.  While it
            is being changed, the new one and the old one, with a space between.
        url: Where those are reached who have no address of their own.
    """

    repeats: ClassVar[Repeats] = Repeats("webhook-id")

    name: str
    secret: Secret
    url: str = ""
    pace: Pace = field(default=Pace(), repr=False)

    def __post_init__(self) -> None:
        """
        Refuse a secret that is none.

        Raises:
            ValueError: It is not as the standard has it.
        """
        if not _keys(self.secret):
            raise ValueError(
                f"{self.secret!r}: keep {PREFIX} and {SHORTEST} to {LONGEST} random "
                "bytes in base64, such as: echo whsec_$(openssl rand -base64 32)"
            )
        for one in self.secret.reveal().split():
            Secret(one)  # so that each is redacted by itself, too

    async def send(self, message: Message, to: str, web: Web) -> str:
        """Post *message*; its id is the event's: corrections of it come to `edit`."""
        key = message.key or message_key("", _about(message), "")
        if isinstance(message, Digest):
            await self._post(summary(message, key), to, web)
        else:
            await self._post(event(message, key), to, web)
        return key

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:  # noqa: ARG002 - Sink
        """Post the correction, an event of its own; see `Sink.edit`."""
        await self.send(alert, to, web)

    async def check(self, web: Web) -> str:
        """Post an event that is no alert, for the receiver to verify and ignore."""
        if not self.url:
            return "each subscriber has an address of their own"
        now = web.now().isoformat()
        key = message_key(self.secret.reveal(), "check", now)
        event = {
            "specversion": "1.0",
            "id": key,
            "source": "/check",
            "type": "monitor.check",
            "time": now,
        }
        await self._post(event, "", web)
        return "the receiver took a signed event of type monitor.check"

    async def _post(self, event: Mapping[str, Any], to: str, web: Web) -> None:
        """
        Post *event* signed as of now, to `url` if *to* is empty.

        A subscriber's host is part of their address, so no error names it.

        Raises:
            Transient, Rejected, Gone: as for `Sink.send`.
        """
        body = encode_json(event)
        headers = signed(self.secret, event["id"], int(web.now().timestamp()), body)
        headers["content-type"] = CONTENT_TYPE
        try:
            reply = await web.post(to or self.url, body, headers=headers)
        except Rejected as refusal:  # of the address
            why = NOWHERE if to else f"webhook: {refusal}"
            raise Gone(why, everywhere=not to) from None
        except Transient as broken:
            why = str(broken).partition(": ")[2] if to else str(broken)
            raise Transient(f"webhook: {why}", unsure=broken.unsure) from None
        if failure := _failure(reply, web, everywhere=not to):
            raise failure


def event(alert: Alert, key: str) -> dict[str, Any]:
    """
    Return what is told of *alert*.

    ``data.item`` is as it was accepted, and what the spans of ``data.reading`` point
    into; ``data.message`` is what may be shown to people as it stands.
    """
    item = alert.match.item
    return {
        "specversion": "1.0",
        "id": key,
        "source": f"/sources/{quote(item.source, safe='')}",
        "type": f"monitor.alert.{_change(alert)}",
        "subject": item.post,
        "time": item.seen.isoformat(),
        "datacontenttype": "application/json",
        "data": _data(alert) | {"message": compose.plain(alert)},
    }


def summary(told: Digest, key: str) -> dict[str, Any]:
    """
    Return what is told of many alerts at once, the most urgent first.

    Each has the data of an event of its own, and the ``id`` that it would have; of
    those after the first `WHOLE` there is only what it takes to fetch them.
    """
    whole = [_data(alert) | {"id": alert.key} for alert in told.alerts[:WHOLE]]
    return {
        "specversion": "1.0",
        "id": key,
        "source": "/digest",
        "type": "monitor.digest",
        "time": told.at.isoformat(),
        "datacontenttype": "application/json",
        "data": {
            "since": told.since.isoformat(),
            "until": told.until.isoformat(),
            "alerts": whole,
            "more": [_brief(alert) for alert in told.alerts[WHOLE:]],
            "message": digest.plain(told),
        },
    }


def signed(secret: Secret, key: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove who sent *body*, and when."""
    content = f"{key}.{timestamp}.".encode() + body
    signatures = [
        b64encode(hmac.digest(one, content, "sha256")).decode() for one in _keys(secret)
    ]
    return {
        "webhook-id": key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


def _data(alert: Alert) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(alert.match),
        "was": msgspec.to_builtins(alert.was),
        "origin": msgspec.to_builtins(alert.origin),
    }


def _brief(alert: Alert) -> dict[str, Any]:
    item = alert.match.item
    return {
        "id": alert.key,
        "item": item.key,
        "url": item.url,
        "published": item.published.isoformat(),
        "severity": alert.match.severity,
    }


def _about(message: Message) -> str:
    """Return what a message is about, if nobody has named it."""
    some = message.alerts if isinstance(message, Digest) else (message,)
    return "\n".join(alert.match.item.key for alert in some)


def _keys(secret: Secret) -> list[bytes]:
    """Return the keys that sign; none if any one of them is not as it should be."""
    keys = []
    for one in secret.reveal().split():
        try:
            key = b64decode(one.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            return []
        if not one.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
            return []
        keys.append(key)
    return keys


def _change(alert: Alert) -> Change:
    """Return what is new to the receiver: of what they never had, everything."""
    if alert.match.item.change == "deleted":
        return "deleted"
    return "edited" if alert.was else "new"


def _failure(reply: Reply, web: Web, *, everywhere: bool) -> Failure | None:
    """Return what follows from an answer; nothing that it says itself is repeated."""
    status = reply.status
    why = f"webhook: {status}"
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status in CLOSED:
        return Gone(f"{why}, {CLOSED[status]}", everywhere=everywhere)
    if status in TRY_AGAIN:
        wait = retry_after(reply.headers.get("retry-after", ""), web.now())
        wait = wait if wait is None else max(wait, LEAST_WAIT)
        asked = status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None
        )
        return Transient(why, wait, everywhere=everywhere and asked)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Rejected(why)
    return Transient(why)
