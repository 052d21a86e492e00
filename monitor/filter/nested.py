"""Places within places, by their ids: "RU-BEL.belgorod" lies in "RU-BEL"."""


def narrowest(ids: frozenset[str]) -> frozenset[str]:
    """Return *ids* without those in which another of them lies."""
    return frozenset(
        one for one in ids if not any(other.startswith(f"{one}.") for other in ids)
    )


def within(one: str, other: str) -> bool:
    """Whether a place is another, or lies in it, by their ids."""
    return one == other or one.startswith(f"{other}.")


def related(one: str, other: str) -> bool:
    """Whether two ids are the same, or one lies within the other."""
    return within(one, other) or within(other, one)
