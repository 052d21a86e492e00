"""
Secrets: values that are used, and never shown.

A `Secret` prints as ``Secret(…)``, whoever prints it.  Every secret that was
ever made is also known to `redact`, the last step before a text leaves the
program in a log or an error; so a token inside a library's message goes too.
"""

import re

HIDDEN = "[secret]"
SHORTEST = 6  # shorter ones would black out ordinary words

_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


class Secret:
    """A text that must not show in logs, errors, metrics or `repr`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        global _pattern  # noqa: PLW0603 - one process has one set of secrets
        self._text = text
        if len(text) >= SHORTEST and text not in _known:
            _known.add(text)
            longest_first = sorted(_known, key=len, reverse=True)
            _pattern = re.compile("|".join(map(re.escape, longest_first)))

    def reveal(self) -> str:
        """Return the text itself, at the moment it is used."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def redact(text: str) -> str:
    """Return *text* with every known secret replaced by ``[secret]``."""
    return _pattern.sub(HIDDEN, text) if _pattern else text
