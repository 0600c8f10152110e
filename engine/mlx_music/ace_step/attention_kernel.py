"""GPU kernels for ReLU linear attention, which is little arithmetic on much that is made for it.

Operation by operation, queries, keys and values are written and read again in float32, twice as
wide as the projections that they come from. Here two kernels read the projections where they lie:
one adds up what the keys say of the values, over all frames, and the other asks each query for its
share. Products are as precise as MLX's own of float32 are by default: in TF32 with CUDA, in float32
with Metal.
"""

from __future__ import annotations

import mlx.core as mx

from mlx_music.ace_step.gpu import kernel
from mlx_music.ace_step.operations import LINEAR_ATTENTION_EPS, RotaryTables

#: Keys' and values' features that a group of threads sums over all frames.
_KEYS, _VALUES = 32, 64

#: Threads of such a group, half of them for each half of a step's frames. Of twice as many, a GPU's
#: core would hold only one such group at once.
_SUMMING = 256

#: Frames whose queries a group of threads answers, and its threads.
_ANSWERED, _ANSWERING = 32, 128

#: Widths of a head that both kernels divide.
_HEADS = (64, 128)


def fits(features: int, head_dim: int) -> bool:
    """Whether the kernels are made for so many features in heads of that width."""
    return head_dim in _HEADS and features % head_dim == 0


_SUM = """
  // A step has 64 frames. While its products are made, the next one's features are on their way.
  constexpr int STEP = 64, KEY_ROW = KEYS + 8, VALUE_ROW = VALUES + 8, TILES = VALUES / 16;
  constexpr int PART = STEP * KEYS / THREADS, LOADS = STEP * VALUES / 8 / THREADS;
  constexpr int SHARES = 2, SCRATCH = (TILES + 1) * 4 * 32;
  static_assert(THREADS == 128 * SHARES, "");
  static_assert(PART % 2 == 0 && KEYS % PART == 0 && LOADS * THREADS * 8 == STEP * VALUES, "");
  static_assert(4 * SCRATCH <= STEP * (KEY_ROW + VALUE_ROW), "");
  SHARED Some<float, 8> room[STEP * (KEY_ROW + VALUE_ROW) / 8];
  NEAR float* keys = (NEAR float*)room;
  NEAR float* values = keys + STEP * KEY_ROW;
  int frames = x_shape[1], heads = FEATURES / HEAD;
  int item = POSITION.z / heads, head = POSITION.z % heads;
  int key = POSITION.y % (HEAD / KEYS) * KEYS, value = POSITION.y / (HEAD / KEYS) * VALUES;
  int member = PLACE_IN_GROUP.x, lane = member % 32, warp = member / 32;
  const GLOBAL T* own = x + (size_t)item * frames * 3 * FEATURES + head * HEAD;
  const GLOBAL T* own_keys = own + FEATURES + key;
  const GLOBAL T* own_values = own + 2 * FEATURES + value;

  // What a thread carries to shared memory, of the step that comes.
  int key_frame = member / (KEYS / PART), key_column = member % (KEYS / PART) * PART;
  Some<T, PART> key_in;
  Eight<T> value_in[LOADS];
  Some<float, PART> ones, others;
  bool key_inside = false;

  // Four warps have the same share of a step's frames, each 16 keys and half of the values.
  int share = warp / 4, rows_of_keys = warp % 4 / 2 * 16;
  int columns_of_values = warp % 2 * (VALUES / 2);
  Tile sums[TILES], total;
  #pragma unroll
  for (int n = 0; n < TILES; n++) tile_clear(sums[n]);
  tile_clear(total);
  FloatColumns ones_below = float_columns_of(1.0f);

  int steps = (frames + STEP - 1) / STEP;
  for (int step = 0; step <= steps; step++) {
    if (step > 0) {
      Some<float, PART> turned;
      #pragma unroll
      for (int i = 0; i < PART; i++) {
        float one = key_inside ? (float)key_in.v[i / 2 * 2] * ones.v[i]
          + (float)key_in.v[i / 2 * 2 + 1] * others.v[i] : 0.0f;
        turned.v[i] = one < 0.0f ? 0.0f : ROUNDED(one);  // what is no number stays none
      }
      *(NEAR Some<float, PART>*)(keys + key_frame * KEY_ROW + key_column) = turned;
      #pragma unroll
      for (int load = 0; load < LOADS; load++) {
        int place = load * THREADS + member;
        int row = place / (VALUES / 8), column = place % (VALUES / 8) * 8;
        bool inside = (step - 1) * STEP + row < frames;
        Eight<float> wide;
        #pragma unroll
        for (int i = 0; i < 8; i++) {
          float one = inside ? (float)value_in[load].v[i] : 0.0f;
          wide.v[i] = sizeof(T) == 2 ? one : ROUNDED(one);
        }
        *(NEAR Eight<float>*)(values + row * VALUE_ROW + column) = wide;
      }
      BARRIER;
    }
    if (step < steps) {
      int frame = step * STEP + key_frame;
      key_inside = frame < frames;
      if (key_inside) {
        size_t place = (size_t)frame * HEAD + key + key_column;
        const GLOBAL T* from = own_keys + (size_t)frame * 3 * FEATURES + key_column;
        key_in = *(const GLOBAL Some<T, PART>*)from;
        ones = *(const GLOBAL Some<float, PART>*)(first + place);
        others = *(const GLOBAL Some<float, PART>*)(second + place);
      }
      #pragma unroll
      for (int load = 0; load < LOADS; load++) {
        int place = load * THREADS + member;
        int at = step * STEP + place / (VALUES / 8), column = place % (VALUES / 8) * 8;
        if (at < frames) {
          value_in[load] =
            *(const GLOBAL Eight<T>*)(own_values + (size_t)at * 3 * FEATURES + column);
        }
      }
    }
    if (step > 0) {
      #pragma unroll
      for (int depth = 0; depth < STEP / SHARES; depth += 8) {
        int frame = share * (STEP / SHARES) + depth;
        FloatRows rows = float_rows_across(keys + frame * KEY_ROW + rows_of_keys, KEY_ROW);
        #pragma unroll
        for (int n = 0; n < TILES; n++) {
          FloatColumns columns = float_columns_at(
            values + frame * VALUE_ROW + columns_of_values + n * 8, VALUE_ROW);
          float_tile_add(sums[n], rows, columns);
        }
        float_tile_add(total, rows, ones_below);
      }
      BARRIER;
    }
  }

  // The second share's sums are added to the first's, always in this order.
  NEAR float* scratch = keys + warp % 4 * SCRATCH + lane;
  if (share > 0) {
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      #pragma unroll
      for (int n = 0; n < TILES; n++) scratch[(n * 4 + i) * 32] = VALUE(sums[n], i);
      scratch[(TILES * 4 + i) * 32] = VALUE(total, i);
    }
  }
  BARRIER;
  if (share > 0) return;
  #pragma unroll
  for (int lower = 0; lower < 2; lower++) {
    size_t row = (size_t)POSITION.z * HEAD + key + rows_of_keys + ROW_OF(lane) + lower * 8;
    #pragma unroll
    for (int n = 0; n < TILES; n++) {
      Some<float, 2> made;
      #pragma unroll
      for (int i = 0; i < 2; i++) {
        int part = lower * 2 + i;
        made.v[i] = ROUNDED(VALUE(sums[n], part) + scratch[(n * 4 + part) * 32]);
      }
      int column = value + columns_of_values + n * 8 + COLUMN_OF(lane);
      *(GLOBAL Some<float, 2>*)(products + row * HEAD + column) = made;
    }
    if (value + columns_of_values == 0 && COLUMN_OF(lane) == 0) {
      key_sums[row] = VALUE(total, lower * 2) + scratch[(TILES * 4 + lower * 2) * 32];
    }
  }
"""


