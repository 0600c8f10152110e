"""A library as somebody would have it after some weeks, for pictures and for trying things out."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlx_music_app.library.library import Library
from mlx_music_app.library.take import Take
from tests.app.making import add_take

LYRICS = """[verse]
Streetlights hum along the river
Paper boats and paper rain
I still count the names of stations
Waiting for the evening train

[chorus]
Carry me home, carry me slowly
Over the water, under the light
"""

#: Title, seconds, prompt, tags, favourite, fields.
SONGS: tuple[tuple[str, float, str, tuple[str, ...], bool, dict[str, Any]], ...] = (
    ("Night Bus", 96, "lo-fi hip hop, dusty drums, Rhodes, vinyl crackle, 78 bpm",
     ("study",), False, {}),
    ("Glasshouse", 64, "ambient, slow strings, glass harmonica, wide reverb", (), True, {}),
    ("Machine Choir", 48, "industrial techno, distorted kick, choir stabs, 132 bpm",
     ("club", "loud"), False, {}),
    ("Salt and Thunder", 120, "sea shanty, stomps, male choir, accordion, 104 bpm",
     (), False, {"lyrics": "[chorus]\nHaul away, the wind is turning\n"}),
    ("Café Rialto", 58, "bossa nova, nylon guitar, brushed drums, warm upright bass, 118 bpm",
     ("film",), True, {}),
    ("Kite Season", 75, "indie pop, jangly guitars, handclaps, female voice, 122 bpm",
     (), False, {"lyrics": "[verse]\nKites above the parking lot\n"}),
    ("Low Orbit", 180, "synthwave, analog bass, gated snare, arpeggio, 100 bpm",
     ("film", "drive"), False, {}),
    ("Paper Trains", 84, "folk ballad, fingerpicked guitar, female voice, intimate, 84 bpm",
     ("album", "keep"), True, {"lyrics": LYRICS}),
)  # fmt: skip


def song(seconds: float, seed: int, rate: int) -> np.ndarray:
    """Noise and tones in the shape of music: bars, parts, a beginning and an end."""
    random = np.random.default_rng(seed)
    samples = int(seconds * rate)
    time = np.arange(samples) / rate
    beat = 60 / random.integers(78, 132)
    pulse = np.exp(-(time % beat) * random.uniform(6, 12))
    bars = np.repeat(random.uniform(0.35, 1.0, 400), int(4 * beat * rate))[:samples]
    part = 0.35 + 0.65 * (np.sin(2 * np.pi * time / seconds * 3 + seed) > -0.3)
    ends = np.clip(np.minimum(time / 3.0, (seconds - time) / 4.0), 0, 1)
    tune = np.sin(2 * np.pi * 110 * 2 ** (random.integers(0, 12) / 12) * time)
    hiss = random.standard_normal(samples) * 0.3
    sound = (0.5 * tune + hiss) * (0.35 + 0.65 * pulse) * bars * part * ends * 0.8
    return np.stack([sound, np.roll(sound, rate // 300)]).astype(np.float32).clip(-1, 1)


def fill(library: Library, *, rate: int = 8_000) -> list[Take]:
    """Make all of it; the last is the head of a family."""
    takes = []
    for seed, (title, seconds, prompt, tags, favourite, fields) in enumerate(SONGS):
        take = _add(library, title, seconds, seed, rate, prompt=prompt, **fields)
        library.set_tags(take.id, tags)
        library.set_favourite(take.id, favourite)
        takes.append(take)
    root = takes[-1]
    words = {"prompt": root.request.prompt, "lyrics": LYRICS}
    common: dict[str, Any] = {"source": str(root.path), **words}
    bridge = _add(
        library, "Paper Trains", 84, 20, rate, parent=root.id, task="repaint",
        repaint_start=32.0, repaint_end=40.0, **common,
    )  # fmt: skip
    _add(
        library, "Paper Trains", 114, 21, rate, parent=bridge.id, task="extend",
        extend_right=30.0, **common,
    )  # fmt: skip
    near = _add(
        library, "Paper Trains", 84, 22, rate, parent=root.id, task="retake",
        retake_variance=0.2, **words,
    )  # fmt: skip
    library.set_notes(
        bridge.id, "Second chorus is the one. Try the bridge a tone lower, and less reverb."
    )
    library.set_tags(bridge.id, ("album",))
    return [*takes, bridge, near]


def _add(library: Library, title: str, seconds: float, seed: int, rate: int, **fields: Any) -> Take:
    parent = fields.pop("parent", None)
    return add_take(
        library, title, seconds=seconds, sound=song(seconds, seed, rate), rate=rate,
        parent=parent, model="ACE-Step/ACE-Step-v1-3.5B", num_inference_steps=60, **fields,
    )  # fmt: skip
