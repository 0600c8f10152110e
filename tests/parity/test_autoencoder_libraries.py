"""The autoencoder against diffusers' `AutoencoderDC`, on random weights of other sizes.

For development only: neither diffusers nor torch is needed to use this project.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.ace_step.dcae import DCAE, DCAEConfig, sanitize
from tests.parity.conftest import relative_error

torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")

RES, VIT = "ResBlock", "EfficientViTBlock"


def _options(
    kinds: tuple[str, ...], channels: tuple[int, ...], layers: tuple[int, ...], **others: Any
) -> dict[str, Any]:
    """The same levels for both sides, in the published kind of model."""
    scales = others.pop("scales", ((5,),) * len(kinds))
    options: dict[str, Any] = {
        "in_channels": 2,
        "latent_channels": 4,
        "attention_head_dim": 8,
        "downsample_block_type": "Conv",
        "upsample_block_type": "interpolate",
    }
    for side in ("encoder", "decoder"):
        options[f"{side}_block_types"] = kinds
        options[f"{side}_block_out_channels"] = channels
        options[f"{side}_layers_per_block"] = layers
        options[f"{side}_qkv_multiscales"] = scales
    return options | others


CASES = {
    "published kind": (_options((RES, RES, RES, VIT), (8, 16, 16, 32), (1, 2, 1, 2)), 16, 13),
    "two scales, small heads": (
        _options((RES, VIT), (8, 32), (2, 1), scales=((), (3, 5)), attention_head_dim=4),
        6,
        7,
    ),
    "heads that do not divide": (
        _options((RES, VIT), (8, 16), (1, 1), scales=((), (3,)), attention_head_dim=6),
        4,
        5,
    ),
    "fewer positions than head dimensions": (
        _options((RES, VIT), (16, 32), (1, 2), scales=((), ()), attention_head_dim=32),
        4,
        3,
    ),
    "attention on two levels, other widths": (
        _options((RES, VIT, VIT), (32, 16, 8), (1, 1, 1), latent_channels=8, in_channels=1),
        2,
        9,
    ),
    "attention between convolutions": (_options((RES, VIT, RES), (8, 16, 16), (1, 1, 2)), 2, 6),
}


@pytest.mark.parametrize(("options", "height", "width"), CASES.values(), ids=CASES.keys())
def test_same_as_diffusers(options: dict[str, Any], height: int, width: int) -> None:
    torch.manual_seed(0)
    theirs = diffusers.AutoencoderDC(**options).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if "norm" in name:
                parameter.copy_(torch.randn_like(parameter))
    ours = DCAE(DCAEConfig.from_dict(options))
    state = {name: mx.array(tensor.numpy()) for name, tensor in theirs.state_dict().items()}
    ours.load_weights(list(sanitize(state).items()), strict=True)

    rng = np.random.default_rng(1)
    latents = rng.standard_normal((2, options["latent_channels"], height, width), dtype=np.float32)
    with torch.no_grad():
        mel = theirs.decoder(torch.from_numpy(latents)).numpy()
        encoded = theirs.encoder(torch.from_numpy(mel)).numpy()
    for tile in (None, 2):
        decoded = ours.decode(mx.array(latents).transpose(0, 2, 3, 1), tile)
        assert relative_error(decoded.transpose(0, 3, 1, 2), mel) < 1e-5
        coded = ours.encode(mx.array(mel).transpose(0, 2, 3, 1), tile)
        assert relative_error(coded.transpose(0, 3, 1, 2), encoded) < 1e-5
