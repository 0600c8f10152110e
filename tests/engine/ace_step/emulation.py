"""Runs the sources of GPU kernels where there is no GPU.

A kernel is compiled as C++. The threads of a group are fibers, 32 of which run in step. These run
as far as they may before the next 32 begin, to where all wait for all: so a barrier that is missing
shows, as what shared memory still holds or no longer does. What is not written to is no number,
there and elsewhere. For CUDA, a prelude of its own stands for the real one, which is half
assembler. For Metal it is the real one, on stand-ins for what Apple's headers declare. It shows
that a source computes what it should with the threads that it is given; how fast, and that the
GPU's own compiler takes it, is theirs to show.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

#: Fibers as they are switched here are Linux's.
COMPILER = shutil.which("g++") if sys.platform == "linux" else None

_BASE = r"""
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>

struct uint3 { unsigned x, y, z; };
typedef _Float16 half_t;
struct bfloat_t {
  uint16_t bits;
  bfloat_t() = default;
  explicit bfloat_t(float value) {
    uint32_t whole;
    memcpy(&whole, &value, 4);
    bits = std::isnan(value) ? 0x7fc0 : (whole + 0x7fff + (whole >> 16 & 1)) >> 16;
  }
  explicit operator float() const {
    uint32_t whole = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &whole, 4);
    return value;
  }
};

constexpr int MOST_THREADS = 1024, STACK = 1 << 16;
enum State { READY, AT_BARRIER, DONE };
struct Fiber { ucontext_t context; uint3 member; State state; };
static Fiber fibers[MOST_THREADS];
static char* stacks = nullptr;
static ucontext_t scheduler;
static int now = 0;
static uint3 group, group_size;
static void wait_for_lanes() { swapcontext(&fibers[now].context, &scheduler); }
static void wait_for_all() {
  fibers[now].state = AT_BARRIER;
  wait_for_lanes();
}
#define SHARED_MEMORY static __attribute__((section("shared_memory")))
#define BOUND extern "C" __attribute__((weak, visibility("hidden"))) char
BOUND __start_shared_memory[];
BOUND __stop_shared_memory[];
static uint3 position() {
  uint3 member = fibers[now].member;
  return {group.x * group_size.x + member.x, group.y * group_size.y + member.y,
          group.z * group_size.z + member.z};
}
#define LANE (now % 32)
#define WARP (now / 32 * 32)

static float sums[MOST_THREADS];
static float sum_of_lanes(float x) {
  sums[now] = x;
  wait_for_lanes();
  float total = 0.0f;
  for (int lane = 0; lane < 32; lane++) total += sums[WARP + lane];
  wait_for_lanes();
  return total;
}
"""

_CUDA = r"""
#define INLINE inline
#define GLOBAL
#define SHARED SHARED_MEMORY
#define NEAR
#define BARRIER wait_for_all()
#define POSITION position()
#define PLACE_IN_GROUP (fibers[now].member)
#define RSQRT(x) (1.0f / std::sqrt(x))
template <typename T> float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }
#define lanes_sum sum_of_lanes
template <typename C> C taken(float x) { return (C)x; }
// TF32 keeps 10 bits of a fraction.
template <> float taken<float>(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if (std::isfinite(x)) bits = (bits + 0x1000) & ~0x1fffu;
  memcpy(&x, &bits, 4);
  return x;
}

