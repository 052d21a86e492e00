"""A sink may say for how long something is news to its people."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from monitor import config
from monitor.errors import Misconfigured

TODAY = date(2023, 5, 24)
SINKS = "sinks: [{name: calm, kind: console%s}, {name: usual, kind: console}]"


def loaded(folder: Path, setting: str) -> config.Settings:
    """Return the settings of two sinks, of which one has a *setting*."""
    file = folder / "monitor.yaml"
    file.write_text(SINKS % setting, encoding="utf-8")
    return config.load(file, TODAY)


def test_each_sink_has_its_own(tmp_path: Path) -> None:
    """The others go by the default, and the sink itself knows nothing of it."""
    settings = loaded(tmp_path, ", stale_after: 90m")

    assert {"calm": timedelta(minutes=90)} == settings.stale_after
    assert {} == loaded(tmp_path, "").stale_after


@pytest.mark.parametrize("wrong", ["0s", "often", "-1h"])
def test_nothing_is_old_at_once(tmp_path: Path, wrong: str) -> None:
    """Were everything old, nothing would ever be told as news."""
    with pytest.raises(Misconfigured, match="stale_after"):
        loaded(tmp_path, f", stale_after: {wrong}")
