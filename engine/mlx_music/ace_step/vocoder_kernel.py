"""A GPU kernel for what takes a vocoder most of its time and least of its arithmetic.

The last levels of a HiFi-GAN head have few channels and very many samples. Operation by operation,
each pair of a ResBlock reads and writes all of them ten times over, and its convolutions are far
too narrow for matrix units that expect hundreds of outputs. Here a group of threads takes a piece
of sound through the whole pair in shared memory: it is read once, and written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import mlx.core as mx

from mlx_music.ace_step.gpu import LANES, kernel, shared_bytes

#: Channels that it is made for: with more, a general convolution does well.
WIDTHS = (8, 16, 32)

#: Rows, which are samples, that a group of threads may work on at once.
_ROWS = (256, 128)

#: Tiles of 16 rows that each 32 lanes make, so that they read weights once for both.
_TILES = 2

#: Taps that there is room for: so many rows of zeros lie behind those of the inner sound.
_MOST_TAPS = 16

#: Inputs that the matrix units consume at once.
_DEPTH = 16

_CONVOLVE = """
  #pragma unroll
  for (int m = 0; m < TILES; m++) {
    #pragma unroll
    for (int n = 0; n < C / 8; n++) tile_clear(sums[m][n]);
  }
  #pragma unroll 2
  for (int step = 0; step < steps; step++) {
    int tap = C == 8 ? step * 2 : step * 16 / C;
    int channel = C == 8 ? 0 : step * 16 % C;
    Columns<T> columns[C / 8];
    #pragma unroll
    for (int n = 0; n < C / 8; n++) {
      columns[n] = columns_at(WEIGHT + (step * (C / 8) + n) * 8 * 16, 16);
    }
    #pragma unroll
    for (int m = 0; m < TILES; m++) {
      const NEAR T* left = FROM + (first_row + m * 16 + tap * SPACING) * STRIDE + channel;
      Rows<T> rows = rows_at(left, C == 8 ? left + SPACING * STRIDE : left + 8, STRIDE);
      #pragma unroll
      for (int n = 0; n < C / 8; n++) tile_add(sums[m][n], rows, columns[n]);
    }
  }
"""


def _convolve(source: str, weight: str, spacing: str) -> str:
    convolve = _CONVOLVE.replace("FROM", source).replace("WEIGHT", weight)
    return convolve.replace("SPACING", spacing)


_RESIDUAL = f"""
  // Rows of more than 8 are padded, so that eight of them lie in different banks of the memory.
  constexpr int STRIDE = C == 8 ? 8 : C + 8, THREADS = ROWS / (16 * TILES) * 32;
  SHARED Eight<T> seen_rows[SEEN * STRIDE / 8], inner_rows[(ROWS + SPARE) * STRIDE / 8];
  NEAR T* seen = (NEAR T*)seen_rows;
  NEAR T* inner = (NEAR T*)inner_rows;
  int taps = sizes[0], dilation = sizes[1], reach = taps / 2;
  int steps = C == 8 ? (taps + 1) / 2 : taps * C / 16;
  int count = x_shape[1], item = POSITION.z, start = POSITION.y * (ROWS - 2 * reach);
  int member = PLACE_IN_GROUP.x, lane = member % 32, first_row = member / 32 * TILES * 16;
  const GLOBAL float* own = x + (size_t)item * count * C;

  // What the rows see, activated.
  int needed = ROWS + (steps * 16 / C - 1) * dilation;
  for (int place = member; place < needed * C / 8; place += THREADS) {{
    int row = place / (C / 8), column = place % (C / 8) * 8;
    int at = start - reach * (dilation + 1) + row;
    bool inside = at >= 0 && at < count;
    Eight<float> in;
    if (inside) in = *(const GLOBAL Eight<float>*)(own + (size_t)at * C + column);
    Eight<T> made;
    #pragma unroll
    for (int i = 0; i < 8; i++) {{
      float value = inside ? in.v[i] : 0.0f;
      made.v[i] = (T)bound(value * sigmoid<T>(value));
    }}
    *(NEAR Eight<T>*)(seen + row * STRIDE + column) = made;
  }}
  for (int place = member; place < SPARE * STRIDE; place += THREADS) {{
    inner[ROWS * STRIDE + place] = (T)0.0f;
  }}
  BARRIER;

  Tile sums[TILES][C / 8];
  {_convolve("seen", "weight1", "dilation")}
  #pragma unroll
  for (int m = 0; m < TILES; m++) {{
    #pragma unroll
    for (int n = 0; n < C / 8; n++) {{
      int column = n * 8 + COLUMN_OF(lane);
      Some<float, 2> added = *(const GLOBAL Some<float, 2>*)(bias1 + column);
      #pragma unroll
      for (int lower = 0; lower < 2; lower++) {{
        int row = first_row + m * 16 + ROW_OF(lane) + lower * 8, at = start - reach + row;
        Some<T, 2> made;
        #pragma unroll
        for (int i = 0; i < 2; i++) {{
          float value = VALUE(sums[m][n], lower * 2 + i) + added.v[i];
          value = at >= 0 && at < count ? value * sigmoid<T>(value) : 0.0f;
          made.v[i] = (T)bound(value);
        }}
        *(NEAR Some<T, 2>*)(inner + row * STRIDE + column) = made;
      }}
    }}
  }}
  BARRIER;

  {_convolve("inner", "weight2", "1")}
  #pragma unroll
  for (int m = 0; m < TILES; m++) {{
    #pragma unroll
    for (int lower = 0; lower < 2; lower++) {{
      int row = first_row + m * 16 + ROW_OF(lane) + lower * 8, at = start + row;
      if (row >= ROWS - 2 * reach || at >= count) continue;
      #pragma unroll
      for (int n = 0; n < C / 8; n++) {{
        size_t to = ((size_t)item * count + at) * C + n * 8 + COLUMN_OF(lane);
        Some<float, 2> before = *(const GLOBAL Some<float, 2>*)(x + to);
        Some<float, 2> added = *(const GLOBAL Some<float, 2>*)(bias2 + n * 8 + COLUMN_OF(lane));
        Some<float, 2> total;
        #pragma unroll
        for (int i = 0; i < 2; i++) {{
          total.v[i] = before.v[i] + (VALUE(sums[m][n], lower * 2 + i) + added.v[i]);
        }}
        if (SUMMED) {{
          Some<float, 2> more = *(const GLOBAL Some<float, 2>*)(others + to);
          #pragma unroll
          for (int i = 0; i < 2; i++) total.v[i] += more.v[i];
        }}
        Some<R, 2> made;
        #pragma unroll
        for (int i = 0; i < 2; i++) {{
          float value = total.v[i];
          if (BLOCKS > 0) {{
            value /= (float)BLOCKS;
            value = bound(value * sigmoid<T>(value));
          }}
          made.v[i] = (R)value;
        }}
        *(GLOBAL Some<R, 2>*)(out + to) = made;
      }}
    }}
  }}
