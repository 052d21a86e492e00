"""Lists of feeds, as other readers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.opml import Outline, read, write
from monitor.errors import Rejected

LIST = """<?xml version="1.0"?>
<opml version="1.0"><head><title>mine</title></head><body>
  <outline text="News">
    <outline text="Приграничье" title="Приграничье &amp; соседи"
             type="rss" xmlUrl="https://example.org/feed"/>
    <outline text="again" xmlUrl="https://example.org/feed"/>
    <outline text="a page" htmlUrl="https://example.org/"/>
    <outline text="a file" xmlUrl="file:///etc/passwd"/>
  </outline>
  <outline xmlUrl=" http://example.com/rss "/>
</body></opml>""".encode()


def test_reads_every_feed_once_wherever_it_is_nested() -> None:
    """Folders are opened, pages and local files left out, repeats dropped."""
    assert (
        Outline("https://example.org/feed", "Приграничье & соседи"),
        Outline("http://example.com/rss"),
    ) == read(LIST)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"<opml><body>",
        b"\xff\xfe\x00",
        b"<!DOCTYPE o [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><o>&a;</o>",
    ],
)
def test_refuses_what_is_no_list(body: bytes) -> None:
    """Something else than OPML is said to be none, and opens nothing."""
    with pytest.raises(Rejected):
        read(body)


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "Z"]))))
def test_reads_what_it_writes(titles: list[str]) -> None:
    """A list that was exported comes back as it was."""
    outlines = tuple(
        Outline(f"https://example.org/{n}", " ".join(title.split()))
        for n, title in enumerate(titles)
    )

    assert outlines == read(write("mine", outlines))
