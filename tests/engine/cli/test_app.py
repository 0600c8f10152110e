"""`mlx-music app` starts the app, or says what is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from mlx_music.cli import app
from tests.engine.cli.conftest import Result


@pytest.mark.parametrize("missing", ["mlx_music_app", "PySide6"])
def test_without_the_app(
    missing: str, call_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name == missing else ModuleSpec(name, None)

    monkeypatch.setattr(app, "find_spec", find)
    result = call_cli("app")
    assert result.code == 1
    assert 'pip install "mlx-music[app]"' in result.error


def test_files_are_handed_on(
    call_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Sequence[str]] = []
    module = ModuleType("mlx_music_app.__main__")
    module.main = lambda argv: (opened.append(argv), 0)[1]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlx_music_app.__main__", module)
    monkeypatch.setattr(app, "find_spec", lambda name: ModuleSpec(name, None))
    assert call_cli("app", "song.wav", "other song.wav").code == 0
    assert opened == [[str(Path("song.wav")), "other song.wav"]]
