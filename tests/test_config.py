"""The configuration: all that is wrong is told at once, and what is right works."""

import os
from collections.abc import Iterator
from datetime import date, timedelta
from ipaddress import ip_network
from pathlib import Path
from shutil import copy, copytree
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor import config
from monitor.alert import Console, Subscriber, Telegram
from monitor.collect.feed import Feed
from monitor.config import Settings
from monitor.config.discretion import looks_secret, veiled
from monitor.errors import Misconfigured
from monitor.item import Origin
from monitor.secret import Secret, redact
from tests.config_cases import Case, write

ROOT = Path(__file__).parent.parent
TODAY = date(2026, 11, 24)
BAD: list[Case] = yaml.safe_load(
    (ROOT / "tests" / "fixtures" / "config" / "bad.yaml").read_text("utf-8")
)
# DESIGN §5, in small: what it shows there must load as it stands there.
DESIGNED = """\
# yaml-language-server: $schema=./schema.json
state: ./var
redis: null
include: [sources/*.yaml, rules/*.yaml, topics/*.yaml, places/*.yaml]
web: {allow: []}
telegram:
  preview: "https://t.me"
  session: {file: telegram-session}
  api_id: {file: telegram-api-id}
  api_hash: {file: telegram-api-hash}
  dc: {id: 2, host: 127.0.0.1, port: 15443}
  rsa_keys: [test-server.pem]
sinks:
  - {name: console, kind: console}
  - {name: chat, kind: telegram, token: {file: bot-token}, api: "https://api.telegram.org", open: true}
subscribers:
  - {name: night-desk, sink: chat, to: "-1001234567890", places: [RU-BEL], severity: warning}
"""  # noqa: E501 - as it is written there
SOURCES = """\
sources:
  - name: belgorod-governor
    kind: telegram
    channel: vvgladkov
    home: RU-BEL
    voice: official
    owner: belgorod-region
    verified: {on: 2023-05-22, by: "https://example.org"}
    every: 20s
  - {name: kremlin, kind: feed, url: "http://en.kremlin.ru/events/president/news/feed", voice: official, every: 5m}
"""  # noqa: E501
RULES = """\
rules:
  - name: belgorod-danger
    places: [RU-BEL]
    topics: [uav, missile, shelling, incursion]
    words: ["дрг", "эвакуация~", "обстрел*"]
    without: ["учения~"]
    signals: [danger, alarm, impact, casualties, clear]
    voices: [official, emergency]
    severity: critical
    expect:
      - {text: "В Грайворонском округе работает ПВО", match: true}
"""
KEPT = ("telegram-session", "telegram-api-id", "telegram-api-hash", "bot-token")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one's own beside shipped topics and places, secrets and all."""
    copytree(ROOT / "config" / "topics", tmp_path / "topics")
    (tmp_path / "places").mkdir()
    copy(ROOT / "config" / "places" / "ru-bel.yaml", tmp_path / "places")
    for name, text in {
        "monitor.yaml": DESIGNED,
        "sources/belgorod.yaml": SOURCES,
        "rules/belgorod.yaml": RULES,
        "test-server.pem": "",
        **{name: f"kept-{name}" for name in KEPT},
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o600)
    return tmp_path


def refused(file: Path) -> str:
    """Return what is said of a configuration that cannot be used."""
    with pytest.raises(Misconfigured) as mistakes:
        config.load(file, TODAY)
    return str(mistakes.value)


def small(folder: Path, own: str = "", **case: Any) -> Settings:
    """Return the settings of a small configuration that is right."""
    return config.load(write(folder, {"own": own, **case}), TODAY)


def heads(said: str) -> list[str]:
    """Return the first line of each message."""
    return [line for line in said.split("\n") if ": error: " in line]


def test_the_corpus_is_large_and_each_case_has_its_name() -> None:
    """Of every sort of mistake there is one, and none stands there twice."""
    assert len(BAD) >= 60
    assert len({case["case"] for case in BAD}) == len(BAD)


