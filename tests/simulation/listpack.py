"""
How many bytes the elements of a stream's node take.

It decides which entries share a node, and so what ``XTRIM … ~`` leaves standing.  The
rules are those of listpack.c, which has not changed them since streams exist.
"""

import re

EMPTY = 7  # bytes of a node without elements: six of a header, one at its end
NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
TAILS = ((127, 1), (16382, 2), (2097150, 3), (268435454, 4))
WIDTHS = ((13, 2), (16, 3), (24, 4), (32, 5))  # bits with the sign, bytes


def of_text(text: bytes) -> int:
    """Return the bytes of a string; one that is a number is stored as a number."""
    length = len(text)
    if length <= 20 and NUMBER.fullmatch(text):
        number = int(text)
        if -(1 << 63) <= number < 1 << 63:
            return of_number(number)
    if length < 64:
        return 2 + length
    return _with_tail(length + (2 if length < 4096 else 5))


def of_number(number: int) -> int:
    """Return the bytes of an integer."""
    if 0 <= number < 128:
        return 2
    for bits, size in WIDTHS:
        if -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            return size + 1
    return 10


def _with_tail(body: int) -> int:
    for most, size in TAILS:
        if body <= most:
            return body + size
    return body + 5
