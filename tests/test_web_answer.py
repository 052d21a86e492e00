"""What answers mean, and bodies that are put together from parts."""

import gzip
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.answer import LARGEST, PARTS, Body, failure, retry_after
from monitor.errors import Rejected, Transient

NOW = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)
HOURS = timedelta(hours=6)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("21600", 21600),
        ("21601", 21600),
        ("9" * 5000, 21600),
        ("Mon, 22 May 2023 06:01:30 GMT", 90),
        ("Mon, 22 May 2023 06:01:30 +0000", 90),
        ("Mon, 22 May 2023 09:01:30 +0300", 90),
        ("Mon, 22 May 2023 06:01:30 -0000", 90),
        ("Monday, 22-May-23 06:01:30 GMT", 90),
        ("Mon, 22 May 2023 05:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 21600),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("٣", None),
        ("soon", None),
        ("Mon, 99 May 2023 06:01:30 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    """Retry-After is a number of seconds or a date, and six hours at most."""
    expected = None if seconds is None else timedelta(seconds=seconds)

    assert expected == retry_after(value, NOW)


@given(st.integers(-(10**7), 10**7))
def test_retry_after_a_date(seconds: int) -> None:
    """Seconds and the date that they lead to mean the same wait."""
    at = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert min(timedelta(seconds=max(seconds, 0)), HOURS) == retry_after(at, NOW)


@given(st.text(max_size=40) | st.text("MonTueJanGMT0123456789:, +-", max_size=40))
def test_retry_after_anything(value: str) -> None:
    """Whatever a server writes there, it is a wait within bounds or none."""
    wait = retry_after(value, NOW)

    assert wait is None or timedelta() <= wait <= HOURS


@pytest.mark.parametrize(
    ("status", "value", "everywhere"),
    [
        (429, "", True), (429, "60", True), (503, "60", True), (503, "", False),
        (500, "60", False), (408, "", False), (425, "", False),
    ],
)  # fmt: skip
def test_whom_a_wait_concerns(status: int, value: str, everywhere: bool) -> None:  # noqa: FBT001 - a row
    """Too many requests concern the host; other failures one page of it."""
    said = failure("a.test", status, {"retry-after": value}, NOW)

    assert isinstance(said, Transient)
    assert everywhere == said.everywhere


def parts_of(body: bytes, cuts: list[int]) -> list[bytes]:
    """Return *body* cut at the places that *cuts* fall on."""
    places = sorted({cut % (len(body) + 1) for cut in cuts})
    return [body[a:b] for a, b in zip([0, *places], [*places, None], strict=True)]


@given(
    st.lists(st.binary(max_size=2000), min_size=1, max_size=5), st.lists(st.integers(0))
)
def test_parts_do_not_matter(pieces: list[bytes], cuts: list[int]) -> None:
    """A body is the same however it is cut, and whatever pieces it was packed in."""
    packed = b"".join(gzip.compress(piece) for piece in pieces)
    body = Body("a.test", {"content-encoding": "gzip"})

    for part in parts_of(packed, cuts):
        body.add(part)

    assert b"".join(pieces) == body.whole()


@given(st.binary(min_size=1, max_size=300), st.integers(1))
def test_a_cut_is_noticed_wherever_it_is(text: bytes, cut: int) -> None:
    """A packed body that lacks its last bytes, be it one, is never taken for whole."""
    packed = gzip.compress(text)
    body = Body("a.test", {"content-encoding": "gzip"})
    body.add(packed[: -(cut % (len(packed) - 1) + 1)])

    with pytest.raises(Transient):
        body.whole()


@given(st.binary(min_size=1, max_size=300), st.integers(0), st.integers(1, 255))
def test_damage_is_noticed(text: bytes, place: int, flip: int) -> None:
    """A packed body that was damaged is refused, or is the same text all the same."""
    packed = bytearray(gzip.compress(text))
    packed[place % len(packed)] ^= flip
    body = Body("a.test", {"content-encoding": "gzip"})

    try:
        body.add(bytes(packed))
        whole = body.whole()
    except (Rejected, Transient):
        return
    assert text == whole


@given(st.binary(max_size=300))
def test_any_bytes_are_a_body_or_a_failure(content: bytes) -> None:
    """What calls itself gzip ends as bytes, as refused or as broken off."""
    body = Body("a.test", {"content-encoding": "gzip"})

    with suppress(Rejected, Transient):
        body.add(content)
        assert len(body.whole()) <= 1100 * len(content)


def test_no_more_is_unpacked_than_is_kept() -> None:
    """The first part of a bomb is refused, without being unpacked to its end."""
    packer = zlib.compressobj(1, wbits=31)
    bomb = packer.compress(bytes(LARGEST * 4)) + packer.flush()
    body = Body("a.test", {"content-encoding": "gzip"})

    with pytest.raises(Rejected, match="more than"):
        body.add(bomb)


def test_a_body_that_unpacks_to_nothing() -> None:
    """What comes in is bounded too, though no byte of it would be kept."""
    body = Body("a.test", {"content-encoding": "gzip"})
    body.add(gzip.compress(b"")[:10])
    blocks = b"\x00\x00\x00\xff\xff" * 13_000  # each is empty, and none is the last

    for _ in range(LARGEST // len(blocks)):
        body.add(blocks)

    with pytest.raises(Rejected, match="more than"):
        body.add(blocks)


def test_a_body_in_crumbs() -> None:
    """A body of bytes one by one is refused after some thousands of them."""
    body = Body("a.test", {})
    for _ in range(PARTS):
        body.add(b"x")

    with pytest.raises(Rejected, match="parts"):
        body.add(b"x")


@pytest.mark.parametrize("encoding", ["", "identity", "Identity", "gzip", "X-GZIP "])
def test_an_empty_body(encoding: str) -> None:
    """A body of no bytes is empty, packed or not, as a 304 has it."""
    assert b"" == Body("a.test", {"content-encoding": encoding}).whole()
