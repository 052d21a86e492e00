"""The one door to the internet, against servers on loopback that mean ill or well."""

import asyncio
import gzip
import logging
import socket
import ssl
import struct
import time
import traceback
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path

import pytest

from monitor import __version__
from monitor.errors import Failure, Gone, Rejected, Transient
from monitor.web import Web, encode_json
from tests.clock import FakeClock
from tests.loopback import (
    Handler,
    Raw,
    Request,
    Response,
    json_response,
    routes,
    serve,
)

TLS = Path(__file__).parent / "fixtures" / "web" / "tls"
LOOPBACK = (ip_network("127.0.0.0/8"),)
MIB = 1024 * 1024
TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # of no bot


async def everything_here(_: str) -> Sequence[str]:
    """Resolve each name to this machine."""
    return ["127.0.0.1"]


@asynccontextmanager
async def open_web(
    clock: FakeClock | None = None,
    *,
    deadline: float = 10,
    pace: float = 0,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[Web]:
    """Open the door to loopback while the block runs."""
    web = Web(
        clock or FakeClock(),
        allow=LOOPBACK,
        pace=timedelta(seconds=pace),
        deadline=timedelta(seconds=deadline),
        resolve=everything_here,
        tls=trust,
    )
    try:
        yield web
    finally:
        await web.aclose()


async def fetched(handler: Handler, path: str = "/", *, deadline: float = 10) -> bytes:
    """Return the body that one request gets from *handler*."""
    async with serve(handler) as server, open_web(deadline=deadline) as web:
        return (await web.get(server.url + path)).body


async def refused(
    answer: Response | Raw, kind: type[Failure], *, deadline: float = 10
) -> str:
    """Return what the failure of this *kind* says, which *answer* leads to."""
    with pytest.raises(kind) as caught:
        await fetched(lambda _: answer, deadline=deadline)
    return str(caught.value).partition(": ")[2]


# What is asked, and what comes back


async def test_a_page_is_fetched() -> None:
    """The answer has the status, the headers by lower-case name, the body, the time."""
    clock = FakeClock()
    page = Response(200, "привет", {"ETag": '"1"', "X-Many": "a"})

    async with serve(lambda _: page) as server, open_web(clock) as web:
        answer = await web.get(f"{server.url}/a?b=c#d")

    assert (200, "привет", '"1"') == (
        answer.status,
        answer.body.decode(),
        answer.headers["etag"],
    )
    assert (f"{server.url}/a?b=c", clock.now()) == (answer.url, answer.received)
    assert "/a?b=c" == server.requests[0].target


async def test_the_program_names_itself() -> None:
    """A server learns who asks, and that gzip is the one encoding we read."""
    async with serve(lambda _: Response()) as server, open_web() as web:
        await web.get(
            server.url, headers={"Accept-Encoding": "br", "If-None-Match": "x"}
        )

    sent = server.requests[0].headers
    assert sent["user-agent"].startswith(f"monitor/{__version__} (")
    assert "://" not in sent["user-agent"], "an address that is not known to be ours"
    assert ("gzip", "x") == (sent["accept-encoding"], sent["if-none-match"])


async def test_validators_go_back_as_they_came() -> None:
    """An ETag is returned byte for byte, and 304 is an answer."""
    etag = b'"caf\xe9-\xd1\x8f"'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: " + etag + b"\r\n\r\n"

    def handler(request: Request) -> Response | Raw:
        if request.headers.get("if-none-match", "").encode("latin-1") == etag:
            return Response(304, b"", {"Content-Encoding": "gzip"})
        return Raw(head)

    async with serve(handler) as server, open_web() as web:
        first = await web.get(server.url)
        second = await web.get(
            server.url, headers={"If-None-Match": first.headers["etag"]}
        )

    assert (200, 304, b"") == (first.status, second.status, second.body)


async def test_no_cookies_are_kept() -> None:
    """A cookie that a server sets is not sent back."""
    cookie = Response(200, b"", {"Set-Cookie": "id=1; Path=/"})

    async with serve(lambda _: cookie) as server, open_web() as web:
        await web.get(server.url)
        await web.get(server.url)

    assert [False, False] == [
        "cookie" in request.headers for request in server.requests
    ]


async def test_the_environment_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is not used: it would dial what the guard refuses."""
    async with serve(lambda _: Response()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        body = await fetched(lambda _: Response(200, b"direct"))

    assert (b"direct", 0) == (body, proxy.connections)


async def test_a_header_that_cannot_be_sent() -> None:
    """A line break in a header is refused, and does not become another header."""
    async with serve(lambda _: Response()) as server, open_web() as web:
        with pytest.raises(Rejected, match="cannot be sent"):
            await web.get(server.url, headers={"If-None-Match": "x\r\nX-Forged: 1"})
        with pytest.raises(Rejected, match="cannot be sent"):
            await web.post_json(server.url, {}, headers={"X-Title": "a\nb"})

    assert [] == server.requests


# What a status means


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected), (401, Rejected), (403, Rejected), (404, Rejected),
        (408, Transient), (410, Gone), (421, Rejected), (425, Transient),
        (429, Transient), (451, Rejected), (500, Transient), (502, Transient),
        (503, Transient), (504, Transient), (520, Transient), (300, Rejected),
        (305, Rejected), (600, Rejected), (999, Rejected), (302, Rejected),
    ],
)  # fmt: skip
async def test_statuses(status: int, kind: type[Failure]) -> None:
    """Each status that brings no page says what to do next."""
    assert str(status) == await refused(Response(status, b"body"), kind)


async def test_a_challenge_for_browsers_is_told_apart() -> None:
    """Cloudflare's challenge is not an ordinary 403: a person must find another way."""
    challenge = Response(403, b"<html>", {"Cf-Mitigated": "challenge"})

    assert "Cloudflare" in await refused(challenge, Rejected)


# Redirects


async def test_redirects_are_followed() -> None:
    """Up to five redirects lead on, relative and in UTF-8 as servers write them."""
    table: dict[str, Response | Raw] = {
        "/": Response(301, b"", {"Location": "/1"}),
        "/1": Response(302, b"", {"Location": "2"}),
        "/2": Response(303, b"", {"Location": "//other.test:{port}/3"}),
        "/3": Response(307, b"", {"Location": "?page=4"}),
        "/3?page=4": Raw("HTTP/1.1 308 R\r\nLocation: /свод#x\r\n\r\n".encode()),
        "/%D1%81%D0%B2%D0%BE%D0%B4": Response(200, b"here"),
    }

    def handler(request: Request) -> Response | Raw:
        answer = table[request.target]
        if isinstance(answer, Raw):
            return answer
        port = request.headers["host"].partition(":")[2]
        headers = {k: v.replace("{port}", port) for k, v in answer.headers.items()}
        return Response(answer.status, answer.body, headers)

    async with serve(handler) as server, open_web() as web:
        answer = await web.get(server.url)

    assert b"here" == answer.body
    assert f"http://other.test:{server.port}/%D1%81%D0%B2%D0%BE%D0%B4" == answer.url
    assert 6 == len(server.requests)


async def test_a_redirect_can_be_an_answer() -> None:
    """A redirect that is not to be followed is returned with its body."""
    away = Response(302, b"gone to", {"Location": "https://elsewhere.test/"})

    async with serve(lambda _: away) as server, open_web() as web:
        answer = await web.get(server.url, follow=False)

    assert (302, b"gone to") == (answer.status, answer.body)
    assert "https://elsewhere.test/" == answer.headers["location"]


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("/", "circle"),
        ("#part", "circle"),
        ("file:///etc/passwd", "no address"),
        ("ftp://a.test/", "no address"),
        ("javascript:alert(1)", "no address"),
        ("data:text/html,x", "no address"),
        ("http://user:password@a.test/", "no address"),
        ("http://user@a.test/", "no address"),
        ("http://[::1/", "no address"),
        ("http://a.test:99999/", "no address"),
        ("http://a.test:0/", "no address"),
        ("http://" + "я" * 70 + ".test/", "no address"),
        ("/" + "я" * 8000, "no address"),
        ("http://192.168.0.1/", "not a public address"),
        ("http://[::1]/", "not a public address"),
    ],
)
async def test_redirects_that_lead_nowhere(location: str, why: str) -> None:
    """A redirect to where we do not go is set aside."""
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode()

    async def resolve(host: str) -> Sequence[str]:
        return [host.strip("[]")]

    web = Web(FakeClock(), allow=LOOPBACK, pace=timedelta(), resolve=resolve)
    async with serve(lambda _: Raw(head)) as server:
        with pytest.raises(Rejected, match=why):
            await web.get(server.url)
    await web.aclose()


