"""
OPML 2.0: the list of feeds that every reader can write and read.

The format: http://opml.org/spec2.opml
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml import etree

from monitor.errors import Rejected

LARGEST = 5 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Outline:
    """A feed in a list: its address, and what it is called there."""

    url: str
    title: str = ""


def read(body: bytes) -> tuple[Outline, ...]:
    """
    Return the feeds of an OPML file, each address once, in the file's order.

    Raises:
        Rejected: It is no OPML.
    """
    if len(body) > LARGEST:
        raise Rejected("larger than 5 MiB")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Rejected(f"no OPML: {error}") from None
    if root.tag != "opml":
        raise Rejected(f"no OPML: its root is <{root.tag}>")
    found: dict[str, Outline] = {}
    for outline in root.iter("outline"):
        url = (outline.get("xmlUrl") or "").strip()
        if urlsplit(url).scheme in ("http", "https"):
            title = outline.get("title") or outline.get("text") or ""
            found.setdefault(url, Outline(url, " ".join(title.split())))
    return tuple(found.values())


def write(title: str, outlines: Iterable[Outline]) -> bytes:
    """Return an OPML file of these feeds."""
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = title
    body = etree.SubElement(root, "body")
    for one in outlines:
        etree.SubElement(
            body, "outline", type="rss", text=one.title, title=one.title, xmlUrl=one.url
        )
    made: bytes = etree.tostring(
        root, encoding="utf-8", xml_declaration=True, pretty_print=True
    )
    return made
