"""Configurations as data: files in a folder of their own, and what is said of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Case = Mapping[str, Any]

MAIN = "include: [places.yaml, topics.yaml, own.yaml]\n"
PLACES = """\
places:
  - id: RU-BEL
    kind: region
    name: {ru: Белгородская область}
    places:
      - id: grayvoronsky
        kind: district
        name: {ru: Грайворонский округ}
        places: [{id: kozinka, kind: village, name: {ru: Козинка}}]
"""
TOPICS = """\
topics: [{name: uav, words: {ru: [беспилотник~]}}]
signals: [{name: danger, words: {ru: [опасность]}}]
"""


def write(folder: Path, case: Case) -> Path:
    """Write the files of a case, and return the main one."""
    files = {
        "monitor.yaml": case.get("main", MAIN),
        "places.yaml": PLACES,
        "topics.yaml": TOPICS,
        "own.yaml": case.get("own", ""),
        **case.get("files", {}),
    }
    modes = case.get("modes", {})
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(int(str(modes.get(name, "0o600")), 8))
    return folder / "monitor.yaml"