async def test_redirects_without_end() -> None:
    """The sixth redirect is one too many."""

    def onward(request: Request) -> Response:
        return Response(302, b"", {"Location": f"/{int(request.path[1:] or 0) + 1}"})

    async with serve(onward) as server, open_web() as web:
        with pytest.raises(Rejected, match="more than 5 redirects"):
            await web.get(server.url)

    assert 6 == len(server.requests)


async def test_what_is_told_to_another_host() -> None:
    """Credentials stay with the host they were meant for; validators may go along."""
    table: dict[str, str] = {}

    def handler(request: Request) -> Response:
        onward = table.get(request.path)
        return Response(302, b"", {"Location": onward}) if onward else Response()

    secret = {"Authorization": "Bearer x", "X-Api-Key": "y", "Cookie": "z"}
    async with serve(handler) as server, open_web() as web:
        table["/"] = "/same"
        table["/same"] = f"http://other.test:{server.port}/other"
        table["/other"] = f"{server.url}/back"
        await web.get(server.url, headers=secret | {"If-None-Match": '"1"'})

    sent = [
        [name for name in ("authorization", "x-api-key", "cookie") if name in headers]
        for headers in (request.headers for request in server.requests)
    ]
    full = ["authorization", "x-api-key", "cookie"]
    assert [full, full, [], []] == sent
    assert {'"1"'} == {request.headers["if-none-match"] for request in server.requests}


