"""From a request's words to the conditions that the transformer attends to, pass by pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mlx.core as mx

from mlx_music.ace_step.block_calls import BlockCall, fit_together
from mlx_music.ace_step.erg import ERG_TAU
from mlx_music.ace_step.operations import RotaryTables
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.prompt_tokenizer import PromptTokenizer
from mlx_music.ace_step.text_encoder import TextEncoder
from mlx_music.ace_step.transformer import Transformer
from mlx_music.ace_step.transformer_inputs import Condition, PreparedCondition, Timesteps
from mlx_music.sampling.loop import CONDITIONAL, TEXT_ONLY, UNCONDITIONAL


@dataclass(frozen=True)
class PromptStates:
    """A prompt as the text encoder reads it; batch 1.

    hidden (1, S, features); weakened: the same with flattened attention, for the unconditional
    pass, or None if that pass shall know nothing of the prompt; mask int (1, S).
    """

    hidden: mx.array
    weakened: mx.array | None
    mask: mx.array


def encode_prompt(
    prompt: str, tokenizer: PromptTokenizer, encoder: TextEncoder, *, weaken: bool
) -> PromptStates:
    """Read `prompt`; tokens past `MAX_PROMPT_TOKENS` are not heard."""
    ids, mask = tokenizer([prompt])
    hidden, *weakened = encoder.passes(ids, mask, (False, True) if weaken else (False,))
    return PromptStates(hidden, weakened[0] if weaken else None, mask)


@dataclass(frozen=True)
class LyricIds:
    """Lyric token ids, int (1, L). Without lyrics: one masked token, as the model was trained."""

    ids: mx.array
    mask: mx.array

    @classmethod
    def of(cls, ids: list[int]) -> LyricIds:
        return cls(
            mx.array([ids or [0]], dtype=mx.int32),
            mx.array([[1] * len(ids) or [0]], dtype=mx.int32),
        )


def text_to_music_conditions(
    transformer: Transformer,
    prompt: PromptStates,
    lyrics: LyricIds,
    speaker: mx.array,
    *,
    weaken_lyrics: bool,
    weaken_transformer: bool,
    guided: bool,
    double: bool,
) -> dict[str, Condition]:
    """The condition of each pass that a run will make; speaker (1, speaker_embedding_dim).

    The unconditional pass keeps the masks of the conditional one: it attends to as many
    positions, whose content is zero or, with entropy rectifying guidance, weakened.
    """

    def condition(text: mx.array, who: mx.array, words: mx.array) -> Condition:
        return transformer.condition(text, prompt.mask, who, words, lyrics.mask)

    weaken_lyrics = weaken_lyrics and guided
    words, *weak_words = transformer.lyrics(
        lyrics.ids, lyrics.mask, (False, True) if weaken_lyrics else (False,)
    )
    conditions = {CONDITIONAL: condition(prompt.hidden, speaker, words)}
    if not guided:
        return conditions
    nobody, text = mx.zeros_like(speaker), mx.zeros_like(prompt.hidden)
    if not weaken_lyrics:
        weak_words = transformer.lyrics(mx.zeros_like(lyrics.ids), lyrics.mask)
    elif prompt.weakened is not None:
        text = prompt.weakened
    unconditional = condition(text, nobody, weak_words[0])
    scale = mx.array([ERG_TAU]) if weaken_transformer else None
    conditions[UNCONDITIONAL] = Condition(unconditional.states, unconditional.mask, scale)
    if double:
        conditions[TEXT_ONLY] = condition(prompt.hidden, nobody, weak_words[0])
    return conditions


def edit_conditions(
    transformer: Transformer,
    prompt: PromptStates,
    lyrics: LyricIds,
    speaker: mx.array,
    *,
    guided: bool,
) -> dict[str, Condition]:
    """The conditions of one side of an edit, as the reference's editing has them.

    Nothing is weakened, and the unconditional pass does not even attend to the lyrics' places.
    """
    conditions = {
        CONDITIONAL: transformer.encode(
            prompt.hidden, prompt.mask, speaker, lyrics.ids, lyrics.mask
        )
    }
    if guided:
        conditions[UNCONDITIONAL] = transformer.encode(
            mx.zeros_like(prompt.hidden),
            prompt.mask,
            mx.zeros_like(speaker),
            mx.zeros_like(lyrics.ids),
            mx.zeros_like(lyrics.mask),
        )
    return conditions


class ConditionedModel:
    """A transformer and its conditions as the sampling loop calls them (`loop.Predict`).

    Latents are channels last, (B, 16, T, 8). All passes of a step are one batch, unless they are
    so long that this would save little time and take much memory. `timesteps` are those that the
    run may ask for. Good for one run, on weights that do not change in it: what does not change
    between its steps is computed once.
    """

    def __init__(
        self,
        transformer: Transformer,
        conditions: Mapping[str, Condition],
        timesteps: Sequence[float],
    ) -> None:
        self._transformer = transformer
        self._conditions = dict(conditions)
        # Heun asks at a timestep twice.
        self._places = {each: index for index, each in enumerate(dict.fromkeys(timesteps))}
        self._begun: tuple[list[BlockCall], Timesteps] | None = None
        self._prepared: dict[tuple[tuple[str, ...], int], PreparedCondition] = {}
        self._ropes: dict[int, RotaryTables] = {}
        # One for all steps: a step is begun while the one before is still under way.
        self._pace = Pace()

    def __call__(
        self, latents: mx.array, timestep: float, passes: tuple[str, ...]
    ) -> list[mx.array]:
        batch, frames, count = latents.shape[0], latents.shape[2], len(passes)
        if self._begun is None:
            self._begun = self._begin(batch, frames)
        calls, steps = self._begun
        width = self._transformer.config.inner_dim * self._transformer.dtype.size
        if count > 1 and not fit_together(count * batch * frames * width):
            return [self(latents, timestep, (each,))[0] for each in passes]
        if frames not in self._ropes:
            self._ropes[frames] = self._transformer.rope(frames)
        velocity = self._transformer.velocity(
            mx.concatenate([latents] * count) if count > 1 else latents,
            steps.at(self._places[timestep]),
            self._ropes[frames],
            self._prepare(passes, batch),
            calls,
            self._pace,
        )
        return list(mx.split(velocity.astype(mx.float32), count))

    def _prepare(self, passes: tuple[str, ...], batch: int) -> PreparedCondition:
        # Neighbours among the conditions are a part of what all of them have.
        names, count = tuple(self._conditions), len(passes)
        place = names.index(passes[0])
        if names[place : place + count] != passes:
            names, place = passes, 0
        if (names, batch) not in self._prepared:
            stacked = Condition.stack([self._conditions[name] for name in names])
            self._prepared[names, batch] = self._transformer.prepare(stacked).repeat(batch)
        return self._prepared[names, batch].items(place * batch, (place + count) * batch)

    def _begin(self, batch: int, frames: int) -> tuple[list[BlockCall], Timesteps]:
        tokens = (condition.states.shape[1] for condition in self._conditions.values())
        calls = self._transformer.settle((batch, frames, *tokens))
        return calls, self._transformer.timesteps(mx.array(list(self._places)))
