"""Sleep is held off while music is made, and no longer."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mlx_music_app.wakefulness import Wakefulness


class System:
    """CoreFoundation and IOKit as far as they are used: strings and assertions that are there."""

    def __init__(self, code: int = 0, memory: bool = True) -> None:
        self.strings: dict[int, bytes] = {}
        self.assertions: dict[int, tuple[bytes, int, bytes]] = {}
        self.code, self.memory, self.opened = code, memory, list[str]()

    def open(self, path: str) -> Any:
        self.opened.append(path)
        # A class of functions, because ctypes' take attributes (argtypes) and bound ones do not.
        calls: dict[str, Callable[..., Any]] = {
            "CFStringCreateWithCString": lambda allocator, text, encoding: self._string(text),
            "CFRelease": lambda string: self.strings.pop(string) and None,
            "IOPMAssertionCreateWithName": lambda *given: self._create(*given),
            "IOPMAssertionRelease": lambda number: self.assertions.pop(number) and 0,
        }
        return type("Library", (), {name: staticmethod(call) for name, call in calls.items()})

    def _string(self, text: bytes) -> int | None:
        if not self.memory and self.strings:
            return None
        self.strings[100 + len(self.strings)] = text
        return 99 + len(self.strings)

    def _create(self, kind: int, level: int, reason: int, number: Any) -> int:
        if not self.code:
            number._obj.value = 7
            self.assertions[7] = self.strings[kind], level, self.strings[reason]
        return self.code


def _on_a_mac(monkeypatch: pytest.MonkeyPatch, system: System) -> Wakefulness:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", system.open)
    return Wakefulness()


def test_an_assertion_is_held_while_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System()
    kept = _on_a_mac(monkeypatch, system)
    assert all(path.startswith("/System/Library/Frameworks/") for path in system.opened)
    assert not kept.is_held
    kept.keep(True)
    kept.keep(True)
    assert kept.is_held
    expected = (b"PreventUserIdleSystemSleep", 255, b"MLX Music is making music")
    assert system.assertions == {7: expected}
    assert system.strings == {}
    kept.keep(False)
    kept.end()
    assert not kept.is_held
    assert system.assertions == {}


@pytest.mark.parametrize(
    ("system", "reason"),
    [(System(code=-536870199), "0xe00002c9"), (System(memory=False), "no memory")],
)
def test_a_refusal_is_logged_and_nothing_leaks(
    system: System, reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = _on_a_mac(monkeypatch, system)
    kept.keep(True)
    assert not kept.is_held
    assert "may go to sleep" in caplog.text
    assert reason in caplog.text
    assert system.strings == {}
    kept.end()


def test_a_system_without_the_libraries_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(path: str) -> Any:
        raise OSError(f"{path}: no such file")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", missing)
    kept = Wakefulness()
    assert "may go to sleep" in caplog.text
    kept.keep(True)
    assert not kept.is_held


def test_only_a_mac_is_kept_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    kept = Wakefulness()
    kept.keep(True)
    assert not kept.is_held
