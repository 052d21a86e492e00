"""
The one door to the internet.

What comes in through it is bounded, whoever sends it: in bytes, in time, and in where
it may come from (`guard`).  What goes out is polite: one request at a time to a host,
not too soon after the last, and none at all while the host asks us to wait.

Requests are handed to httpx's transports, not to its client.  The client reads every
redirect's address before anyone can judge it, keeps cookies, and logs whole URLs; in
the paths of some of them lies a bot's token.
"""

import asyncio
import json
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from monitor import __version__, answer
from monitor.answer import LARGEST, REDIRECTED, Body
from monitor.clock import Clock
from monitor.errors import Rejected, Transient
from monitor.guard import Guard, Network, Resolve, look_up
from monitor.pools import Pools, usual_authorities
from monitor.turns import Turns

__all__ = ["Answer", "Network", "Reply", "Web", "encode_json"]

# Below WARNING they tell whole URLs and headers.
for library in ("httpx", "httpcore"):
    logging.getLogger(library).setLevel(logging.WARNING)

USER_AGENT = f"monitor/{__version__} (reads public channels and feeds; see README)"
FRAMING = 1024 * 1024  # bytes around a body in chunks, with the sizes of the chunks
BREATH = 64  # parts of a body after which the other tasks have their turn
REDIRECTS = 5
LONGEST_URL = 8000  # characters, as RFC 9110 wants of all; 60,000 take 0.2 s to read
POSTS_PER_HOST = 256  # connections; whoever posts bounds it, see `deliver.slots`
KEEP_ALIVE_GET = 50.0  # seconds; servers often close at 60 or 75
KEEP_ALIVE_POST = 5.0  # one closed under a post leaves its outcome unknown
DEPARTS = "http11.send_request_headers.started"  # as httpcore calls that moment

# What may be told to another host than the one it was meant for.
CARRIED = frozenset({"accept", "accept-language", "if-none-match", "if-modified-since"})

