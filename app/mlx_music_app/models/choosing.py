"""Which models can be picked when composing, and which is picked by itself."""

from __future__ import annotations

from collections.abc import Iterable

from mlx_music.ace_step.published import MODEL_ID
from mlx_music_app.models.choice import ModelChoice
from mlx_music_app.models.info import Kind, ModelInfo, State

_ORDER = (Kind.HUB, Kind.OWN, Kind.LINKED, Kind.BUILT_IN)


def choices_of(models: Iterable[ModelInfo]) -> list[ModelChoice]:
    """All that are ready, the best first, then those that can be downloaded."""
    usable = [model for model in models if model.state is not State.DAMAGED]
    return [_choice(model) for model in sorted(usable, key=_place)]


def best_of(models: Iterable[ModelInfo]) -> str:
    """The id of the model to use when the person has not chosen: what they took the trouble to
    install before the one that comes with the app. Empty if there is none."""
    return next((choice.value for choice in choices_of(models) if choice.installed), "")


def _choice(model: ModelInfo) -> ModelChoice:
    return ModelChoice(
        name=model.name,
        value=model.id,
        installed=model.ready,
        default_fields=dict(model.default_fields),
        sings=model.sings,
        max_duration=model.max_duration,
    )


def _place(model: ModelInfo) -> tuple[bool, bool, int]:
    """Installed ones first; of them the published one, and the built-in one last."""
    return (not model.ready, model.id != MODEL_ID, _ORDER.index(model.kind))
