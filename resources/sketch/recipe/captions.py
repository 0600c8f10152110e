"""Words for a song, as people write prompts: tags or a short sentence, parts of it left out."""

from __future__ import annotations

import random
from dataclasses import dataclass

from resources.sketch.recipe import words
from resources.sketch.recipe.songs import (
    FAST_TEMPO,
    MAX_TEMPO,
    MIN_TEMPO,
    SLOW_TEMPO,
    Song,
    tempo_near,
)

#: How often each part of a song is told.
_TOLD = {
    "genre": 0.85,
    "tempo": 0.7,
    "speed": 0.35,
    "key": 0.5,
    "brightness": 0.6,
    "mood": 0.3,
    "energy": 0.35,
    "instruments": 0.55,
    "drums": 0.5,
}

_BRIEF_SHARE = 0.12
_FULL_SHARE = 0.12
_SENTENCE_SHARE = 0.3


@dataclass
class _Parts:
    """What is said of each part; an empty text is left out."""

    genre: str = ""
    tempo: str = ""
    speed: str = ""
    key: str = ""
    brightness: str = ""
    mood: str = ""
    energy: str = ""
    instruments: tuple[str, ...] = ()
    drums: str = ""

    def tags(self) -> list[str]:
        """All that is said, in the order that prompts usually have."""
        texts = [self.genre, self.tempo, self.key, self.speed, self.brightness, self.mood]
        texts += [self.energy, *self.instruments, self.drums]
        return [text for text in texts if text]


def caption(song: Song, seed: int) -> str:
    """One of the many ways to ask for the song; the same seed words it the same."""
    draw = random.Random(f"sketch/caption/{song.seed}/{seed}")
    kind = draw.random()
    told = {part for part, share in _TOLD.items() if draw.random() < share}
    if kind < _BRIEF_SHARE:
        told = set(draw.sample(list(_TOLD), draw.choice((1, 2, 2, 3))))
    elif kind < _BRIEF_SHARE + _FULL_SHARE:
        told = set(_TOLD) - {"mood"}
    parts = _say(song, told, draw)
    if not parts.tags():
        parts.genre = draw.choice(words.GENRES[song.style])
    text = _sentence(parts, draw) if draw.random() < _SENTENCE_SHARE else _tags(parts, draw)
    return _cased(text, draw)


def full_caption(song: Song) -> str:
    """Everything that can be asked for, in one fixed wording, which `caption` uses as well."""
    parts = _Parts(
        genre=words.GENRES[song.style][0],
        tempo=f"{round(song.tempo)} bpm",
        speed="" if speed_of(song) == "medium" else words.SPEEDS[speed_of(song)][0],
        key=f"{words.KEYS[song.key][0]} {song.mode}",
        brightness="" if song.brightness == "neutral" else song.brightness,
        instruments=tuple(words.INSTRUMENTS[name][0] for name in song.instruments),
        drums="drums" if song.has_drums else "no drums",
    )
    return ", ".join(parts.tags())


def speed_of(song: Song) -> str:
    """Whether people call the song "slow", "fast" or "medium"."""
    if song.tempo <= SLOW_TEMPO:
        return "slow"
    return "fast" if song.tempo >= FAST_TEMPO else "medium"


def _say(song: Song, told: set[str], draw: random.Random) -> _Parts:
    """Words for the parts that are told."""
    parts = _Parts()
    if "genre" in told:
        own = words.GENRES[song.style]
        parts.genre = own[0] if draw.random() < 0.4 else draw.choice(own)
    if "tempo" in told:
        parts.tempo = draw.choice(words.TEMPOS).format(_tempo(song, draw))
    # What is in the middle is seldom worth a word.
    if "speed" in told and (speed_of(song) != "medium" or draw.random() < 0.3):
        parts.speed = _choose(words.SPEEDS[speed_of(song)], draw)
    if "key" in told:
        parts.key = draw.choice(words.KEY_FORMS).format(_key(song, draw))
    if "brightness" in told and (song.brightness != "neutral" or draw.random() < 0.15):
        parts.brightness = _choose(words.BRIGHTNESS[song.brightness], draw)
    if "mood" in told:
        parts.mood = draw.choice(words.MOODS[song.mode])
    if "energy" in told and (song.energy != "medium" or draw.random() < 0.2):
        parts.energy = draw.choice(words.ENERGIES[song.energy])
    if "instruments" in told:
        parts.instruments = _instruments(song, draw)
    if parts.instruments and parts.brightness and draw.random() < 0.2:
        # "mellow electric piano" instead of "mellow".
        first, *others = parts.instruments
        parts.instruments = (f"{parts.brightness} {first}", *others)
        parts.brightness = ""
    if "drums" in told:
        parts.drums = _choose(words.DRUMS[song.energy] if song.has_drums else words.NO_DRUMS, draw)
    return parts


