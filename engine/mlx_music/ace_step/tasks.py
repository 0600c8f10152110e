"""The tasks: what is sampled, from which noise, and what of a source is kept.

Latents here are channels last, (batch, 16, frames, 8), float32; a source has a batch of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import mlx.core as mx

from mlx_music.ace_step.conditioning import ConditionedModel
from mlx_music.ace_step.dcae import frames_of
from mlx_music.ace_step.transformer import Transformer
from mlx_music.ace_step.transformer_inputs import Condition
from mlx_music.errors import GenerationError
from mlx_music.progress import Progress
from mlx_music.request import GenerationRequest
from mlx_music.sampling import edit as flow_edit
from mlx_music.sampling import repaint as repainting
from mlx_music.sampling.guidance import GuidanceSettings
from mlx_music.sampling.loop import GuidedVelocity, sample
from mlx_music.sampling.noise import Noise
from mlx_music.sampling.schedules import Schedule, make_schedule
from mlx_music.sampling.steppers import make_stepper

LATENT_CHANNELS = 8
LATENT_HEIGHT = 16

#: Axes of a latent that guidance takes norms over: height and time.
NORM_AXES = (1, 2)


def guidance_of(request: GenerationRequest) -> GuidanceSettings:
    """The guidance that a request asks for."""
    return GuidanceSettings(
        kind=request.cfg_type,
        scale=request.guidance_scale,
        interval=request.guidance_interval,
        decay=request.guidance_interval_decay,
        min_scale=request.min_guidance_scale,
        text_scale=request.guidance_scale_text,
        lyric_scale=request.guidance_scale_lyric,
    )


@dataclass(frozen=True)
class Run:
    """One run of the sampler: the model under its conditions, the noise, and the controls.

    max_frames: how many the model attends to at once; a longer song is worked on in windows.
    on_clean: is given the clean estimate after each call (of the window that is worked on).
    """

    transformer: Transformer
    conditions: Mapping[str, Condition]
    request: GenerationRequest
    noise: Noise
    batch: int
    progress: Progress
    max_frames: int
    on_clean: Callable[[mx.array], None] | None = None

    def draw(self, purpose: str, frames: int) -> mx.array:
        """Noise (batch, 16, frames, 8), from a source that gives (batch, 8, 16, frames)."""
        drawn = self.noise(purpose, (self.batch, LATENT_CHANNELS, LATENT_HEIGHT, frames))
        return mx.array(drawn).astype(mx.float32).transpose(0, 2, 3, 1)

    def guided(self, schedule: Schedule) -> GuidedVelocity:
        """The model's velocity under the request's guidance, at the calls of `schedule`."""
        model = self.model(self.conditions, schedule)
        return GuidedVelocity(model, guidance_of(self.request), schedule.steps, NORM_AXES)

    def model(self, conditions: Mapping[str, Condition], schedule: Schedule) -> ConditionedModel:
        """The model under `conditions`, for the calls of `schedule`."""
        return ConditionedModel(self.transformer, conditions, schedule.timesteps.tolist())

    def walk(self, latents: mx.array, schedule: Schedule) -> mx.array:
        """Sample from `latents` down `schedule` with the request's scheduler."""
        request, frames = self.request, latents.shape[2]
        stepper = make_stepper(
            request.scheduler, schedule, request.omega_scale, lambda _: self.draw("step", frames)
        )
        self.progress.start("sample", schedule.calls)
        velocity = self.guided(schedule)
        return checked(
            sample(latents, schedule, stepper, velocity, self.progress.step, self.on_clean)
        )

    def schedule(self) -> Schedule:
        """The request's schedule from pure noise."""
        request = self.request
        return make_schedule(
            request.num_inference_steps, request.scheduler, keep_steps=request.oss_steps
        )

    def plain_schedule(self) -> Schedule:
        """The same for tasks that step by plain Euler, whatever the scheduler."""
        request = self.request
        return make_schedule(request.num_inference_steps, keep_steps=request.oss_steps)


def text_to_music(run: Run) -> mx.array:
    """New music from noise alone."""
    return run.walk(run.draw("initial", frames_of(run.request.duration)), run.schedule())


def retake(run: Run) -> mx.array:
    """Another take: the seed's noise, turned by `retake_variance` towards the retake seed's."""
    frames = frames_of(run.request.duration)
    initial = run.draw("initial", frames)
    return run.walk(_turned(run, initial, run.draw("retake", frames)), run.schedule())


def audio_to_audio(run: Run, reference: mx.array) -> mx.array:
    """Music that starts from a noisy `reference`; a strength of 1 is the reference itself."""
    request = run.request
    sigma_max = 1.0 - request.reference_strength
    initial = run.draw("initial", reference.shape[2])
    if sigma_max == 0.0:
        return mx.broadcast_to(reference, initial.shape)
    steps = max(1, int(sigma_max * request.num_inference_steps))
    schedule = make_schedule(steps, request.scheduler, sigma_max=sigma_max)
    start = schedule.start_sigma
    return run.walk((1.0 - start) * reference + start * initial, schedule)