Read = Callable[[httpx.Response, str], Awaitable[bytes]]


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


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered, whatever it means; `headers` are by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Web:
    """Fetches for sources and posts for sinks, within bounds."""

    def __init__(  # noqa: PLR0913 - each has a name, and none belongs to another
        self,
        clock: Clock,
        *,
        allow: Sequence[Network] = (),
        pace: timedelta = timedelta(seconds=1),
        deadline: timedelta = timedelta(seconds=30),
        resolve: Resolve = look_up,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Allow the networks in *allow* although they are not public.

        Args:
            pace: From the start of one `get` to a host to the start of the next.
            deadline: For all of a request, its redirects too, but not for waiting
                for one's turn at a host.
            resolve: Finds the addresses of a name.
            tls: Whom to trust, if not the usual authorities.
        """
        self._clock = clock
        self._deadline = deadline.total_seconds()
        self._turns = Turns(clock, pace)
        guard = Guard(clock, allow=allow, resolve=resolve)
        trust = tls or usual_authorities()
        # Two, as a host may be read by http and by https, one at a time.
        self._getting = Pools(guard, trust, 2, KEEP_ALIVE_GET)
        self._posting = Pools(guard, trust, POSTS_PER_HOST, KEEP_ALIVE_POST)

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
        target, passed = _checked(url), set[httpx.URL]()
        asked = {name.lower(): value for name, value in (headers or {}).items()}
        left = self._deadline
        while len(passed) <= REDIRECTS:
            passed.add(target)
            reply, took = await self._get(target, asked, left, follow=follow)
            if reply.status not in REDIRECTED or not follow:
                return self._answer(reply, target)
            left -= took
            onward = _redirected(target, reply.headers)
            if onward in passed:
                raise Rejected(f"{_host(target)}: the redirects go round in a circle")
            if _host(onward) != _host(target):
                asked = {name: asked[name] for name in asked if name in CARRIED}
            target = onward
        raise Rejected(f"{_host(target)}: more than {REDIRECTS} redirects")

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
            Transient: No answer came.  If the request had left, the other side may
                have acted: `Transient.unsure`.
            Rejected: We may not or cannot send this there; nothing was sent.
        """
        usual = {"content-type": "application/json"}
        given = {name.lower(): value for name, value in (headers or {}).items()}
        reply = await self.post(url, encode_json(body), headers=usual | given)
        return reply.status, _decode_json(reply.body)

    async def post(
        self, url: str, content: bytes, *, headers: Mapping[str, str]
    ) -> Reply:
        """
        Post these very bytes, and return the answer; see `post_json`.

        Args:
            headers: By lower-case name, `content-type` among them.
        """
        target = _checked(url)
        request = _request("POST", target, headers, "utf-8", content)
        async with self._posting.of(_host(target)) as pool:
            return await self._exchange(pool, request, self._deadline, _read_any)

    def now(self) -> datetime:
        """Return the wall time in UTC, for sinks that sign when they send."""
        return self._clock.now()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._getting.aclose()
        await self._posting.aclose()

    async def _get(
        self, target: httpx.URL, asked: Mapping[str, str], left: float, *, follow: bool
    ) -> tuple[Reply, float]:
        """Make one request when its turn has come; return also the seconds it took."""
        host, loop = _host(target), asyncio.get_running_loop()
        # As latin-1, so that an ETag goes back byte for byte as it came.
        request = _request("GET", target, asked, "latin-1")

        async def read(response: httpx.Response, host: str) -> bytes:
            self._judge(host, response)
            if response.status_code in REDIRECTED and follow:
                return b""
            return await _read(response, host)

        async with self._turns.at(host), self._getting.of(host) as pool:
            began = loop.time()
            reply = await self._exchange(pool, request, left, read)
            return reply, loop.time() - began

    def _judge(self, host: str, response: httpx.Response) -> None:
        """Raise what the status means, and remember for how long to stay away."""
        headers = _fields(response)
        failure = answer.failure(host, response.status_code, headers, self._clock.now())
        if (
            isinstance(failure, Transient)
            and failure.everywhere
            and failure.retry_after
        ):
            self._turns.hold(host, failure.retry_after)
        if failure:
            raise failure

    async def _exchange(
        self,
        pool: httpx.AsyncHTTPTransport,
        request: httpx.Request,
        left: float,
        read: Read,
    ) -> Reply:
        """
        Send *request*, and return the answer with what *read* makes of its body.

        What a library says of a failure is not repeated: it quotes what the server
        sent, and a server may send back the path that we asked for.
        """
        host = _host(request.url)
        departed = refused = False

        async def follow(event: str, _: object) -> None:
            nonlocal departed
            departed = departed or event == DEPARTS

        request.extensions["trace"] = follow
        try:
            async with asyncio.timeout(left):
                response = await pool.handle_async_request(request)
                try:
                    body = await read(response, host)
                finally:
                    await response.aclose()
            return Reply(response.status_code, _fields(response), body)
        except TimeoutError:
            why = f"no whole answer within {self._deadline:g} s"
        except httpx.LocalProtocolError:
            refused, why = True, "a header that cannot be sent"
        except (httpx.TransportError, OSError) as error:
            why = _breakage(error)
        # Here, where no library's error is its context.
        if refused:
            raise Rejected(f"{host}: {why}")
        raise Transient(f"{host}: {why}", unsure=departed)

    def _answer(self, reply: Reply, url: httpx.URL) -> Answer:
        return Answer(
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
            url=str(url),
            received=self._clock.now(),
        )


def encode_json(body: Mapping[str, Any]) -> bytes:
    """Return the very bytes that `post_json` sends for *body*, so as to sign them."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")  # half a surrogate pair is no character


def _decode_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return {}


# Where to


def _checked(url: str) -> httpx.URL:
    """
    Return *url* without its fragment, if it is one that we fetch.

    Raises:
        Rejected: It is none, or it holds a password.
    """
    if len(url) > LONGEST_URL:
        raise Rejected(f"an address of more than {LONGEST_URL} characters")
    try:
        parsed = httpx.URL(url).copy_with(fragment=None)
    except (httpx.InvalidURL, UnicodeError):
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise Rejected("not an address that begins with http:// or https://")
    if parsed.userinfo:
        raise Rejected(f"{_host(parsed)}: a password in the address")
    if parsed.port is not None and not 0 < parsed.port < 2**16:
        raise Rejected(f"{_host(parsed)}: no port has that number")
    return parsed


def _host(url: httpx.URL) -> str:
    """Return the host to be polite to; its two usual ports are one host."""
    name = url.raw_host.decode("ascii").rstrip(".")
    return name if url.port is None else f"{name}:{url.port}"


def _redirected(url: httpx.URL, headers: Mapping[str, str]) -> httpx.URL:
    """
    Return where *url* is redirected to.

    Raises:
        Rejected: Nowhere, or to where we do not go.
    """
    location = headers.get("location", "")
    with suppress(UnicodeError):  # written in UTF-8 by many, against the standard
        location = location.encode("latin-1").decode()
    try:
        readable = 0 < len(location) <= LONGEST_URL
        onward = _checked(str(url.join(location))) if readable else None
    except (httpx.InvalidURL, UnicodeError, Rejected):
        onward = None
    if onward is None:
        raise Rejected(f"{_host(url)}: a redirect to no address that we fetch")
    if url.scheme == "https" != onward.scheme:
        raise Rejected(f"{_host(url)}: a redirect from https to http")
    return onward


def _request(
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    charset: str,
    content: bytes | None = None,
) -> httpx.Request:
    """Return the request; *headers* are by lower-case name."""
    usual = {"user-agent": USER_AGENT, "accept": "*/*"}
    fields = usual | dict(headers) | {"accept-encoding": "gzip"}
    raw = [
        (name.encode("ascii", "replace"), value.encode(charset, "replace"))
        for name, value in fields.items()
    ]
    return httpx.Request(method, url, headers=raw, content=content)


# What came


def _fields(response: httpx.Response) -> dict[str, str]:
    fields: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _breakage(error: BaseException) -> str:
    """Return what broke, in words that no server has chosen."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "no TLS connection"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "no connection"
    return "the answer broke off, or is no HTTP"


async def _read(response: httpx.Response, host: str) -> bytes:
    """Return the body of *response*; raises as `Body` does."""
    body = Body(host, _fields(response))
    response.extensions["network_stream"].expect(LARGEST + FRAMING)  # a `Bounded`
    async for part in response.aiter_raw():
        if body.add(part) % BREATH == 0:
            await asyncio.sleep(0)  # many parts may lie ready: let others run
    return body.whole()


async def _read_any(response: httpx.Response, host: str) -> bytes:
    """Return the body of *response*, or nothing if it is one that we do not read."""
    with suppress(Rejected):
        return await _read(response, host)
    return b""