"""


@dataclass(frozen=True)
class Pair:
    """A dilated and a plain convolution of equal width and kernel, as the kernel reads them.

    weight1, weight2: float16 (taps * channels / 16, channels / 8, 8, 16), blocks of 8 outputs by 16
    inputs of a tap (of 8 channels, of two taps), each in one piece, so that lanes that read it
    read neighbours; bias1, bias2: float32 (channels,).
    """

    weight1: mx.array
    bias1: mx.array
    weight2: mx.array
    bias2: mx.array
    taps: int
    dilation: int

    @classmethod
    def of(
        cls, weight1: mx.array, bias1: mx.array, weight2: mx.array, bias2: mx.array, dilation: int
    ) -> Pair:
        """From weights (channels, odd taps, channels) and biases (channels,), of the dilated
        convolution and of the plain one."""
        blocks1, blocks2 = _blocks(weight1), _blocks(weight2)
        own1, own2 = bias1.astype(mx.float32), bias2.astype(mx.float32)
        mx.eval(blocks1, own1, blocks2, own2)
        return cls(blocks1, own1, blocks2, own2, weight1.shape[1], dilation)

    @property
    def channels(self) -> int:
        return self.bias1.shape[0]

    @property
    def seen(self) -> int:
        """Rows beside its own that the first convolution reads."""
        return (self.weight1.shape[0] * _DEPTH // self.channels - 1) * self.dilation


def _blocks(weight: mx.array) -> mx.array:
    rows = weight.reshape(weight.shape[0], -1)
    rows = mx.pad(rows, [(0, 0), (0, -rows.shape[1] % _DEPTH)])
    return mx.contiguous(rows.reshape(-1, 8, rows.shape[1] // _DEPTH, _DEPTH).transpose(2, 0, 1, 3))


@cache
def _sizes(taps: int, dilation: int) -> mx.array:
    # More than 8 bytes: with CUDA, fewer would be in the host's memory, and a GPU waits for that.
    return mx.array([taps, dilation, 0, 0], dtype=mx.int32)


def rows_at_once(channels: int, seen: int) -> int:
    """How many samples a group of threads can work on, of pairs that see so many more; 0: none."""
    stride = channels if channels == 8 else channels + 8
    fit = (rows for rows in _ROWS if (2 * rows + seen + _MOST_TAPS) * stride * 2 <= shared_bytes())
    return next(fit, 0)


def fits(weight: mx.array, taps: int) -> bool:
    """Whether the kernel is made for convolutions like that of `weight` (out, taps, in), with up
    to so many taps."""
    outputs, _, inputs = weight.shape
    return (
        weight.dtype == mx.float16 and outputs == inputs and inputs in WIDTHS and taps <= _MOST_TAPS
    )


def residual(
    x: mx.array, pair: Pair, seen: int, others: mx.array | None = None, blocks: int | None = None
) -> mx.array:
    """x + the pair's second convolution of the SiLU of its first one of the SiLU of x.

    x: float32 (batch, samples, channels). seen: the most that any pair of the level sees, so that
    one kernel serves all. others: float32, is added. blocks: the result is the SiLU of the
    sum over so many, float16; else it is float32.
    """
    batch, samples, channels = x.shape
    rows = rows_at_once(channels, seen)
    wanted = rows - pair.taps // 2 * 2
    run = kernel(
        "residual",
        ("x", "weight1", "bias1", "weight2", "bias2", "sizes", "others"),
        ("out",),
        _RESIDUAL,
    )
    sizes = _sizes(pair.taps, pair.dilation)
    dtype = mx.float32 if blocks is None else pair.weight1.dtype
    threads = rows // (16 * _TILES) * LANES
    (out,) = run(
        inputs=[
            *(x, pair.weight1, pair.bias1, pair.weight2, pair.bias2, sizes),
            x if others is None else others,
        ],
        template=[
            *(("T", pair.weight1.dtype), ("R", dtype), ("C", channels), ("ROWS", rows)),
            *(("SEEN", rows + seen), ("SPARE", _MOST_TAPS), ("TILES", _TILES)),
            *(("SUMMED", others is not None), ("BLOCKS", blocks or 0)),
        ],
        grid=(threads, -(-samples // wanted), batch),
        threadgroup=(threads, 1, 1),
        output_shapes=[x.shape],
        output_dtypes=[dtype],
    )
    return out
