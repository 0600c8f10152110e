"""UMT5 against the reference's goldens, and against `transformers` on other sizes."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.ace_step import text_encoder
from mlx_music.ace_step.components import Components
from mlx_music.ace_step.prompt_tokenizer import MAX_PROMPT_TOKENS
from mlx_music.ace_step.text_encoder import TextEncoder, TextEncoderConfig
from tests.parity.conftest import Reference, relative_error

TOLERANCE = 1e-4


def test_prompt_ids(reference: Reference, components: Components) -> None:
    ids, mask = components.prompt_tokenizer([reference.meta["prompt"]])
    np.testing.assert_array_equal(ids, reference.stages["text.ids"])
    assert np.array(mask).all()


def test_a_long_prompt_is_cut_and_a_batch_is_padded(components: Components) -> None:
    tokenizer = components.prompt_tokenizer
    long = "funk, " * 300
    assert tokenizer.length(long) > MAX_PROMPT_TOKENS
    ids, mask = tokenizer([long, "funk"])
    assert ids.shape == mask.shape == (2, MAX_PROMPT_TOKENS)
    short = tokenizer.length("funk")
    assert np.array(mask).sum(axis=1).tolist() == [MAX_PROMPT_TOKENS, short]


def test_hidden_states(reference: Reference, components: Components) -> None:
    ids = mx.array(reference.stages["text.ids"])
    hidden = components.text_encoder(ids, mx.ones_like(ids))
    assert relative_error(hidden, reference.stages["text.hidden"]) < TOLERANCE


def test_weakened_hidden_states(reference: Reference, components: Components) -> None:
    ids = mx.array(reference.stages["text.ids"])
    hidden = components.text_encoder(ids, mx.ones_like(ids), weakened=True)
    assert relative_error(hidden, reference.stages["text.hidden_null_erg"]) < TOLERANCE


def test_both_at_once(reference: Reference, components: Components) -> None:
    ids = mx.array(reference.stages["text.ids"])
    ids = mx.concatenate([ids, ids])
    states = components.text_encoder.passes(ids, mx.ones_like(ids), (False, True))
    for made, golden in zip(states, ("text.hidden", "text.hidden_null_erg"), strict=True):
        for item in mx.split(made, 2):
            assert relative_error(item, reference.stages[golden]) < TOLERANCE


def test_padded_batch(reference: Reference, components: Components) -> None:
    ids = mx.array(reference.stages["text.batch_ids"])
    mask = mx.array(reference.stages["text.batch_mask"])
    hidden = components.text_encoder(ids, mask)
    assert relative_error(hidden, reference.stages["text.batch_hidden"]) < TOLERANCE


@pytest.mark.parametrize(
    ("tokens", "buckets", "max_distance", "layers"), [(1, 32, 128, 1), (300, 16, 40, 3)]
)
def test_against_transformers(tokens: int, buckets: int, max_distance: int, layers: int) -> None:
    torch = pytest.importorskip("torch", reason="compared with transformers, which needs torch")
    transformers = pytest.importorskip("transformers")
    sizes = {
        "vocab_size": 90,
        "d_model": 24,
        "d_kv": 10,
        "d_ff": 40,
        "num_layers": layers,
        "num_heads": 2,
        "relative_attention_num_buckets": buckets,
        "relative_attention_max_distance": max_distance,
    }
    torch.manual_seed(0)
    theirs = transformers.UMT5EncoderModel(
        transformers.UMT5Config(**sizes, feed_forward_proj="gated-gelu", dropout_rate=0.0)
    ).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    ours = TextEncoder(TextEncoderConfig.from_dict(sizes))
    tensors = {name: mx.array(t.detach().numpy()) for name, t in theirs.state_dict().items()}
    ours.load_weights(list(text_encoder.sanitize(tensors).items()), strict=True)

    generator = np.random.default_rng(0)
    ids = generator.integers(0, sizes["vocab_size"], (2, tokens))
    mask = np.ones((2, tokens), dtype=np.int32)
    mask[1, (tokens + 1) // 2 :] = 0
    with torch.no_grad():
        expected = theirs(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)
        ).last_hidden_state.numpy()
    actual = np.array(ours(mx.array(ids), mx.array(mask)))
    assert relative_error(actual[mask == 1], expected[mask == 1]) < 1e-5
