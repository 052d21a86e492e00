"""Places in other news: people and companies that are called like them."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.filter_config import origin, post, shipped

PRECISE = 0.93  # of the places found, how many somebody marked as one
FOUND = 0.95  # of the marked names that the gazetteer has, how many are found
Span = tuple[int, int]
pytestmark = pytest.mark.skipif("DATA" not in os.environ, reason="no news at hand")


def marked() -> Iterator[tuple[str, list[Span]]]:
    """Yield each text of the collection with the spans of the places in it."""
    archive = Path(os.environ["DATA"]) / "ner" / "factrueval-2016.zip"
    with zipfile.ZipFile(archive) as texts:
        for name in texts.namelist():
            if name.endswith(".spans"):
                lines = texts.read(name).decode().splitlines()
                marks = [line.split() for line in lines if " loc_name " in line]
                spans = [(int(m[2]), int(m[2]) + int(m[3])) for m in marks]
                text = texts.read(name.replace(".spans", ".txt")).decode()
                yield text.replace("\r\n", "\n"), spans


def overlaps(one: Span, others: list[Span]) -> bool:
    """Whether a span has a character in common with one of *others*."""
    return any(one[0] < end and start < one[1] for start, end in others)


def is_known(name: str) -> bool:
    """Whether the gazetteer has a place of this name, in any case form."""
    place = f"село {name}"
    return bool(shipped().read(post(place), origin()).places)


def test_people_and_companies_are_no_places() -> None:
    """Nearly all places that are found are some, and nearly none is missed."""
    right = found = wanted = met = 0
    for text, spans in marked():
        reading = shipped().read(post(text), origin())
        told = [span for place in reading.places for span in place.spans]
        found += len(told)
        right += sum(overlaps(span, spans) for span in told)
        known = [span for span in spans if is_known(text[slice(*span)])]
        wanted += len(known)
        met += sum(overlaps(span, told) for span in known)

    assert wanted > 250
    assert right / found >= PRECISE
    assert met / wanted >= FOUND
