"""With the real engine thread: what the double only stands in for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from mlx_music_app.background import Background
from mlx_music_app.engine.controller import EngineController
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.models import removal
from mlx_music_app.models.service import ModelService
from mlx_music_app.preferences import Preferences


def test_quantize_and_delete(
    folder: Path,
    tmp_path: Path,
    background: Background,
    preferences: Preferences,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(removal, "move_to_trash", shutil.rmtree)
    controller = EngineController(preferences, TakeFiles(tmp_path / "music"))
    service = ModelService(controller, background, preferences)
    try:
        with qtbot.waitSignal(service.imported):
            service.import_folder(folder)
        with qtbot.waitSignal(service.quantized, timeout=20_000) as made:
            service.quantize(str(folder), "quality")
        assert made.args is not None
        model_id = made.args[0]
        assert service.best() == model_id
        service.delete(model_id)
        qtbot.waitUntil(lambda: service.model(model_id) is None, timeout=10_000)
        assert service.error(model_id) == ""
    finally:
        assert service.shutdown()
        assert controller.shutdown()
        background.wait()
        qtbot.wait(1)