_ANSWER = """
  constexpr int ROW = HEAD + 4, WARPS = THREADS / 32, PART = HEAD / 32, ROWS = 2;
  constexpr int TILES = HEAD / WARPS / 8;
  static_assert(FRAMES % (ROWS * WARPS) == 0, "");
  SHARED Some<float, 4> room[FRAMES * ROW / 4];
  SHARED float weights[FRAMES];
  NEAR float* queries = (NEAR float*)room;
  int frames = x_shape[1], heads = FEATURES / HEAD;
  int item = POSITION.z / heads, head = POSITION.z % heads, start = POSITION.y * FRAMES;
  int member = PLACE_IN_GROUP.x, lane = member % 32, warp = member / 32;
  const GLOBAL T* own = x + (size_t)item * frames * 3 * FEATURES + head * HEAD + lane * PART;
  Some<float, PART> sum =
    *(const GLOBAL Some<float, PART>*)(key_sums + (size_t)POSITION.z * HEAD + lane * PART);
  for (int rows = warp; rows < FRAMES; rows += ROWS * WARPS) {
    // All that a lane reads is on its way before the first of it is used.
    Some<T, PART> in[ROWS];
    Some<float, PART> ones[ROWS], others[ROWS];
    #pragma unroll
    for (int i = 0; i < ROWS; i++) {
      int frame = start + rows + i * WARPS;
      if (frame < frames) {
        size_t place = (size_t)frame * HEAD + lane * PART;
        in[i] = *(const GLOBAL Some<T, PART>*)(own + (size_t)frame * 3 * FEATURES);
        ones[i] = *(const GLOBAL Some<float, PART>*)(first + place);
        others[i] = *(const GLOBAL Some<float, PART>*)(second + place);
      }
    }
    #pragma unroll
    for (int i = 0; i < ROWS; i++) {
      int row = rows + i * WARPS;
      bool inside = start + row < frames;
      Some<float, PART> turned;
      float weight = 0.0f;
      #pragma unroll
      for (int j = 0; j < PART; j++) {
        float one = inside ? (float)in[i].v[j / 2 * 2] * ones[i].v[j]
          + (float)in[i].v[j / 2 * 2 + 1] * others[i].v[j] : 0.0f;
        turned.v[j] = one < 0.0f ? 0.0f : ROUNDED(one);  // what is no number stays none
        weight += turned.v[j] * sum.v[j];
      }
      *(NEAR Some<float, PART>*)(queries + row * ROW + lane * PART) = turned;
      weight = lanes_sum(weight);
      if (lane == 0) weights[row] = 1.0f / (weight + EPS);
    }
  }
  BARRIER;

  Tile sums[FRAMES / 16][TILES];
  #pragma unroll
  for (int m = 0; m < FRAMES / 16; m++) {
    #pragma unroll
    for (int n = 0; n < TILES; n++) tile_clear(sums[m][n]);
  }
  const GLOBAL float* said = products + (size_t)POSITION.z * HEAD * HEAD + warp * (HEAD / WARPS);
  #pragma unroll 4
  for (int depth = 0; depth < HEAD; depth += 8) {
    FloatColumns columns[TILES];
    #pragma unroll
    for (int n = 0; n < TILES; n++) {
      columns[n] = float_columns_at(said + depth * HEAD + n * 8, HEAD);
    }
    #pragma unroll
    for (int m = 0; m < FRAMES / 16; m++) {
      FloatRows rows = float_rows_at(queries + m * 16 * ROW + depth, ROW);
      #pragma unroll
      for (int n = 0; n < TILES; n++) float_tile_add(sums[m][n], rows, columns[n]);
    }
  }
  #pragma unroll
  for (int m = 0; m < FRAMES / 16; m++) {
    #pragma unroll
    for (int lower = 0; lower < 2; lower++) {
      int row = m * 16 + ROW_OF(lane) + lower * 8, frame = start + row;
      if (frame >= frames) continue;
      float weight = weights[row];
      GLOBAL T* to = out + ((size_t)item * frames + frame) * FEATURES + head * HEAD;
      #pragma unroll
      for (int n = 0; n < TILES; n++) {
        Some<T, 2> made;
        #pragma unroll
        for (int i = 0; i < 2; i++) made.v[i] = (T)(VALUE(sums[m][n], lower * 2 + i) * weight);
        *(GLOBAL Some<T, 2>*)(to + warp * (HEAD / WARPS) + n * 8 + COLUMN_OF(lane)) = made;
      }
    }
  }
""".replace("EPS", f"{LINEAR_ATTENTION_EPS}f")


