"""Fixtures shared by all tests: the size folder and its synthetic checkpoint."""

from __future__ import annotations

from pathlib import Path

# First of all imports: it loads OpenBLAS, which must come before MLX.
import mlx_music  # noqa: F401  # isort: skip
import mlx.core as mx
import pytest

from mlx_music.ace_step.components import Components
from tests.parity import synthetic

HERE = Path(__file__).resolve().parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reference",
        type=Path,
        default=HERE / "parity" / "reference" / "tiny",
        help="size folder (configs, manifest, goldens) that the parity tests compare with",
    )


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
