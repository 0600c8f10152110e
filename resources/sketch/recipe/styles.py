"""The styles: what plays, in which rhythms and how fast. Tables, read by the arranger.

A pattern is one bar of sixteenths. In every pattern "-" rests. Chords: "x" strikes, "o" strikes
softly, "_" holds. Bass: a digit is the step of the chord's scale (1 root, 3, 5, 8 octave) and
"_" holds. Melody: "x" begins a note and "_" holds it. Drums: "X" accented, "x" and "o" softer.
"""

from __future__ import annotations

from dataclasses import dataclass

STEPS_PER_BEAT = 4


@dataclass(frozen=True)
class Groove:
    """One bar of drums; an empty pattern is a drum that is left out."""

    kick: str = ""
    snare: str = ""
    clap: str = ""
    hat: str = ""
    shaker: str = ""


@dataclass(frozen=True)
class Style:
    """What songs of a style choose from. tempo: bpm from, to; room: seconds of reverberation."""

    name: str
    tempo: tuple[int, int]
    chords: tuple[str, ...]
    leads: tuple[str, ...]
    basses: tuple[str, ...]
    comping: tuple[str, ...]
    bass_lines: tuple[str, ...]
    melodies: tuple[str, ...]
    grooves: tuple[Groove, ...]
    beats: int = 4
    arpeggio: float = 0.0
    drums: float = 0.75
    swing: float = 0.0
    seventh: bool = False
    pump: bool = False
    room: float = 0.5
    lively: float = 0.5
    minor: float = 0.5

    @property
    def steps(self) -> int:
        """Sixteenths in a bar."""
        return self.beats * STEPS_PER_BEAT


HOUSE = Style(
    "house",
    tempo=(112, 130),
    chords=("organ", "piano", "epiano"),
    leads=("lead", "bell", "pluck"),
    basses=("bass",),
    comping=("x-----x-----x---", "x---x---x---x---", "--x---x---x---x-"),
    bass_lines=("--1---1---1---1-", "1-1---1-1-1---8-", "1---1---1---1---"),
    melodies=("x___x___x_x_x___", "x_x_x_______x___", "--x_x___--x_x___"),
    grooves=(
        Groove("X---X---X---X---", "", "----x-------x---", "--x---x---x---x-", ""),
        Groove("X---X---X---X---", "", "----x-------x---", "--x---x---x---x-", "x-o-x-o-x-o-x-o-"),
    ),
    drums=0.85,
    pump=True,
    room=0.45,
    lively=0.8,
)

TECHNO = Style(
    "techno",
    tempo=(126, 150),
    chords=("lead", "organ"),
    leads=("pluck", "lead"),
    basses=("bass",),
    comping=("x-------x-------", "x---x---x---x---", "--x---x---x---x-"),
    bass_lines=("--1---1---1---1-", "1-1-1-1-1-1-1-1-", "--1-1---1-1---1-"),
    melodies=("x_x_x_x_x_x_x_x_", "x_x___x_x_x___x_", "x___--x_x___--x_"),
    grooves=(
        Groove("X---X---X---X---", "", "", "--x---x---x---x-", ""),
        Groove("X---X---X---X---", "", "----x-------x---", "o-x-o-x-o-x-o-x-", ""),
    ),
    drums=0.9,
    pump=True,
    room=0.35,
    lively=0.9,
    minor=0.75,
)

LOFI = Style(
    "lo-fi",
    tempo=(66, 94),
    chords=("epiano", "piano"),
    leads=("epiano", "bell", "pluck"),
    basses=("bass",),
    comping=("x___x___x___x___", "x___x_____x_x___", "x___x___x_x_x___"),
    bass_lines=("1___--1_5___----", "1___----1___5___", "1_____1_5_______"),
    melodies=("x___x_x_x___----", "x_x_x___x_______", "----x_x_x___x___"),
    grooves=(
        Groove("X-----x-X-------", "----x-------x---", "", "x-o-x-o-x-o-x-o-", ""),
        Groove("X-------x-x-----", "----x-------x---", "", "x-o-x-o-x-o-x-o-", ""),
    ),
    swing=0.5,
    seventh=True,
    room=0.4,
    lively=0.3,
    minor=0.6,
)

AMBIENT = Style(
    "ambient",
    tempo=(60, 88),
    chords=("pad",),
    leads=("bell", "pluck"),
    basses=("pad",),
    comping=("x_______x_______", "x_______________"),
    bass_lines=("1_______________", "1_______1_______"),
    melodies=("x___x___x___x___", "x_______x___x___", "x___x___x_______"),
    grooves=(Groove("X-------x-------", "", "", "", "x---x---x---x---"),),
    arpeggio=0.8,
    drums=0.2,
    room=1.4,
    lively=0.1,
)

BALLAD = Style(
    "ballad",
    tempo=(60, 90),
    chords=("piano", "epiano"),
    leads=("lead", "piano", "bell"),
    basses=("bass",),
    comping=("x___x___x___x___", "x_x_x_x_x_x_x_x_"),
    bass_lines=("1_______1_______", "1_______5_______", "1___________5___"),
    melodies=("x___x___x_______", "x_____x_x___x___", "x___x_x_x_______"),
    grooves=(
        Groove("X-------X-------", "----x-------x---", "", "x-o-x-o-x-o-x-o-", ""),
        Groove("X---------x-----", "--------x-------", "", "x---x---x---x---", ""),
    ),
    arpeggio=0.4,
    drums=0.5,
    room=0.9,
    lively=0.2,
)

