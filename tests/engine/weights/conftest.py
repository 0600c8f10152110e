from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import pytest

from tests.engine.weights.fake_hub import FakeHub, running_hub
from tests.engine.weights.hub_cases import repository_files
from tests.engine.weights.lora_cases import Guard, Network


@pytest.fixture(scope="session")
def client() -> Iterator[None]:
    """The HTTP client of huggingface_hub, without proxies. Making one takes a while."""
    import huggingface_hub

    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        huggingface_hub.close_session()
        huggingface_hub.get_session()
        yield
        huggingface_hub.close_session()


@pytest.fixture
def hub(client: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub on this machine, and an empty cache: nothing leaves the machine."""
    from huggingface_hub import constants

    from mlx_music.weights import download

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with running_hub() as hub:
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(download, "_CHUNK_BYTES", 1000)
        monkeypatch.setattr(download, "_RETRY_SECONDS", 0.0)
        yield hub


@pytest.fixture
def files() -> dict[str, bytes]:
    """What a repository may hold: required files, and others."""
    return repository_files()


@pytest.fixture
def network() -> Network:
    """A small network to adapt."""
    return Network.evaluated()


@pytest.fixture
def x() -> mx.array:
    """What is given to `network`."""
    return mx.random.normal((2, 5, 64), key=mx.random.key(1))


@pytest.fixture
def guard(tmp_path: Path, network: Network, x: mx.array) -> Guard:
    """Tells whether a refused adapter left `network` as it was."""
    return Guard(tmp_path, network, x)