# Bodies


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
async def test_gzip_is_unpacked(encoding: str) -> None:
    """A packed body comes out as it was, also in several pieces."""
    text = "Грайворон ".encode() * 100_000
    packed = gzip.compress(text[:7]) + gzip.compress(text[7:])

    body = await fetched(
        lambda _: Response(200, packed, {"Content-Encoding": encoding})
    )

    assert text == body


async def test_the_largest_body() -> None:
    """5 MiB are taken, packed or not, and one byte more is not."""
    most = b"x" * 5 * MIB

    assert most == await fetched(lambda _: Response(200, most))
    assert most == await fetched(lambda _: packed_answer(most))
    assert "more than" in await refused(Response(200, most + b"x"), Rejected)
    assert "more than" in await refused(packed_answer(most + b"x"), Rejected)


def packed_answer(body: bytes) -> Response:
    """Return *body* packed as gzip."""
    return Response(200, gzip.compress(body, 1), {"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "deflate", "gzip, gzip", "br, gzip"]
)
async def test_encodings_that_were_not_asked_for(encoding: str) -> None:
    """What we cannot unpack within bounds is not unpacked at all."""
    answer = Response(200, b"\x1f\x8b", {"Content-Encoding": encoding})

    assert "encoding" in await refused(answer, Rejected)


async def test_a_gzip_bomb() -> None:
    """1 GiB of zeros, 1 MiB on the wire, is dropped before it is unpacked."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    more = packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = start + more * 63
    answer = Response(200, bomb, {"Content-Encoding": "gzip"})

    tracemalloc.start()
    began = time.perf_counter()
    why = await refused(answer, Rejected)
    took = time.perf_counter() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "more than" in why
    assert took < 4
    assert peak < 20 * MIB


async def test_a_bomb_of_empty_pieces() -> None:
    """A body of very many gzip members is dropped after a hundred."""
    answer = Response(200, gzip.compress(b"") * 50_000, {"Content-Encoding": "gzip"})

    assert "too many pieces" in await refused(answer, Rejected)


@pytest.mark.parametrize("cut", [1, 9, 20, -1])
async def test_a_packed_body_that_is_cut_off(cut: int) -> None:
    """A gzip stream without its end is no answer; the next may be whole."""
    body = gzip.compress(bytes(range(256)) * 100)[:cut]
    head = b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n"

    assert "broke off" in await refused(Raw(head + body), Transient)


async def test_a_body_that_does_not_unpack() -> None:
    """What calls itself gzip and is none is set aside."""
    answer = Response(200, b"<html>", {"Content-Encoding": "gzip"})

    assert "does not unpack" in await refused(answer, Rejected)


# Servers that mean ill


async def drip(start: bytes, drop: bytes = b"x") -> AsyncIterator[bytes]:
    """Send *start*, and then a drop each 20 ms for ever."""
    yield start
    while True:
        await asyncio.sleep(0.02)
        yield drop


async def flood(start: bytes, wave: bytes) -> AsyncIterator[bytes]:
    """Send *start*, and then *wave* after wave for ever."""
    yield start
    while True:
        yield wave


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TO_THE_END = OK + b"Connection: close\r\n\r\n"
ILL: dict[str, tuple[Callable[[], bytes | AsyncIterator[bytes]], type[Failure]]] = {
    "drips its headers": (lambda: drip(OK + b"X: "), Transient),
    "drips its body": (lambda: drip(OK + b"Content-Length: 9999\r\n\r\n"), Transient),
    "drips chunks": (lambda: drip(CHUNKED, b"1\r\nx\r\n"), Transient),
    "drips gzip": (
        lambda: drip(
            OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10],
            b"\x00\x00\x00\xff\xff",  # an empty block, which is no end
        ),
        Transient,
    ),
    "one endless header": (lambda: flood(OK + b"X: ", b"x" * 65536), Transient),
    "endless headers": (lambda: flood(OK, b"X: y\r\n" * 9999), Transient),
    "an endless status line": (
        lambda: flood(b"HTTP/1.1 200 ", b"x" * 65536),
        Transient,
    ),
    "endless interim answers": (
        lambda: flood(b"", b"HTTP/1.1 100 C\r\n\r\n" * 999),
        Transient,
    ),
    "an endless body": (lambda: flood(TO_THE_END, b"x" * 65536), Rejected),
    "an endless chunk size": (lambda: flood(CHUNKED, b"0" * 65536), Transient),
    "an endless chunk comment": (lambda: flood(CHUNKED + b"1;", b"x" * 999), Transient),
    "endless crumbs": (lambda: flood(CHUNKED, b"1\r\nx\r\n" * 999), Rejected),
    "endless trailers": (
        lambda: flood(CHUNKED + b"0\r\n", b"X: y\r\n" * 99),
        Transient,
    ),
    "a huge length": (lambda: OK + b"Content-Length: 99999999999\r\n\r\n", Rejected),
    "a length too long to read": (
        lambda: OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        Transient,
    ),
    "a negative length": (lambda: OK + b"Content-Length: -1\r\n\r\n", Transient),
    "two lengths": (
        lambda: OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        Transient,
    ),
    "a length that lies": (lambda: OK + b"Content-Length: 10\r\n\r\nxxx", Transient),
    "an early end of chunks": (lambda: CHUNKED + b"5\r\nxx", Transient),
    "nothing": (lambda: b"", Transient),
    "half a status line": (lambda: b"HTTP/1.1 2", Transient),
    "no HTTP": (lambda: b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Transient),
    "a status that is none": (lambda: b"HTTP/1.1 0 No\r\n\r\n", Transient),
    "another protocol": (
        lambda: b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        Transient,
    ),
}


@pytest.mark.parametrize("what", ILL)
async def test_servers_that_mean_ill(what: str) -> None:
    """Whatever a server sends, it ends soon, in little memory, as a failure of ours."""
    content, kind = ILL[what]

    tracemalloc.start()
    began = time.perf_counter()
    await refused(Raw(content()), kind, deadline=0.3 if "drips" in what else 9)
    took = time.perf_counter() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert took < 8
    assert peak < 24 * MIB


@pytest.mark.parametrize(
    ("what", "events", "most"),
    [
        ("endless crumbs", 10_000, 100),
        ("endless interim answers", 7000, 250),
        ("endless headers", 18_000, 700),
    ],
)
async def test_no_server_holds_up_the_loop(what: str, events: int, most: int) -> None:
    """While a server floods us, other tasks have a turn after a few of its events."""
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    content, kind = ILL[what]
    watcher = asyncio.create_task(watch())
    await refused(Raw(content()), kind)
    watcher.cancel()

    assert turns >= events / most


async def test_a_deadline_is_over_all_redirects() -> None:
    """Redirects that each take their time do not get the whole time each."""

    async def onward(request: Request) -> Response:
        await asyncio.sleep(0.15)
        return Response(302, b"", {"Location": f"/{int(request.path[1:] or 0) + 1}"})

    async with serve(onward) as server, open_web(deadline=0.4) as web:
        with pytest.raises(Transient, match=r"no whole answer within 0\.4 s"):
            await web.get(server.url)

    assert len(server.requests) <= 3


async def test_requests_that_were_given_up_take_no_place() -> None:
    """However many requests a host left hanging, the next ones are answered."""

    async def handler(request: Request) -> Response:
        if request.path == "/hang":
            await asyncio.Event().wait()
        return Response(200, b"{}")

    async with serve(handler) as server, open_web() as web:
        url = f"{server.url}/hang"
        for times in (1, 2, 3):
            doing: list[asyncio.Task[object]] = [asyncio.create_task(web.get(url))]
            doing += [asyncio.create_task(web.post_json(url, {})) for _ in range(20)]
            while len(server.requests) < 21 * times:  # the posts all at once
                await asyncio.sleep(0.001)
            for task in doing:
                task.cancel()
            await asyncio.gather(*doing, return_exceptions=True)
        posts = (web.post_json(f"{server.url}/well", {}) for _ in range(9))
        statuses = [status for status, _ in await asyncio.gather(*posts)]
        answer = await web.get(f"{server.url}/well")

    assert [200] * 9 == statuses
    assert b"{}" == answer.body


async def test_a_deadline_is_over_names() -> None:
    """A name server that does not answer ends the request as well."""

    async def resolve(_: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    web = Web(FakeClock(), deadline=timedelta(seconds=0.05), resolve=resolve)

    with pytest.raises(Transient, match=r"^a\.test: no whole answer"):
        await web.get("http://a.test/")


@asynccontextmanager
async def listening(
    greet: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Run a server that speaks no HTTP, and give its port."""
    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()


async def test_a_connection_that_a_server_drops() -> None:
    """A connection that is reset as soon as it is made may be better next time."""

    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with listening(reset) as port, open_web() as web:
        for _ in range(2):
            with pytest.raises(Transient):
                await web.get(f"http://127.0.0.1:{port}/")


# TLS


def authority(certificate: str) -> ssl.SSLContext:
    """Return the trust in one certificate of the fixtures."""
    return ssl.create_default_context(cafile=TLS / certificate)


def identity(certificate: str) -> ssl.SSLContext:
    """Return what a server shows of itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / certificate, TLS / "key.pem")
    return context


async def test_tls_is_verified_by_name() -> None:
    """A server with the certificate of its name is read, dialled by its address."""
    trust = authority("valid.pem")
    async with (
        serve(lambda _: Response(200, b"ok"), tls=identity("valid.pem")) as server,
        open_web(trust=trust) as web,
    ):
        answer = await web.get(f"https://news.test:{server.port}/")

    assert b"ok" == answer.body


@pytest.mark.parametrize(
    ("shown", "trusted", "host", "why"),
    [
        ("valid.pem", "valid.pem", "other.test", "certificate is not valid"),
        ("valid.pem", None, "news.test", "certificate is not valid"),
        ("expired.pem", "expired.pem", "news.test", "certificate has expired"),
    ],
)
async def test_tls_that_does_not_hold(
    shown: str, trusted: str | None, host: str, why: str
) -> None:
    """A wrong name, an unknown authority or an old certificate: nothing is sent."""
    trust = authority(trusted) if trusted else None
    async with (
        serve(lambda _: Response(), tls=identity(shown)) as server,
        open_web(trust=trust) as web,
    ):
        with pytest.raises(Transient, match=why):
            await web.get(f"https://{host}:{server.port}/")
        with pytest.raises(Transient, match=why):
            await web.post_json(f"https://{host}:{server.port}/", {})

    assert [] == server.requests


async def test_no_way_back_from_https() -> None:
    """A redirect from https to http is refused, as anyone could answer there."""
    plain = Response(302, b"", {"Location": "http://news.test/"})
    async with (
        serve(lambda _: plain, tls=identity("valid.pem")) as server,
        open_web(trust=authority("valid.pem")) as web,
    ):
        with pytest.raises(Rejected, match="from https to http"):
            await web.get(f"https://news.test:{server.port}/")


async def test_a_server_without_tls() -> None:
    """A plain server where TLS was expected is a broken connection."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with listening(greet) as port, open_web() as web:
        with pytest.raises(Transient, match="no TLS connection"):
            await web.get(f"https://news.test:{port}/")


# Politeness


async def test_one_request_at_a_time_and_not_too_soon() -> None:
    """Requests to one host wait for each other, and for the pace between them."""
    clock, now, most = FakeClock(), 0, 0
    starts: list[float] = []

    async def handler(_: Request) -> Response:
        nonlocal now, most
        starts.append(clock.monotonic())
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return Response()

    async with serve(handler) as server, open_web(clock, pace=2) as web:
        await asyncio.gather(*(web.get(f"{server.url}/{n}") for n in range(5)))

    assert 1 == most
    assert [2.0] * 4 == [after - before for before, after in pairwise(starts)]
    assert 1 == server.connections


async def test_a_request_after_a_rest_does_not_wait() -> None:
    """A host that was left alone for longer than the pace is asked at once."""
    clock = FakeClock()

    async with serve(lambda _: Response()) as server, open_web(clock, pace=2) as web:
        await web.get(server.url)
        clock.advance(timedelta(seconds=2))
        await web.get(server.url)

    assert [] == clock.slept


async def test_a_slow_host_holds_up_nobody() -> None:
    """While hosts hang, and requests to them queue, another one is read."""
    hung = asyncio.Event()

    async def hang(_: Request) -> Response:
        await hung.wait()
        return Response(200, b"late")

    async with (
        serve(hang) as slow,
        serve(lambda _: Response()) as fast,
        open_web() as web,
    ):
        waiting = [
            asyncio.create_task(web.get(f"http://h{n % 50}.test:{slow.port}/"))
            for n in range(200)
        ]
        while len(slow.requests) < 50:
            await asyncio.sleep(0.001)
        answer = await web.get(fast.url)
        pending = sum(not task.done() for task in waiting)
        hung.set()
        late = await asyncio.gather(*waiting)

    assert (200, 200) == (answer.status, pending)
    assert {b"late"} == {each.body for each in late}


async def test_a_request_that_is_given_up_leaves_its_turn() -> None:
    """A cancelled request lets the next one to its host through."""

    async def handler(request: Request) -> Response:
        if request.path == "/hang":
            await asyncio.Event().wait()
        return Response(200, b"ok")

    async with serve(handler) as server, open_web() as web:
        hanging = asyncio.create_task(web.get(f"{server.url}/hang"))
        queued = asyncio.create_task(web.get(f"{server.url}/queued"))
        after = asyncio.create_task(web.get(f"{server.url}/after"))
        while not server.requests:
            await asyncio.sleep(0.001)
        queued.cancel()
        hanging.cancel()
        answer = await after

    assert b"ok" == answer.body
    assert ["/hang", "/after"] == [request.path for request in server.requests]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_host_that_asks_to_wait(status: int) -> None:
    """A host with Retry-After is left alone until then, whatever is asked of it."""
    clock, busy = FakeClock(), True

    def handler(_: Request) -> Response:
        return Response(status, b"", {"Retry-After": "60"}) if busy else Response()

    async with serve(handler) as server, open_web(clock) as web:
        waits = [await wait_of(web, f"{server.url}/{n}") for n in range(2)]
        clock.advance(timedelta(seconds=20))
        waits.append(await wait_of(web, f"{server.url}/other"))
        redirect = Response(302, b"", {"Location": f"{server.url}/2"})
        async with serve(lambda _: redirect) as elsewhere:
            waits.append(await wait_of(web, elsewhere.url))
        asked = len(server.requests)
        clock.advance(timedelta(seconds=40))
        busy = False
        answer = await web.get(server.url)

    assert [60, 60, 40, 40] == waits
    assert (1, 200) == (asked, answer.status)


async def wait_of(web: Web, url: str) -> float | None:
    """Return for how many seconds the whole host is to be left alone."""
    with pytest.raises(Transient) as caught:
        await web.get(url)
    assert caught.value.everywhere
    wait = caught.value.retry_after
    return wait.total_seconds() if wait else None


async def test_requests_in_the_queue_of_a_host_that_asks_to_wait() -> None:
    """Requests that wait for their turn are not sent once the host has said stop."""
    busy = Response(429, b"", {"Retry-After": "60"})

    async with serve(lambda _: busy) as server, open_web(pace=1) as web:
        requests = (web.get(f"{server.url}/{n}") for n in range(5))
        outcomes = await asyncio.gather(*requests, return_exceptions=True)

    assert [Transient] * 5 == [type(outcome) for outcome in outcomes]
    assert 1 == len(server.requests)


async def test_a_failure_of_one_page_holds_back_nothing() -> None:
    """A 500 with Retry-After is about one page; the host's others are read."""
    table = {"/a": Response(500, b"", {"Retry-After": "60"}), "/b": Response(200)}

    async with serve(routes(table)) as server, open_web() as web:
        with pytest.raises(Transient) as caught:
            await web.get(f"{server.url}/a")
        answer = await web.get(f"{server.url}/b")

    assert (timedelta(seconds=60), False, 200) == (
        caught.value.retry_after,
        caught.value.everywhere,
        answer.status,
    )


# Posts


async def test_a_post() -> None:
    """JSON goes out as UTF-8, and the status and the JSON of the answer come back."""
    body = {"text": "тревога", "n": [1, None], "half": "\ud83d"}

    async with (
        serve(lambda _: json_response({"ok": True}, 400)) as server,
        open_web() as web,
    ):
        status, answer = await web.post_json(
            f"{server.url}/x?y", body, headers={"X-Title": "ё", "Content-Type": "a/b"}
        )

    sent = server.requests[0]
    assert (400, {"ok": True}) == (status, answer)
    assert {"text": "тревога", "n": [1, None], "half": "?"} == sent.json()
    assert (encode_json(body), "/x?y", "POST") == (sent.body, sent.target, sent.method)
    assert "ё".encode() == sent.headers["x-title"].encode("latin-1")
    assert ("a/b", "gzip") == (
        sent.headers["content-type"],
        sent.headers["accept-encoding"],
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(200, b""), {}),
        (Response(502, b"<html>"), {}),
        (Response(200, b"[" * 100_000), {}),
        (Response(200, b"9" * 10_000), {}),
        (Response(200, b"\xff\xfe\xff"), {}),
        (Response(200, b"x" * 6 * MIB), {}),
        (Response(200, b"x", {"Content-Encoding": "br"}), {}),
        (Response(200, b"no gzip", {"Content-Encoding": "gzip"}), {}),
        (packed_answer(b'{"ok": 1}'), {"ok": 1}),
        (Response(429, b"[1]", {"Retry-After": "5"}), [1]),
        (Response(302, b"null", {"Location": "http://10.0.0.1/"}), None),
    ],
)
async def test_answers_to_posts(answer: Response, expected: object) -> None:
    """Every status is returned; what is no JSON, or too large for it, is empty."""
    async with serve(lambda _: answer) as server, open_web() as web:
        outcome = await web.post_json(server.url, {})

    assert (answer.status, expected) == outcome
    assert 1 == len(server.requests)