@pytest.mark.parametrize("case", BAD, ids=lambda case: str(case["case"]))
def test_what_is_wrong_is_told_with_its_place(case: Case, tmp_path: Path) -> None:
    """Each mistake has file, line, column and its mend, and no secret is shown."""
    said = refused(write(tmp_path, case)).replace(f"{tmp_path}/", "")

    assert case["says"] == heads(said.replace(str(tmp_path), "FOLDER"))
    assert case.get("hides", "\0") not in said


def test_a_mistake_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    """What an operator sees is the place itself, not only its number."""
    file = write(tmp_path, {"own": "rules: [{name: a, topics: [uaw]}]"})

    _, line, caret = refused(file).split("\n")

    assert "     1 | rules: [{name: a, topics: [uaw]}]" == line
    assert "       |                            ^" == caret


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"rules: []\n\xff\n", "own.yaml:2:1: error: not UTF-8: save it so"),
        (b"# \xd0\xb0\xff", "own.yaml:1:4: error: not UTF-8: save it so"),
        ("rules: []".encode("utf-16"), "own.yaml:1:1: error: not UTF-8: save it so"),
        (b"#" * (4 * 1024 * 1024 + 1), "own.yaml:1:1: error: larger than 4 MiB"),
        (
            b"rules: " + b"[" * 70 + b"]" * 70,
            "own.yaml:1:71: error: nested too deeply",
        ),
    ],
    ids=["bytes", "after-others", "utf-16", "large", "deep"],
)
def test_files_that_are_no_yaml_are_refused(
    raw: bytes, said: str, tmp_path: Path
) -> None:
    """Another encoding, a file too large and a bomb are told like any mistake."""
    file = write(tmp_path, {})
    (tmp_path / "own.yaml").write_bytes(raw)

    assert [said] == heads(refused(file).replace(f"{tmp_path}/", ""))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The main file is named as it was given."""
    said = refused(tmp_path / "none.yaml")

    assert f"{tmp_path}/none.yaml:1:1: error: cannot be read: " in said


def test_the_example_of_the_design_loads(folder: Path) -> None:
    """Every key that is shown there is known, and means what is said there."""
    loaded = config.load(folder / "monitor.yaml", TODAY)

    governor, kremlin = loaded.sources
    assert (
        Origin(
            source="belgorod-governor",
            home="RU-BEL",
            voice="official",
            owner="belgorod-region",
        )
        == governor.origin
    )
    assert timedelta(seconds=20) == governor.every
    assert isinstance(kremlin, Feed)
    assert "kremlin" == kremlin.origin.owner
    console, chat = loaded.sinks
    assert Console(name="console") == console
    assert Telegram(name="chat", token=Secret("kept-bot-token"), open=True) == chat
    (desk,) = loaded.subscribers
    assert (
        Subscriber(
            name="night-desk",
            sink="chat",
            to="-1001234567890",
            places=("RU-BEL",),
            severity="warning",
        )
        == desk
    )
    (rule,) = loaded.rules
    assert ("дрг", "эвакуация~", "обстрел*") == rule.words
    assert folder / "var" == loaded.state
    assert loaded.redis is None


def test_an_account_is_accepted_and_said_to_wait(folder: Path) -> None:
    """Until accounts are read, a session says that the preview is read instead."""
    (warning,) = config.load(folder / "monitor.yaml", TODAY).warnings

    assert "warning" == warning.level
    assert "channels are read by the preview" in warning.message
    assert 8 == warning.mark.line


def test_secrets_are_known_to_redaction_and_not_shown(folder: Path) -> None:
    """What a secret file holds shows neither in settings nor in a log."""
    loaded = config.load(folder / "monitor.yaml", TODAY)

    assert "kept-bot-token" not in repr(loaded)
    for name in KEPT:
        assert "kept" not in redact(f"failed with kept-{name}")


def test_credentials_come_before_what_lies_beside_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What systemd hands over is taken whoever may read it, the rest from beside."""
    granted = folder / "granted"
    granted.mkdir()
    (granted / "bot-token").write_text("granted\n")
    (granted / "bot-token").chmod(0o444)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(granted))

    _, chat = config.load(folder / "monitor.yaml", TODAY).sinks

    assert Telegram(name="chat", token=Secret("granted"), open=True) == chat


