"""What has to happen before MLX is imported, seen in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, os, sys
import mlx_music
light = sorted(m for m in ("mlx.core", "numpy", "huggingface_hub") if m in sys.modules)
import mlx.core
with open("/proc/self/maps") as maps:
    loaded = "openblas" in maps.read()
print(json.dumps([light, loaded, os.environ.get("MLX_MAX_OPS_PER_BUFFER")]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="MLX has its own BLAS on macOS")
def test_openblas_comes_before_mlx_if_the_system_has_it() -> None:
    from ctypes.util import find_library

    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    light, loaded, portion = json.loads(run.stdout)
    assert light == []
    assert loaded is (find_library("openblas") is not None)
    assert portion == "40"


def test_the_public_names_are_there() -> None:
    import mlx_music

    for name in mlx_music.__all__:
        assert getattr(mlx_music, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mlx_music.nothing