async def test_posts_do_not_wait_for_each_other() -> None:
    """Posts are not paced, run all at once, and none waits for a held-back host."""
    clock, gate, now, most = FakeClock(), asyncio.Event(), 0, 0

    async def handler(request: Request) -> Response:
        nonlocal now, most
        if request.method == "GET":
            return Response(429, b"", {"Retry-After": "60"})
        now += 1
        most = max(most, now)
        if now == 30:
            gate.set()
        await gate.wait()
        now -= 1
        return Response(200, b"{}")

    async with serve(handler) as server, open_web(clock, pace=9) as web:
        with pytest.raises(Transient):
            await web.get(server.url)
        posts = (web.post_json(server.url, {"n": n}) for n in range(30))
        outcomes = await asyncio.gather(*posts)

    assert [(200, {})] * 30 == outcomes
    assert (30, []) == (most, clock.slept)
    assert server.connections <= 31


@pytest.mark.parametrize(
    "content", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
)
async def test_a_post_without_an_answer(content: bytes) -> None:
    """Where no whole answer came, nobody knows what the other side did."""
    async with serve(lambda _: Raw(content)) as server, open_web() as web:
        with pytest.raises(Transient) as broken:
            await web.post_json(server.url, {"a": 1})

    assert broken.value.unsure
    assert {"a": 1} == server.requests[0].json()


