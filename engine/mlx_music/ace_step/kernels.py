"""GPU kernels for what lies between the transformer's matrix products.

Each does in one pass over memory what takes MLX's own operations several. What they compute is
said in `operations`, function by function; `accelerated` chooses. All arithmetic is in float32,
and is rounded once, at the end.

Sizes that a model fixes are constants of a kernel; batch and frames are not, so that no length
of song compiles it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx

from mlx_music.ace_step.gpu import LANES, kernel
from mlx_music.ace_step.operations import NORM_EPS, RotaryTables

#: Features that one thread works on: 16 bytes of a 16-bit dtype are one load.
_WIDTH = 8

#: More features than a group of threads can normalise, at `_WIDTH` each.
_MAX_FEATURES = 1024 * _WIDTH


def fit(features: int, head_dim: int = LANES) -> bool:
    """Whether the kernels divide widths like these."""
    return (
        features % (LANES * _WIDTH) == 0 and features <= _MAX_FEATURES and head_dim in (32, 64, 128)
    )


def _group(threads: int) -> int:
    """Threads of a group along an axis of so many: whole lanes, as even as possible."""
    groups = -(-threads // 256)
    return -(-threads // (groups * LANES)) * LANES


_TURN = """
  uint3 at = POSITION;
  int frames = x_shape[1];
  int column = at.x * 8, frame = at.y, item = at.z;
  if (column >= FEATURES) return;
  int place = column % HEAD;
  size_t row = ((size_t)item * frames + frame) * FEATURES + column;
  Eight<T> in = *(const GLOBAL Eight<T>*)(x + row);
  Eight<float> a = *(const GLOBAL Eight<float>*)(first + (size_t)frame * HEAD + place);
  Eight<float> b = *(const GLOBAL Eight<float>*)(second + (size_t)frame * HEAD + place);
  Eight<float> factors;
  #pragma unroll
  for (int i = 0; i < 8; i++) factors.v[i] = 1.0f;
  if (FACTORED) factors = *(const GLOBAL Eight<float>*)(factor + (size_t)item * FEATURES + column);
  Eight<T> made;
  #pragma unroll
  for (int i = 0; i < 8; i++) {
    float turned = (float)in.v[i / 2 * 2] * a.v[i] + (float)in.v[i / 2 * 2 + 1] * b.v[i];
    made.v[i] = (T)(turned * factors.v[i]);
  }
  *(GLOBAL Eight<T>*)(out + row) = made;
"""


def turn(x: mx.array, rope: RotaryTables, factor: mx.array | None) -> mx.array:
    # A factor for each feature: with CUDA an array of up to 8 bytes is in the host's memory, and to
    # read it takes longer (18 us on an H200) than all the rest (3).
    first, second = rope.first, rope.second
    batch, frames, features = x.shape
    run = kernel("turn", ("x", "first", "second", "factor"), ("out",), _TURN)
    (out,) = run(
        inputs=[x, first, second, first if factor is None else factor],
        template=[
            *(("T", x.dtype), ("FEATURES", features), ("HEAD", first.shape[-1])),
            ("FACTORED", factor is not None),
        ],
        grid=(features // _WIDTH, frames, batch),
        threadgroup=(_group(features // _WIDTH), 1, 1),
        output_shapes=[x.shape],
        output_dtypes=[x.dtype],
    )
    return out


_GATE = """
  uint3 at = POSITION;
  int frames = x_shape[1], item = at.z;
  int column = at.x * 8;
  if (column >= FEATURES) return;
  size_t row = ((size_t)item * frames + at.y) * FEATURES + column;
  Eight<T> a = *(const GLOBAL Eight<T>*)(x + row);
  Eight<T> b = *(const GLOBAL Eight<T>*)(change + row);
  int own = (modulation_shape[0] > 1 ? item : 0) * modulation_shape[1] + GATE;
  Eight<float> gate = *(const GLOBAL Eight<float>*)(modulation + (size_t)own * FEATURES + column);
  #pragma unroll
  for (int i = 0; i < 8; i++) a.v[i] = (T)((float)a.v[i] + gate.v[i] * (float)b.v[i]);
  *(GLOBAL Eight<T>*)(out + row) = a;
