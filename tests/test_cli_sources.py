"""`monitor sources`: what is listened to, and what each would bring."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from tests.channel import Channel
from tests.feeds import entry, rss
from tests.loopback import serve
from tests.worlds import ask, call, told, write

TWO = (
    "[{name: one, kind: telegram, channel: first, home: RU-BEL, voice: official}, "
    "{name: two, kind: telegram, channel: Okrug, every: 20s}, "
    '{name: paper, kind: feed, url: "https://news.example.org/all.xml"}]'
)
needs_data = pytest.mark.skipif("DATA" not in os.environ, reason="DATA names no folder")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A recorded page of a channel."""
    channel = Channel()
    channel.write(5, 6)
    recording = tmp_path / "page.html"
    recording.write_text(channel.page(), "utf-8")
    return recording


def test_sources_are_listed_with_what_matters(tmp_path: Path) -> None:
    """One a line: its name, kind, home, voice, rhythm and owner."""
    file = write(tmp_path, sources=TWO)
    lines = call("sources", "list", "-c", file).stdout.splitlines()
    first = told(call("sources", "list", "--json", "-c", file))[0]

    assert ["two", "telegram", "-", "press", "every", "20", "s", "two"] == (
        lines[1].split()
    )
    assert len({line.index("every") for line in lines}) == 1
    assert ("one", "telegram", "RU-BEL") == (
        first["name"], first["kind"], first["home"]
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["telegram", "telegram_web"])
def test_a_recorded_page_needs_no_configuration(kind: str, page: Path) -> None:
    """Its posts are shown as Items, by either name of the kind."""
    result = call("sources", "parse", kind, page, "--json")

    assert 0 == result.exit_code
    assert ["5", "6"] == [item["id"] for item in told(result)]
    assert {"telegram"} == {item["source"] for item in told(result)}


def test_with_a_configuration_items_are_of_its_source(
    page: Path, tmp_path: Path
) -> None:
    """The page's channel tells which one; --source says so outright."""
    words = ("sources", "parse", "telegram", page, "--json")
    file = write(tmp_path, sources=TWO)

    assert {"two"} == {one["source"] for one in told(call(*words, "-c", file))}
    assert {"x"} == {one["source"] for one in told(call(*words, "--source", "x"))}


def test_a_recording_may_come_by_standard_input() -> None:
    """`-` is standard input."""
    result = call("sources", "parse", "feed", "-", "--json", stdin=rss(entry(1)))

    assert ["id-1"] == [item["id"] for item in told(result)]


@pytest.mark.parametrize("kind", ["telegram", "feed"])
@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"<html></html>", b"{", b"[]"])
def test_what_is_no_answer_of_the_kind_is_refused(
    kind: str, body: bytes, tmp_path: Path
) -> None:
    """One line says why, and the exit code is 1."""
    recording = tmp_path / "recording"
    recording.write_bytes(body)

    result = call("sources", "parse", kind, recording)

    assert 1 == result.exit_code
    assert 1 == len(result.stderr.splitlines())


async def test_a_source_is_read_once_and_shown(tmp_path: Path) -> None:
    """`sources test` prints what the source would bring, and keeps nothing."""
    channel = Channel()
    channel.write(1, 2)
    async with serve(channel.answer) as server:
        source = "[{name: okrug, kind: telegram, channel: okrug}]"
        file = write(tmp_path, sources=source, preview=server.url)

        result = await ask("sources", "test", "okrug", "-c", file)

    assert 0 == result.exit_code
    assert "    Сообщение 2" in result.stdout.splitlines()
    assert not (tmp_path / "state").exists()


async def test_a_source_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """The reason in one line, and 1."""
    source = '[{name: away, kind: feed, url: "http://127.0.0.1:9/"}]'

    result = await ask("sources", "test", "away", "-c", write(tmp_path, sources=source))

    assert 1 == result.exit_code
    assert result.stderr.startswith("away: ")
    assert 1 == len(result.stderr.splitlines())


def test_feeds_come_back_as_they_went(tmp_path: Path) -> None:
    """What was exported as OPML and imported elsewhere is a good configuration."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    exported = call("sources", "export", "-c", write(tmp_path / "a", sources=TWO))

    imported = call("sources", "import", "-", "-c", write(tmp_path / "b"),
                    stdin=exported.stdout_bytes)  # fmt: skip

    blocks = imported.stdout.removeprefix("sources:\n").splitlines()
    listed = f"[{', '.join(block.removeprefix('  - ') for block in blocks)}]"
    file = write(tmp_path / "b", sources=listed)
    (source,) = told(call("sources", "list", "--json", "-c", file))
    assert "feed" == source["kind"]
    assert "1 new, 0 known before" in imported.stderr
    again = call("sources", "import", "-", "-c", file, stdin=exported.stdout_bytes)
    assert "0 new, 1 known before" in again.stderr


def test_names_of_feeds_are_their_own(tmp_path: Path) -> None:
    """Two feeds of one host and one of a host that no name can hold are told apart."""
    opml = (
        "<opml version='2.0'><body>"
        "<outline xmlUrl='https://www.a.org/1'/><outline xmlUrl='https://a.org/2'/>"
        f"<outline xmlUrl='https://{'x' * 60}.org/'/>"
        "<outline xmlUrl='https://новости/' title='&quot;}'/></body></opml>"
    )

    result = call("sources", "import", "-", "-c", write(tmp_path), stdin=opml.encode())

    assert 0 == result.exit_code
    for name in ("a-org", "a-org-2", "feed"):
        assert f"{{name: {name}, kind: feed" in result.stdout


def test_what_is_no_opml_is_refused(tmp_path: Path) -> None:
    """One line says why, and the exit code is 1."""
    result = call("sources", "import", "-", "-c", write(tmp_path), stdin=b"<rss/>")

    assert 1 == result.exit_code
    assert "no OPML" in result.stderr


@needs_data
def test_any_recording_is_read_or_refused(tmp_path: Path) -> None:
    """Recorded pages and feeds end with 0 or 1, and never with a traceback."""
    data = Path(os.environ["DATA"])
    recording = tmp_path / "recording"
    bodies = [
        ("telegram", page.read_bytes())
        for page in sorted(data.glob("telegram_web/*/*.html"))
    ]
    for path in sorted(data.glob("feeds/*.zip")):
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        names = [one for one in archive.namelist() if not one.endswith("/")]
        bodies += [("feed", archive.read(name)) for name in names[::40]]
    for kind, body in bodies:
        recording.write_bytes(body)
        assert call("sources", "parse", kind, recording).exit_code in (0, 1)
