"""
Failures name what to do next, not what went wrong:

* Failure
  - Transient   try again, no sooner than `retry_after` if that is known
    - Away      it is Redis that is not there, and nobody else's fault
  - Rejected    this item or answer will never do: set it aside, go on
  - Gone        this source or address is finished: switch it off, tell a person
  - Moved       the address changed: store the new one, try again

* Unavailable   something the program itself stands on is not there (exit 69)
* Misconfigured the settings cannot be used (exit 78)

Anything else that escapes a source or a sink is a bug in it.
"""

from datetime import timedelta


class Failure(Exception):
    """A source or sink could not do its work, and knows what follows."""


class Transient(Failure):
    """
    Try again later.

    Attributes:
        retry_after: How long the other side asked us to wait, if it said so.
        everywhere: The whole host or account is asked to wait, not one address.
        unsure: The other side may have acted all the same: no answer says.
    """

    def __init__(
        self,
        why: str,
        retry_after: timedelta | None = None,
        *,
        everywhere: bool = False,
        unsure: bool = False,
    ) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        self.everywhere = everywhere
        self.unsure = unsure


class Away(Transient):
    """Redis is away, or takes nothing more: wait, then do the very same again."""


class Rejected(Failure):
    """Set this one aside; the next may do."""


class Gone(Failure):
    """
    Never use this source or address again.

    Attributes:
        everywhere: It is the whole sink or account that is finished, such as one
            whose token was revoked, and not one address.
    """

    def __init__(self, why: str, *, everywhere: bool = False) -> None:
        super().__init__(why)
        self.everywhere = everywhere


class Moved(Failure):
    """The recipient now lives at `address`."""

    def __init__(self, why: str, address: str) -> None:
        super().__init__(why)
        self.address = address


class Unavailable(Exception):
    """Redis, a lock or a file that everything stands on is not there."""


class Misconfigured(Exception):
    """The settings cannot be used; the text names each place and its mend."""
