"""Sleep is held off while music is made, and no longer."""

from __future__ import annotations

import sys

import pytest

from mlx_music_app import wakefulness
from mlx_music_app.wakefulness import Wakefulness

WAITS = (sys.executable, "-c", "import time; time.sleep(60)")


def test_sleep_is_held_off_while_busy() -> None:
    kept = Wakefulness(command=WAITS)
    assert not kept.is_held
    kept.keep(True)
    process = kept._process
    assert process is not None
    assert kept.is_held
    kept.keep(True)
    assert kept._process is process
    kept.keep(False)
    assert not kept.is_held
    assert process.returncode is not None


def test_a_helper_that_ended_is_started_again() -> None:
    kept = Wakefulness(command=(sys.executable, "-c", ""))
    kept.keep(True)
    first = kept._process
    assert first is not None
    first.wait(10)
    kept.keep(True)
    assert kept._process is not first
    kept.end()


def test_a_missing_helper_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    kept = Wakefulness(command=("/nowhere/caffeinate",))
    kept.keep(True)
    assert not kept.is_held
    assert "may go to sleep" in caplog.text
    kept.end()


@pytest.mark.parametrize(("platform", "helps"), [("darwin", True), ("linux", False)])
def test_only_a_mac_is_kept_awake(
    platform: str, helps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(wakefulness, "CAFFEINATE", WAITS)
    kept = Wakefulness()
    kept.keep(True)
    assert kept.is_held is helps
    kept.end()
