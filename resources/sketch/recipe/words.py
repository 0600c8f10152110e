"""The words that captions are made of: for each value of a song's parameters, what people say."""

from __future__ import annotations

#: The first is the style's own name. A word may stand under several styles.
GENRES: dict[str, tuple[str, ...]] = {
    "house": ("house", "deep house", "house music", "dance", "edm", "club", "disco house"),
    "techno": (
        "techno",
        "electronic",
        "trance",
        "minimal techno",
        "electronic dance music",
        "rave",
    ),
    "lo-fi": (
        "lo-fi",
        "lofi",
        "lo-fi hip hop",
        "lofi beats",
        "chillhop",
        "hip hop",
        "jazz",
        "jazzy",
    ),
    "ambient": ("ambient", "soundscape", "meditation", "new age", "atmospheric", "cinematic"),
    "ballad": ("ballad", "piano ballad", "pop ballad", "love song", "soul", "pop song", "romantic"),
    "funk": ("funk", "funky", "disco", "groove", "r&b", "soul funk", "fusion"),
    "chiptune": ("chiptune", "8-bit", "video game music", "retro game", "arcade", "8 bit"),
    "waltz": ("waltz", "classical waltz", "3/4 waltz", "classical", "in three", "orchestral"),
    "rock": ("rock", "pop rock", "indie rock", "punk", "pop", "metal", "rock music"),
    "synthwave": ("synthwave", "synth pop", "80s", "retrowave", "80s synth", "electro pop"),
    "folk": ("folk", "acoustic", "country", "singer-songwriter", "acoustic folk", "bluegrass"),
    "reggae": ("reggae", "dub", "ska", "roots reggae", "island", "latin"),
}

INSTRUMENTS: dict[str, tuple[str, ...]] = {
    "piano": ("piano", "grand piano", "keys", "piano keys"),
    "epiano": ("electric piano", "rhodes", "e-piano", "electric keys"),
    "organ": ("organ", "hammond organ", "electric organ"),
    "pad": ("pad", "synth pad", "pads", "strings", "synth strings"),
    "bell": ("bells", "bell", "vibraphone", "glockenspiel", "music box", "chimes"),
    "lead": ("synth lead", "lead synth", "synth", "synthesizer", "lead"),
    "pluck": ("guitar", "acoustic guitar", "plucked guitar", "plucked strings", "harp", "pluck"),
    "chip": ("square wave", "8-bit synth", "chip synth", "pulse wave"),
    "bass": ("bass", "bass line", "bassline", "synth bass", "bass guitar"),
}

BRIGHTNESS: dict[str, tuple[str, ...]] = {
    "bright": ("bright", "brilliant", "crisp", "sparkling", "shiny"),
    "neutral": ("balanced", "natural"),
    "warm": ("warm", "dark", "mellow", "muffled", "smooth"),
}

ENERGIES: dict[str, tuple[str, ...]] = {
    "calm": ("calm", "relaxed", "relaxing", "gentle", "chill", "soft", "peaceful"),
    "medium": ("steady", "easy-going"),
    "lively": ("energetic", "lively", "driving", "upbeat", "powerful"),
}

MOODS: dict[str, tuple[str, ...]] = {
    "major": ("happy", "cheerful", "uplifting", "joyful", "hopeful", "positive"),
    "minor": ("sad", "melancholic", "moody", "emotional", "nostalgic", "serious"),
}

SPEEDS: dict[str, tuple[str, ...]] = {
    "slow": ("slow", "downtempo", "slow-paced"),
    "medium": ("mid-tempo", "moderate", "medium-paced"),
    "fast": ("fast", "uptempo", "up-tempo", "fast-paced", "quick"),
}

DRUMS: dict[str, tuple[str, ...]] = {
    "calm": ("drums", "soft drums", "gentle drums", "beat", "drum beat"),
    "medium": ("drums", "drum beat", "beat", "drum kit", "steady beat"),
    "lively": ("drums", "punchy drums", "driving drums", "beat", "strong beat"),
}
NO_DRUMS = ("no drums", "without drums", "drumless", "no beat", "no percussion")

TEMPOS = ("{} bpm", "{} bpm", "{} bpm", "{} BPM", "{}bpm", "tempo {}", "{} beats per minute")

#: Both names of the black keys.
KEYS: tuple[tuple[str, ...], ...] = (
    ("C",),
    ("C#", "Db", "C sharp", "D flat"),
    ("D",),
    ("Eb", "D#", "E flat", "D sharp"),
    ("E",),
    ("F",),
    ("F#", "Gb", "F sharp", "G flat"),
    ("G",),
    ("Ab", "G#", "A flat", "G sharp"),
    ("A",),
    ("Bb", "A#", "B flat", "A sharp"),
    ("B",),
)
KEY_FORMS = ("{}", "{}", "{}", "in {}", "key of {}", "in the key of {}")

NOUNS = ("music", "track", "song", "piece", "tune", "instrumental", "loop")

#: What people add and no parameter stands behind, so that a model learns to hear past it.
EXTRAS = (
    *("instrumental", "instrumental", "melodic", "simple", "clean", "catchy", "high quality"),
    *("background music", "no vocals", "beautiful", "studio recording", "short loop", "modern"),
    *("game music", "summer", "night", "evening", "rain", "dreamy", "epic", "groovy", "fresh"),
)
