"""GPU kernels for what lies between the transformer's matrix products.

Each does in one pass over memory what takes MLX's own operations several. What they compute is
said in `operations`, function by function; `accelerated` chooses. One source serves CUDA and
Metal: what they spell differently is in the two preludes, and no name may be a word of either
language. All arithmetic is in float32, and is rounded once, at the end.

Sizes that a model fixes are constants of a kernel; batch and frames are not, so that no length
of song compiles it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import mlx.core as mx

from mlx_music.ace_step.operations import LINEAR_ATTENTION_EPS, NORM_EPS, RotaryTables

#: Features that one thread works on: 16 bytes of a 16-bit dtype are one load.
_WIDTH = 8

#: Threads that run in step, on every GPU that MLX supports.
_LANES = 32

#: More features than a group of threads can normalise, at `_WIDTH` each.
_MAX_FEATURES = 1024 * _WIDTH

_COMMON = """
template <typename T>
struct alignas(16) Eight { T v[8]; };
template <typename T, int N>
struct alignas(N * sizeof(T)) Some { T v[N]; };
"""

_CUDA = """
#define GLOBAL
#define SHARED __shared__
#define BARRIER __syncthreads()
#define POSITION \\
  make_uint3(blockIdx.x * blockDim.x + threadIdx.x, \\
             blockIdx.y * blockDim.y + threadIdx.y, \\
             blockIdx.z * blockDim.z + threadIdx.z)
#define PLACE_IN_GROUP threadIdx
#define RSQRT rsqrtf
#define SIGMOID(x) __fdividef(1.0f, 1.0f + __expf(-(x)))
__device__ inline float lanes_sum(float x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffff, x, step);
  return x;
}
"""

_METAL = """
#define GLOBAL device
#define SHARED threadgroup
#define BARRIER threadgroup_barrier(metal::mem_flags::mem_threadgroup)
#define POSITION thread_position_in_grid
#define PLACE_IN_GROUP thread_position_in_threadgroup
#define RSQRT metal::rsqrt
#define SIGMOID(x) (1.0f / (1.0f + metal::exp(-(x))))
inline float lanes_sum(float x) { return metal::simd_sum(x); }
"""

#: Metal declares a built-in variable where the source names it.
_METAL_BUILT_IN = "// thread_position_in_grid thread_position_in_threadgroup\n"


def fit(features: int, head_dim: int = _LANES) -> bool:
    """Whether the kernels divide widths like these."""
    return (
        features % (_LANES * _WIDTH) == 0
        and features <= _MAX_FEATURES
        and head_dim in (32, 64, 128)
    )


@cache
def _kernel(
    name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], source: str
) -> Callable[..., list[mx.array]]:
    make: Any
    if mx.metal.is_available():
        make, prelude, source = mx.fast.metal_kernel, _METAL, _METAL_BUILT_IN + source
    else:
        make, prelude = mx.fast.cuda_kernel, _CUDA
    kernel: Callable[..., list[mx.array]] = make(
        name=f"mlx_music_{name}",
        input_names=list(inputs),
        output_names=list(outputs),
        source=source,
        header=prelude + _COMMON,
    )
    return kernel


def _group(threads: int) -> int:
    """Threads of a group along an axis of so many: whole lanes, as even as possible."""
    groups = -(-threads // 256)
    return -(-threads // (groups * _LANES)) * _LANES


_SPLIT_HEADS = """
  uint3 at = POSITION;
  int frames = x_shape[1], batch = x_shape[0];
  int column = at.x * 8, frame = at.y, item = at.z;
  if (column >= 3 * FEATURES) return;
  int part = column / FEATURES, head = column % FEATURES / HEAD, place = column % HEAD;
  size_t from = ((size_t)item * frames + frame) * 3 * FEATURES + column;
  Eight<T> in = *(const GLOBAL Eight<T>*)(x + from);
  Eight<float> made;
  if (part == 2) {
    #pragma unroll
    for (int i = 0; i < 8; i++) made.v[i] = (float)in.v[i];
  } else {
    Eight<float> a = *(const GLOBAL Eight<float>*)(first + (size_t)frame * HEAD + place);
    Eight<float> b = *(const GLOBAL Eight<float>*)(second + (size_t)frame * HEAD + place);
    #pragma unroll
    for (int i = 0; i < 8; i++) {
      float turned = (float)in.v[i / 2 * 2] * a.v[i] + (float)in.v[i / 2 * 2 + 1] * b.v[i];
      made.v[i] = turned > 0.0f ? turned : 0.0f;
    }
  }
  size_t row = (((size_t)part * batch + item) * (FEATURES / HEAD) + head) * frames + frame;
  *(GLOBAL Eight<float>*)(out + row * HEAD + place) = made;
