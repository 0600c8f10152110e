"""Kernels of our own on a GPU, from one source for CUDA and for Metal.

What the two languages spell differently is in two preludes, and no name in a source may be a word
of either. Beside plain arithmetic they offer the matrix units: 32 lanes that run in step hold a
`Tile` of sums together, 16 rows by 8 columns, and add to it the product of 16 x 16 `Rows` from
shared memory and 16 x 8 `Columns` from global, both float16; or of 16 x 8 `FloatRows` from shared
memory (`float_rows_across` reads rows that lie there as columns) and 8 x 8 `FloatColumns` from
either, which must be `ROUNDED` to what the units take. `VALUE(tile, i)`, i from 0 to 3, is what a
lane has of it: row `ROW_OF(lane)`, 8 more from i = 2 on, and column `COLUMN_OF(lane)`, one more for
odd i.
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
#define SIGMOID(x) __fdividef(1.0f, 1.0f + __expf(-(x)))
__device__ inline float lanes_sum(float x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffff, x, step);
  return x;
}
struct Rows { unsigned v[4]; };
struct Columns { unsigned v[2]; };
struct Tile { float v[4]; };
#define ROW_OF(lane) ((lane) / 4)
#define COLUMN_OF(lane) ((lane) % 4 * 2)
#define VALUE(tile, i) ((tile).v[i])
__device__ inline Rows rows_at(const __half* left, const __half* right, int stride) {
  int lane = threadIdx.x % 32;
  const __half* own = (lane < 16 ? left : right) + lane % 16 * stride;
  unsigned place = (unsigned)__cvta_generic_to_shared(own);
  Rows rows;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(rows.v[0]), "=r"(rows.v[1]), "=r"(rows.v[2]), "=r"(rows.v[3])
               : "r"(place));
  return rows;
}
__device__ inline Columns columns_at(const __half* transposed, int stride) {
  int lane = threadIdx.x % 32;
  const __half* own = transposed + lane / 4 * stride + lane % 4 * 2;
  return {*(const unsigned*)own, *(const unsigned*)(own + 8)};
}
__device__ inline void tile_clear(Tile& tile) {
  for (int i = 0; i < 4; i++) tile.v[i] = 0.0f;
}
__device__ inline void tile_add(Tile& tile, const Rows& a, const Columns& b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
               "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(tile.v[0]), "+f"(tile.v[1]), "+f"(tile.v[2]), "+f"(tile.v[3])
               : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1]));
}
__device__ inline float ROUNDED(float x) {
  unsigned made;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(made) : "f"(x));
  return __uint_as_float(made);
}
struct FloatRows { float v[4]; };
struct FloatColumns { float v[2]; };
__device__ inline FloatRows float_rows_at(const float* from, int stride) {
  const float* own = from + threadIdx.x % 32 / 4 * stride + threadIdx.x % 4;
  return {own[0], own[8 * stride], own[4], own[8 * stride + 4]};
}
__device__ inline FloatRows float_rows_across(const float* from, int stride) {
  const float* own = from + threadIdx.x % 4 * stride + threadIdx.x % 32 / 4;
  return {own[0], own[8], own[4 * stride], own[4 * stride + 8]};
}
__device__ inline FloatColumns float_columns_at(const float* from, int stride) {
  const float* own = from + threadIdx.x % 4 * stride + threadIdx.x % 32 / 4;
  return {own[0], own[4 * stride]};
}
__device__ inline FloatColumns float_columns_of(float value) { return {value, value}; }
__device__ inline void float_tile_add(Tile& tile, const FloatRows& a, const FloatColumns& b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, "
      "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(tile.v[0]), "+f"(tile.v[1]), "+f"(tile.v[2]), "+f"(tile.v[3])
      : "r"(__float_as_uint(a.v[0])), "r"(__float_as_uint(a.v[1])), "r"(__float_as_uint(a.v[2])),
        "r"(__float_as_uint(a.v[3])), "r"(__float_as_uint(b.v[0])), "r"(__float_as_uint(b.v[1])));
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
#define SIGMOID(x) (1.0f / (1.0f + metal::exp(-(x))))
inline float lanes_sum(float x) { return metal::simd_sum(x); }
struct Rows { metal::simdgroup_half8x8 v[4]; };
struct Columns { metal::simdgroup_half8x8 v[2]; };
struct Tile { metal::simdgroup_float8x8 v[2]; };
#define ROW_OF(lane) (((lane) / 4 & 4) + (lane) / 2 % 4)
#define COLUMN_OF(lane) (((lane) / 4 & 2) * 2 + (lane) % 2 * 2)
#define VALUE(tile, i) ((tile).v[(i) / 2].thread_elements()[(i) % 2])
inline Rows rows_at(const threadgroup half* left, const threadgroup half* right, int stride) {
  Rows rows;
  metal::simdgroup_load(rows.v[0], left, stride);
  metal::simdgroup_load(rows.v[1], left + 8 * stride, stride);
  metal::simdgroup_load(rows.v[2], right, stride);
  metal::simdgroup_load(rows.v[3], right + 8 * stride, stride);
  return rows;
}
inline Columns columns_at(const device half* transposed, int stride) {
  Columns columns;
  metal::simdgroup_load(columns.v[0], transposed, stride, 0, true);
  metal::simdgroup_load(columns.v[1], transposed + 8, stride, 0, true);
  return columns;
}
inline void tile_clear(thread Tile& tile) {
  tile.v[0] = metal::make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  tile.v[1] = metal::make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
}
inline void tile_add(thread Tile& tile, thread Rows& a, thread Columns& b) {
  for (int i = 0; i < 2; i++) {
    metal::simdgroup_multiply_accumulate(tile.v[i], a.v[i], b.v[0], tile.v[i]);
    metal::simdgroup_multiply_accumulate(tile.v[i], a.v[i + 2], b.v[1], tile.v[i]);
  }
}
#define ROUNDED(x) (x)
struct FloatRows { metal::simdgroup_float8x8 v[2]; };
struct FloatColumns { metal::simdgroup_float8x8 v; };
inline FloatRows float_rows_at(const threadgroup float* from, int stride) {
  FloatRows rows;
  metal::simdgroup_load(rows.v[0], from, stride);
  metal::simdgroup_load(rows.v[1], from + 8 * stride, stride);
  return rows;
}
inline FloatRows float_rows_across(const threadgroup float* from, int stride) {
  FloatRows rows;
  metal::simdgroup_load(rows.v[0], from, stride, 0, true);
  metal::simdgroup_load(rows.v[1], from + 8, stride, 0, true);
  return rows;
}
template <typename Pointer>
inline FloatColumns float_columns_at(Pointer from, int stride) {
  FloatColumns columns;
  metal::simdgroup_load(columns.v, from, stride);
  return columns;
}
inline FloatColumns float_columns_of(float value) {
  return {metal::make_filled_simdgroup_matrix<float, 8, 8>(value)};
}
inline void float_tile_add(thread Tile& tile, thread FloatRows& a, thread FloatColumns& b) {
  for (int i = 0; i < 2; i++) {
    metal::simdgroup_multiply_accumulate(tile.v[i], a.v[i], b.v, tile.v[i]);
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
