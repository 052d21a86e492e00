"""
What an answer means, and its body within bounds.  Nothing here does I/O.

A body of 1 KiB can unpack to 1 GiB, and a server may send it by the byte; so a body is
put together part by part, and no part is unpacked further than may be kept.
"""

import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from monitor.errors import Failure, Gone, Rejected, Transient

LARGEST = 5 * 1024 * 1024  # bytes of a body, packed or unpacked
PARTS = 10_000  # of a body; each costs 30 µs however small, and 4 KiB are usual
MEMBERS = 100  # of a gzip body; one is usual
LONGEST_WAIT = timedelta(hours=6)  # that a host may ask for
REDIRECTED = frozenset({301, 302, 303, 307, 308})
TRY_AGAIN = frozenset({408, 425, 429, *range(500, 600)})
ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
GZIP = zlib.MAX_WBITS | 16


def failure(
    host: str, status: int, headers: Mapping[str, str], now: datetime
) -> Failure | None:
    """
    Return what follows from *status* for one who wants the page.

    It is None for what can be used: 2xx, 304, and redirects that name an address.
    """
    if status in range(200, 300) or status == HTTPStatus.NOT_MODIFIED:
        return None
    if status in REDIRECTED and headers.get("location"):
        return None
    why = f"{host}: {status}"
    if "cf-mitigated" in headers:
        why += ", Cloudflare wants proof of a person at a browser"
    if status in TRY_AGAIN:
        wait = retry_after(headers.get("retry-after", ""), now)
        everywhere = status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None
        )
        return Transient(why, wait, everywhere=everywhere)
    return Gone(why) if status == HTTPStatus.GONE else Rejected(why)


def retry_after(value: str, now: datetime) -> timedelta | None:
    """
    Return how long the value of a Retry-After asks to wait, six hours at most.

    It is None where the value makes no sense, and nothing where its date is past.
    """
    if re.fullmatch("[0-9]+", value.strip()):
        return timedelta(seconds=min(float(value), LONGEST_WAIT.total_seconds()))
    try:
        until = parsedate_to_datetime(value)
        until = until.astimezone(UTC) if until.tzinfo else until.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(timedelta(), min(until - now, LONGEST_WAIT))


class Body:
    """A body that is being received from *host*."""

    def __init__(self, host: str, headers: Mapping[str, str]) -> None:
        """
        Expect a body as *headers* announce it.

        Raises:
            Rejected: It is too large, or packed as we did not ask for.
        """
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ENCODINGS:
            raise Rejected(f"{host}: an encoding that was not asked for")
        self._host = host
        self._gzip = zlib.decompressobj(GZIP) if "gzip" in encoding else None
        self._members = 1
        self._content = bytearray()
        self._received = self._parts = 0
        self._bound(int(headers.get("content-length", "0")))

    def add(self, part: bytes) -> int:
        """
        Take the next *part*, and return how many there were.

        Raises:
            Rejected: They are too many, too large, or cannot be unpacked.
        """
        self._parts += 1
        if self._parts > PARTS:
            raise Rejected(f"{self._host}: a body in more than {PARTS} parts")
        self._received += len(part)
        self._bound(self._received)
        if self._gzip:
            self._unpack(part)
        else:
            self._content += part
        self._bound(len(self._content))
        return self._parts

    def whole(self) -> bytes:
        """
        Return the body, once every part has come.

        Raises:
            Transient: It was cut off.
        """
        if self._gzip and self._received and not self._gzip.eof:
            raise Transient(f"{self._host}: the answer broke off")
        return bytes(self._content)

    def _bound(self, size: int) -> None:
        if size > LARGEST:
            raise Rejected(f"{self._host}: a body of more than {LARGEST} bytes")

    def _unpack(self, packed: bytes) -> None:
        while packed and len(self._content) <= LARGEST:
            if self._gzip is None or self._gzip.eof:
                self._gzip = self._next_member()
            most = LARGEST + 1 - len(self._content)
            try:
                self._content += self._gzip.decompress(packed, most)
            except zlib.error:
                raise Rejected(f"{self._host}: a body that does not unpack") from None
            packed = self._gzip.unused_data or self._gzip.unconsumed_tail

    def _next_member(self) -> "zlib._Decompress":
        self._members += 1
        if self._members > MEMBERS:
            raise Rejected(f"{self._host}: a body packed in too many pieces")
        return zlib.decompressobj(GZIP)
