"""Words for a style that the field suggests: our own, by what they say about the music."""

from __future__ import annotations

VOCABULARY: dict[str, tuple[str, ...]] = {
    "Genre": (
        "pop", "rock", "folk", "electronic", "hip hop", "jazz", "soul", "house", "ambient",
        "indie rock", "lo-fi hip hop", "synthwave", "techno", "drum and bass", "trap", "r&b",
        "funk", "disco", "blues", "country", "bluegrass", "reggae", "dub", "ska", "bossa nova",
        "salsa", "samba", "flamenco", "tango", "cumbia", "afrobeat", "gospel", "heavy metal",
        "punk", "grunge", "shoegaze", "dream pop", "post-rock", "psychedelic rock", "trip hop",
        "garage", "trance", "dubstep", "chiptune", "film score", "orchestral", "chamber music",
        "baroque", "string quartet", "big band", "swing", "waltz", "lullaby", "sea shanty",
        "singer-songwriter", "a cappella", "k-pop", "city pop", "new wave", "industrial",
    ),
    "Mood": (
        "warm", "melancholic", "uplifting", "dreamy", "energetic", "intimate", "dark", "nostalgic",
        "calm", "playful", "romantic", "triumphant", "mysterious", "tense", "hopeful",
        "bittersweet", "aggressive", "hypnotic", "spacious", "raw", "polished", "epic", "tender",
        "joyful", "lonely", "groovy", "laid back", "haunting", "cinematic", "minimal", "lush",
        "gritty",
    ),
    "Instruments": (
        "acoustic guitar", "piano", "electric guitar", "strings", "synth pads", "live drums",
        "upright bass", "electric piano", "fingerpicked guitar", "slap bass", "drum machine",
        "brass section", "saxophone", "trumpet", "flute", "cello", "violin", "harp",
        "hammond organ", "accordion", "banjo", "mandolin", "steel guitar", "ukulele", "sitar",
        "marimba", "vibraphone", "glockenspiel", "music box", "choir", "hand claps", "congas",
        "tabla",
        "timpani", "808 bass", "analog synth", "arpeggiated synth", "vinyl crackle", "turntables",
        "harmonica", "clarinet", "french horn", "distorted guitar", "felt piano", "nylon guitar",
    ),
    "Voice": (
        "female voice", "male voice", "duet", "soft female voice", "raspy male voice", "choir",
        "whispered voice", "rap", "falsetto", "deep male voice", "powerful female voice",
        "child choir", "harmonies", "spoken word", "autotune", "vocal chops", "operatic voice",
        "instrumental, no vocals",
    ),
    "Tempo": (
        "slow", "mid-tempo", "upbeat", "fast", "60 bpm", "72 bpm", "80 bpm", "92 bpm", "100 bpm",
        "112 bpm", "120 bpm", "128 bpm", "140 bpm", "160 bpm", "174 bpm", "half time", "swing feel",
        "6/8 time", "3/4 time", "no beat",
    ),
}  # fmt: skip

#: How many of each a row of suggestions shows; all of them complete what is typed.
SHOWN = 12


def all_words() -> list[str]:
    """Every word once, in the order of the alphabet."""
    return sorted({word for words in VOCABULARY.values() for word in words})
