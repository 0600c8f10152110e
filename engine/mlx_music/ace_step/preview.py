"""A picture of the song while it takes shape: the mel of what the model takes it to be by now.

After each step of sampling the clean estimate is known, but its mel is not: decoding a song
costs about as much as steps do. So a short window is decoded at a time, and the rest is drawn by
a linear map from latents to mel that is learnt from the windows: the autoencoder is far from
linear, but where there is sound, and how bright it is, shows. What was decoded is drawn as it was
decoded, plus what the map says of its changes since then.

All of it takes under 4 % of the time that sampling took so far, on any machine: where there is
no time there is no picture yet. While the song is decoded to be heard, pictures cost next to
nothing, and in the end the picture is the song's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_music.ace_step.dcae import DCAE, unscale_latents
from mlx_music.progress import Progress

FloatArray = npt.NDArray[np.float32]

#: Of the time that sampling took so far: what pictures may take, and what of it those may take
#: for which nothing is decoded.
SHARE, MAP_SHARE = 0.04, 0.02

#: Latent frames that are decoded at once, 1.5 s, and how many more on both sides for context.
WINDOW, CONTEXT = 16, 2

#: Columns of the picture for each latent frame: 21.5 a second.
COLUMNS = 2

#: Decoding a song is taken to cost so many steps until a window of it has been measured.
_STEPS_PER_DECODE = 4.0

_RIDGE = 1e-2


def picture_of(mel: mx.array, frames: int) -> FloatArray:
    """The first of a normalised mel (batch, bins, time, channels), which lasts so many latent
    frames, as (bins, columns): means over channels and over the time of a column."""
    _, bins, length, channels = mel.shape
    columns = frames * min(COLUMNS, length // frames)
    parts = mel[0].astype(mx.float32).reshape(bins, columns, length // columns, channels)
    return np.array(parts.mean(axis=(2, 3)))


def pixels_of(picture: FloatArray) -> npt.NDArray[np.uint8]:
    """-1 to 1 as 0 to 255."""
    return np.rint(np.clip(picture * 127.5 + 127.5, 0.0, 255.0)).astype(np.uint8)


class Budget:
    """What may be spent beside some work, as shares of the time that the work took so far."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._costs: dict[str, float] = {}
        self._spent: dict[str, float] = {}

    @property
    def spent(self) -> float:
        """Seconds, on everything."""
        return sum(self._spent.values())

    @property
    def worked(self) -> float:
        """Seconds of the work itself."""
        return self._clock() - self._started - self.spent

    def cost(self, kind: str, guess: float = 0.0) -> float:
        """Seconds that one of a kind takes; `guess` before any was measured."""
        return self._costs.get(kind, guess)

    def affords(self, kind: str, cost: float, share: float) -> bool:
        """Whether `cost` more seconds stay within a `share` for this kind and `SHARE` for all."""
        worked = self.worked
        own = self._spent.get(kind, 0.0)
        return own + cost < share * worked and self.spent + cost < SHARE * worked

    def spend(self, kind: str, seconds: float) -> None:
        # The least is what one costs: the first also waits for kernels. What was more is spent
        # all the same, and later ones wait for it.
        self._costs[kind] = min(seconds, self._costs.get(kind, seconds))
        self._spent[kind] = self._spent.get(kind, 0.0) + seconds


class LinearMap:
    """From latents (height, frames, channels) to pictures (bins, columns), by ridge regression.

    Each latent stands for a patch of bins and columns; those above and below it have a say.
    """

    def __init__(self) -> None:
        self._squares: npt.NDArray[np.float64] | float = 0.0
        self._products: npt.NDArray[np.float64] | float = 0.0
        self._weights: FloatArray | None = None
        self._patch = (1, 1)

    @property
    def ready(self) -> bool:
        """Whether anything was learnt."""
        return self._weights is not None

    def learn(self, latents: FloatArray, picture: FloatArray) -> None:
        """Take in latents and their picture. What was learnt before counts half as much each
        time, because early estimates are far from music."""
        height, frames, _ = latents.shape
        rows, columns = self._patch = picture.shape[0] // height, picture.shape[1] // frames
        patches = picture.reshape(height, rows, frames, columns).transpose(0, 2, 1, 3)
        x = _neighbours(latents).astype(np.float64)
        self._squares = 0.5 * self._squares + x.T @ x
        self._products = 0.5 * self._products + x.T @ patches.reshape(len(x), -1)
        ridge = _RIDGE * len(x) * np.eye(x.shape[1])
        self._weights = np.linalg.solve(self._squares + ridge, self._products).astype(np.float32)

    def __call__(self, latents: FloatArray) -> FloatArray:
        assert self._weights is not None
        height, frames, _ = latents.shape
        rows, columns = self._patch
        patches = (_neighbours(latents) @ self._weights).reshape(height, frames, rows, columns)
        return patches.transpose(0, 2, 1, 3).reshape(height * rows, frames * columns)


def _neighbours(latents: FloatArray) -> FloatArray:
    """Each latent with those above and below it and a one, (height * frames, 3 * channels + 1)."""
    height, frames, _ = latents.shape
    padded = np.pad(latents, ((1, 1), (0, 0), (0, 0)))
    ones = np.ones((height, frames, 1), dtype=np.float32)
    near = np.concatenate([padded[:-2], latents, padded[2:], ones], axis=2)
    return near.reshape(height * frames, -1)


