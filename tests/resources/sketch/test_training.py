"""What training rests on: crops that begin with a bar, Muon's steps, and going on after a stop."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from resources.sketch.recipe import train_transformer  # noqa: E402
from resources.sketch.recipe.muon import Muon  # noqa: E402
from resources.sketch.recipe.training import restore, set_rate  # noqa: E402


def test_crops_begin_with_a_bar() -> None:
    torch.manual_seed(0)
    # A latent that says its own place.
    latents = torch.arange(323.0).expand(3, 8, 16, 323)
    phrases = torch.tensor([29, 43, 86])
    crops, which = train_transformer._batch(latents, phrases, 108, 200)
    assert crops.shape == (200, 8, 16, 108)
    starts = crops[:, 0, 0, 0].long()
    assert ((crops - crops[..., :1])[:, 0, 0] == torch.arange(108.0)).all()
    assert (starts % phrases[which] == 0).all()
    assert 0.7 < (starts == 0).float().mean() < 0.95
    assert len(starts.unique()) > 5


def test_matrices_of_blocks_are_muons() -> None:
    model = train_transformer.Sketch()
    names = {id(p): name for name, p in model.named_parameters()}
    chosen = {names[id(p)] for p in train_transformer._matrices(model)}
    assert "transformer.transformer_blocks.0.attn.to_q.weight" in chosen
    assert "transformer.transformer_blocks.6.ff.point_conv.conv.weight" in chosen
    assert "text_encoder.encoder.block.0.layer.0.SelfAttention.q.weight" in chosen
    for part in ("depth_conv", "bias", "final_layer", "proj_in", "shared", "scale_shift_table"):
        assert not any(part in name for name in chosen)


def test_muon_steps_alike_in_every_direction_and_finds_the_least() -> None:
    torch.manual_seed(0)
    target = [torch.randn(6, 4, 1), torch.randn(6, 4, 1), torch.randn(5, 5)]
    weights = [torch.nn.Parameter(torch.zeros_like(t)) for t in target]
    muon = Muon(weights, decay=0.0)
    # Slopes that differ a thousandfold from row to row.
    slope = torch.logspace(-3, 0, 6)

    def loss() -> torch.Tensor:
        wide = sum(
            (slope[:, None] * (w - t).squeeze(-1).square()).sum()
            for w, t in zip(weights[:2], target[:2], strict=True)
        )
        return wide + (weights[2] - target[2]).square().sum()

    start = loss().item()
    for step in range(300):
        for weight in weights:
            weight.grad = None
        loss().backward()
        muon.param_groups[0]["lr"].fill_(0.1 * (1 - step / 300))
        muon.step()
        if step == 0:
            singular = torch.linalg.svdvals(weights[2].detach())
            assert singular.max() / singular.min() < 3
    assert loss().item() < 0.01 * start


def test_muon_goes_on_where_it_was() -> None:
    weight = torch.nn.Parameter(torch.ones(3, 3))
    weight.grad = torch.eye(3)
    first = Muon([weight], decay=0.0)
    first.step()
    second = Muon([weight], decay=0.0)
    second.load_state_dict([m.clone() for m in first.state_dict()])
    assert torch.equal(second.state_dict()[0], first.state_dict()[0])
    assert first.state_dict()[0].abs().sum() > 0


def test_a_restored_optimizer_keeps_its_own_rate() -> None:
    """A recorded step reads that one tensor, on its device; the saved one was loaded to the CPU."""

    def optimizer() -> tuple[torch.nn.Parameter, torch.optim.AdamW]:
        weight = torch.nn.Parameter(torch.ones(3))
        weight.grad = torch.ones(3)
        return weight, torch.optim.AdamW([weight], lr=torch.zeros(()), foreach=False)

    _, first = optimizer()
    first.step()
    weight, second = optimizer()
    rate = second.param_groups[0]["lr"]
    restore(second, first.state_dict())
    assert second.param_groups[0]["lr"] is rate
    assert second.state[weight]["step"] == 1
    set_rate(second, 0.5)
    second.step()
    assert rate == 0.5
    assert (weight < 0.6).all()
