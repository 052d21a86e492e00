"""The line to a server: however many are on it."""

import asyncio

from monitor.stream.door import Door


async def test_a_crowd_is_answered(door: Door) -> None:
    """
    Five hundred who ask at a time are all answered, each with their own answer.
    """
    answers = await asyncio.gather(*(door.call("ECHO", n) for n in range(500)))

    assert [str(n).encode() for n in range(500)] == answers