async def test_a_post_that_never_left() -> None:
    """Where nobody listens, surely nothing was done."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with open_web() as web:
            with pytest.raises(Transient) as broken:
                await web.post_json(f"http://127.0.0.1:{free.getsockname()[1]}/", {})

    assert not broken.value.unsure


async def test_a_post_that_hangs_may_have_been_taken() -> None:
    """A deadline tells apart what was sent from what still waited for a connection."""
    async with (
        serve(hang) as server,
        listening(never_greet) as port,
        open_web(deadline=0.3) as web,
    ):
        for url, unsure in ((server.url, True), (f"https://127.0.0.1:{port}/", False)):
            with pytest.raises(Transient, match="no whole answer") as broken:
                await web.post_json(url, {})
            assert unsure == broken.value.unsure


async def never_greet(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Take the connection, and shake no hands, until the other side hangs up."""
    await reader.read()
    writer.close()


# Secrets


def told(error: BaseException | None) -> str:
    """Return everything that an error and what led to it say of themselves."""
    texts = []
    while error:
        texts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        texts += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


async def echo(request: Request) -> Raw:
    """Send the request's own first line back, where a status line should be."""
    return Raw(f"{request.method} {request.target} HTTP/1.1\r\n\r\n".encode())


async def point_back(request: Request) -> Response:
    """Redirect to a circle that has the path in it."""
    return Response(302, b"", {"Location": request.target})