"""


def gate(x: mx.array, change: mx.array, modulation: mx.array, row: int) -> mx.array:
    batch, frames, features = x.shape
    run = kernel("gate", ("x", "change", "modulation"), ("out",), _GATE)
    (out,) = run(
        inputs=[x, change, modulation],
        template=[("T", x.dtype), ("FEATURES", features), ("GATE", row)],
        grid=(features // _WIDTH, frames, batch),
        threadgroup=(_group(features // _WIDTH), 1, 1),
        output_shapes=[x.shape],
        output_dtypes=[x.dtype],
    )
    return out


_NORM = """
  // A group of threads has a row, eight features each.
  uint3 at = POSITION;
  int frames = x_shape[1], item = at.z;
  int column = at.x * 8;
  size_t row = ((size_t)item * frames + at.y) * FEATURES + column;
  Eight<T> in = *(const GLOBAL Eight<T>*)(x + row);
  float squares = 0.0f;
  #pragma unroll
  for (int i = 0; i < 8; i++) squares += (float)in.v[i] * (float)in.v[i];
  squares = lanes_sum(squares);
  SHARED float parts[32];
  int member = PLACE_IN_GROUP.x;
  if (member % 32 == 0) parts[member / 32] = squares;
  BARRIER;
  squares = 0.0f;
  for (int i = 0; i < FEATURES / 256; i++) squares += parts[i];
  float norm = RSQRT(squares / FEATURES + EPS);
  int own = (modulation_shape[0] > 1 ? item : 0) * modulation_shape[1] + SHIFT;
  const GLOBAL float* rows = modulation + (size_t)own * FEATURES + column;
  Eight<float> shift = *(const GLOBAL Eight<float>*)(rows);
  Eight<float> scale = *(const GLOBAL Eight<float>*)(rows + FEATURES);
  #pragma unroll
  for (int i = 0; i < 8; i++) in.v[i] = (T)((float)in.v[i] * norm * scale.v[i] + shift.v[i]);
  *(GLOBAL Eight<T>*)(out + row) = in;
