"""No address is dialled that is not public, however it is written or found."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import Rejected, Transient
from monitor.guard import Guard, Resolve, is_public, look_up, refusal
from monitor.web import Network, Web
from tests.clock import FakeClock
from tests.loopback import Raw, Request, Response, serve

LOOPBACK = (ip_network("127.0.0.0/8"),)
RECORDS = {
    "loopback.test": ["127.0.0.1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "link.test": ["fe80::1%2"],
    "mixed.test": ["93.184.216.34", "10.0.0.5"],
    "mixed6.test": ["2606:2800:220:1::1", "fd00::1"],
    "metadata.test": ["169.254.169.254"],
    "public.test": ["93.184.216.34"],
}
HOSTILE = (
    # this machine, in the ways that `inet_aton` and URLs know
    "http://127.0.0.1/", "http://127.0.0.1:8080/", "http://127.1/", "http://0/",
    "http://0.0.0.0:8080/", "http://2130706433/", "http://0x7f000001/",
    "http://0x7f.1/", "http://017700000001/", "http://0177.0.0.1/",
    "http://127.0.0.1./", "http://localhost/", "http://LOCALHOST./",
    "https://localhost/", "http://127。0。0。1/", "http://①②⑦.0.0.1/",
    "http://１２７.0.0.1/", "http://%31%32%37.0.0.1/", "http://127.0.0.1%2f@a.test/",
    "http://127.0.0.1%00.public.test/",
    # in IPv6, and IPv4 inside it
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://[::ffff:a9fe:a9fe]/", "http://[::127.0.0.1]/", "http://[::ffff:0:7f00:1]/",
    "http://[64:ff9b::7f00:1]/", "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/", "http://[2002:808:808::1]/", "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::1]/", "http://[fe80::1]/", "http://[fec0::1]/",
    "http://[fd00:ec2::254]/", "http://[ff02::1]/", "http://[3fff::1]/",
    "http://[2001:db8::1]/", "http://[100::1]/",
    # other networks that are nobody's website
    "http://169.254.169.254/latest/meta-data/", "http://169.254.169.254.:80/",
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/",
    "http://100.64.0.1/", "http://100.100.100.200/", "http://168.63.129.16/",
    "http://192.0.0.192/", "http://192.0.2.1/", "http://192.88.99.1/",
    "http://198.18.0.1/", "http://203.0.113.1/", "http://224.0.0.1/",
    "http://240.0.0.1/", "http://255.255.255.255/",
    # by name
    "http://loopback.test/", "http://mapped.test/", "http://link.test/",
    "http://mixed.test/", "http://mixed6.test/", "http://metadata.test/",
    "http://LOOPBACK.TEST:8080/",
    # public, but no port of the web; not what it seems; nothing of the web at all
    "http://public.test:22/", "http://public.test:6379/", "http://93.184.216.34:25/",
    "http://public.test@127.0.0.1/", "http://user:password@public.test/",
    "http://10.0.0.1\\@public.test/", "http://127.0.0.1#@public.test/",
    "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "unix:///run/x",
    "//127.0.0.1/", "http:127.0.0.1", "http:///etc", "",
)  # fmt: skip

_dials: list[Any] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _dials is not None:
        _dials.append(arguments[1])


sys.addaudithook(_note)  # Python itself tells of each connection, whoever makes it


@pytest.fixture
def dials() -> Iterator[list[Any]]:
    """Every address that anything in this process connects to."""
    global _dials  # noqa: PLW0603 - an audit hook cannot be taken away again
    _dials = []
    yield _dials
    _dials = None


async def names(host: str) -> Sequence[str]:
    """Resolve names from the table, and numbers as the system does."""
    name = host.lower().rstrip(".")
    return RECORDS[name] if name in RECORDS else await look_up(host)


@asynccontextmanager
async def web(
    resolve: Resolve = names, allow: Sequence[Network] = ()
) -> AsyncIterator[Web]:
    """Open the door, with a clock that does not wait."""
    door = Web(FakeClock(), allow=allow, resolve=resolve, deadline=timedelta(seconds=5))
    yield door
    await door.aclose()


def ok(_: Request) -> Response:
    """Answer anything."""
    return Response(200, b"ok")


@pytest.mark.parametrize("url", HOSTILE)
async def test_hostile_addresses(url: str, dials: list[Any]) -> None:
    """A hostile address is refused to all, and nothing at all is dialled."""
    async with web() as door:
        with pytest.raises((Rejected, Transient)):
            await door.get(url)
        with pytest.raises((Rejected, Transient)):
            await door.post_json(url, {})

    assert [] == dials


async def test_a_refused_server_sees_no_connection(dials: list[Any]) -> None:
    """A server on loopback is not even connected to, unless its network is allowed."""
    async with serve(ok) as server, web() as door, web(allow=LOOPBACK) as open_door:
        port = server.port
        for host in ("127.0.0.1", "localhost", "2130706433", "loopback.test"):
            with pytest.raises(Rejected, match="not a public address"):
                await door.get(f"http://{host}:{port}/")
        before = server.connections, list(dials)
        answer = await open_door.get(f"http://loopback.test:{port}/")

    assert (0, []) == before
    assert (b"ok", [("127.0.0.1", port)]) == (answer.body, dials)


async def test_a_redirect_to_inside(dials: list[Any]) -> None:
    """A public page that redirects to an inner address leads nowhere."""
    inside = Response(302, b"", {"Location": "http://10.1.2.3/admin"})
    async with serve(lambda _: inside) as server, web(allow=LOOPBACK) as door:
        with pytest.raises(Rejected, match=r"10\.1\.2\.3"):
            await door.get(server.url)

    assert [("127.0.0.1", server.port)] == dials


async def test_rebinding(dials: list[Any]) -> None:
    """A name that was public a minute ago is judged again before it is dialled."""
    clock, answers = FakeClock(), iter([["127.0.0.1"], ["10.0.0.5"]])

    async def rebind(_: str) -> Sequence[str]:
        return next(answers)

    async with serve(ok) as server:
        guard = Guard(clock, allow=LOOPBACK, resolve=rebind)
        for _ in range(2):  # the second dial uses the address that was judged
            stream = await guard.connect_tcp("rebind.test", server.port)
            await stream.aclose()
        clock.advance(timedelta(seconds=61))
        with pytest.raises(Rejected):
            await guard.connect_tcp("rebind.test", server.port)

    assert [("127.0.0.1", server.port)] * 2 == dials


async def test_names_are_remembered_for_a_minute() -> None:
    """A name is looked up once a minute, and again if its address is dead."""
    asked, clock = [], FakeClock()

    async def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    guard = Guard(clock, allow=LOOPBACK, resolve=resolve)
    async with serve(ok) as server:
        for _ in range(3):
            await (await guard.connect_tcp("a.test", server.port)).aclose()
            clock.advance(timedelta(seconds=25))
    with pytest.raises(httpcore.ConnectError):
        await guard.connect_tcp("a.test", server.port)
    with pytest.raises(httpcore.ConnectError):
        await guard.connect_tcp("a.test", server.port)

    assert ["a.test"] * 3 == asked


async def test_the_next_address_is_tried(dials: list[Any]) -> None:
    """Where the first address of a name is dead, the next one is dialled."""

    async def resolve(_: str) -> Sequence[str]:
        return ["127.0.0.9", "127.0.0.8", "127.0.0.1"]

    async with serve(ok) as server, web(resolve, LOOPBACK) as door:
        answer = await door.get(f"http://a.test:{server.port}/")

    assert b"ok" == answer.body
    assert ["127.0.0.9", "127.0.0.8", "127.0.0.1"] == [host for host, _ in dials]


async def test_a_name_without_addresses() -> None:
    """A name that does not resolve may do so later."""

    async def nothing(_: str) -> Sequence[str]:
        return []

    async def broken(_: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "ask again")

    for resolve in (nothing, broken):
        async with web(resolve) as door:
            with pytest.raises(
                Transient, match=r"^a\.test: the name does not resolve$"
            ):
                await door.get("http://a.test/path?token=1")


async def test_a_slow_name_holds_up_nobody() -> None:
    """A name server that does not answer delays neither the loop nor other names."""
    unanswered = asyncio.Event()

    async def resolve(host: str) -> Sequence[str]:
        if host == "slow.test":
            await unanswered.wait()
        return ["127.0.0.1"]

    async with serve(ok) as server, web(resolve, LOOPBACK) as door:
        slow = asyncio.create_task(door.get(f"http://slow.test:{server.port}/"))
        answer = await door.get(f"http://fast.test:{server.port}/")
        waiting = not slow.done()
        unanswered.set()
        late = await slow

    assert (b"ok", True, b"ok") == (answer.body, waiting, late.body)


async def test_look_up_reads_numbers_and_local_names() -> None:
    """The system's resolver is asked without stopping the loop."""
    found = await asyncio.gather(
        look_up("127.0.0.1"), look_up("0x7f.1"), look_up("::1"), look_up("localhost")
    )

    assert [("127.0.0.1",), ("127.0.0.1",), ("::1",)] == list(found[:3])
    assert {"127.0.0.1", "::1"} >= set(found[3])


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test", "a b", "x" * 5000])
async def test_look_up_of_nonsense(host: str) -> None:
    """What is no name has no address."""
    with pytest.raises(OSError):  # noqa: PT011 - any of them
        await look_up(host)


