"""The operations between products as they run: by a kernel on a GPU, where it has proved itself.

Compilers and GPUs differ more than anybody can try. So the first time that a kernel runs with a
width and a dtype, what it makes is compared with what `operations` says. Where they differ, or
the kernel does not compile, the plain operations run from then on, with a warning and a note in
each song (`refusals`): a song takes longer, and is right. Widths that no kernel divides
(their `fit`) run plain from the start, and in a function that is being compiled so does what has
not proved itself before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from mlx_music.ace_step import attention_kernel, dcae_kernel, kernels, operations
from mlx_music.ace_step.operations import RotaryTables

P = ParamSpec("P")
R = TypeVar("R")

#: Relative to the largest value: what 16-bit dtypes and TF32 products may differ by.
_TOLERANCE = 0.02

#: Frames on which a kernel proves itself: a few of the pieces that any of them works on, and a part
#: of one (linear attention takes up to 128 at a time).
PROOF_FRAMES = 275

#: Why kernels are not used, by their names.
_refused: dict[str, str] = {}

#: Whether a function is being compiled, when nothing can be computed to compare.
_traced: ContextVar[bool] = ContextVar("traced", default=False)


@contextmanager
def traced() -> Iterator[None]:
    """While MLX traces a function: only what has proved itself before is used."""
    before = _traced.set(True)
    try:
        yield
    finally:
        _traced.reset(before)


def refusals() -> str | None:
    """What a person should know about kernels that do not work here; None if there are none."""
    if not _refused:
        return None
    reasons = "; ".join(f"{name}: {reason}" for name, reason in _refused.items())
    return f"some GPU kernels do not work on this system, so songs take longer ({reasons})"


def _by_kernel(
    kernel: Callable[P, R],
    plain: Callable[P, R],
    fits: Callable[P, bool],
    piece: Callable[P, tuple[Any, ...]] | None = None,
) -> Callable[P, R]:
    """piece: of what is given, as much as proves a kernel, if that is not all."""
    trusted: dict[Any, bool] = {}

    @wraps(plain)
    def operation(*args: P.args, **kwargs: P.kwargs) -> R:
        if mx.default_device() != mx.Device(mx.gpu) or not fits(*args, **kwargs):
            return plain(*args, **kwargs)
        key = tuple(_trait(each) for each in args)
        if key not in trusted:
            if _traced.get():
                return plain(*args, **kwargs)
            given = (args, kwargs) if piece is None else (piece(*args, **kwargs), {})
            verdict = agree(kernel, plain, *given)
            if verdict is None:
                return plain(*args, **kwargs)
            trusted[key] = verdict
        return (kernel if trusted[key] else plain)(*args, **kwargs)

    return operation


def agree(kernel: Callable[P, R], plain: Callable[P, R], args: Any, kwargs: Any) -> bool | None:
    """Whether the kernel makes what the plain operation does; None if that cannot be told from
    these arguments, where all that it makes is zeros or no numbers. A kernel that does not is
    `refusals`' affair from then on."""
    expected = _arrays(plain(*args, **kwargs))
    mx.eval(expected)
    try:
        actual = _arrays(kernel(*args, **kwargs))
        mx.eval(actual)
    except (RuntimeError, ValueError) as error:  # what MLX raises for a source that fails
        return _refuse(plain.__name__, _first_error(str(error)))
    for ours, theirs in zip(actual, expected, strict=True):
        ours, theirs = ours.astype(mx.float32), theirs.astype(mx.float32)
        # Broken weights are the network's affair: a kernel need only agree where there are numbers.
        known = mx.isfinite(theirs)
        difference = float(np.array(mx.where(known, mx.abs(ours - theirs), 0).max()))
        largest = float(np.array(mx.where(known, mx.abs(theirs), 0).max()))
        if not difference <= _TOLERANCE * largest:
            return _refuse(plain.__name__, f"differs by {difference:.2g} of {largest:.2g}")
        if largest == 0.0:
            return None
    return True


def _arrays(made: Any) -> list[mx.array]:
    return list(dict(tree_flatten([made])).values())


def _trait(given: Any) -> Any:
    """What of an argument selects the code that a kernel is compiled to, or its constants."""
    if isinstance(given, mx.array):
        # One axis is a batch, or a width that another argument has too.
        return given.dtype, given.shape[-1] if given.ndim > 1 else None
    if isinstance(given, RotaryTables):
        return given.first.shape[-1]
    return given if isinstance(given, mx.Dtype) else given is None


def _first_error(message: str) -> str:
    """The line that says most: MLX heads what a compiler complains of with a line of its own."""
    lines = message.strip().splitlines() or ["no reason given"]
    return next((line.strip() for line in lines if "error:" in line), lines[0])


def _refuse(name: str, reason: str) -> bool:
    _refused[name] = reason
    warnings.warn(
        f"the GPU kernel {name!r} does not work on this system ({reason}); plain operations are "
        "used instead, which are slower. Please report it with the versions of macOS and MLX",
        RuntimeWarning,
        stacklevel=2,
    )
    return False


def _fit_heads(x: mx.array, rope: RotaryTables, *_: Any) -> bool:
    return kernels.fit(x.shape[-1], rope.first.shape[-1])


def _fit_projections(x: mx.array, rope: RotaryTables) -> bool:
    return attention_kernel.fits(x.shape[-1] // 3, rope.first.shape[-1])


def _fit_features(x: mx.array, *_: Any) -> bool:
    return kernels.fit(x.shape[-1])


def _first_frames(x: mx.array, rope: RotaryTables) -> tuple[Any, ...]:
    """A whole song takes much memory to be compared."""
    tables = RotaryTables(rope.first[:PROOF_FRAMES], rope.second[:PROOF_FRAMES])
    return x[:, :PROOF_FRAMES], tables


def _first_rows(x: mx.array, y: mx.array, weight: mx.array, bias: mx.array) -> tuple[mx.array, ...]:
    """A tile of the autoencoder would take much memory to be compared."""
    return x[:, :1], y[:, :1], weight, bias


def _fit_hidden(x: mx.array, *_: Any) -> bool:
    return kernels.fit(x.shape[-1] // 2)


turn = _by_kernel(kernels.turn, operations.turn, _fit_heads)
linear_attention = _by_kernel(
    attention_kernel.linear_attention, operations.linear_attention, _fit_projections, _first_frames
)
gate = _by_kernel(kernels.gate, operations.gate, _fit_features)
norm = _by_kernel(kernels.norm, operations.norm, _fit_features)
sum_and_norm = _by_kernel(kernels.sum_and_norm, operations.sum_and_norm, _fit_features)
conv_and_gate = _by_kernel(kernels.conv_and_gate, operations.conv_and_gate, _fit_hidden)
add_norm = _by_kernel(dcae_kernel.add_norm, operations.add_norm, dcae_kernel.fits, _first_rows)
