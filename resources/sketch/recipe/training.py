"""What the training scripts share: schedules, averages, checkpoints, a clock."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from resources.sketch.recipe.muon import Muon

WEIGHTS = "diffusion_pytorch_model.safetensors"


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def learning_rate(progress: float, peak: float, warmup: float = 0.02) -> float:
    """A warm-up, then half a cosine down to a hundredth. progress: 0 to 1, of the training."""
    if progress < warmup:
        return peak * progress / warmup
    after = (min(progress, 1.0) - warmup) / (1.0 - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * after)))


class Average:
    """An exponential moving average of a module's weights, which is what is exported."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._theirs = {k: v for k, v in module.state_dict().items() if v.is_floating_point()}
        self.weights = {k: v.detach().clone() for k, v in self._theirs.items()}

    @torch.no_grad()
    def update(self) -> None:
        ours, theirs = list(self.weights.values()), list(self._theirs.values())
        torch._foreach_lerp_(ours, theirs, 1 - self._decay)

    @torch.no_grad()
    def load(self, weights: dict[str, torch.Tensor]) -> None:
        for name, tensor in self.weights.items():
            tensor.copy_(weights[name])


class Step:
    """A training step, recorded once as a CUDA graph and then replayed.

    The networks are so small that launching their kernels one by one would take longer than
    running them. `function` draws its own batch, updates the weights and returns losses; it
    must not look at values on the way. `rates` are the learning rates, 0 while it is recorded.
    With `eager`, or without a GPU, it is called each time instead.
    """

    def __init__(
        self,
        function: Callable[[], dict[str, torch.Tensor]],
        rates: list[torch.Tensor],
        *,
        eager: bool = False,
    ) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        if eager or not torch.cuda.is_available():
            return
        for rate in rates:
            rate.zero_()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                function()
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._losses = function()

    def __call__(self) -> dict[str, torch.Tensor]:
        if self._graph is None:
            return self._function()
        self._graph.replay()
        return self._losses


def adam(parameters: Any, betas: tuple[float, float], decay: float) -> torch.optim.AdamW:
    """AdamW whose learning rate is a tensor, so that a recorded step can see it change."""
    to = device()
    on_gpu = to.type == "cuda"
    rate = torch.zeros((), device=to) if on_gpu else 0.0
    return torch.optim.AdamW(
        parameters, lr=rate, betas=betas, weight_decay=decay, fused=on_gpu, capturable=on_gpu
    )


def rates_of(optimizer: torch.optim.Optimizer | Muon) -> list[torch.Tensor]:
    return [group["lr"] for group in optimizer.param_groups if torch.is_tensor(group["lr"])]


def restore(optimizer: torch.optim.Optimizer | Muon, state: Any) -> None:
    """Go on with an optimizer's state, and with its own learning rates.

    PyTorch would take the saved ones, which lie where the checkpoint was loaded to, and a recorded
    step keeps a rate of another device as the number that it was, which is 0.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def set_rate(optimizer: torch.optim.Optimizer | Muon, rate: float) -> None:
    for group in optimizer.param_groups:
        if torch.is_tensor(group["lr"]):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


class Clock:
    """Training is planned in minutes, over as many calls as it takes: `--now` of `--minutes`.

    It reports where in the whole plan a step is, so that a schedule fits whatever the machine
    manages in that time.
    """

    def __init__(self, total_minutes: float, this_call: float, spent: float = 0.0) -> None:
        self._total, self._limit, self._before = total_minutes * 60, this_call * 60, spent
        self._start = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds of training so far, those of earlier calls included."""
        return self._before + time.monotonic() - self._start

    @property
    def progress(self) -> float:
        return min(1.0, self.spent / self._total) if self._total else 1.0

    def steps(self) -> Iterator[int]:
        """Count steps until the plan is done or this call's time is up."""
        step = 0
        while self.spent < self._total and time.monotonic() - self._start < self._limit:
            yield step
            step += 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def shipped(folder: Path, file: str = WEIGHTS) -> dict[str, torch.Tensor]:
    """The weights of one network of an exported checkpoint, float32, to go on from."""
    return {name: tensor.float() for name, tensor in load_file(folder / file).items()}


def load(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return state


class Log:
    """Means of losses, printed and kept as lines of text every so often."""

    def __init__(self, path: Path, every: float = 10.0) -> None:
        self._path, self._every = path, every
        self._sums: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()
        self._count, self._last = 0, time.monotonic()

    def add(self, **losses: torch.Tensor) -> None:
        self._count += 1
        self._counts.update(losses.keys())
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach()
        if self._count % 32 == 0:
            value.item()  # or the host would queue minutes of work ahead of the clock

    def flush(self, clock: Clock, step: int) -> None:
        now = time.monotonic()
        if now - self._last < self._every:
            return
        means = "  ".join(f"{k} {v.item() / self._counts[k]:.4f}" for k, v in self._sums.items())
        pace = self._count / (now - self._last)
        line = f"{clock.spent:7.1f} s  {clock.progress:4.0%}  step {step}  {pace:.1f}/s  {means}"
        print(line, flush=True)
        with self._path.open("a") as file:
            file.write(line + "\n")
        self._sums, self._counts, self._count, self._last = {}, Counter(), 0, now
