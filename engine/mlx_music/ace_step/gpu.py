"""Kernels of our own on a GPU, from one source for CUDA and for Metal.

What the two languages spell differently is in two preludes, and no name in a source may be a word
of either. Beside plain arithmetic they offer the matrix units: 32 lanes that run in step hold a
`Tile` of sums together, 16 rows by 8 columns, and add to it the product of 16 x 16 `Rows` and
16 x 8 `Columns`, both of float16, of float32 or, with CUDA, of bfloat16. What they consume is made
by `taken`: with CUDA, float32 is rounded to TF32. They are read from where the 16 that are summed
over lie side by side (`_at`) or below each other (`_across`): rows from shared memory, where one of
16-bit numbers begins at a multiple of 16 bytes, columns from there or, `columns_at`, from global
memory. `keep_parted` and `parted_at` are for columns of more precision: of bfloat16 they are two,
the second of what the first leaves over. `VALUE(tile, i)`, i from 0 to 3, is what a lane has of a
tile: row `ROW_OF(lane)`, 8 more from i = 2 on, and column `COLUMN_OF(lane)`, one more for odd i.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mlx.core as mx

#: Threads that run in step, on every GPU that MLX supports.
LANES = 32

_COMMON = """
// Half precision ends there. What is no number stays none: it must be found out.
INLINE float bound(float x) { return x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x; }
template <typename T>
struct alignas(16) Eight { T v[8]; };
template <typename T, int N>
struct alignas(N * sizeof(T)) Some { T v[N]; };
"""

_CUDA = """
#define INLINE __device__ inline
#define GLOBAL
#define SHARED __shared__
#define NEAR
#define BARRIER __syncthreads()
#define POSITION \\
  make_uint3(blockIdx.x * blockDim.x + threadIdx.x, \\
             blockIdx.y * blockDim.y + threadIdx.y, \\
             blockIdx.z * blockDim.z + threadIdx.z)
#define PLACE_IN_GROUP threadIdx
#define RSQRT rsqrtf
template <typename T> __device__ inline float sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + __expf(-x));
}
// Half the work, and off by 2.5e-4 at most: little beside bfloat16's rounding of a SiLU's large
// values, if not of the small ones below zero.
template <> __device__ inline float sigmoid<__nv_bfloat16>(float x) {
  float made;
  asm("tanh.approx.f32 %0, %1;" : "=f"(made) : "f"(0.5f * x));
  return 0.5f * made + 0.5f;
}
__device__ inline float lanes_sum(float x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffff, x, step);
  return x;
}
template <typename C> struct Rows { unsigned v[4]; };
template <typename C> struct Columns { unsigned v[2]; };
template <> struct Rows<float> { float v[8]; };
template <> struct Columns<float> { float v[4]; };
struct Tile { float v[4]; };
#define ROW_OF(lane) ((lane) / 4)
#define COLUMN_OF(lane) ((lane) % 4 * 2)
#define VALUE(tile, i) ((tile).v[i])
#define LANE (threadIdx.x % 32)
template <typename C> __device__ inline C taken(float x) { return (C)x; }
template <> __device__ inline float taken<float>(float x) {
  unsigned made;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(made) : "f"(x));
  return __uint_as_float(made);
}
// Matrices of 8 x 8 from shared memory: each lane names a row of one.
#define LOAD_FOUR(kind, to, from) \\
  asm volatile("ldmatrix.sync.aligned.m8n8.x4" kind ".shared.b16 {%0, %1, %2, %3}, [%4];" \\
               : "=r"((to)[0]), "=r"((to)[1]), "=r"((to)[2]), "=r"((to)[3]) \\
               : "r"((unsigned)__cvta_generic_to_shared(from)))