def repaint(run: Run, source: mx.array, window: range) -> mx.array:
    """`source` with the frames of `window` redone, the rest kept exactly.

    Of a song longer than the model attends to, it sees a window around those frames.
    """
    song = mx.broadcast_to(source, (run.batch, *source.shape[1:]))
    length, most = song.shape[2], run.max_frames
    start, stop = window.start, window.stop
    first = min(max(0, (start + stop - most) // 2), max(0, length - most))
    last = min(length, first + most)

    initial = run.draw("initial", last - first)
    place = mx.arange(first, last)
    mask = ((place >= start) & (place < stop))[None, None, :, None]
    noise = mx.where(mask, _turned(run, initial, run.draw("retake", last - first)), initial)
    redone = _redo(run, song[:, :, first:last], noise, mask)
    return mx.concatenate([song[:, :, :first], redone, song[:, :, last:]], axis=2)


def extend(run: Run, source: mx.array) -> mx.array:
    """`source` with new frames before and after it, itself kept exactly.

    A song that would be longer than the model attends to grows window by window: each window
    holds as much of the song as fits, and at most half a window is new.
    """
    left, right = frames_of(run.request.extend_left), frames_of(run.request.extend_right)
    song = mx.broadcast_to(source, (run.batch, *source.shape[1:]))
    most = run.max_frames
    if left + song.shape[2] + right <= most:
        return _grow(run, song, left, right)
    for new in _shares(right, most // 2):
        context = min(song.shape[2], most - new)
        grown = _grow(run, song[:, :, song.shape[2] - context :], 0, new)
        song = mx.concatenate([song, grown[:, :, context:]], axis=2)
    for new in _shares(left, most // 2):
        context = min(song.shape[2], most - new)
        grown = _grow(run, song[:, :, :context], new, 0)
        song = mx.concatenate([grown[:, :, :new], song], axis=2)
    return song


def _shares(frames: int, most: int) -> list[int]:
    """`frames` in equal parts of at most `most`."""
    parts = math.ceil(frames / most)
    return [frames * (i + 1) // parts - frames * i // parts for i in range(parts)]


def _grow(run: Run, song: mx.array, left: int, right: int) -> mx.array:
    frames = song.shape[2]
    initial = run.draw("initial", frames)
    # As many frames as the song, as the reference draws them, unless the new parts need more.
    fresh = run.draw("retake", max(frames, left + right))
    noise = mx.concatenate(
        [fresh[:, :, :left], initial, fresh[:, :, fresh.shape[2] - right :]], axis=2
    )
    clean = mx.pad(song, [(0, 0), (0, 0), (left, right), (0, 0)])
    place = mx.arange(left + frames + right)
    mask = ((place < left) | (place >= left + frames))[None, None, :, None]
    return _redo(run, clean, noise, mask)


def _redo(run: Run, clean: mx.array, noise: mx.array, mask: mx.array) -> mx.array:
    schedule = run.plain_schedule()
    first_call = int(schedule.steps * (1.0 - run.request.retake_variance))
    run.progress.start("sample", schedule.calls - first_call)
    velocity = run.guided(schedule)
    return checked(
        repainting.repaint(
            *(clean, noise, mask, schedule, first_call, velocity),
            on_step=run.progress.step,
            on_clean=run.on_clean,
        )
    )


def _turned(run: Run, initial: mx.array, other: mx.array) -> mx.array:
    """`initial` turned towards `other`: unit variance at every angle."""
    angle = run.request.retake_variance * math.pi / 2
    return math.cos(angle) * initial + math.sin(angle) * other


def edit(run: Run, source: mx.array, source_conditions: Mapping[str, Condition]) -> mx.array:
    """`source` edited from what `source_conditions` say of it to what the run's conditions say.

    Guidance is always APG over all steps. The target has momentum only once it is sampled
    plainly, as in the reference.
    """
    request, frames = run.request, source.shape[2]
    schedule = run.plain_schedule()
    steps = schedule.steps
    window = range(int(steps * request.edit_n_min), int(steps * request.edit_n_max))
    settings = GuidanceSettings(kind="apg", scale=request.guidance_scale)
    from_source = run.model(source_conditions, schedule)
    to_target = run.model(run.conditions, schedule)
    run.progress.start("sample", schedule.calls - window.start)
    latents = flow_edit.edit(
        mx.broadcast_to(source, (run.batch, *source.shape[1:])),
        schedule,
        window,
        request.edit_n_avg,
        lambda: run.draw("edit", frames),
        source_velocity=GuidedVelocity(from_source, settings, steps, NORM_AXES),
        target_velocity=GuidedVelocity(to_target, settings, steps, NORM_AXES, momentum=0.0),
        sampling_velocity=GuidedVelocity(to_target, settings, steps, NORM_AXES),
        renoise=request.scheduler == "pingpong",
        on_step=run.progress.step,
        on_clean=run.on_clean,
    )
    return checked(latents)


def checked(latents: mx.array) -> mx.array:
    """`latents`, or `GenerationError` if they hold anything but finite numbers."""
    if not mx.all(mx.isfinite(latents)).item():
        raise GenerationError(
            "the latents are not finite after sampling; try a lower guidance_scale, "
            'dtype="float32", or without adapters'
        )
    return latents
