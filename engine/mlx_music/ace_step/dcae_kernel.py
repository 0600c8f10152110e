"""A GPU kernel for what ends each layer of the autoencoder: `operations.add_norm` in one pass."""

from __future__ import annotations

import mlx.core as mx

from mlx_music.ace_step.gpu import LANES, kernel
from mlx_music.ace_step.operations import SOUND_NORM_EPS

_ADD_NORM = """
  // The threads of a row run in step; each has four features of every 128.
  uint3 at = POSITION;
  int rows = x_shape[0], row = at.y;
  if (row >= rows) return;
  size_t start = (size_t)row * FEATURES + at.x * 4;
  Some<float, 4> values[FEATURES / 128];
  float squares = 0.0f;
  #pragma unroll
  for (int part = 0; part < FEATURES / 128; part++) {
    Some<T, 4> in = *(const GLOBAL Some<T, 4>*)(y + start + part * 128);
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      float value = (float)in.v[i];
      if (BOUNDED) value = bound(value);
      values[part].v[i] = value;
      squares += value * value;
    }
  }
  float norm = RSQRT(lanes_sum(squares) / FEATURES + EPS);
  #pragma unroll
  for (int part = 0; part < FEATURES / 128; part++) {
    int column = at.x * 4 + part * 128;
    Some<float, 4> made = *(const GLOBAL Some<float, 4>*)(x + start + part * 128);
    Some<float, 4> scale = *(const GLOBAL Some<float, 4>*)(weight + column);
    Some<float, 4> shift = *(const GLOBAL Some<float, 4>*)(bias + column);
    #pragma unroll
    for (int i = 0; i < 4; i++) made.v[i] += values[part].v[i] * norm * scale.v[i] + shift.v[i];
    *(GLOBAL Some<float, 4>*)(out + start + part * 128) = made;
  }
""".replace("EPS", f"{SOUND_NORM_EPS}f")

#: Features that the lanes of a row take four by four, and as many of them as their registers hold.
_STRIPE, _MAX_FEATURES = 4 * LANES, 2048

#: Rows of a group of threads, and of as many groups as CUDA has along that axis.
_ROWS, _MAX_ROWS = 8, 8 * 65_535


def fits(x: mx.array, y: mx.array, weight: mx.array, bias: mx.array) -> bool:
    """Whether `add_norm` is made for arrays like these."""
    return (
        x.dtype == weight.dtype == bias.dtype == mx.float32
        and y.dtype in (mx.float32, mx.float16)
        and x.shape == y.shape
        and x.shape[-1] % _STRIPE == 0
        and x.shape[-1] <= _MAX_FEATURES
        and x.size // x.shape[-1] <= _MAX_ROWS
    )


def add_norm(x: mx.array, y: mx.array, weight: mx.array, bias: mx.array) -> mx.array:
    features = x.shape[-1]
    rows = x.size // features
    run = kernel("add_norm", ("x", "y", "weight", "bias"), ("out",), _ADD_NORM)
    (out,) = run(
        inputs=[x.reshape(rows, features), y.reshape(rows, features), weight, bias],
        template=[("T", y.dtype), ("FEATURES", features), ("BOUNDED", y.dtype == mx.float16)],
        grid=(LANES, rows, 1),
        threadgroup=(LANES, _ROWS, 1),
        output_shapes=[(rows, features)],
        output_dtypes=[x.dtype],
    )
    return out.reshape(x.shape)