def test_a_role_without_the_token_loads_the_same_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word in place of every secret is enough for roles that tell nobody."""
    for name in KEPT:
        (folder / name).unlink()
    withheld = folder / "withheld"
    withheld.mkdir()
    for name in KEPT:
        (withheld / name).write_text("withheld")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(withheld))

    assert config.load(folder / "monitor.yaml", TODAY).sinks


def test_credentials_are_no_way_out_of_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with a folder in it is looked for beside the file only."""
    granted = tmp_path / "granted"
    granted.mkdir()
    (tmp_path / "elsewhere").write_text("12345:other")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(granted))
    (tmp_path / "own").mkdir()
    file = write(
        tmp_path / "own",
        {"main": 'redis: {file: "../elsewhere"}', "files": {}},
    )
    (tmp_path / "elsewhere").chmod(0o644)

    assert "others can read it" in refused(file)


def test_a_secret_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers hand secrets over as variables; blanks around them are cut off."""
    monkeypatch.setenv("MONITOR_TEST_TOKEN", " 12345:from-the-environment\n")

    loaded = small(
        tmp_path,
        "sinks: [{name: c, kind: telegram, token: {env: MONITOR_TEST_TOKEN}}]",
    )

    token = Secret("12345:from-the-environment")
    assert (Telegram(name="c", token=token),) == loaded.sinks


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_secret_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    """Another user's file is a mistake with its place, not a crash."""
    file = write(
        tmp_path,
        {
            "own": "sinks: [{name: c, kind: telegram, token: {file: bot-token}}]",
            "files": {"bot-token": "x"},
            "modes": {"bot-token": "0o000"},
        },
    )

    assert "'bot-token' cannot be read: Permission denied" in refused(file)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff\xfe", "'bot-token' is no text in UTF-8"),
        (b"x" * 70_000, "'bot-token' is larger than 64 KiB"),
    ],
    ids=["bytes", "large"],
)
def test_a_file_that_can_be_no_secret_is_told(
    raw: bytes, said: str, tmp_path: Path
) -> None:
    """What somebody put there by mistake is not shown either."""
    own = "sinks: [{name: c, kind: telegram, token: {file: bot-token}}]"
    file = write(tmp_path, {"own": own, "files": {"bot-token": ""}})
    (tmp_path / "bot-token").write_bytes(raw)

    assert said in refused(file)


def test_one_redis_of_ones_own(tmp_path: Path) -> None:
    """An address without a password stands in the file, one with it in a secret."""
    secret = "redis://:a-password@127.0.0.1:6379/0"
    plain = small(tmp_path, main="redis: unix:///run/monitor/redis.sock")
    kept = small(tmp_path, main="redis: {file: redis-url}", files={"redis-url": secret})

    assert Secret("unix:///run/monitor/redis.sock") == plain.redis
    assert Secret(secret) == kept.redis


def test_networks_and_pace(tmp_path: Path) -> None:
    """Networks, hosts and durations become values that the web understands."""
    main = "web: {allow: [127.0.0.0/8, 192.168.1.1, 'fd00::/8'], pace: 1m30s250ms}"

    loaded = small(tmp_path, main=main)

    allowed = ("127.0.0.0/8", "192.168.1.1", "fd00::/8")
    assert tuple(map(ip_network, allowed)) == loaded.allow
    assert timedelta(seconds=90, milliseconds=250) == loaded.pace


@pytest.mark.parametrize(
    ("written", "meant"),
    [("./var", "var"), ("../var", "../var"), ("/var/lib/monitor", "/var/lib/monitor")],
)
def test_the_state_is_relative_to_the_file(
    written: str, meant: str, tmp_path: Path
) -> None:
    """It may be absolute, too, and is the same from wherever one looks."""
    folder = tmp_path / "config"
    folder.mkdir()

    loaded = small(folder, main=f"state: {written}")

    assert Path(os.path.normpath(folder / meant)) == loaded.state


