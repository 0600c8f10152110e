"""GPU kernels for ReLU linear attention, which is little arithmetic on much that is made for it.

Operation by operation, queries, keys and values are written and read again in float32, twice as
wide as the projections that they come from. Here two kernels read the projections where they lie:
one adds up what the keys say of the values, over all frames, and the other asks each query for its
share. Products are as precise as MLX's own of float32 are by default: in TF32 with CUDA, in float32
with Metal. Of a bfloat16 model, CUDA takes turned queries and keys in bfloat16, as the reference
does, and of the sums 16 bits of each number.
"""

from __future__ import annotations

import mlx.core as mx

from mlx_music.ace_step.gpu import kernel
from mlx_music.ace_step.operations import LINEAR_ATTENTION_EPS, RotaryTables

#: Keys' and values' features that a group of threads sums over all frames.
_KEYS, _VALUES = 32, 64

#: Frames that it takes at once, and its threads, half of them for each half of these frames.
_STEP, _SUMMING = 32, 256

#: Steps whose features are on their way.
_AHEAD = 2

#: Frames whose queries a group of threads answers: what fits into shared memory, of numbers of so
#: many bytes.
_ANSWERED = {2: 128, 4: 32}

#: Steps of 16 keys whose columns it has on their way: with more, threads need over 64 registers,
#: and an H200's core has room for one such group in place of two.
_COLUMNS_AHEAD = 4

#: Widths of a head that both kernels divide.
_HEADS = (64, 128)


def fits(features: int, head_dim: int) -> bool:
    """Whether the kernels are made for so many features in heads of that width."""
    return head_dim in _HEADS and features % head_dim == 0


