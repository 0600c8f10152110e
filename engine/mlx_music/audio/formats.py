"""The audio files that the engine writes: names, extensions, bit depths and sample rates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from types import MappingProxyType

from mlx_music.audio.atomic import shown
from mlx_music.errors import AudioError


@dataclass(frozen=True)
class AudioFormat:
    """One kind of audio file, with the bit depth that is to be written.

    `extensions` are in lower case with their dot, the usual one first. `container` and `subtypes`
    (bit depth -> name) are libsndfile's names; a lossy format has the one depth None. `encoding`
    is passed to `soundfile.SoundFile`. `sample_rates` (Hz) is None where every rate of
    `SAMPLE_RATE_RANGE` will do. `size_limit` (bytes) is what the container's size fields can count.
    """

    name: str
    extensions: tuple[str, ...]
    container: str
    subtypes: Mapping[int | None, str]
    bit_depth: int | None
    max_channels: int = 8
    sample_rates: tuple[int, ...] | None = None
    encoding: Mapping[str, float | str] = field(default_factory=dict)
    size_limit: int | None = None

    @property
    def subtype(self) -> str:
        """libsndfile's name of the sample format that is written."""
        return self.subtypes[self.bit_depth]

    @property
    def bit_depths(self) -> tuple[int, ...]:
        """The bit depths to choose from; empty for a lossy format."""
        return tuple(depth for depth in self.subtypes if depth is not None)

    def check(self, channels: int, sample_rate: int) -> None:
        """Raise `AudioError` if the format cannot hold `channels` at `sample_rate` (Hz)."""
        if not 1 <= channels <= self.max_channels:
            raise AudioError(
                f"{self.name} files hold 1 to {self.max_channels} channels here, got {channels}"
            )
        if self.sample_rates is not None and sample_rate not in self.sample_rates:
            rates = ", ".join(str(rate) for rate in self.sample_rates)
            raise AudioError(
                f"{self.name} files cannot have {sample_rate} Hz; choose one of {rates} Hz"
            )
        lowest, highest = SAMPLE_RATE_RANGE
        if not lowest <= sample_rate <= highest:
            raise AudioError(f"sample rate {sample_rate} Hz is outside {lowest} to {highest} Hz")


# libsndfile crashes (not fails) when asked for Vorbis above 200 kHz, and below 8 kHz a rate is
# rather a slip (48 for 48000) than a wish.
SAMPLE_RATE_RANGE = (8000, 192000)

# RIFF and IFF count their bytes in 32 bits; the rest is left to headers and tags.
_IFF_LIMIT = 2**32 - 2**24

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

# 24 bits by default: what music software works in, and its noise floor lies under anything audible,
# which 16 bits reach only with dither. 32 means float, which keeps the samples as they are.
# MP3 is LAME's V0 and Vorbis quality 8, each about 260 kbit/s: nothing that is heard is saved on.
AUDIO_FORMATS: Mapping[str, AudioFormat] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            AudioFormat(
                name="WAV",
                extensions=(".wav", ".wave"),
                container="WAV",
                subtypes={16: "PCM_16", 24: "PCM_24", 32: "FLOAT"},
                bit_depth=24,
                size_limit=_IFF_LIMIT,
            ),
            AudioFormat(
                name="FLAC",
                extensions=(".flac",),
                container="FLAC",
                subtypes={16: "PCM_16", 24: "PCM_24"},
                bit_depth=24,
            ),
            AudioFormat(
                name="AIFF",
                extensions=(".aiff", ".aif"),
                container="AIFF",
                subtypes={16: "PCM_16", 24: "PCM_24"},
                bit_depth=24,
                size_limit=_IFF_LIMIT,
            ),
            AudioFormat(
                name="OGG",
                extensions=(".ogg", ".oga"),
                container="OGG",
                subtypes={None: "VORBIS"},
                bit_depth=None,
                encoding={"compression_level": 0.2},
            ),
            AudioFormat(
                name="MP3",
                extensions=(".mp3",),
                container="MP3",
                subtypes={None: "MPEG_LAYER_III"},
                bit_depth=None,
                max_channels=2,
                sample_rates=_MP3_RATES,
                encoding={"compression_level": 0.0, "bitrate_mode": "VARIABLE"},
            ),
        )
    }
)


def supported_formats() -> str:
    """The formats that can be written, for a message: `WAV (.wav, .wave), FLAC (.flac), ...`."""
    return ", ".join(f"{f.name} ({', '.join(f.extensions)})" for f in AUDIO_FORMATS.values())


def audio_format(name: str | os.PathLike[str], bit_depth: int | None = None) -> AudioFormat:
    """The format of a file, by its extension or by its bare name.

    Args:
        name: A path (`song.wav`), an extension (`.wav`) or a format's name (`wav`), in any case.
        bit_depth: Bits per sample; None takes the format's default.

    Raises:
        AudioError: An unknown extension or name, or a bit depth that the format does not have.
    """
    path = PurePath(name)
    word = (path.suffix or path.name).lower().removeprefix(".")
    for entry in AUDIO_FORMATS.values():
        if word == entry.name.lower() or f".{word}" in entry.extensions:
            return _at_depth(entry, bit_depth)
    ending = f"the extension {path.suffix!r} is unknown" if path.suffix else "it has no extension"
    raise AudioError(f"{shown(name)}: {ending}; use one of {supported_formats()}")


def _at_depth(entry: AudioFormat, bit_depth: int | None) -> AudioFormat:
    if bit_depth is None:
        return entry
    if not entry.bit_depths:
        raise AudioError(
            f"{entry.name} is lossy and has no bit depth; leave it out (got {bit_depth})"
        )
    if bit_depth not in entry.subtypes:
        depths = " or ".join(str(depth) for depth in entry.bit_depths)
        raise AudioError(f"{entry.name} files have {depths} bits per sample here, got {bit_depth}")
    return replace(entry, bit_depth=bit_depth)
