"""What the service manager hears, and the lock against a second instance."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import Unavailable
from monitor.secret import Secret
from monitor.systemd import lock_of, notify, only_one, watchdog_interval


def test_the_manager_hears_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines arrive as one datagram at the socket that the manager named."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        notify("READY=1", "STATUS=all roles")

        assert b"READY=1\nSTATUS=all roles" == manager.recv(1000)


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "vsock:2:1"])
def test_without_a_manager_nothing_happens(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started by hand, or by a manager that has gone, the program just goes on."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)

    notify("READY=1")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("60000000", 60.0), ("", None), ("soon", None)],
)
def test_the_watchdog_is_fed_as_often_as_it_wants(
    given: str, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interval comes from the manager; without one there is no watchdog."""
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", given)

    assert expected == watchdog_interval()


def test_another_process_watchdog_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that was meant for the parent does not count."""
    monkeypatch.setenv("WATCHDOG_PID", "1")
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")

    assert watchdog_interval() is None


def test_a_second_process_is_kept_out_and_told_by_whom(tmp_path: Path) -> None:
    """The lock names its holder, and ends with it, however it ends."""
    path = tmp_path / "lock" / "collect"
    code = (
        "import sys, pathlib\n"
        "from monitor.systemd import only_one\n"
        "with only_one(pathlib.Path(sys.argv[1]), 'the state'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(  # noqa: S603 - our own code in a process of its own
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert b"held\n" == process.stdout.readline()

    with (
        pytest.raises(Unavailable, match=f"in use by process {process.pid}"),
        only_one(path, "the state"),
    ):
        pass

    process.kill()
    process.communicate()
    with only_one(path, "the state"):
        pass


@pytest.mark.parametrize("what", ["a file", "a link"])
def test_a_folder_of_locks_that_is_not_ours_is_refused(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others may write, they could have laid something in our way."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = lock_of(Secret("a-token-of-tests")).parent
    folder.rmdir()
    if what == "a file":
        folder.touch()
    else:
        (tmp_path / "theirs").mkdir()
        folder.symlink_to(tmp_path / "theirs")

    with pytest.raises(Unavailable, match="not a folder of ours"):
        lock_of(Secret("a-token-of-tests"))


def test_an_account_has_one_lock_that_does_not_show_it() -> None:
    """The lock of a token is the same everywhere on a machine, and tells nothing."""
    token = "123456:a-bot-of-tests"

    assert lock_of(Secret(token)) == lock_of(Secret(token))
    assert lock_of(Secret(token)) != lock_of(Secret("654321:another-bot-of-tests"))
    assert token not in str(lock_of(Secret(token)))