def test_files_are_found_from_any_folder(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Includes, secrets and the state depend on the file, not on the caller."""
    monkeypatch.chdir(folder)
    here = config.load(Path("monitor.yaml"), TODAY)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    there = config.load(folder / "monitor.yaml", TODAY)

    assert here.state == there.state
    assert here.sources == there.sources
    assert here.sinks == there.sinks


def test_places_are_shown_as_one_would_write_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file below the current folder has no long path before it."""
    file = write(tmp_path, {"own": "rules: [{name: a, topics: [uaw]}]"})
    monkeypatch.chdir(tmp_path)

    assert refused(file).startswith("own.yaml:1:28: error: ")


def test_a_file_counts_once(tmp_path: Path) -> None:
    """Two patterns, a link and the main file itself may all name the same file."""
    own = "sources: [{name: a, kind: feed, url: 'https://example.org/a'}]"
    case: Case = {
        "main": "include: [own.yaml, o*.yaml, link.yaml, monitor.yaml]",
        "own": own,
    }
    file = write(tmp_path, case)
    (tmp_path / "link.yaml").symlink_to("own.yaml")

    assert 1 == len(config.load(file, TODAY).sources)


def test_included_files_may_be_named_absolutely_and_deeply(tmp_path: Path) -> None:
    """Patterns start at the main file or at the root; ** means any folders."""
    source = "sources: [{{name: {0}, kind: feed, url: 'https://example.org/{0}'}}]"
    elsewhere = tmp_path / "elsewhere"
    case: Case = {
        "main": f"include: [{elsewhere}/*.yaml, 'inner/**/*.yaml']",
        "files": {
            "inner/a.yaml": source.format("a"),
            "inner/deep/er/b.yaml": source.format("b"),
        },
    }
    (tmp_path / "main").mkdir()
    file = write(tmp_path / "main", case)
    elsewhere.mkdir()
    (elsewhere / "c.yaml").write_text(source.format("c"))

    loaded = config.load(file, TODAY)

    assert {"a", "b", "c"} == set(loaded.origins)


def test_what_editors_leave_behind_is_not_included(tmp_path: Path) -> None:
    """Locks and copies begin with a dot, as no file of anybody's does."""
    file = write(tmp_path, {"main": "include: ['o*.yaml', '*.yaml']"})
    (tmp_path / ".#own.yaml").symlink_to("nowhere")
    (tmp_path / "._own.yaml").write_bytes(b"\0\1\2")

    assert config.load(file, TODAY).topics


def test_a_pattern_that_names_nothing_is_a_warning(tmp_path: Path) -> None:
    """An empty folder of rules is allowed, but somebody may have meant another."""
    loaded = small(tmp_path, main='include: ["rulez/*.yaml"]')

    assert "include.0: names no file" in [
        warning.message for warning in loaded.warnings
    ]


def test_what_keeps_everybody_from_being_told_is_a_warning(tmp_path: Path) -> None:
    """Without sources, rules, sinks or subscribers a file is right, and idle."""
    said = [one.message for one in small(tmp_path, main="state: ./var").warnings]
    own = "sinks: [{name: chat, kind: telegram, token: {file: bot-token}, open: true}]"
    public = small(tmp_path, own, files={"bot-token": "12345:a-token"}).warnings

    assert [
        "no rules: nothing matters to anybody",
        "no sinks: nobody can be told",
        "no sources: nothing is read",
        "no subscribers: nobody is told",
    ] == said
    assert [
        "no rules: nothing matters to anybody",
        "no sources: nothing is read",
    ] == [one.message for one in public]


def test_hints_do_not_take_longer_than_the_rest(tmp_path: Path) -> None:
    """Whoever mistypes hundreds of places is told of each, the first with a hint."""
    places = ", ".join(f"RU-BLE.x{i}" for i in range(200))
    said = refused(
        write(tmp_path, {"own": f"rules: [{{name: a, places: [{places}]}}]"})
    )

    assert 200 == len(heads(said))
    assert said.count("did you mean") <= 50


def test_what_is_all_commented_out_is_empty(tmp_path: Path) -> None:
    """Taking away the last entry takes away no more than that."""
    loaded = small(
        tmp_path,
        main="include:\nweb:\n  # allow: []\nsources:\n  # - {name: a}\nrules:\n",
    )

    assert () == loaded.sources


def test_a_byte_order_mark_and_other_line_ends_are_no_mistake(tmp_path: Path) -> None:
    """Files from other systems are good files, and their lines are counted right."""
    file = write(tmp_path, {})
    own = tmp_path / "own.yaml"
    own.write_bytes(b"\xef\xbb\xbfrules:\r\n- name: a\r\n  topics: [uav]\r\n")
    assert 1 == len(config.load(file, TODAY).rules)

    own.write_bytes(b"\xef\xbb\xbfrules:\r\n- name: a\r\n  topics: [uaw]\r\n")

    assert f"{own}:3:12: error: " in refused(file)


def test_a_standing_ends_on_its_day(tmp_path: Path) -> None:
    """From the day on which nobody vouches for it, a channel is like any other."""
    own = (
        "sources: [{name: a, kind: telegram, channel: abc, voice: official, "
        "verified: {on: 2023-05-22, by: me, until: 2026-11-24}}]"
    )
    file = write(tmp_path, {"own": own})

    before = config.load(file, TODAY - timedelta(days=1))
    after = config.load(file, TODAY)

    assert "official" == before.origins["a"].voice
    assert "independent" == after.origins["a"].voice
    assert any("ended on 2026-11-24" in one.message for one in after.warnings)


def test_the_same_channel_twice_is_a_warning(tmp_path: Path) -> None:
    """Each of its posts would be told twice; another name does not change that."""
    own = (
        "sources:\n"
        "  - {name: a, kind: telegram, channel: abc}\n"
        "  - {name: b, kind: telegram, channel: abc, every: 1m}\n"
        "  - {name: c, kind: telegram, channel: bcd}\n"
    )

    said = [str(one).split("\n")[0] for one in small(tmp_path, own).warnings]

    assert [f"{tmp_path}/own.yaml:3:5: warning: b reads the same as a"] == [
        line for line in said if "reads the same" in line
    ]


def test_the_preview_is_read_where_it_is_said_to_be(tmp_path: Path) -> None:
    """All channels share one address; a slash at its end makes no difference."""
    loaded = small(
        tmp_path,
        main='telegram: {preview: "http://127.0.0.1:8080/"}\n'
        "sources: [{name: a, kind: telegram, channel: abc}]",
    )

    (source,) = loaded.sources
    assert "http://127.0.0.1:8080" == getattr(source, "preview", "")


def test_other_rules_can_be_tried(tmp_path: Path) -> None:
    """The rules of one file replace all others, and know the places and topics."""
    own = "rules: [{name: a, topics: [uav]}]"
    other = tmp_path / "other.yaml"
    loaded = small(
        tmp_path,
        own,
        files={"other.yaml": "rules: [{name: b, places: [RU-BEL]}]"},
        main="include: [places.yaml, topics.yaml, own.yaml]\n"
        "sinks: [{name: here, kind: console}]\n"
        "subscribers: [{name: you, sink: here, rules: [a]}]",
    )

    assert [] == list(config.with_rules(loaded, other).expectations())
    other.write_text("rules: [{name: b, places: [RU-BLE]}]")
    with pytest.raises(Misconfigured, match=r"other\.yaml:1:28: error: no place is"):
        config.with_rules(loaded, other)


def test_the_rules_in_use_can_be_tried_again(tmp_path: Path) -> None:
    """A file that is included anyway is not read twice when it is tried."""
    loaded = small(tmp_path, "rules: [{name: a, topics: [uav]}]")

    (tmp_path / "own.yaml").write_text("rules: [{name: a, topics: [uaw]}]")

    with pytest.raises(Misconfigured) as mistakes:
        config.with_rules(loaded, tmp_path / "own.yaml")
    assert 1 == len(heads(str(mistakes.value)))


def test_the_shipped_configuration_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It loads without a key from any folder, and keeps its state in the checkout."""
    monkeypatch.chdir(tmp_path)

    loaded = config.load(ROOT / "config" / "monitor.yaml", TODAY)

    assert ROOT / "var" == loaded.state
    assert loaded.redis is None
    assert {"console"} == {sink.name for sink in loaded.sinks}
    assert [] == [one for one in loaded.warnings if "standing" not in one.message]


SHIPPED = ROOT / "config" / "monitor.yaml"


def test_commented_lines_of_the_shipped_file_work(tmp_path: Path) -> None:
    """What a newcomer is told to uncomment is right as soon as the token is there."""
    folder = tmp_path / "config"
    copytree(ROOT / "config", folder)
    text = SHIPPED.read_text("utf-8")
    assert 2 == text.count("\n  # - {")
    (folder / "monitor.yaml").write_text(text.replace("\n  # - {", "\n  - {"))
    (folder / "bot-token").write_text("12345:a-token")
    (folder / "bot-token").chmod(0o600)

    loaded = config.load(folder / "monitor.yaml", TODAY)

    assert {"console", "chat"} == {sink.name for sink in loaded.sinks}
    assert 2 == len(loaded.subscribers)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("token: hunter2", "token: •••••••"),
        ("{token: 'a b', open: true}", "{token: •••••, open: true}"),
        ("token: {file: bot-token}", "token: {file: bot-token}"),
        ("redis: redis://me:hunter2@host/0", "redis: redis://•••••••••••host/0"),
        ("url: https://example.org/@name", "url: https://example.org/@name"),
        ("to: -100123  # desk", "to: •••••••••# desk"),
        ("{name: a, to: '@desk'}", "{name: a, to: •••••••}"),
        ("channel: vvgladkov", "channel: vvgladkov"),
        ("topics: [uav, missile]", "topics: [uav, missile]"),
        (
            "- place: RU-BEL.grayvoronsky.kozinka",
            "- place: RU-BEL.grayvoronsky.kozinka",
        ),
        ("x: 0123456789abcdef0123456789abcdef", "x: " + "•" * 32),
    ],
)
def test_lines_are_shown_without_their_secrets(line: str, shown: str) -> None:
    """Secrets, passwords and people's addresses are covered, and all else is not."""
    assert shown == veiled(line)


@given(st.text())
def test_a_veil_keeps_carets_in_their_place(line: str) -> None:
    """Whatever stands in a line, what is shown of it is as long."""
    assert len(line) == len(veiled(line))


def test_names_of_secrets_are_no_secrets() -> None:
    """A long name of a file is allowed; a token in its place is known as one."""
    assert not looks_secret("telegram-session")
    assert not looks_secret("/run/secrets/BOT_TOKEN_OF_THE_NIGHT_DESK")
    assert not looks_secret("/home/User1/Projects/2026/Monitor/secrets/bot-token")
    assert looks_secret("110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw")
    assert looks_secret("1ApWapzMBu2bK9x0Q" * 20)


def scribbles() -> st.SearchStrategy[Any]:
    """Return what somebody may write where something else is wanted."""
    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)
    )
    keys = st.sampled_from(
        ["name", "kind", "sink", "to", "places", "id", "words", "ru", "file", "env"]
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=12,
    )


TOPS = (
    "sources", "sinks", "subscribers", "rules", "topics", "signals", "places",
    "state", "redis", "include", "web", "telegram", "other",
)  # fmt: skip


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.dictionaries(st.sampled_from(TOPS), scribbles(), max_size=4))
def test_whatever_is_written_is_used_or_refused(
    data: dict[str, Any], tmp_path: Path
) -> None:
    """No configuration ends in anything but settings or mistakes with a place."""
    main = yaml.safe_dump(data, allow_unicode=True)
    file = write(tmp_path, {"main": main})
    try:
        config.load(file, TODAY)
    except Misconfigured as mistakes:
        for head in _heads_of(str(mistakes)):
            assert head.startswith(str(tmp_path))


def _heads_of(said: str) -> Iterator[str]:
    return (line for line in said.split("\n") if not line.startswith("  "))
