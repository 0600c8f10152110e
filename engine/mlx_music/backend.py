"""The one place that decides which device and which libraries MLX computes with.

Import `mx` and `nn` from `mlx` only after this module: on Linux without a GPU, MLX's wheel
links a reference BLAS that reaches about 6 GFLOP/s. The same symbols from OpenBLAS, when
loaded first, serve MLX 30 to 70 times faster.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

from mlx_music.errors import InvalidRequest

if TYPE_CHECKING:
    import mlx.core as mx

DTYPES = ("bfloat16", "float16", "float32")

#: What Debian, Fedora, and a development package call it.
_OPENBLAS_NAMES = ("libopenblas.so.0", "libopenblasp.so.0", "libopenblas.so")


def prepare_linux() -> str | None:
    """Set MLX up for Linux; it must be called before the first import of `mlx`.

    Loads OpenBLAS, if the system has it, and returns the name that was loaded. None is macOS,
    where there is nothing to do, or no OpenBLAS: then MLX works, slower.

    MLX on CUDA hands its work over in portions, keeps the temporaries of a portion until it is
    done, and waits for one of them when ten are under way. What is long closes its portions itself,
    by how much memory they hold (`ace_step.pace`); the others are closed after so many operations,
    and with few of them the host waits more than it works: a call of 16 frames takes 7.3 ms with
    40, and 12 with 10 or 20 (H200).

    It records each portion as a CUDA graph, of convolutions one by one, and then decoding waits for
    the host: without, a vocoder's minute takes 85 ms and not 131 (H200). What it makes of the
    transformer is less than what hosts differ by.

    It also keeps a plan for each shape of convolution, 128 by default, forgets the oldest, and
    gives up with an error after twice as many: a song has over 128. Planning anew takes 2.5 of the
    3.0 s of a vocoder's minute.
    """
    if not sys.platform.startswith("linux") or "mlx.core" in sys.modules:
        return None
    os.environ.setdefault("MLX_MAX_OPS_PER_BUFFER", "40")
    os.environ.setdefault("MLX_CUDA_CONV_CACHE_SIZE", "8192")
    os.environ.setdefault("MLX_USE_CUDA_GRAPHS", "0")
    for name in _OPENBLAS_NAMES:
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return name
    return None


def dtype_of(name: str | None) -> mx.Dtype:
    """The MLX dtype called `name`; for None the one that suits the default device.

    bfloat16 is what the weights are published in and halves the traffic on a GPU; MLX's CPU
    kernels emulate it, so a CPU computes in float32.
    """
    import mlx.core as mx

    if name is None:
        return mx.bfloat16 if mx.default_device() == mx.Device(mx.gpu) else mx.float32
    if name not in DTYPES:
        raise InvalidRequest("dtype", f'"{name}" is not one of {", ".join(DTYPES)}')
    dtype: mx.Dtype = getattr(mx, name)
    return dtype
