"""Convolutions of the audio networks in the forms that MLX's backends are fast at.

All are exact rearrangements: their results differ from the plain ones by the order of float sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step.activations import on_cpu

#: Outputs that a matrix product should have at least: with fewer, most of a GPU's tile is idle.
_WIDTH = 64


def product(x: mx.array, weight: mx.array) -> mx.array:
    """x (..., in) times `weight` (out, in), which a CPU is given the other way round: netlib's
    BLAS takes half the time then, and the turning takes next to none."""
    return x @ (mx.contiguous(weight.T) if on_cpu() else weight.T)


def linear(layer: nn.Module, x: mx.array) -> mx.array:
    """`layer(x)` of a linear layer, which may be quantized."""
    if on_cpu() and isinstance(layer, nn.Linear):
        y = product(x, layer.weight)
        return y + layer.bias if "bias" in layer else y
    result: mx.array = layer(x)
    return result


def conv2d(x: mx.array, weight: mx.array) -> mx.array:
    """Stride 1, padding 1, of an image (batch, height, width, in); `weight` (out, k, k, in)."""
    if not on_cpu():
        return mx.conv2d(x, weight, padding=1)
    outputs, size, _, channels = weight.shape
    x = mx.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    batch, height, width, _ = x.shape
    row = width * channels
    windows = mx.as_strided(
        x,
        (batch, height - size + 1, width - size + 1, size, size * channels),
        (height * row, row, channels, row, 1),
    )
    return product(windows.reshape(*windows.shape[:3], -1), weight.reshape(outputs, -1))


@dataclass(frozen=True)
class TimeConv:
    """A convolution of stride 1 along time, zero-padded to the length of what it is given.

    A dilated one is an ordinary one over interleaved phases: the rows of an image, with time to
    the right, which is the layout that cuDNN is fast at. Narrow layers compute several time
    `steps` at once, as one convolution with a longer stride, a longer kernel and more
    outputs: a little more arithmetic, which fills the matrix units. A CPU unfolds the input and
    multiplies by the kernel laid out (inputs, outputs), the order that netlib's BLAS takes half
    the time for.
    """

    weight: mx.array
    taps: int
    dilation: int
    steps: int

    @classmethod
    def of(cls, weight: mx.array, dilation: int = 1, dtype: mx.Dtype | None = None) -> TimeConv:
        """From `weight` (out, odd k, in). `dtype`: to compute in, the weight's by default."""
        outputs, taps, _ = weight.shape
        weight = weight.astype(dtype or weight.dtype)
        steps = _steps(outputs, taps, dilation)
        if steps > 1:
            weight = _repeat_shifted(weight, steps)
        if on_cpu():
            weight = mx.contiguous(weight.reshape(weight.shape[0], -1).T)
        else:
            weight = weight[:, None]
        return cls(weight, taps, dilation, steps)

    def __call__(self, x: mx.array) -> mx.array:
        """(batch, time, in) to (batch, time, out)."""
        y = self.loose(x)
        return y.reshape(x.shape[0], x.shape[1], y.shape[-1])

    def loose(self, x: mx.array) -> mx.array:
        """The same values in the same order, but perhaps as a view with time in several axes.

        What reads it anyway can put it in order for nothing; reshape that to (batch, time, out).
        """
        if on_cpu():
            return self._unfolded(x)
        batch, length, channels = x.shape
        missing = -length % (self.dilation * self.steps)
        if missing:
            x = mx.pad(x, [(0, 0), (0, missing), (0, 0)])
        phases = x.reshape(batch, -1, self.dilation, channels).swapaxes(1, 2)
        y = mx.conv2d(phases, self.weight, stride=(1, self.steps), padding=(0, self.taps // 2))
        y = y.reshape(*y.shape[:3], self.steps, -1).transpose(0, 2, 3, 1, 4)
        return y.reshape(batch, length + missing, -1)[:, :length] if missing else y

    def _unfolded(self, x: mx.array) -> mx.array:
        batch, length, channels = x.shape
        reach, missing = self.taps // 2 * self.dilation, -length % self.steps
        x = mx.pad(x, [(0, 0), (reach, reach + missing), (0, 0)])
        taps, rows = self.taps + self.steps - 1, (length + missing) // self.steps
        windows = mx.as_strided(
            x,
            (batch, rows, taps, channels),
            (x.shape[1] * channels, self.steps * channels, self.dilation * channels, 1),
        )
        y = windows.reshape(batch * rows, taps * channels) @ self.weight
        return y.reshape(batch, length + missing, -1)[:, :length]


def _steps(outputs: int, taps: int, dilation: int) -> int:
    """How many time steps are computed at once, a power of two."""
    most = _WIDTH // outputs
    if not on_cpu():
        most = min(most, taps + 1)
    elif dilation == 1:
        most = min(most, (taps + 1) // 4)
    else:
        most = 1  # there the phases would have to be put in order by a copy
    return 1 << (most.bit_length() - 1) if most > 0 else 1


def _repeat_shifted(weight: mx.array, steps: int) -> mx.array:
    """(out, k, in) to (steps * out, k + steps - 1, in): the kernel of each of `steps` outputs."""
    outputs, taps, inputs = weight.shape
    # Written one after the other with `steps` zeros between them, and read in rows that are one
    # shorter than that period, each copy begins one place later than the one before.
    rows = mx.pad(weight, [(0, 0), (0, steps), (0, 0)])[:, None]
    rows = mx.broadcast_to(rows, (outputs, steps, taps + steps, inputs))
    rows = rows.reshape(outputs, -1, inputs)[:, : steps * (taps + steps - 1)]
    rows = rows.reshape(outputs, steps, taps + steps - 1, inputs)
    return rows.swapaxes(0, 1).reshape(steps * outputs, taps + steps - 1, inputs)


@dataclass(frozen=True)
class Upsampling:
    """A transposed convolution along time that makes `rate` outputs of each input.

    It is done as an ordinary convolution with `rate` times the outputs: every input position
    meets the same ceil(k / rate) taps of each output phase.
    """

    conv: mx.array
    taps: int
    crop: int
    rate: int

    @classmethod
    def of(cls, weight: mx.array, rate: int, dtype: mx.Dtype | None = None) -> Upsampling:
        """From `weight` (out, k, in), k >= rate, padding (k - rate) / 2."""
        outputs, kernel, inputs = weight.shape
        taps = -(-kernel // rate)
        weight = mx.pad(
            weight.astype(dtype or weight.dtype), [(0, 0), (0, taps * rate - kernel), (0, 0)]
        )
        weight = weight.reshape(outputs, taps, rate, inputs)[:, ::-1]  # oldest input first
        weight = weight.transpose(2, 0, 1, 3).reshape(rate * outputs, taps, inputs)
        if on_cpu():
            weight = mx.contiguous(weight.reshape(rate * outputs, -1).T)
        else:
            weight = weight[:, None]
        return cls(weight, taps, (kernel - rate) // 2, rate)

    def __call__(self, x: mx.array) -> mx.array:
        """(batch, time, in) to (batch, rate * time, out), a view."""
        batch, length, channels = x.shape
        if on_cpu():
            x = mx.pad(x, [(0, 0), (self.taps - 1, self.taps - 1), (0, 0)])
            rows = length + self.taps - 1
            windows = mx.as_strided(
                x,
                (batch, rows, self.taps * channels),
                (x.shape[1] * channels, channels, 1),
            )
            y = windows.reshape(batch * rows, -1) @ self.conv
        else:
            y = mx.conv2d(x[:, None], self.conv, padding=(0, self.taps - 1))
        y = y.reshape(batch, (length + self.taps - 1) * self.rate, -1)
        return y[:, self.crop : self.crop + length * self.rate]


@dataclass(frozen=True)
class Doubling:
    """An image at twice its resolution, each pixel four times, and a 3x3 convolution of that.

    Of the nine pixels that an output sees, only four differ: so it is a 2x2 convolution that
    makes the four outputs around each corner, with 4/9 of the arithmetic.
    """

    source: mx.array
    weight: mx.array

    @classmethod
    def of(cls, source: mx.array) -> Doubling:
        """From `source`, the weight (out, 3, 3, in) of the 3x3 convolution."""

        def halve(weight: mx.array, axis: int) -> mx.array:
            """Of an even and of an odd place, the sums of the taps that meet the same pixel."""
            first, middle, last = mx.split(weight, 3, axis)
            even = mx.concatenate([first, middle + last], axis)
            return mx.stack([even, mx.concatenate([first + middle, last], axis)])

        # (column parity, row parity, out, 2, 2, in)
        weight = halve(halve(source, 1), 3).swapaxes(0, 1)
        return cls(source, weight.reshape(-1, 2, 2, source.shape[-1]))

    def __call__(self, x: mx.array) -> mx.array:
        """(batch, height, width, in) to a view (batch, height, 2, width, 2, out)."""
        batch, height, width, _ = x.shape
        corners = conv2d(x, self.weight)
        outputs = corners.shape[-1] // 4
        column = 4 * outputs
        row = column * (width + 1)
        # The even outputs of a pixel lie before the corner at its start, the odd ones after.
        return mx.as_strided(
            corners,
            (batch, height, 2, width, 2, outputs),
            (row * (height + 1), row, row + 2 * outputs, column, column + outputs, 1),
        )