def linear_attention(x: mx.array, rope: RotaryTables) -> mx.array:
    first, second = rope.first, rope.second
    batch, frames, width = x.shape
    features, head = width // 3, first.shape[-1]
    heads = features // head
    values = min(_VALUES, head)
    template = [("T", x.dtype), ("FEATURES", features), ("HEAD", head)]
    add_up = kernel("sum_keys_values", ("x", "first", "second"), ("products", "key_sums"), _SUM)
    products, key_sums = add_up(
        inputs=[x, first, second],
        template=[*template, ("KEYS", _KEYS), ("VALUES", values), ("THREADS", _SUMMING)],
        grid=(_SUMMING, head // _KEYS * (head // values), batch * heads),
        threadgroup=(_SUMMING, 1, 1),
        output_shapes=[(batch, heads, head, head), (batch, heads, head)],
        output_dtypes=[mx.float32, mx.float32],
    )
    answer = kernel(
        "answer_queries", ("x", "first", "second", "products", "key_sums"), ("out",), _ANSWER
    )
    (out,) = answer(
        inputs=[x, first, second, products, key_sums],
        template=[*template, ("FRAMES", _ANSWERED), ("THREADS", _ANSWERING)],
        grid=(_ANSWERING, -(-frames // _ANSWERED), batch * heads),
        threadgroup=(_ANSWERING, 1, 1),
        output_shapes=[(batch, frames, features)],
        output_dtypes=[x.dtype],
    )
    return out