template <typename C>
__device__ inline Rows<C> rows_at(const C* left, const C* right, int stride) {
  Rows<C> rows;
  LOAD_FOUR("", rows.v, (LANE < 16 ? left : right) + LANE % 16 * stride);
  return rows;
}
template <typename C>
__device__ inline Rows<C> rows_across(const C* from, int stride) {
  Rows<C> rows;
  LOAD_FOUR(".trans", rows.v, from + (LANE % 8 + LANE / 16 * 8) * stride + LANE / 8 % 2 * 8);
  return rows;
}
template <typename C>
__device__ inline Columns<C> columns_at(const C* transposed, int stride) {
  const C* own = transposed + LANE / 4 * stride + LANE % 4 * 2;
  return {*(const unsigned*)own, *(const unsigned*)(own + 8)};
}
template <typename C>
__device__ inline Columns<C> columns_across(const C* from, int stride) {
  Columns<C> columns;
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(columns.v[0]), "=r"(columns.v[1])
               : "r"((unsigned)__cvta_generic_to_shared(from + LANE % 16 * stride)));
  return columns;
}
// TF32 is consumed 8 deep: there are two of each.
__device__ inline Rows<float> rows_at(const float* left, const float* right, int stride) {
  Rows<float> rows;
  for (int i = 0; i < 8; i++) {
    rows.v[i] = (i < 4 ? left : right)[(LANE / 4 + i % 2 * 8) * stride + LANE % 4 + i / 2 % 2 * 4];
  }
  return rows;
}
__device__ inline Rows<float> rows_across(const float* from, int stride) {
  Rows<float> rows;
  for (int i = 0; i < 8; i++) {
    rows.v[i] = from[(LANE % 4 + i / 2 * 4) * stride + LANE / 4 + i % 2 * 8];
  }
  return rows;
}
__device__ inline Columns<float> columns_across(const float* from, int stride) {
  Columns<float> columns;
  for (int i = 0; i < 4; i++) columns.v[i] = from[(LANE % 4 + i * 4) * stride + LANE / 4];
  return columns;
}
__device__ inline Columns<float> columns_at(const float* transposed, int stride) {
  Columns<float> columns;
  for (int i = 0; i < 4; i++) columns.v[i] = transposed[LANE / 4 * stride + LANE % 4 + i * 4];
  return columns;
}
// Parted, two numbers are two of bfloat16 beside two of what is left over.
template <typename C> __device__ void keep_parted(float* to, float one, float other);
template <> __device__ inline void keep_parted<__nv_bfloat16>(float* to, float one, float other) {
  __nv_bfloat162 high = __floats2bfloat162_rn(one, other);
  __nv_bfloat162 low = __floats2bfloat162_rn(one - __low2float(high), other - __high2float(high));
  *(uint2*)to = make_uint2(*(unsigned*)&high, *(unsigned*)&low);
}
template <> __device__ inline void keep_parted<float>(float* to, float one, float other) {
  *(float2*)to = make_float2(taken<float>(one), taken<float>(other));
}
template <typename C>
__device__ inline void parted_at(Columns<C>* made, const float* transposed, int stride) {
  const float* own = transposed + LANE / 4 * stride + LANE % 4 * 2;
  uint2 first = *(const uint2*)own, second = *(const uint2*)(own + 8);
  made[0] = {first.x, second.x};
  made[1] = {first.y, second.y};
}
__device__ inline void parted_at(Columns<float>* made, const float* transposed, int stride) {
  *made = columns_at(transposed, stride);
}
__device__ inline void tile_clear(Tile& tile) {
  for (int i = 0; i < 4; i++) tile.v[i] = 0.0f;
}
#define TILE_ADD(C, name) \\
  __device__ inline void tile_add(Tile& tile, const Rows<C>& a, const Columns<C>& b) { \\
    asm("mma.sync.aligned.m16n8k16.row.col.f32." name "." name ".f32 {%0, %1, %2, %3}, " \\
        "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \\
        : "+f"(tile.v[0]), "+f"(tile.v[1]), "+f"(tile.v[2]), "+f"(tile.v[3]) \\
        : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1])); \\
  }