""".replace("EPS", f"{NORM_EPS}f")

# The same behind a gated or plain sum, which is kept as well.
_SUM_AND_NORM = _NORM.replace(
    "  float squares",
    """  Eight<T> more = *(const GLOBAL Eight<T>*)(change + row);
  Eight<float> gates;
  #pragma unroll
  for (int i = 0; i < 8; i++) gates.v[i] = 1.0f;
  if (GATED) {
    int other = (gating_shape[0] > 1 ? item : 0) * gating_shape[1] + GATE;
    gates = *(const GLOBAL Eight<float>*)(gating + (size_t)other * FEATURES + column);
  }
  #pragma unroll
  for (int i = 0; i < 8; i++) in.v[i] = (T)((float)in.v[i] + gates.v[i] * (float)more.v[i]);
  *(GLOBAL Eight<T>*)(sum + row) = in;
  float squares""",
    1,
)


def norm(x: mx.array, modulation: mx.array, row: int) -> mx.array:
    batch, frames, features = x.shape
    run = kernel("norm", ("x", "modulation"), ("out",), _NORM)
    (out,) = run(
        inputs=[x, modulation],
        template=[("T", x.dtype), ("FEATURES", features), ("SHIFT", row)],
        grid=(features // _WIDTH, frames, batch),
        threadgroup=(features // _WIDTH, 1, 1),
        output_shapes=[x.shape],
        output_dtypes=[x.dtype],
    )
    return out


def sum_and_norm(
    x: mx.array,
    change: mx.array,
    gating: tuple[mx.array, int] | None,
    modulation: mx.array,
    row: int,
) -> tuple[mx.array, mx.array]:
    batch, frames, features = x.shape
    run = kernel(
        "sum_and_norm", ("x", "change", "gating", "modulation"), ("sum", "out"), _SUM_AND_NORM
    )
    gates, place = gating or (modulation, 0)
    template: Sequence[tuple[str, Any]] = [
        *(("T", x.dtype), ("FEATURES", features), ("SHIFT", row)),
        *(("GATED", gating is not None), ("GATE", place)),
    ]
    total, out = run(
        inputs=[x, change, gates, modulation],
        template=list(template),
        grid=(features // _WIDTH, frames, batch),
        threadgroup=(features // _WIDTH, 1, 1),
        output_shapes=[x.shape, x.shape],
        output_dtypes=[x.dtype, x.dtype],
    )
    return total, out


#: Frames that one thread makes, of so many channels of each half; it takes the SiLU of two more.
_FRAMES, _CHANNELS = 8, 2

_CONV_AND_GATE = """
  // All that a thread reads is on its way before it walks through its frames, with the SiLU of the
  // two before at hand, of both halves.
  uint3 at = POSITION;
  int frames = x_shape[1], start = at.y * FRAMES, item = at.z;
  int column = at.x * N;
  if (column >= HIDDEN) return;
  const GLOBAL T* own = x + (size_t)item * frames * 2 * HIDDEN + column;
  Some<T, N> in[FRAMES + 2][2];
  #pragma unroll
  for (int place = 0; place < FRAMES + 2; place++) {
    // Beside the song an end of it is read, and counts nothing.
    int frame = start + place - 1, near = frame < 0 ? 0 : frame < frames ? frame : frames - 1;
    #pragma unroll
    for (int part = 0; part < 2; part++) {
      in[place][part] = *(const GLOBAL Some<T, N>*)(own + (size_t)(near * 2 + part) * HIDDEN);
    }
  }
  float taps[2][N][3], biases[2][N], older[2][N], old[2][N];
  #pragma unroll
  for (int part = 0; part < 2; part++) {
    int channel = column + part * HIDDEN;
    Some<T, N> added = *(const GLOBAL Some<T, N>*)(bias + channel);
    Some<T, N> some[3];  // of a channel one after another
    #pragma unroll
    for (int i = 0; i < 3; i++) {
      some[i] = *(const GLOBAL Some<T, N>*)(weight + (size_t)channel * 3 + i * N);
    }
    #pragma unroll
    for (int i = 0; i < N; i++) {
      biases[part][i] = (float)added.v[i];
      #pragma unroll
      for (int tap = 0; tap < 3; tap++) {
        taps[part][i][tap] = (float)some[(i * 3 + tap) / N].v[(i * 3 + tap) % N];
      }
    }
  }
  #pragma unroll
  for (int place = 0; place < FRAMES + 2; place++) {
    int frame = start + place - 1;
    bool inside = frame >= 0 && frame < frames;
    float sums[2][N];
    #pragma unroll
    for (int part = 0; part < 2; part++) {
      #pragma unroll
      for (int i = 0; i < N; i++) {
        float value = (float)in[place][part].v[i];
        value = inside ? value * sigmoid<T>(value) : 0.0f;
        if (place > 1) {
          sums[part][i] = biases[part][i] + older[part][i] * taps[part][i][0]
            + old[part][i] * taps[part][i][1] + value * taps[part][i][2];
        }
        older[part][i] = old[part][i];
        old[part][i] = value;
      }
    }
    if (place < 2 || frame - 1 >= frames) continue;
    Some<T, N> made;
    #pragma unroll
    for (int i = 0; i < N; i++) {
      made.v[i] = (T)(sums[0][i] * sums[1][i] * sigmoid<T>(sums[1][i]));
    }
    *(GLOBAL Some<T, N>*)(out + ((size_t)item * frames + frame - 1) * HIDDEN + column) = made;
  }
"""


def conv_and_gate(x: mx.array, weight: mx.array, bias: mx.array) -> mx.array:
    batch, frames, width = x.shape
    hidden = width // 2
    run = kernel("conv_and_gate", ("x", "weight", "bias"), ("out",), _CONV_AND_GATE)
    (out,) = run(
        inputs=[x, weight, bias],
        template=[("T", x.dtype), ("HIDDEN", hidden), ("FRAMES", _FRAMES), ("N", _CHANNELS)],
        grid=(hidden // _CHANNELS, -(-frames // _FRAMES), batch),
        threadgroup=(_group(hidden // _CHANNELS), 1, 1),
        output_shapes=[(batch, frames, hidden)],
        output_dtypes=[x.dtype],
    )
    return out
