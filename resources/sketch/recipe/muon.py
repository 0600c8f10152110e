"""Muon: steps for matrices that have no preferred direction.

Momentum whose singular values are all made about 1 (Jordan et al., 2024,
https://kellerjordan.github.io/posts/muon), scaled so that AdamW's learning rates fit (Liu et al.,
2025, arXiv 2502.16982). PyTorch's own takes its learning rate as a plain number, which a
recorded CUDA graph would keep for ever, and works through matrices one at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_ITERATIONS = 5
#: A quintic that takes singular values in (0, 1] close to 1, fast.
_QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon:
    """Steps for `parameters`: matrices, or kernels of one tap (outputs, inputs, 1).

    Matrices of one shape are worked on as one batch.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for parameter in parameters:
            shapes[parameter.shape].append(parameter)
        self._batches = list(shapes.values())
        self._momenta = [
            torch.zeros((len(batch), *batch[0].shape[:2]), device=batch[0].device)
            for batch in self._batches
        ]
        self._decay = decay
        where = self._batches[0][0].device
        self.param_groups = [{"lr": torch.zeros((), device=where)}]

    @torch.no_grad()
    def step(self) -> None:
        rate = self.param_groups[0]["lr"]
        for batch, momentum in zip(self._batches, self._momenta, strict=True):
            gradient = torch.stack([p.grad.view(momentum.shape[1:]) for p in batch])
            momentum.lerp_(gradient, 1 - _MOMENTUM)
            update = _orthogonal(gradient.lerp(momentum, _MOMENTUM))
            update *= 0.2 * max(momentum.shape[1:]) ** 0.5 * rate
            torch._foreach_mul_(batch, 1 - rate * self._decay)
            torch._foreach_sub_(batch, [u.view(batch[0].shape) for u in update])

    def state_dict(self) -> list[Tensor]:
        return self._momenta

    def load_state_dict(self, momenta: list[Tensor]) -> None:
        for ours, theirs in zip(self._momenta, momenta, strict=True):
            ours.copy_(theirs)


def _orthogonal(x: Tensor) -> Tensor:
    """(count, rows, columns) with singular values of about 1, by Newton-Schulz."""
    a, b, c = _QUINTIC
    is_tall = x.shape[1] > x.shape[2]
    y = (x.mT if is_tall else x).bfloat16()
    y = y / (y.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        square = y @ y.mT
        y = a * y + (b * square + c * square @ square) @ y
    return (y.mT if is_tall else y).float()
