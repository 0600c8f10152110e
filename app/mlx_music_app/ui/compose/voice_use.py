"""Using a saved voice: its fields are filled into the form, and taken out again."""

from __future__ import annotations

from pathlib import Path

from mlx_music import GenerationRequest
from mlx_music.voices import Voice
from mlx_music_app.ui.compose.form import Form
from mlx_music_app.ui.compose.modes import REFERENCE, Work
from mlx_music_app.ui.compose.pickers import VoicePicker


def use_voice(form: Form, picker: VoicePicker, voice: Voice | None, old: Voice | None) -> None:
    """Fill in the fields of `voice`, None for no voice, in the place of those of `old`."""
    if old is not None:
        _take_out(form, picker, old)
    if voice is None:
        return
    fields = picker.fields_of(voice)
    if "lora" in fields:
        form.loras.set_value((*form.loras.value(), *fields["lora"]))
    if "speaker_embedding" in fields:
        form.rows["speaker_embedding"].set_value(fields["speaker_embedding"])
    if "reference" in fields:
        words = form.words().for_another_task()
        # The seed is the person's, and a voice says nothing of it.
        request = words.replace(**fields, lora=form.loras.value(), seed=form.words().seed)
        form.set_request(request, REFERENCE, Work(f"Voice {voice.name}", Path(fields["reference"])))


def _take_out(form: Form, picker: VoicePicker, voice: Voice) -> None:
    fields = picker.fields_of(voice)
    used = fields.get("lora", ())
    form.loras.set_value(tuple(one for one in form.loras.value() if one not in used))
    if "speaker_embedding" in fields:
        form.rows["speaker_embedding"].set_value(GenerationRequest().speaker_embedding)
    if "reference" in fields and form.mode is REFERENCE:
        form.leave_work()


def voice_fields(form: Form) -> dict[str, object]:
    """What of the form a voice may have filled in."""
    words = form.words()
    values: dict[str, object] = {
        "lora": words.lora,
        "speaker_embedding": words.speaker_embedding,
    }
    if form.mode is REFERENCE and form.work is not None:
        values["reference"] = str(form.work.path)
        values["reference_strength"] = words.reference_strength
        values["reference_loop"] = words.reference_loop
    return values