_SUM = """
  // While the products of a step are made, the next ones' features are on their way. With two rooms
  // for them, nobody waits until the products of the step before are made.
  constexpr int KEY_ROW = KEYS + 8, VALUE_ROW = VALUES + 8, ROOM = STEP * (KEY_ROW + VALUE_ROW);
  constexpr int ROOMS = sizeof(C) == 2 ? 2 : 1, WARPS = VALUES / 16, SHARES = THREADS / 32 / WARPS;
  constexpr int PART = STEP * KEYS / THREADS, LOADS = STEP * VALUES / 8 / THREADS;
  constexpr int TILES = KEYS / 8, SCRATCH = TILES * 4 * 32;
  static_assert(SHARES == 2 && STEP % (16 * SHARES) == 0, "");
  static_assert(PART % 2 == 0 && KEYS % PART == 0 && LOADS * THREADS * 8 == STEP * VALUES, "");
  static_assert(WARPS * SCRATCH * 4 <= ROOM * ROOMS * sizeof(C), "");
  SHARED Eight<C> room[ROOM * ROOMS / 8];
  int frames = x_shape[1], heads = FEATURES / HEAD;
  int item = POSITION.z / heads, head = POSITION.z % heads;
  int key = POSITION.y % (HEAD / KEYS) * KEYS, value = POSITION.y / (HEAD / KEYS) * VALUES;
  int member = PLACE_IN_GROUP.x, lane = member % 32, warp = member / 32;
  const GLOBAL T* own = x + (size_t)item * frames * 3 * FEATURES + head * HEAD;
  const GLOBAL T* own_keys = own + FEATURES + key;
  const GLOBAL T* own_values = own + 2 * FEATURES + value;

  // What a thread carries to shared memory, of the steps that come, and has carried there in all.
  int key_frame = member / (KEYS / PART), key_column = member % (KEYS / PART) * PART;
  Some<T, PART> key_in[AHEAD];
  Eight<T> value_in[AHEAD][LOADS];
  Some<float, PART> ones[AHEAD], others[AHEAD];
  Some<float, PART> total;
  #pragma unroll
  for (int i = 0; i < PART; i++) total.v[i] = 0.0f;

  // As many warps as there are tiles of 16 values have the same share of a step's frames.
  int share = warp / WARPS, own_rows = warp % WARPS * 16;
  Tile sums[TILES];
  #pragma unroll
  for (int n = 0; n < TILES; n++) tile_clear(sums[n]);

  int steps = (frames + STEP - 1) / STEP;
  for (int begin = -AHEAD; begin < steps; begin += AHEAD) {
    #pragma unroll
    for (int slot = 0; slot < AHEAD; slot++) {
      int step = begin + slot;
      if (step >= steps) break;
      NEAR C* keys = (NEAR C*)room + (step & (ROOMS - 1)) * ROOM;
      NEAR C* values = keys + STEP * KEY_ROW;
      if (step >= 0) {
        bool key_inside = step * STEP + key_frame < frames;
        Some<C, PART> turned;
        #pragma unroll
        for (int i = 0; i < PART; i++) {
          float one = (float)key_in[slot].v[i / 2 * 2] * ones[slot].v[i]
            + (float)key_in[slot].v[i / 2 * 2 + 1] * others[slot].v[i];
          // What is no number stays none.
          turned.v[i] = taken<C>(!key_inside || one < 0.0f ? 0.0f : one);
          total.v[i] += (float)turned.v[i];
        }
        *(NEAR Some<C, PART>*)(keys + key_frame * KEY_ROW + key_column) = turned;
        #pragma unroll
        for (int load = 0; load < LOADS; load++) {
          int place = load * THREADS + member;
          int row = place / (VALUES / 8), column = place % (VALUES / 8) * 8;
          bool inside = step * STEP + row < frames;
          Eight<C> made;
          #pragma unroll
          for (int i = 0; i < 8; i++) {
            T one = inside ? value_in[slot][load].v[i] : (T)0.0f;
            made.v[i] = sizeof(T) == 2 ? (C)one : taken<C>((float)one);
          }
          *(NEAR Eight<C>*)(values + row * VALUE_ROW + column) = made;
        }
      }
      int frame = (step + AHEAD) * STEP + key_frame;
      if (frame < frames) {
        int place = frame * HEAD + key + key_column;
        key_in[slot] =
          *(const GLOBAL Some<T, PART>*)(own_keys + frame * 3 * FEATURES + key_column);
        ones[slot] = *(const GLOBAL Some<float, PART>*)(first + place);
        others[slot] = *(const GLOBAL Some<float, PART>*)(second + place);
      }
      #pragma unroll
      for (int load = 0; load < LOADS; load++) {
        int place = load * THREADS + member;
        int at = (step + AHEAD) * STEP + place / (VALUES / 8), column = place % (VALUES / 8) * 8;
        if (at < frames) {
          value_in[slot][load] =
            *(const GLOBAL Eight<T>*)(own_values + at * 3 * FEATURES + column);
        }
      }
      if (step < 0) continue;
      BARRIER;
      #pragma unroll
      for (int depth = 0; depth < STEP / SHARES; depth += 16) {
        int frame = share * (STEP / SHARES) + depth;
        Rows<C> rows = rows_across(values + frame * VALUE_ROW + own_rows, VALUE_ROW);
        #pragma unroll
        for (int n = 0; n < TILES; n++) {
          Columns<C> columns = columns_across(keys + frame * KEY_ROW + n * 8, KEY_ROW);
          tile_add(sums[n], rows, columns);
        }
      }
      if (ROOMS == 1 && step + 1 < steps) { BARRIER; }
    }
  }
  BARRIER;

  // The second share's sums are added to the first's, always in this order.
  NEAR float* scratch = (NEAR float*)room + warp % WARPS * SCRATCH + lane;
  if (share > 0) {
    #pragma unroll
    for (int n = 0; n < TILES; n++) {
      #pragma unroll
      for (int i = 0; i < 4; i++) scratch[(n * 4 + i) * 32] = VALUE(sums[n], i);
    }
  }
  BARRIER;
  if (share == 0) {
    #pragma unroll
    for (int lower = 0; lower < 2; lower++) {
      int row = value + own_rows + ROW_OF(lane) + lower * 8;
      GLOBAL float* to = products + ((size_t)POSITION.z * HEAD + row) * HEAD + key;
      #pragma unroll
      for (int n = 0; n < TILES; n++) {
        float made[2];
        #pragma unroll
        for (int i = 0; i < 2; i++) {
          made[i] = VALUE(sums[n], lower * 2 + i) + scratch[(n * 4 + lower * 2 + i) * 32];
        }
        keep_parted<C>(to + n * 8 + COLUMN_OF(lane), made[0], made[1]);
      }
    }
  }
  if (value > 0) return;
  BARRIER;
  *(NEAR Some<float, PART>*)((NEAR float*)room + key_frame * KEYS + key_column) = total;
  BARRIER;
  if (member >= KEYS) return;
  float sum = 0.0f;
  #pragma unroll 16
  for (int i = 0; i < STEP; i++) sum += ((NEAR float*)room)[i * KEYS + member];
  key_sums[(size_t)POSITION.z * HEAD + key + member] = sum;
"""


