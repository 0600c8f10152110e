"""A request as text: in the tags of an audio file, in our JSON, and from the reference's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlx_music.errors import AudioError, MLXMusicError
from mlx_music.request import MAX_SEED, GenerationRequest
from mlx_music.version import __version__


@dataclass(frozen=True)
class Description:
    """What a file says of itself: the request it was made by, and the model."""

    request: GenerationRequest
    model: str
    version: str = __version__

    def to_json(self) -> str:
        values = {
            "mlx_music": self.version,
            "model": self.model,
            "request": self.request.to_dict(),
        }
        return json.dumps(values, ensure_ascii=False)

    def to_tags(self) -> dict[str, str]:
        """Tags for `audio.files.write_audio`: all of it as JSON, and what players show."""
        request = self.request
        seed = "" if request.seed is None else f", seed {request.seed}"
        return {
            "request_json": self.to_json(),
            "title": request.prompt,
            "comment": f"{self.model}{seed}",
            "lyrics": request.lyrics,
            "software": f"MLX Music {self.version}",
        }

    @classmethod
    def from_json(
        cls, text: str, source: str, defaults: GenerationRequest | None = None
    ) -> Description:
        """Read what `to_json` wrote, or the parameters that the reference's own program saves.

        `source` is named in errors. `defaults`, those of a model, stand in for fields that
        somebody left out. Raises `MLXMusicError`.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MLXMusicError(f"{source}: is not JSON ({error})") from error
        if isinstance(values, dict) and isinstance(values.get("request"), dict):
            return cls(
                GenerationRequest.from_dict(values["request"], defaults),
                str(values.get("model", "")),
                str(values.get("mlx_music", "")),
            )
        if isinstance(values, dict) and "infer_step" in values:
            return cls(_from_reference(values), "", "")
        raise MLXMusicError(
            f"{source}: holds no settings of MLX Music nor of the reference's *_input_params.json"
        )


#: Our field for each parameter of the reference that says the same thing.
_REFERENCE_NAMES = {
    "prompt": "prompt",
    "lyrics": "lyrics",
    "audio_duration": "duration",
    "infer_step": "num_inference_steps",
    "scheduler_type": "scheduler",
    "guidance_scale": "guidance_scale",
    "cfg_type": "cfg_type",
    "omega_scale": "omega_scale",
    "guidance_interval": "guidance_interval",
    "guidance_interval_decay": "guidance_interval_decay",
    "min_guidance_scale": "min_guidance_scale",
    "guidance_scale_text": "guidance_scale_text",
    "guidance_scale_lyric": "guidance_scale_lyric",
    "use_erg_tag": "use_erg_tag",
    "use_erg_lyric": "use_erg_lyric",
    "use_erg_diffusion": "use_erg_diffusion",
    "oss_steps": "oss_steps",
}


def _from_reference(values: Mapping[str, Any]) -> GenerationRequest:
    """The request that `*_input_params.json` of the reference describes.

    Its seed is kept as a number, but PyTorch draws other noise from it than MLX does.
    """
    ours = {
        name: values[theirs]
        for theirs, name in _REFERENCE_NAMES.items()
        if values.get(theirs) is not None
    }
    seeds = values.get("actual_seeds")
    if isinstance(seeds, list) and seeds:
        # What is no whole number is left for `from_dict` to refuse by name.
        ours["seed"] = seeds[0] % (MAX_SEED + 1) if type(seeds[0]) is int else seeds[0]
    lora = values.get("lora_name_or_path", "none")
    if lora not in ("none", None):
        ours["lora"] = [f"{lora}:{values.get('lora_weight', 1.0)}"]
    task = values.get("task", "text2music")
    if task != "text2music":
        raise MLXMusicError(
            f"the settings are of the reference's task {task}, whose source is not in them; "
            f"give the source and its settings to {task} by hand"
        )
    return GenerationRequest.from_dict(ours)


def read_description(path: str | Path, defaults: GenerationRequest | None = None) -> Description:
    """The settings in an audio file's tags or in a JSON file; see `Description.from_json`.

    Raises `AudioError` if an audio file has none, `MLXMusicError` for a JSON of another kind.
    """
    path = Path(os.path.expanduser(path))
    if path.suffix.lower() == ".json":
        try:
            text = path.read_text(encoding="utf-8-sig")  # Windows editors write a BOM
        except OSError as error:
            raise MLXMusicError(f"{path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise MLXMusicError(f"{path}: is not UTF-8 text") from error
        return Description.from_json(text, str(path), defaults)
    from mlx_music.audio.tags import read_tags

    tags = read_tags(path)
    if tags is None:
        raise AudioError(f"{path}: has no settings of MLX Music in its tags")
    return Description.from_json(tags.request_json, str(path), defaults)
