"""Installing, renaming and removing LoRA adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlx_music import CheckpointError
from mlx_music.weights.lora_file import find_lora, read_lora
from mlx_music_app.models import adapters
from mlx_music_app.models.adapters import (
    AdapterError,
    adapters_folder,
    install_adapter,
    installed_adapters,
    remove_adapter,
    rename_adapter,
)
from tests.app.models.files import write_adapter


def test_a_file_is_copied_and_usable(tmp_path: Path) -> None:
    file = write_adapter(tmp_path / "Rap machine.safetensors")
    adapter = install_adapter(file)
    file.unlink()
    assert adapter.name == "Rap machine"
    assert installed_adapters() == [adapter]
    assert read_lora(find_lora(adapter.path, download=False)).layers


def test_a_folder_brings_its_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "Folk choir"
    write_adapter(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 8}')
    for source in (folder, folder / "adapter_model.safetensors"):
        adapter = install_adapter(source)
        assert (adapter.path / "adapter_config.json").is_file()
        (layer,) = read_lora(find_lora(adapter.path, download=False)).layers
        assert layer.scale == 2.0
    assert [adapter.name for adapter in installed_adapters()] == ["Folk choir", "Folk choir 2"]


def test_what_is_no_adapter_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "song.safetensors"
    file.write_bytes(b"not one")
    with pytest.raises(CheckpointError):
        install_adapter(file)
    assert installed_adapters() == []
    assert not adapters_folder().exists()


def test_rename(tmp_path: Path) -> None:
    first = install_adapter(write_adapter(tmp_path / "a.safetensors"))
    second = install_adapter(write_adapter(tmp_path / "b.safetensors"))
    renamed = rename_adapter(first, " Rap ")
    assert renamed.name == "Rap"
    assert renamed.path.is_dir()
    with pytest.raises(AdapterError, match="already"):
        rename_adapter(second, "Rap")
    for name in ("", "  ", "a/b", ".."):
        with pytest.raises(AdapterError):
            rename_adapter(second, name)
    assert [adapter.name for adapter in installed_adapters()] == ["b", "Rap"]


def test_a_file_put_there_by_hand_counts(tmp_path: Path) -> None:
    write_adapter(adapters_folder() / "by hand.safetensors")
    (adapter,) = installed_adapters()
    assert adapter.name == "by hand"
    assert rename_adapter(adapter, "other").path.name == "other.safetensors"


def test_remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = install_adapter(write_adapter(tmp_path / "a.safetensors"))
    monkeypatch.setattr(adapters.QFile, "moveToTrash", lambda path: False)
    with pytest.raises(AdapterError, match="remove it yourself"):
        remove_adapter(adapter)
    assert installed_adapters() == [adapter]