_ANSWER = """
  constexpr int ROW = HEAD + 16 / sizeof(C), WARPS = THREADS / 32, PART = HEAD / 32;
  constexpr int TILES = HEAD / WARPS / 8, PARTS = sizeof(C) == 2 ? 2 : 1;
  static_assert(TILES * WARPS * 8 == HEAD && FRAMES % 16 == 0 && HEAD / 16 >= AHEAD, "");
  SHARED Eight<C> room[FRAMES * ROW / 8];
  SHARED float weights[FRAMES];
  NEAR C* queries = (NEAR C*)room;
  int frames = x_shape[1], heads = FEATURES / HEAD;
  int item = POSITION.z / heads, head = POSITION.z % heads, start = POSITION.y * FRAMES;
  int member = PLACE_IN_GROUP.x, lane = member % 32, warp = member / 32;
  const GLOBAL T* own = x + (size_t)item * frames * 3 * FEATURES + head * HEAD + lane * PART;
  Some<float, PART> sum =
    *(const GLOBAL Some<float, PART>*)(key_sums + (size_t)POSITION.z * HEAD + lane * PART);
  // One by one, for registers: the more groups have room for theirs, the less anybody waits.
  #pragma unroll 1
  for (int row = warp; row < FRAMES; row += WARPS) {
    int frame = start + row;
    Some<C, PART> turned;
    #pragma unroll
    for (int i = 0; i < PART; i++) turned.v[i] = (C)0.0f;
    float weight = 0.0f;
    if (frame < frames) {
      int place = frame * HEAD + lane * PART;
      Some<T, PART> in = *(const GLOBAL Some<T, PART>*)(own + frame * 3 * FEATURES);
      Some<float, PART> ones = *(const GLOBAL Some<float, PART>*)(first + place);
      Some<float, PART> others = *(const GLOBAL Some<float, PART>*)(second + place);
      #pragma unroll
      for (int i = 0; i < PART; i++) {
        float one =
          (float)in.v[i / 2 * 2] * ones.v[i] + (float)in.v[i / 2 * 2 + 1] * others.v[i];
        turned.v[i] = taken<C>(one < 0.0f ? 0.0f : one);  // what is no number stays none
        weight += (float)turned.v[i] * sum.v[i];
      }
    }
    *(NEAR Some<C, PART>*)(queries + row * ROW + lane * PART) = turned;
    weight = lanes_sum(weight);
    if (lane == 0) weights[row] = 1.0f / (weight + EPS);
  }

  // What the keys say of the warp's own values, so far ahead of its use.
  const GLOBAL float* said = products + ((size_t)POSITION.z * HEAD + warp * TILES * 8) * HEAD;
  Columns<C> columns[AHEAD][TILES][PARTS];
  #pragma unroll
  for (int step = 0; step < AHEAD; step++) {
    #pragma unroll
    for (int n = 0; n < TILES; n++) {
      parted_at(columns[step][n], said + n * 8 * HEAD + step * 16, HEAD);
    }
  }
  BARRIER;

  Tile sums[FRAMES / 16][TILES];
  #pragma unroll
  for (int m = 0; m < FRAMES / 16; m++) {
    #pragma unroll
    for (int n = 0; n < TILES; n++) tile_clear(sums[m][n]);
  }
  #pragma unroll
  for (int step = 0; step < HEAD / 16; step++) {
    #pragma unroll
    for (int m = 0; m < FRAMES / 16; m++) {
      const NEAR C* left = queries + m * 16 * ROW + step * 16;
      Rows<C> rows = rows_at(left, left + 8, ROW);
      #pragma unroll
      for (int n = 0; n < TILES; n++) {
        #pragma unroll
        for (int i = 0; i < PARTS; i++) tile_add(sums[m][n], rows, columns[step % AHEAD][n][i]);
      }
    }
    if (step + AHEAD < HEAD / 16) {
      #pragma unroll
      for (int n = 0; n < TILES; n++) {
        parted_at(columns[step % AHEAD][n], said + n * 8 * HEAD + (step + AHEAD) * 16, HEAD);
      }
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
        *(GLOBAL Some<T, 2>*)(to + (warp * TILES + n) * 8 + COLUMN_OF(lane)) = made;
      }
    }
  }
""".replace("EPS", f"{LINEAR_ATTENTION_EPS}f")


def linear_attention(x: mx.array, rope: RotaryTables) -> mx.array:
    first, second = rope.first, rope.second
    batch, frames, width = x.shape
    features, head = width // 3, first.shape[-1]
    heads = features // head
    on_mac = mx.metal.is_available()
    operands = mx.float32 if on_mac or x.dtype != mx.bfloat16 else x.dtype
    template = [("T", x.dtype), ("C", operands), ("FEATURES", features), ("HEAD", head)]
    values = min(_VALUES, head)
    add_up = kernel("sum_keys_values", ("x", "first", "second"), ("products", "key_sums"), _SUM)
    products, key_sums = add_up(
        inputs=[x, first, second],
        template=[
            *(*template, ("KEYS", _KEYS), ("VALUES", values)),
            *(("STEP", _STEP), ("AHEAD", _AHEAD), ("THREADS", _SUMMING)),
        ],
        grid=(_SUMMING, head // _KEYS * (head // values), batch * heads),
        threadgroup=(_SUMMING, 1, 1),
        output_shapes=[(batch, heads, head, head), (batch, heads, head)],
        output_dtypes=[mx.float32, mx.float32],
    )
    answer = kernel(
        "answer_queries", ("x", "first", "second", "products", "key_sums"), ("out",), _ANSWER
    )
    # A warp for each 8 values; for 16 on a Mac, where groups of 512 threads may have no room.
    answered, threads = _ANSWERED[operands.size], head * (2 if on_mac else 4)
    (out,) = answer(
        inputs=[x, first, second, products, key_sums],
        template=[
            *(*template, ("FRAMES", answered)),
            *(("AHEAD", _COLUMNS_AHEAD), ("THREADS", threads)),
        ],
        grid=(threads, -(-frames // answered), batch * heads),
        threadgroup=(threads, 1, 1),
        output_shapes=[(batch, frames, features)],
        output_dtypes=[x.dtype],
    )
    return out