# No equality: that of arrays is an array.
@dataclass(eq=False)
class _Window:
    """Latent frames of a song, and what was last decoded there: how often, from which latents,
    as which picture. moves: they changed from the last estimate to this one."""

    place: slice
    draws: int = 0
    latents: FloatArray | None = None
    picture: FloatArray | None = None
    moves: bool = True


class Preview:
    """Shows the song of a run to whom it concerns; called with each clean estimate.

    codec: the autoencoder, or None if there is no memory for it while the song is sampled: then
    pictures start when it is decoded. clock: in seconds, for tests. The first of a batch is
    shown, and of a song that is longer than the model attends to what it attends to.
    """

    def __init__(
        self,
        codec: DCAE | None,
        progress: Progress,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._codec = codec
        self._progress = progress
        self._clock = clock
        if codec is not None:
            # They are read now instead of when the song is decoded: in all that costs nothing.
            mx.eval(codec.decoder.parameters())
        self._budget = Budget(clock)
        self._map = LinearMap()
        self._calls = 0
        self._windows: list[_Window] = []
        self._latents: FloatArray | None = None
        self._picture: FloatArray | None = None

    @property
    def spent(self) -> float:
        """Seconds that pictures took while sampling."""
        return self._budget.spent

    def __call__(self, clean: mx.array) -> None:
        """Take in a clean estimate (batch, height, frames, channels), float32.

        It is not even computed where there is no time to show it.
        """
        self._calls += 1
        if self._codec is None or not (self._may_map() or self._may_draw(clean.shape[2])):
            return
        started = self._clock()
        latents = np.array(clean[0])
        self._look_at(latents)
        looked = self._clock() - started
        for window in self._worth_drawing(latents):
            started = self._clock()
            self._draw(window, clean, latents)
            self._budget.spend("draw", self._clock() - started)
            if not self._may_draw(clean.shape[2]):
                break
        if self._map.ready:
            started = self._clock()
            self._show(self._mapped(latents))
            self._budget.spend("map", looked + self._clock() - started)

    def decoded(self, mel: mx.array, place: range, frames: int) -> None:
        """Take in a piece of the song as it will be heard: the normalised mel (1, bins, time,
        channels) of the latent frames at `place`, out of `frames` in all."""
        piece = picture_of(mel, len(place))
        columns = piece.shape[1] // len(place)
        picture = self._picture
        if picture is None or picture.shape[1] != frames * columns:
            picture = np.full((piece.shape[0], frames * columns), -1.0, dtype=np.float32)
        picture[:, place.start * columns : place.stop * columns] = piece
        self._show(picture)

    def _show(self, picture: FloatArray) -> None:
        self._picture = picture
        if self._progress.on_picture is not None:
            self._progress.on_picture(pixels_of(picture))

    def _may_map(self) -> bool:
        return self._map.ready and self._budget.affords("map", self._budget.cost("map"), MAP_SHARE)

    def _may_draw(self, frames: int) -> bool:
        budget = self._budget
        part = min(1.0, (WINDOW + 2 * CONTEXT) / frames)
        guess = _STEPS_PER_DECODE * part * budget.worked / self._calls
        return budget.affords("draw", budget.cost("draw", guess) + budget.cost("map"), SHARE)

    def _look_at(self, latents: FloatArray) -> None:
        """Find what moved since the estimate before."""
        before, self._latents = self._latents, latents
        if before is None or before.shape != latents.shape:
            starts = range(0, latents.shape[1], WINDOW)
            self._windows = [_Window(slice(start, start + WINDOW)) for start in starts]
            return
        for window in self._windows:
            now = latents[:, window.place]
            window.moves = not np.array_equal(now, before[:, window.place])

    def _worth_drawing(self, latents: FloatArray) -> Iterable[_Window]:
        """Windows that are not drawn as they are: what moves before what is kept, and what was
        drawn least often first."""
        if not self._may_draw(latents.shape[1]):
            return []
        stale = [
            window
            for window in self._windows
            if window.latents is None
            or not np.array_equal(window.latents, latents[:, window.place])
        ]
        return sorted(stale, key=lambda window: (not window.moves, window.draws))

    def _draw(self, window: _Window, clean: mx.array, latents: FloatArray) -> None:
        assert self._codec is not None
        frames = latents.shape[1]
        size = min(WINDOW + 2 * CONTEXT, frames)  # always the same, so that kernels are as well
        low = min(max(0, window.place.start - CONTEXT), frames - size)
        mel = self._codec.decode(unscale_latents(clean[:1, :, low : low + size]), tile=None)
        picture = picture_of(mel, size)
        self._map.learn(latents[:, low : low + size], picture)
        columns = picture.shape[1] // size
        start, stop, _ = window.place.indices(frames)
        window.latents = latents[:, window.place]
        window.picture = picture[:, (start - low) * columns : (stop - low) * columns]
        window.draws += 1

    def _mapped(self, latents: FloatArray) -> FloatArray:
        """The whole picture: what was decoded, moved on by the map; the map's where nothing was."""
        picture = self._map(latents)
        columns = picture.shape[1] // latents.shape[1]
        for window in self._windows:
            if window.latents is None or window.picture is None:
                continue
            start, stop, _ = window.place.indices(latents.shape[1])
            part = picture[:, start * columns : stop * columns]
            part += window.picture - self._map(window.latents)
        return picture