def _choose(choices: tuple[str, ...], draw: random.Random) -> str:
    """One of the words, the usual one most often."""
    return choices[0] if draw.random() < 0.4 else draw.choice(choices)


def _tempo(song: Song, draw: random.Random) -> int:
    """The song's tempo as a whole number, or another that is nearest to it of all that songs
    keep to: so every whole number leads to a tempo that is learnt."""
    nearest = round(song.tempo)
    if draw.random() < 0.5:
        return nearest
    near = range(max(MIN_TEMPO, nearest - 7), min(MAX_TEMPO, nearest + 7) + 1)
    beats = song.plan.beats
    return draw.choice([t for t in near if tempo_near(t, beats) == song.tempo] or [nearest])


def _key(song: Song, draw: random.Random) -> str:
    name = draw.choice(words.KEYS[song.key])
    form = draw.random()
    if form < 0.06 and " " not in name:
        return name + ("m" if song.mode == "minor" else "maj")
    return f"{name} {song.mode}"


def _instruments(song: Song, draw: random.Random) -> tuple[str, ...]:
    """One to three instruments, some with what they play."""
    said = []
    for name in song.instruments:
        word = _choose(words.INSTRUMENTS[name], draw)
        roll = draw.random()
        if name == song.lead != song.chords and roll < 0.3:
            word += " melody"
        elif name == song.chords != song.lead and roll < 0.2:
            word += " chords"
        said.append(word)
    draw.shuffle(said)
    return tuple(said[: draw.randint(1, len(said))])


def _tags(parts: _Parts, draw: random.Random) -> str:
    if parts.brightness and draw.random() < 0.12:
        parts.brightness += " sound"
    if parts.speed in ("slow", "fast") and draw.random() < 0.2:
        parts.speed += " tempo"
    tags = parts.tags()
    if draw.random() < 0.15:
        tags.append(draw.choice(words.EXTRAS))
    if draw.random() < 0.6:
        draw.shuffle(tags)
    return (", " if draw.random() < 0.85 else " ").join(tags)


def _sentence(parts: _Parts, draw: random.Random) -> str:
    """Say "a slow warm waltz track in A minor at 90 bpm with piano, without drums"."""
    said = [parts.speed, parts.brightness, parts.mood, parts.energy]
    adjectives = [word for word in said if word]
    draw.shuffle(adjectives)
    noun = draw.choice(words.NOUNS)
    genre = parts.genre.removesuffix(noun).rstrip()
    text = " ".join(word for word in (*adjectives, genre, noun) if word)
    if draw.random() < 0.5 and noun != "music":
        text = ("an " if text[0] in "aeiou8" else "a ") + text
    if parts.key:
        text += " " + (parts.key if parts.key.startswith("in ") else f"in {parts.key}")
    if parts.tempo:
        text += " at " + parts.tempo
    is_drumless = parts.drums in words.NO_DRUMS
    players = [*parts.instruments, *([parts.drums] if parts.drums and not is_drumless else [])]
    if players:
        text += " with " + " and ".join(filter(None, (", ".join(players[:-1]), players[-1])))
    if is_drumless:
        text += f", {parts.drums}"
    return text + ("." if draw.random() < 0.3 else "")


def _cased(text: str, draw: random.Random) -> str:
    """The text as it is, or all small, or with a capital."""
    roll = draw.random()
    if roll < 0.35:
        return text.lower()
    return text[0].upper() + text[1:] if roll < 0.55 else text
