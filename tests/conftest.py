"""Fixtures shared by all tests: the size folder and its synthetic checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# First of all imports: it loads OpenBLAS, which must come before MLX.
import mlx_music  # noqa: F401  # isort: skip
import mlx.core as mx
import pytest

from mlx_music.ace_step.components import Components
from mlx_music.errors import LyricsError
from tests.parity import synthetic

HERE = Path(__file__).resolve().parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reference",
        type=Path,
        default=HERE / "parity" / "reference" / "tiny",
        help="size folder (configs, manifest, goldens) that the parity tests compare with",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[Any]:
    """Skip what needs cutlet where it is not installed: from Python 3.13 on it is an extra."""
    try:
        return (yield)
    except LyricsError as error:
        if find_spec("cutlet") is None and "mlx-music[japanese]" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def reference_folder(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("--reference")).resolve()


@pytest.fixture(scope="session")
def checkpoint(reference_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole synthetic checkpoint in the published layout. Copy it before changing it."""
    return synthetic.write_checkpoint(reference_folder, tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def components(checkpoint: Path) -> Components:
    """The networks of the synthetic checkpoint in float32. Do not change them."""
    return Components(checkpoint, mx.float32)