async def test_no_unix_sockets() -> None:
    """A file of this machine is no website."""
    guard = Guard(FakeClock())

    with pytest.raises(Rejected):
        await guard.connect_unix_socket("/run/redis.sock")


async def test_an_answer_without_end() -> None:
    """A server that sends interim answers for ever is left after a few of its bytes."""

    async def interim() -> AsyncIterator[bytes]:
        while True:
            yield b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 1000
            await asyncio.sleep(0)

    async with serve(lambda _: Raw(interim())) as server, web(allow=LOOPBACK) as door:
        began = time.perf_counter()
        with pytest.raises(Transient, match="broke off"):
            await door.get(server.url)

    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("text", "port", "allow", "expected"),
    [
        ("93.184.216.34", 443, [], ""),
        ("93.184.216.34", 8443, [], ""),
        ("93.184.216.34", 22, [], "port 22 is not one of the web's"),
        ("93.184.216.34", 22, ["93.184.216.0/24"], ""),
        ("10.0.0.5", 80, [], "10.0.0.5 is not a public address"),
        ("10.0.0.5", 9000, ["10.0.0.0/24"], ""),
        ("10.0.1.5", 80, ["10.0.0.0/24"], "10.0.1.5 is not a public address"),
        ("::ffff:10.0.0.5", 9000, ["10.0.0.0/24"], ""),
        ("fd00::5", 80, ["fd00::/64", "10.0.0.0/8"], ""),
        ("2002:a00:5::1", 80, ["10.0.0.0/24"], "2002:a00:5::1 is not a public address"),
    ],
)
def test_refusals(text: str, port: int, allow: list[str], expected: str) -> None:
    """An allowed network may be dialled on any port, the rest on the web's ports."""
    networks = [ip_network(network) for network in allow]

    assert expected == refusal(ip_address(text), port, networks)


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1", "8.8.8.8", "149.154.167.99", "192.0.1.1", "172.32.0.1",
        "2001:67c:4e8:f004::9", "2606:4700::1111", "2a00:1450::1",
        "64:ff9b::95.154.167.99", "::ffff:8.8.8.8",
    ],
)  # fmt: skip
def test_public_addresses(text: str) -> None:
    """The internet is public, also where it is reached through a translator."""
    assert is_public(ip_address(text))


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_what_holds_an_address_is_judged_by_it(inner: IPv4Address) -> None:
    """An IPv4 address is as public inside IPv6 as it is alone."""
    number = int(inner)
    forms = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x64_FF9B << 96 | number),
    ]

    assert [is_public(inner)] * 2 == [is_public(form) for form in forms]


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_is_not(
    address: IPv4Address | IPv6Address,
) -> None:
    """The list adds to what Python refuses, and takes nothing away but translators."""
    translated = address in ip_network("64:ff9b::/96")

    assert not is_public(address) or address.is_global or translated
    assert not (is_public(address) and (address.is_multicast or address.is_loopback))


@given(st.text(max_size=40) | st.text("htps:/@[]#?%.0x1①。\\ \n\ud800a", max_size=40))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    """Whatever stands where an address should, it ends as a failure of ours."""

    async def nothing(_: str) -> Sequence[str]:
        return []

    async def ask() -> None:
        async with web(nothing) as door:
            for url in (text, f"http://{text}", f"https://a.test/{text}"):
                with pytest.raises((Rejected, Transient)):
                    await door.get(url)

    asyncio.run(ask())