"""


def split_heads(x: mx.array, rope: RotaryTables) -> list[mx.array]:
    first, second = rope.first, rope.second
    batch, frames, width = x.shape
    features, head = width // 3, first.shape[-1]
    kernel = _kernel("split_heads", ("x", "first", "second"), ("out",), _SPLIT_HEADS)
    (out,) = kernel(
        inputs=[x, first, second],
        template=[("T", x.dtype), ("FEATURES", features), ("HEAD", head)],
        grid=(width // _WIDTH, frames, batch),
        threadgroup=(_group(width // _WIDTH), 1, 1),
        output_shapes=[(3, batch, features // head, frames, head)],
        output_dtypes=[mx.float32],
    )
    return [out[0], out[1], out[2]]


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
  Eight<T> made;
  #pragma unroll
  for (int i = 0; i < 8; i++) {
    float turned = (float)in.v[i / 2 * 2] * a.v[i] + (float)in.v[i / 2 * 2 + 1] * b.v[i];
    made.v[i] = (T)(turned * factor[item]);
  }
  *(GLOBAL Eight<T>*)(out + row) = made;
"""


def turn(x: mx.array, rope: RotaryTables, factor: mx.array) -> mx.array:
    first, second = rope.first, rope.second
    batch, frames, features = x.shape
    kernel = _kernel("turn", ("x", "first", "second", "factor"), ("out",), _TURN)
    (out,) = kernel(
        inputs=[x, first, second, factor],
        template=[("T", x.dtype), ("FEATURES", features), ("HEAD", first.shape[-1])],
        grid=(features // _WIDTH, frames, batch),
        threadgroup=(_group(features // _WIDTH), 1, 1),
        output_shapes=[x.shape],
        output_dtypes=[x.dtype],
    )
    return out


_MERGE_HEADS = """
  // The threads of one row of one head run in step, so that they can add up its weight.
  uint3 at = POSITION;
  int heads = summed_shape[1], frames = summed_shape[2];
  int frame = at.y, item = at.z / heads, head = at.z % heads;
  if (frame >= frames) return;
  constexpr int N = HEAD / 32;
  int place = at.x * N;
  size_t row = (((size_t)item * heads + head) * frames + frame) * HEAD + place;
  size_t sums = ((size_t)item * heads + head) * HEAD + place;
  Some<float, N> value = *(const GLOBAL Some<float, N>*)(summed + row);
  Some<float, N> query = *(const GLOBAL Some<float, N>*)(queries + row);
  Some<float, N> key = *(const GLOBAL Some<float, N>*)(keys + sums);
  float weight = 0.0f;
  #pragma unroll
  for (int i = 0; i < N; i++) weight += query.v[i] * key.v[i];
  weight = 1.0f / (lanes_sum(weight) + EPS);
  Some<T, N> made;
  #pragma unroll
  for (int i = 0; i < N; i++) made.v[i] = (T)(value.v[i] * weight);
  size_t to = (((size_t)item * frames + frame) * heads + head) * HEAD + place;
  *(GLOBAL Some<T, N>*)(out + to) = made;
""".replace("EPS", f"{LINEAR_ATTENTION_EPS}f")


def merge_heads(
    summed: mx.array, queries: mx.array, key_sums: mx.array, dtype: mx.Dtype
) -> mx.array:
    batch, heads, frames, head = summed.shape
    kernel = _kernel("merge_heads", ("summed", "queries", "keys"), ("out",), _MERGE_HEADS)
    (out,) = kernel(
        inputs=[summed, queries, key_sums],
        template=[("T", dtype), ("HEAD", head)],
        grid=(_LANES, frames, batch * heads),
        threadgroup=(_LANES, 8, 1),
        output_shapes=[(batch, frames, heads * head)],
        output_dtypes=[dtype],
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
    kernel = _kernel("gate", ("x", "change", "modulation"), ("out",), _GATE)
    (out,) = kernel(
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
    kernel = _kernel("norm", ("x", "modulation"), ("out",), _NORM)
    (out,) = kernel(
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
    kernel = _kernel(
        "sum_and_norm", ("x", "change", "gating", "modulation"), ("sum", "out"), _SUM_AND_NORM
    )
    gates, place = gating or (modulation, 0)
    template: Sequence[tuple[str, Any]] = [
        *(("T", x.dtype), ("FEATURES", features), ("SHIFT", row)),
        *(("GATED", gating is not None), ("GATE", place)),
    ]
    total, out = kernel(
        inputs=[x, change, gates, modulation],
        template=list(template),
        grid=(features // _WIDTH, frames, batch),
        threadgroup=(features // _WIDTH, 1, 1),
        output_shapes=[x.shape, x.shape],
        output_dtypes=[x.dtype, x.dtype],
    )
    return total, out


#: Frames that one thread makes; it takes the SiLU of two more.
_FRAMES = 4

_CONV_AND_GATE = """
  uint3 at = POSITION;
  int frames = x_shape[1], start = at.y * FRAMES, item = at.z;
  int column = at.x * 8;
  if (column >= HIDDEN) return;
  Eight<float> sums[2][FRAMES];
  #pragma unroll
  for (int part = 0; part < 2; part++) {
    int channel = column + part * HIDDEN;
    Eight<T> own = *(const GLOBAL Eight<T>*)(bias + channel);
    Eight<T> taps[3];  // of a channel one after another
    #pragma unroll
    for (int i = 0; i < 3; i++) {
      taps[i] = *(const GLOBAL Eight<T>*)(weight + (size_t)channel * 3 + i * 8);
    }
    #pragma unroll
    for (int to = 0; to < FRAMES; to++) {
      #pragma unroll
      for (int i = 0; i < 8; i++) sums[part][to].v[i] = (float)own.v[i];
    }
    #pragma unroll
    for (int from = -1; from <= FRAMES; from++) {
      int frame = start + from;
      if (frame < 0 || frame >= frames) continue;
      size_t row = ((size_t)item * frames + frame) * 2 * HIDDEN + channel;
      Eight<T> in = *(const GLOBAL Eight<T>*)(x + row);
      #pragma unroll
      for (int i = 0; i < 8; i++) {
        float value = (float)in.v[i];
        value *= SIGMOID(value);
        #pragma unroll
        for (int tap = 0; tap < 3; tap++) {
          int to = from + 1 - tap;
          if (to < 0 || to >= FRAMES) continue;
          sums[part][to].v[i] += value * (float)taps[(i * 3 + tap) / 8].v[(i * 3 + tap) % 8];
        }
      }
    }
  }
  #pragma unroll
  for (int to = 0; to < FRAMES; to++) {
    int frame = start + to;
    if (frame >= frames) return;
    Eight<T> made;
    #pragma unroll
    for (int i = 0; i < 8; i++) {
      float gate = sums[1][to].v[i];
      made.v[i] = (T)(sums[0][to].v[i] * gate * SIGMOID(gate));
    }
    *(GLOBAL Eight<T>*)(out + ((size_t)item * frames + frame) * HIDDEN + column) = made;
  }
"""


def conv_and_gate(x: mx.array, weight: mx.array, bias: mx.array) -> mx.array:
    batch, frames, width = x.shape
    hidden = width // 2
    kernel = _kernel("conv_and_gate", ("x", "weight", "bias"), ("out",), _CONV_AND_GATE)
    (out,) = kernel(
        inputs=[x, weight, bias],
        template=[("T", x.dtype), ("HIDDEN", hidden), ("FRAMES", _FRAMES)],
        grid=(hidden // _WIDTH, -(-frames // _FRAMES), batch),
        threadgroup=(_group(hidden // _WIDTH), 1, 1),
        output_shapes=[(batch, frames, hidden)],
        output_dtypes=[x.dtype],
    )
    return out