FUNK = Style(
    "funk",
    tempo=(92, 126),
    chords=("epiano", "organ", "pluck"),
    leads=("organ", "lead", "epiano"),
    basses=("bass",),
    comping=("x---x-x-----x---", "--x---x---x---x-", "x---x---x---x-x-"),
    bass_lines=("1---1---8-5-1---", "1-1---8---5-8---", "1---8---1---8-5-"),
    melodies=("x_x___x_x___----", "x___x_x_----x___", "--x_x_x_x___----"),
    grooves=(
        Groove("X-----x-X-x-----", "----X-------X---", "", "x-x-x-x-x-x-x-x-", ""),
        Groove("X---X---X---X---", "----x-------x---", "", "--x---x---x---x-", "x-o-x-o-x-o-x-o-"),
    ),
    drums=0.85,
    room=0.3,
    lively=0.8,
)

CHIPTUNE = Style(
    "chiptune",
    tempo=(108, 180),
    chords=("chip",),
    leads=("chip",),
    basses=("chip",),
    comping=("x_x_x_x_x_x_x_x_", "x---x---x---x---"),
    bass_lines=("1---1---1---1---", "1---8---1---8---", "1---1---5---5---"),
    melodies=("x___x_x_x___x___", "x_x_x___x_x_x___", "x___x___x_x_x_x_"),
    grooves=(
        Groove("X-------X-------", "----x-------x---", "", "--o---o---o---o-", ""),
        Groove("X---X---X---X---", "----x-------x---", "", "", ""),
    ),
    arpeggio=0.8,
    drums=0.6,
    room=0.0,
    lively=0.8,
    minor=0.35,
)

WALTZ = Style(
    "waltz",
    tempo=(84, 172),
    chords=("piano", "pluck", "organ"),
    leads=("piano", "bell", "organ"),
    basses=("bass",),
    comping=("----x---x---", "x---x---x---"),
    bass_lines=("1___--------", "1___________"),
    melodies=("x_______x___", "x___x___x___", "x___________", "x___x_x_x___"),
    grooves=(
        Groove("X-----------", "----o---o---", "", "", ""),
        Groove("X-----------", "", "", "x---o---o---", ""),
    ),
    beats=3,
    drums=0.4,
    room=0.8,
    lively=0.4,
)

ROCK = Style(
    "rock",
    tempo=(100, 172),
    chords=("pluck", "organ"),
    leads=("lead", "organ"),
    basses=("bass",),
    comping=("x-x-x-x-x-x-x-x-", "x---x-x-x---x-x-", "x---x---x---x---"),
    bass_lines=("1-1-1-1-1-1-1-1-", "1---1---1---1---"),
    melodies=("x___x___x_x_x___", "x_x_x___x_______", "x___x_x_x___x___"),
    grooves=(
        Groove("X-------X-------", "----X-------X---", "", "x-x-x-x-x-x-x-x-", ""),
        Groove("X-------X-x-----", "----X-------X---", "", "x---x---x---x---", ""),
    ),
    drums=0.9,
    room=0.4,
    lively=0.8,
)

SYNTHWAVE = Style(
    "synthwave",
    tempo=(84, 124),
    chords=("pad", "epiano"),
    leads=("lead", "bell"),
    basses=("bass",),
    comping=("x_______x_______", "x___x___x___x___"),
    bass_lines=("1-1-1-1-1-1-1-1-", "1-1-8-1-1-1-8-1-"),
    melodies=("x_______x___x___", "x___x___x_______", "x_____x_x_______"),
    grooves=(
        Groove("X-------X-------", "----X-------X---", "", "x-x-x-x-x-x-x-x-", ""),
        Groove("X---X---X---X---", "----X-------X---", "", "--x---x---x---x-", ""),
    ),
    arpeggio=0.3,
    drums=0.8,
    room=0.8,
    lively=0.6,
    minor=0.7,
)

FOLK = Style(
    "folk",
    tempo=(78, 150),
    chords=("pluck",),
    leads=("pluck", "piano", "bell"),
    basses=("bass",),
    comping=("x---x---x---x---", "x---x-x-x---x-x-", "x_x_x_x_x_x_x_x_"),
    bass_lines=("1___----5___----", "1___----1___----"),
    melodies=("x___x___x_x_x___", "x___x_x_x___----", "x_____x_x___x___"),
    grooves=(
        Groove("X-------x-------", "", "----o-------o---", "", "x-o-x-o-x-o-x-o-"),
        Groove("X-------x-------", "", "", "", "x---x---x---x---"),
    ),
    arpeggio=0.4,
    drums=0.3,
    room=0.5,
    lively=0.5,
    minor=0.35,
)

REGGAE = Style(
    "reggae",
    tempo=(66, 100),
    chords=("organ", "piano"),
    leads=("organ", "lead", "epiano"),
    basses=("bass",),
    comping=("--x---x---x---x-", "----x-------x---"),
    bass_lines=("1___1_5_8___5___", "1___--1_5___--3_", "1_1_--5_8_5_----"),
    melodies=("x___x_x_x_______", "--x_x___--x_x___", "x_x_x___----x___"),
    grooves=(
        Groove("--------X-------", "--------x-------", "", "x-o-x-o-x-o-x-o-", ""),
        Groove("X-------X-------", "--------x-------", "", "--x---x---x---x-", ""),
    ),
    drums=0.75,
    swing=0.3,
    room=0.6,
    lively=0.4,
)

STYLES: dict[str, Style] = {
    style.name: style
    for style in (
        HOUSE,
        TECHNO,
        LOFI,
        AMBIENT,
        BALLAD,
        FUNK,
        CHIPTUNE,
        WALTZ,
        ROCK,
        SYNTHWAVE,
        FOLK,
        REGGAE,
    )
}
