"""The one door to the internet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from monitor.clock import Clock

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    A complete answer of a server.

    Attributes:
        status: 200…299, 304, or a redirect that was not to be followed.
        headers: By lower-case name.
        body: Decoded from gzip; at most 5 MiB.
        url: Where it came from in the end.
        received: When it was complete.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    received: datetime


class Web:
    """Fetches for sources and posts for sinks, within bounds."""

    def __init__(
        self,
        clock: Clock,
        *,
        allow: Sequence[Network] = (),
        pace: timedelta = timedelta(seconds=1),
        deadline: timedelta = timedelta(seconds=30),
    ) -> None:
        """Allow the networks in *allow* although they are not public."""
        raise NotImplementedError

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, follow: bool = True
    ) -> Answer:
        """
        Fetch *url*.

        Raises:
            Transient: 408, 425, 429 and 5xx (with Retry-After), time-outs, broken
                connections and names that do not resolve.
            Rejected: Any other 4xx; an answer too large, too slow to unpack, or in an
                encoding we did not ask for; a redirect loop or one to where we may
                not go; an address that is not public.
            Gone: 410.
        """
        raise NotImplementedError

    async def post_json(
        self,
        url: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """
        Post *body* as JSON, and return the status and the JSON of the answer.

        Every status is returned, for the sink to judge.  An answer that is no JSON
        is returned as an empty mapping.  Errors name the host only, never the path.

        Raises:
            Transient: No answer came; the other side may or may not have acted.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close every connection."""
        raise NotImplementedError
