"""A song before it sounds: every parameter, drawn from one seed.

`random.Random` promises the same draws on every platform and version for a text seed, which
NumPy's generators do not.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from resources.sketch.recipe.harmony import PROGRESSIONS
from resources.sketch.recipe.styles import STYLES, Style

MIN_TEMPO = 60
MAX_TEMPO = 180

KEY_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

#: Latent frames in a second (44,100 / 4,096): the grid that the transformer sees music on.
LATENT_FRAMES_PER_SECOND = 44_100 / 4_096

#: Bars of fewer frames than this may end in the middle of one, or tempos would lie too far apart.
_LONG_BAR = 15

#: From here on a song is called slow or fast.
SLOW_TEMPO = 84
FAST_TEMPO = 132

TEMPO_BUCKET = 10
_HELD_OUT_SHARE = 0.03

#: Songs whose tempo is drawn from the whole range and not the style's, so that a model
#: cannot learn the one from the other alone.
_ANY_TEMPO_SHARE = 0.25


@dataclass(frozen=True)
class Song:
    """One piece of music. Two equal songs sound the same.

    tempo: beats per minute, such that bars fill whole latent frames (see `tempo_near`). key: 0 is
    C, 11 is B. mode: "major" or "minor". chords, lead, bass: timbres (see `instruments`).
    brightness: "bright", "warm" or "neutral". energy: "calm", "medium" or "lively". swing: how
    late an off-beat eighth comes, in sixteenths. progression: scale degrees from 0, a chord a bar.
    comping, bass_line, groove: numbers of the style's patterns. arpeggio: whether chords are
    played note by note. seed: of melody and form.
    """

    seed: int
    style: str
    tempo: float
    key: int
    mode: str
    chords: str
    lead: str
    bass: str
    has_drums: bool
    brightness: str
    energy: str
    swing: float
    progression: tuple[int, ...]
    comping: int
    bass_line: int
    groove: int
    arpeggio: bool

    @property
    def instruments(self) -> tuple[str, ...]:
        """The timbres that play, each once; drums not included."""
        return tuple(dict.fromkeys((self.chords, self.lead, self.bass)))

    @property
    def key_name(self) -> str:
        """Say "F# minor"."""
        return f"{KEY_NAMES[self.key]} {self.mode}"

    @property
    def plan(self) -> Style:
        """The style's tables."""
        return STYLES[self.style]

    @property
    def bar_frames(self) -> float:
        """Latent frames in a bar: whole, or whole and a half."""
        return _bar_frames(self.tempo, self.plan.beats)

    def random(self, part: str) -> random.Random:
        """Random numbers for one part of the music, independent of the other parts'."""
        return random.Random(f"sketch/{self.seed}/{part}")


def draw_song(seed: int) -> Song:
    """The song of a seed, on whichever side of the split."""
    draw = random.Random(f"sketch/{seed}")
    style = draw.choice(list(STYLES.values()))
    low, high = style.tempo
    if draw.random() < _ANY_TEMPO_SHARE:
        low, high = MIN_TEMPO, MAX_TEMPO
    mode = "minor" if draw.random() < style.minor else "major"
    return Song(
        seed=seed,
        style=style.name,
        tempo=tempo_near(draw.randint(low, high), style.beats),
        key=draw.randrange(12),
        mode=mode,
        chords=draw.choice(style.chords),
        lead=draw.choice(style.leads),
        bass=draw.choice(style.basses),
        has_drums=draw.random() < 0.5 * (style.drums + 0.6),
        brightness=draw.choice(("bright", "neutral", "warm")),
        energy=_draw_energy(draw, style.lively),
        swing=style.swing if draw.random() < 0.7 else 0.0,
        progression=draw.choice(PROGRESSIONS[mode]),
        comping=draw.randrange(len(style.comping)),
        bass_line=draw.randrange(len(style.bass_lines)),
        groove=draw.randrange(len(style.grooves)),
        arpeggio=draw.random() < style.arpeggio,
    )


def tempo_near(asked: float, beats: int) -> float:
    """The nearest tempo that songs of `beats` to the bar keep to: within 3.2 % of any.

    Bars are whole latent frames (short ones may be halves), so every bar meets the grid of the
    latents alike. A small model then has some thirty rhythms to learn, each of which repeats
    exactly, and not all the ways in which a beat can fall between two frames.
    """
    frames = _bar_frames(asked, beats)
    step = 1.0 if frames >= _LONG_BAR else 0.5
    return beats * 60.0 * LATENT_FRAMES_PER_SECOND / (step * round(frames / step))


def _bar_frames(tempo: float, beats: int) -> float:
    return beats * 60.0 * LATENT_FRAMES_PER_SECOND / tempo


def is_held_out(song: Song) -> bool:
    """Whether the song's style, key, mode and tempo (to 10 bpm) are never trained on together."""
    bucket = round(song.tempo) // TEMPO_BUCKET
    combination = f"{song.style}/{song.key}/{song.mode}/{bucket}"
    digest = hashlib.sha256(combination.encode()).digest()
    return int.from_bytes(digest[:8], "big") < _HELD_OUT_SHARE * 2**64


def training_song(seed: int) -> Song:
    """The first song of a row of seeds that may be trained on."""
    return _first(seed, held_out=False)


def held_out_song(seed: int) -> Song:
    """The first song of a row of seeds whose combination is never trained on."""
    return _first(seed, held_out=True)


def _first(seed: int, *, held_out: bool) -> Song:
    song = draw_song(seed)
    while is_held_out(song) is not held_out:
        # Far from every other row, so that neighbouring seeds do not meet in one song.
        song = draw_song(song.seed + 2**32)
    return song


def _draw_energy(draw: random.Random, lively: float) -> str:
    level = 0.6 * lively + 0.4 * draw.random()
    if level < 0.35:
        return "calm"
    return "lively" if level > 0.65 else "medium"