TILE_ADD(__half, "f16")
TILE_ADD(__nv_bfloat16, "bf16")
__device__ inline void tile_add(Tile& tile, const Rows<float>& a, const Columns<float>& b) {
  for (int i = 0; i < 2; i++) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, "
        "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(tile.v[0]), "+f"(tile.v[1]), "+f"(tile.v[2]), "+f"(tile.v[3])
        : "r"(__float_as_uint(a.v[i * 4])), "r"(__float_as_uint(a.v[i * 4 + 1])),
          "r"(__float_as_uint(a.v[i * 4 + 2])), "r"(__float_as_uint(a.v[i * 4 + 3])),
          "r"(__float_as_uint(b.v[i * 2])), "r"(__float_as_uint(b.v[i * 2 + 1])));
  }
}
"""

_METAL = """
#include <metal_stdlib>
#include <metal_simdgroup_matrix>
#define INLINE inline
#define GLOBAL device
#define SHARED threadgroup
#define NEAR threadgroup
#define BARRIER threadgroup_barrier(metal::mem_flags::mem_threadgroup)
#define POSITION thread_position_in_grid
#define PLACE_IN_GROUP thread_position_in_threadgroup
#define RSQRT metal::rsqrt
template <typename T> inline float sigmoid(float x) { return 1.0f / (1.0f + metal::exp(-x)); }
inline float lanes_sum(float x) { return metal::simd_sum(x); }
template <typename C> struct Rows { metal::simdgroup_matrix<C, 8, 8> v[4]; };
template <typename C> struct Columns { metal::simdgroup_matrix<C, 8, 8> v[2]; };
struct Tile { metal::simdgroup_float8x8 v[2]; };
#define ROW_OF(lane) (((lane) / 4 & 4) + (lane) / 2 % 4)
#define COLUMN_OF(lane) (((lane) / 4 & 2) * 2 + (lane) % 2 * 2)
#define VALUE(tile, i) ((tile).v[(i) / 2].thread_elements()[(i) % 2])
template <typename C> inline C taken(float x) { return (C)x; }
template <typename C>
inline Rows<C> rows_at(const threadgroup C* left, const threadgroup C* right, int stride) {
  Rows<C> rows;
  metal::simdgroup_load(rows.v[0], left, stride);
  metal::simdgroup_load(rows.v[1], left + 8 * stride, stride);
  metal::simdgroup_load(rows.v[2], right, stride);
  metal::simdgroup_load(rows.v[3], right + 8 * stride, stride);
  return rows;
}
template <typename C>
inline Rows<C> rows_across(const threadgroup C* from, int stride) {
  Rows<C> rows;
  metal::simdgroup_load(rows.v[0], from, stride, 0, true);
  metal::simdgroup_load(rows.v[1], from + 8, stride, 0, true);
  metal::simdgroup_load(rows.v[2], from + 8 * stride, stride, 0, true);
  metal::simdgroup_load(rows.v[3], from + 8 * stride + 8, stride, 0, true);
  return rows;
}
template <typename C>
inline Columns<C> columns_at(const device C* transposed, int stride) {
  Columns<C> columns;
  metal::simdgroup_load(columns.v[0], transposed, stride, 0, true);
  metal::simdgroup_load(columns.v[1], transposed + 8, stride, 0, true);
  return columns;
}
template <typename C>
inline Columns<C> columns_across(const threadgroup C* from, int stride) {
  Columns<C> columns;
  metal::simdgroup_load(columns.v[0], from, stride);
  metal::simdgroup_load(columns.v[1], from + 8 * stride, stride);
  return columns;
}
// What is float32 needs no parts.
template <typename C>
inline void keep_parted(device float* to, float one, float other) {
  to[0] = one;
  to[1] = other;
}
inline void parted_at(thread Columns<float>* made, const device float* transposed, int stride) {
  *made = columns_at(transposed, stride);
}
inline void tile_clear(thread Tile& tile) {
  tile.v[0] = metal::make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  tile.v[1] = metal::make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
}
template <typename C>
inline void tile_add(thread Tile& tile, thread Rows<C>& a, thread Columns<C>& b) {
  for (int i = 0; i < 2; i++) {
    metal::simdgroup_multiply_accumulate(tile.v[i], a.v[i], b.v[0], tile.v[i]);
    metal::simdgroup_multiply_accumulate(tile.v[i], a.v[i + 2], b.v[1], tile.v[i]);
  }
}
"""

#: Metal declares a built-in variable where the source names it.
_METAL_BUILT_IN = "// thread_position_in_grid thread_position_in_threadgroup\n"


def shared_bytes() -> int:
    """Shared memory that a kernel may declare for a group of threads."""
    return 32_768 if mx.metal.is_available() else 49_152


@cache
def kernel(
    name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], source: str
) -> Callable[..., list[mx.array]]:
    """The kernel whose body is `source`, called as MLX's custom kernels are. MLX compiles it when
    it first runs, for each template."""
    make: Any
    if mx.metal.is_available():
        make, prelude, source = mx.fast.metal_kernel, _METAL, _METAL_BUILT_IN + source
    else:
        make, prelude = mx.fast.cuda_kernel, _CUDA
    made: Callable[..., list[mx.array]] = make(
        name=f"mlx_music_{name}",
        input_names=list(inputs),
        output_names=list(outputs),
        source=source,
        header=prelude + _COMMON,
    )
    return made
