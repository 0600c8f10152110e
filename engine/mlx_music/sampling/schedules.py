"""Noise schedules for flow matching: which sigmas a run passes through.

sigma is the share of noise in the latents: x = (1 - sigma) * clean + sigma * noise. A model is
asked at the timestep sigma * 1000. All of it is NumPy float32, because a schedule is data that
the host steps through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

TRAIN_TIMESTEPS = 1000

#: Moves the steps towards noise, where a song's structure is decided (Esser et al., 2024,
#: arXiv 2403.03206).
SHIFT = 3.0


@dataclass(frozen=True)
class Schedule:
    """The model calls of a run.

    sigmas: (calls + 1,), ending in 0; call i starts at sigmas[i]. For heun every sigma but the
    first and the last stands twice: once where an interval ends, once where the next begins.
    start_sigma: share of noise to mix into a clean source that the run starts from.
    steps: the number of steps that guidance intervals count in (calls, except for heun).
    """

    sigmas: FloatArray
    start_sigma: float
    steps: int

    @property
    def timesteps(self) -> FloatArray:
        """What the model is given at each call, (calls,)."""
        return self.sigmas[:-1] * np.float32(TRAIN_TIMESTEPS)

    @property
    def calls(self) -> int:
        return len(self.sigmas) - 1


def make_schedule(
    steps: int,
    scheduler: str = "euler",
    *,
    sigma_max: float = 1.0,
    keep_steps: Sequence[int] = (),
) -> Schedule:
    """The schedule of `steps` steps from `sigma_max` down to 0.

    The ends of the range are shifted before it is divided and every sigma is shifted again, so
    the last timestep of a full run is 8.93 and not 2.99. The weights were tuned by ear with
    this (`schedulers/scheduling_flow_match_euler_discrete.py` of the reference), and so is
    `sigma_max` below 1: `start_sigma` is shifted once, the first call's sigma twice.

    keep_steps: 1-based steps to keep of a longer schedule ("optimal steps sampling"); `steps`
    is then their maximum. The kept sigmas are shifted once more, as the reference does.
    """
    train = np.array([1.0, sigma_max * TRAIN_TIMESTEPS], dtype=np.float32) / TRAIN_TIMESTEPS
    low, high = (float(sigma) for sigma in _shift(train))
    if keep_steps:
        steps = max(keep_steps)
    sigmas = _shift(np.linspace(high, low, steps)).astype(np.float32)
    if keep_steps:
        timesteps = sigmas * np.float32(TRAIN_TIMESTEPS)
        kept = timesteps[[step - 1 for step in keep_steps]]
        sigmas = _shift(kept / np.float32(TRAIN_TIMESTEPS))
        steps = len(keep_steps)
    if scheduler == "heun":
        sigmas = np.concatenate([sigmas[:1], np.repeat(sigmas[1:], 2)])
    sigmas = np.concatenate([sigmas, np.zeros(1, dtype=np.float32)])
    return Schedule(sigmas, start_sigma=high, steps=steps)


def _shift(sigmas: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return SHIFT * sigmas / (1 + (SHIFT - 1) * sigmas)