async def hang(_: Request) -> Response:
    """Never answer."""
    await asyncio.Event().wait()
    return Response()


SECRETIVE: dict[str, Handler] = {
    "echoes": echo,
    "circles": point_back,
    "hangs": hang,
    "refuses": lambda _: Response(404, TOKEN),
    "limits": lambda _: Response(429, TOKEN, {"Retry-After": "1"}),
    "breaks": lambda request: Raw(b"HTTP/1.1 200 OK\r\nX:" + request.target.encode()),
    "brotli": lambda _: Response(200, TOKEN, {"Content-Encoding": "br"}),
}


@pytest.fixture
def at_debug(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every logger there is, made to tell all it can."""
    caplog.set_level(logging.DEBUG)
    for name in ("asyncio", "monitor"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


@pytest.mark.parametrize("how", SECRETIVE)
async def test_no_token_in_what_is_told(
    how: str, at_debug: pytest.LogCaptureFixture
) -> None:
    """A token in a path shows in no error, no chain of errors and no log."""
    path = f"/bot{TOKEN}/sendMessage?key={TOKEN}"
    async with serve(SECRETIVE[how]) as server, open_web(deadline=0.2) as web:
        said = [told(await failed(web.get(server.url + path)))]
        said.append(told(await failed(web.post_json(server.url + path, {"a": TOKEN}))))

    assert TOKEN not in "\n".join([*said, at_debug.text, str(at_debug.records)])
    assert "127.0.0.1" in said[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_token_where_nobody_answers(
    scheme: str, at_debug: pytest.LogCaptureFixture
) -> None:
    """A port that refuses is named by its host, also with the libraries at DEBUG."""
    for name in ("httpx", "httpcore"):
        at_debug.set_level(logging.DEBUG, name)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, and not listening: it refuses
        url = f"{scheme}://127.0.0.1:{reserved.getsockname()[1]}/bot{TOKEN}/x?{TOKEN}"
        async with open_web() as web:
            post = await failed(web.post_json(url, {"a": TOKEN}, headers={"X": TOKEN}))
            get = await failed(web.get(url, headers={"Authorization": TOKEN}))

    assert isinstance(post, Transient)
    assert isinstance(get, Transient)
    assert "connection refused" in str(post)
    assert TOKEN not in told(post) + told(get) + at_debug.text


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:bot{TOKEN}/", f"http://{TOKEN}@127.0.0.1/", f"/bot{TOKEN}",
        f"http://a b/{TOKEN}", f"http://[{TOKEN}/", f"ftp://x/{TOKEN}",
        f"http://127.0.0.1/{TOKEN}\n", f"http://x/{TOKEN * 2000}",
    ],
)  # fmt: skip
async def test_no_token_of_an_address_that_is_none(url: str) -> None:
    """An address that cannot be read is refused without being repeated."""
    async with open_web(deadline=0.2) as web:
        error = await failed(web.post_json(url, {}))

    assert isinstance(error, Failure)
    assert TOKEN not in told(error)


async def failed(doing: Coroutine[None, None, object]) -> Failure | None:
    """Return what *doing* failed with, if it is a failure of ours."""
    try:
        await doing
    except Failure as failure:
        return failure
    return None


def test_the_libraries_are_quiet() -> None:
    """From the first import on, httpx and httpcore tell warnings only."""
    levels = [logging.getLogger(name).level for name in ("httpx", "httpcore")]

    assert [logging.WARNING] * 2 == levels


# Many hosts


async def test_connections_are_kept_and_closed() -> None:
    """A connection is used again; those of the least used hosts are closed."""
    async with serve(lambda _: Response()) as server, open_web() as web:
        for n in [0, 0, *range(1, 270), 269]:
            await web.get(f"http://h{n}.test:{server.port}/")
        while server.open > 256:
            await asyncio.sleep(0.001)

    assert 270 == server.connections
