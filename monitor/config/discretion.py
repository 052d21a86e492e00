"""
What of a configuration may be shown: lines of it go to terminals and into logs.

Where a secret stands in the open although it must not, or an address of a
subscriber stands where it must, the line is shown without it.  Too much is hidden
rather than too little; a veil is as long as what it hides, so that carets fit.
"""

import re

VEIL = "•"

_TOKEN = r"[0-9]{4,20}:[\w-]{20,}"  # noqa: S105 - the form of a bot's token, not one
_HEX = r"\b[0-9a-fA-F]{32,}\b"  # such as an api_hash
_MIXED = r"(?=[\w+=-]{0,99}[0-9])(?=[\w+=-]{0,99}[a-z])(?=[\w+=-]{0,99}[A-Z])"
_LONG = _MIXED + r"[\w+=-]{40,}"  # such as a session
_USERINFO = r"(?<=://)[^\s/'\"@]*(?:@(?=\S))"
_NAMED = (
    r"(?<![\w-])[\w-]*(?:token|secret|passw|session|hash|api_id|apikey|api_key"
    r"|credential)[\w-]*['\"]?\s*:\s*(?!\s*[{\[])"
)
_TO = r"(?<![\w-])['\"]?to['\"]?\s*:\s*(?!\s*[{\[])"
_VALUE = r"(?P<value>\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^,}\]\s#][^,}\]#]*)"

_LOOKS = re.compile(f"(?:{_TOKEN}|{_HEX}|{_LONG}|{_USERINFO})", re.ASCII)
_CALLED = re.compile(f"(?:{_NAMED}|{_TO}){_VALUE}", re.IGNORECASE)


def veiled(line: str) -> str:
    """Return *line* with a veil over what looks like a secret or an address."""

    def cover(found: re.Match[str]) -> str:
        start, end = found.span("value")
        whole, first = found[0], found.start()
        return whole[: start - first] + VEIL * (end - start) + whole[end - first :]

    line = _CALLED.sub(cover, line)
    return _LOOKS.sub(lambda found: VEIL * len(found[0]), line)


def looks_secret(text: str) -> bool:
    """Whether *text* looks like a secret itself, where its name was wanted."""
    return bool(_LOOKS.search(text))