// As the lanes of CUDA's m16n8k16 hold them.
template <typename C> struct Rows { C v[4][2]; };
template <typename C> struct Columns { C v[2][2]; };
struct Tile { float v[4]; };
#define ROW_OF(lane) ((lane) / 4)
#define COLUMN_OF(lane) ((lane) % 4 * 2)
#define VALUE(tile, i) ((tile).v[i])
template <typename C> Rows<C> rows_at(const C* left, const C* right, int stride) {
  Rows<C> rows;
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 2; j++) {
      int at = (ROW_OF(LANE) + i % 2 * 8) * stride + COLUMN_OF(LANE) + j;
      rows.v[i][j] = (i < 2 ? left : right)[at];
    }
  }
  return rows;
}
template <typename C> Rows<C> rows_across(const C* from, int stride) {
  Rows<C> rows;
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 2; j++) {
      int depth = COLUMN_OF(LANE) + i / 2 * 8 + j;
      rows.v[i][j] = from[depth * stride + ROW_OF(LANE) + i % 2 * 8];
    }
  }
  return rows;
}
template <typename C> Columns<C> columns_at(const C* transposed, int stride) {
  Columns<C> columns;
  for (int i = 0; i < 2; i++) {
    for (int j = 0; j < 2; j++) {
      columns.v[i][j] = transposed[LANE / 4 * stride + LANE % 4 * 2 + i * 8 + j];
    }
  }
  return columns;
}
template <typename C> Columns<C> columns_across(const C* from, int stride) {
  Columns<C> columns;
  for (int i = 0; i < 2; i++) {
    for (int j = 0; j < 2; j++) {
      columns.v[i][j] = from[(LANE % 4 * 2 + i * 8 + j) * stride + LANE / 4];
    }
  }
  return columns;
}
template <typename C> void keep_parted(float* to, float one, float other) {
  C parts[4] = {(C)one, (C)other, (C)(one - (float)(C)one), (C)(other - (float)(C)other)};
  memcpy(to, parts, 8);
}
template <> void keep_parted<float>(float* to, float one, float other) {
  to[0] = taken<float>(one);
  to[1] = taken<float>(other);
}
template <typename C> void parted_at(Columns<C>* made, const float* transposed, int stride) {
  for (int i = 0; i < 2; i++) {
    C parts[4];
    memcpy(parts, transposed + LANE / 4 * stride + LANE % 4 * 2 + i * 8, 8);
    for (int j = 0; j < 4; j++) made[j / 2].v[i][j % 2] = parts[j];
  }
}
template <> void parted_at(Columns<float>* made, const float* transposed, int stride) {
  *made = columns_at(transposed, stride);
}
inline void tile_clear(Tile& tile) {
  for (int i = 0; i < 4; i++) tile.v[i] = 0.0f;
}
template <typename C> static Rows<C> all_rows[MOST_THREADS];
template <typename C> static Columns<C> all_columns[MOST_THREADS];
template <typename C> void tile_add(Tile& tile, const Rows<C>& a, const Columns<C>& b) {
  all_rows<C>[now] = a;
  all_columns<C>[now] = b;
  wait_for_lanes();
  for (int i = 0; i < 4; i++) {
    int row = ROW_OF(LANE) + i / 2 * 8, column = COLUMN_OF(LANE) + i % 2;
    for (int k = 0; k < 16; k++) {
      int owner = WARP + row % 8 * 4 + k % 8 / 2, other = WARP + column * 4 + k % 8 / 2;
      tile.v[i] += (float)all_rows<C>[owner].v[k / 8 * 2 + row / 8][k % 2]
        * (float)all_columns<C>[other].v[k / 8][k % 2];
    }
  }
  wait_for_lanes();
}
"""

_METAL = r"""
#define device
#define constant
#define threadgroup
#define thread
#define thread_position_in_grid position()
#define thread_position_in_threadgroup (fibers[now].member)
typedef half_t half;
struct ulong2 { ulong2(size_t x = 0, size_t y = 0) : x(x), y(y) {} size_t x, y; };
static void threadgroup_barrier(int) { wait_for_all(); }
namespace metal {
namespace mem_flags { constexpr int mem_threadgroup = 1; }
inline float exp(float x) { return std::exp(x); }
inline float rsqrt(float x) { return 1.0f / std::sqrt(x); }
inline float simd_sum(float x) { return sum_of_lanes(x); }
// Two neighbours of a row are with each lane, as in MLX's own kernels (steel/gemm/mma.h).
inline int row_of(int lane) { return (lane / 4 & 4) + lane / 2 % 4; }
inline int column_of(int lane) { return (lane / 4 & 2) * 2 + lane % 2 * 2; }
template <typename T, int Cols, int Rows = Cols>
struct simdgroup_matrix {
  T elements[2];
  T (&thread_elements())[2] { return elements; }
};
typedef simdgroup_matrix<half, 8> simdgroup_half8x8;
typedef simdgroup_matrix<float, 8> simdgroup_float8x8;
template <typename T, int Cols, int Rows>
simdgroup_matrix<T, Cols, Rows> make_filled_simdgroup_matrix(T value) { return {value, value}; }
template <typename T>
void simdgroup_load(simdgroup_matrix<T, 8>& matrix, const T* from, size_t per_row = 8,
                    ulong2 origin = 0, bool transposed = false) {
  from += origin.y * per_row + origin.x;
  int row = row_of(LANE), column = column_of(LANE);
  for (int i = 0; i < 2; i++) {
    matrix.elements[i] = transposed ? from[(column + i) * per_row + row]
                                    : from[row * per_row + column + i];
  }
}
static float lefts[MOST_THREADS / 32][8][8], rights[MOST_THREADS / 32][8][8];
template <typename T>
void simdgroup_multiply_accumulate(simdgroup_float8x8& made, simdgroup_matrix<T, 8>& a,
                                   simdgroup_matrix<T, 8>& b, simdgroup_float8x8& c) {
  int row = row_of(LANE), column = column_of(LANE);
  for (int i = 0; i < 2; i++) {
    lefts[now / 32][row][column + i] = a.elements[i];
    rights[now / 32][row][column + i] = b.elements[i];
  }
  wait_for_lanes();
  for (int i = 0; i < 2; i++) {
    float sum = c.elements[i];
    for (int k = 0; k < 8; k++) {
      sum += lefts[now / 32][row][k] * rights[now / 32][k][column + i];
    }
    made.elements[i] = sum;
  }
  wait_for_lanes();
}
}
"""

_RUN = r"""
static void** arguments;
static int** shapes;
static void fiber() {
  body();
  fibers[now].state = DONE;
  swapcontext(&fibers[now].context, &scheduler);
}
extern "C" void run(void** given, int** sizes, const unsigned* threads, const unsigned* size) {
  arguments = given;
  shapes = sizes;
  if (!stacks) stacks = (char*)malloc((size_t)MOST_THREADS * STACK);
  group_size = {size[0], size[1], size[2]};
  int members = size[0] * size[1] * size[2];
  for (group.z = 0; group.z * size[2] < threads[2]; group.z++)
  for (group.y = 0; group.y * size[1] < threads[1]; group.y++)
  for (group.x = 0; group.x * size[0] < threads[0]; group.x++) {
    for (int i = 0; i < members; i++) {
      fibers[i].member = {i % size[0], i / size[0] % size[1], i / size[0] / size[1]};
      // Metal makes no threads beyond those that are asked for; with CUDA a kernel turns them away.
      uint3 at = {group.x * size[0] + fibers[i].member.x, group.y * size[1] + fibers[i].member.y,
                  group.z * size[2] + fibers[i].member.z};
      bool none = NO_MORE && (at.x >= threads[0] || at.y >= threads[1] || at.z >= threads[2]);
      fibers[i].state = none ? DONE : READY;
      getcontext(&fibers[i].context);
      fibers[i].context.uc_stack.ss_sp = stacks + (size_t)i * STACK;
      fibers[i].context.uc_stack.ss_size = STACK;
      fibers[i].context.uc_link = nullptr;
      makecontext(&fibers[i].context, fiber, 0);
    }
    if (&__start_shared_memory != &__stop_shared_memory) {
      memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    }
    for (bool left = true; left;) {
      left = false;
      for (int warp = 0; warp < members; warp += 32) {
        for (bool ready = true; ready;) {
          ready = false;
          for (now = warp; now < warp + 32 && now < members; now++) {
            if (fibers[now].state != READY) continue;
            swapcontext(&scheduler, &fibers[now].context);
            ready = true;
          }
        }
      }
      for (int i = 0; i < members; i++) {
        if (fibers[i].state != AT_BARRIER) continue;
        fibers[i].state = READY;
        left = true;
      }
    }
  }
}
"""

_TYPES = {
    mx.float32: "float",
    mx.float16: "half_t",
    mx.bfloat16: "bfloat_t",
    mx.int32: "int",
}


def emulated(folder: Path, *, metal: bool) -> Callable[..., Callable[..., list[mx.array]]]:
    """What stands for `mx.fast.metal_kernel` or `cuda_kernel`; libraries are kept in `folder`."""
    for name in ("metal_stdlib", "metal_simdgroup_matrix"):
        (folder / name).touch()

    def make(
        name: str, input_names: list[str], output_names: list[str], source: str, header: str
    ) -> Callable[..., list[mx.array]]:
        start = [_BASE, f"constexpr bool NO_MORE = {int(metal)};"]
        if metal:
            # Where `threadgroup` declares, memory is shared; in a type it says nothing here.
            start += [_METAL, header, "#undef SHARED", "#define SHARED SHARED_MEMORY"]
        else:
            start += [_CUDA, header[header.index("// Half precision ends there.") :]]

        def run(
            inputs: list[mx.array],
            template: list[tuple[str, Any]],
            grid: tuple[int, int, int],
            threadgroup: tuple[int, int, int],
            output_shapes: list[tuple[int, ...]],
            output_dtypes: list[mx.Dtype],
        ) -> list[mx.array]:
            types = [_TYPES[x.dtype] for x in inputs]
            code = [*start, "static void body();", _RUN, "static void body() {"]
            for number, (own, kind) in enumerate(zip(input_names, types, strict=True)):
                code.append(f"const {kind}* {own} = (const {kind}*)arguments[{number}];")
                code.append(f"const int* {own}_shape = shapes[{number}];")
            for number, (own, dtype) in enumerate(
                zip(output_names, output_dtypes, strict=True), len(inputs)
            ):
                code.append(f"{_TYPES[dtype]}* {own} = ({_TYPES[dtype]}*)arguments[{number}];")
            code += [_constant(*each) for each in template] + [source, "}"]
            library = _compiled("\n".join(code), folder)
            given = [_memory(x) for x in inputs]
            made = [
                _memory(mx.full(shape, mx.nan, dtype))
                for shape, dtype in zip(output_shapes, output_dtypes, strict=True)
            ]
            pointers = [each.ctypes.data for each in (*given, *made)]
            shapes = [(ctypes.c_int * 8)(*x.shape) for x in inputs]
            library.run(
                (ctypes.c_void_p * len(pointers))(*pointers),
                (ctypes.c_void_p * len(shapes))(*(ctypes.addressof(each) for each in shapes)),
                (ctypes.c_uint * 3)(*grid),
                (ctypes.c_uint * 3)(*map(min, threadgroup, grid)),
            )
            return [
                _array(each, shape, dtype)
                for each, shape, dtype in zip(made, output_shapes, output_dtypes, strict=True)
            ]

        return run

    return make


def _constant(name: str, value: Any) -> str:
    if isinstance(value, mx.Dtype):
        return f"using {name} = {_TYPES[value]};"
    kind = "bool" if isinstance(value, bool) else "int"
    return f"constexpr {kind} {name} = {int(value)};"


def _compiled(code: str, folder: Path) -> ctypes.CDLL:
    path = folder / f"{hashlib.sha256(code.encode()).hexdigest()[:16]}.so"
    if not path.exists():
        source = path.with_suffix(".cpp")
        source.write_text(code)
        # What a thread reads before it has written it is no number either.
        flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-ftrivial-auto-var-init=pattern"]
        flags.append(f"-I{folder}")
        subprocess.run([str(COMPILER), *flags, str(source), "-o", str(path)], check=True)
    return ctypes.CDLL(str(path))


def _memory(x: mx.array) -> np.ndarray[Any, Any]:
    """The bytes of x, where 16 at once can be read."""
    raw = np.array(mx.contiguous(x).view(mx.uint8)).reshape(-1)
    room = np.zeros(raw.size + 16, dtype=np.uint8)
    start = -room.ctypes.data % 16
    room[start : start + raw.size] = raw
    return room[start : start + raw.size]


def _array(memory: np.ndarray[Any, Any], shape: tuple[int, ...], dtype: mx.Dtype) -> mx.array:
    return mx.array(memory).view(dtype).reshape(shape)
