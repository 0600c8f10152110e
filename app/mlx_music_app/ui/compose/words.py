"""What the fields of a request are called in the form."""

from __future__ import annotations

from mlx_music.text.languages import LANGUAGE_NAMES

LABELS = {
    "prompt": "Style",
    "num_inference_steps": "Steps",
    "omega_scale": "Omega",
    "oss_steps": "Steps of a longer schedule",
    "guidance_scale": "Guidance",
    "cfg_type": "Kind of guidance",
    "guidance_interval": "Guided part",
    "guidance_interval_decay": "Decay",
    "min_guidance_scale": "Lowest guidance",
    "guidance_scale_text": "Guidance by style",
    "guidance_scale_lyric": "Guidance by lyrics",
    "use_erg_tag": "Weaken the style",
    "use_erg_lyric": "Weaken the lyrics",
    "use_erg_diffusion": "Weaken attention",
    "reference_strength": "Keep of the recording",
    "reference_loop": "Fit to the duration",
    "retake_seed": "Seed of the new part",
    "retake_variance": "How different",
    "repaint_start": "From",
    "repaint_end": "To",
    "extend_left": "Before",
    "extend_right": "After",
    "source_prompt": "What it sounds like now",
    "source_lyrics": "What it sings now",
    "edit_n_min": "Keep at the start",
    "edit_n_max": "Free after",
    "edit_n_avg": "Draws per step",
    "lora": "Adapters",
    "source": "The recording",
    "reference": "The recording",
}

CHOICES = {
    "language": {"": "Language: found by itself", **LANGUAGE_NAMES},
    "scheduler": {"euler": "Euler", "heun": "Heun", "pingpong": "Ping-pong"},
    "cfg_type": {"apg": "Adaptive projected", "cfg": "Plain", "cfg_star": "CFG-Zero*"},
}

#: Help that says more, or less, in the form than on the command line.
HELP = {
    "num_inference_steps": "more take longer and are cleaner",
    "scheduler": "how a step is taken; Heun calls the model twice",
    "oss_steps": "which to keep of it, such as 16,29,52,96",
    "guidance_scale": "how closely style and lyrics are followed; 0 or 1 is not at all",
    "cfg_type": "",
    "guidance_scale_text": "with the next, both over 1, takes the place of the one above",
    "guidance_scale_lyric": "how closely the words alone are followed",
    "use_erg_tag": "in the pass without guidance, instead of leaving it out",
    "use_erg_lyric": "in the pass without guidance, instead of leaving them out",
    "use_erg_diffusion": "of the transformer, in the pass without guidance",
    "reference_strength": "1 is the recording itself",
    "reference_loop": "repeat or cut the recording; else the music is as long as it is",
    "speaker_embedding": "512 numbers, for a model that was trained with such",
    "retake_variance": "0 is the same again, 1 has nothing in common",
    "retake_seed": "follows the seed below when it is empty",
    "source_prompt": "a few words are enough",
    "source_lyrics": "empty if nothing is sung",
    "repaint_start": "",
    "repaint_end": "",
    "extend_left": "",
    "extend_right": "",
    "edit_n_min": "part of the steps that is left out; more keeps more of it",
    "edit_n_max": "part of the steps after which it is free",
    "edit_n_avg": "more are steadier and take longer",
    "sample_rate": "of the file; 44100 is the model's own",
}

GROUPS = {"Working on a source": "Voice"}

#: How many thousandths of its range one step of a slider or an arrow key is, unless it is whole.
STEPS = {"guidance_scale": 0.5, "omega_scale": 0.5, "duration": 1.0}


def label_of(name: str) -> str:
    return LABELS.get(name, name.replace("_", " ").capitalize())


def blame(name: str, problem: str) -> str:
    """A problem as it is told away from its field."""
    words = sentence(name, problem)
    return words if words != problem else f"{label_of(name)}: {problem}"


def sentence(name: str, problem: str) -> str:
    """A problem with a field as a sentence that names it: "Style is empty; ..."."""
    if problem[:1].isalpha() and problem[:1].islower():
        return f"{label_of(name)} {problem}"
    return problem
