"""What a clip sounds like, found from its sound alone: tempo, key, drums, brightness, loudness.

Nothing here knows what was asked for, or how Sketch's music is made. Needs the extra "sketch".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import pyloudnorm

Array = npt.NDArray[np.floating[Any]]

#: Tempos that are looked for, in bpm.
SLOWEST, FASTEST = 60.0, 181.0

KEY_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

#: How often each pitch class sounds in a key, from its tonic up: Albrecht and Shanahan (2013),
#: "The use of large corpora to train a new type of key-finding algorithm", Music Perception 31.
#: Unlike Krumhansl's ratings, which are of single tones, they were counted in music.
_MAJOR_FIT = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR_FIT = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)

SAMPLE_RATE = 44_100
_WINDOW = 2048
_HOP = 512
_RATE = SAMPLE_RATE / _HOP

#: Under this level, and for longer than a rest lasts, there is nothing to hear.
_SILENCE_DB = -60.0

#: Above the fundamentals: here drums are short and wide, and notes long and narrow.
_TREBLE_HZ = 3_000.0


@dataclass(frozen=True)
class Analysis:
    """One clip.

    tempo: bpm. speed: onsets a second. key: 0 is C. mode: "major" or "minor". drums: share of
    the treble's energy that is percussive. brightness: spectral centroid in Hz. loudness: LUFS.
    peak: largest magnitude. clipped: share of samples at full scale. silence: seconds of the
    longest silence. start: seconds of silence before the first sound.
    """

    tempo: float
    speed: float
    key: int
    mode: str
    drums: float
    brightness: float
    loudness: float
    peak: float
    clipped: float
    silence: float
    start: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def analyse(audio: Array, sample_rate: int) -> Analysis:
    """Everything about a clip (2, samples)."""
    at_rate = librosa.resample(
        audio, orig_sr=sample_rate, target_sr=SAMPLE_RATE, res_type="soxr_hq"
    )
    mono = np.ascontiguousarray(at_rate.mean(axis=0), dtype=np.float32)
    magnitude = np.abs(librosa.stft(mono, n_fft=_WINDOW, hop_length=_HOP))
    onsets = onset_strengths(magnitude)
    key, mode = key_of(mono)
    silence, start = silences(audio, sample_rate)
    return Analysis(
        tempo=tempo_of(onsets),
        speed=onset_rate(onsets),
        key=key,
        mode=mode,
        drums=drum_score(magnitude),
        brightness=centroid_of(magnitude),
        loudness=float(pyloudnorm.Meter(sample_rate).integrated_loudness(audio.T)),
        peak=float(np.abs(audio).max()),
        clipped=float(np.mean(np.abs(audio) >= 0.999)),
        silence=silence,
        start=start,
    )


def onset_strengths(magnitude: Array) -> Array:
    """How much rises, over all pitches, in each frame of a spectrogram (bins, frames)."""
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE, n_mels=64)
    strengths: Array = librosa.onset.onset_strength(
        S=librosa.power_to_db(mel), sr=SAMPLE_RATE, hop_length=_HOP
    )
    return strengths


def tempo_of(onsets: Array) -> float:
    """Beats per minute: of all tempos the one whose beats, up to eight apart, are most alike.

    Half or double of what a listener taps is as likely.
    """
    centred = onsets - onsets.mean()
    power = np.abs(np.fft.rfft(centred, 2 * centred.size)) ** 2
    similarity = np.fft.irfft(power)[: centred.size] / np.arange(centred.size, 0, -1)
    tempos = np.geomspace(SLOWEST, FASTEST, 700)
    lags = _RATE * 60.0 / tempos
    scores = np.zeros_like(tempos)
    for beats in range(1, 9):
        apart = lags * beats
        # Of what lies further apart the clip holds too few examples.
        found = np.interp(apart, np.arange(similarity.size), similarity)
        scores += np.where(apart < 0.75 * onsets.size, found, 0.0)
    return float(tempos[int(np.argmax(scores))])


def onset_rate(onsets: Array) -> float:
    """Onsets a second."""
    found = librosa.onset.onset_detect(
        onset_envelope=onsets,
        sr=SAMPLE_RATE,
        hop_length=_HOP,
        delta=0.12,  # what stands out less is the end of a note
    )
    return len(found) * _RATE / onsets.size


def key_of(mono: Array) -> tuple[int, str]:
    """The tonic (0 is C) and mode whose profile correlates best with the pitch classes."""
    chroma = librosa.feature.chroma_cqt(
        y=mono,
        sr=SAMPLE_RATE,
        hop_length=1024,
        fmin=librosa.note_to_hz("C3"),  # lower, semitones are closer than a mel is wide
        n_octaves=5,
        tuning=0.0,  # a key is one of concert pitch
    )
    weights = chroma.mean(axis=1)
    fits: dict[tuple[int, str], float] = {}
    for mode, profile in (("major", _MAJOR_FIT), ("minor", _MINOR_FIT)):
        for tonic in range(12):
            fits[tonic, mode] = float(np.corrcoef(np.roll(profile, tonic), weights)[0, 1])
    return max(fits, key=lambda key: fits[key])


def drum_score(magnitude: Array) -> float:
    """The share, 0 to 1, of the treble's energy that is short and wide (Fitzgerald, 2010)."""
    treble = magnitude[_frequencies() > _TREBLE_HZ]
    _, percussive = librosa.decompose.hpss(treble)
    # What is 50 dB under everything else is no drum, however percussive.
    unheard = 1e-5 * np.sum(magnitude**2)
    return float(np.sum(percussive**2) / (np.sum(treble**2) + unheard + 1e-9))


def centroid_of(magnitude: Array) -> float:
    """The middle of the spectrum in Hz."""
    weights = magnitude.sum(axis=1)
    return float(np.sum(_frequencies() * weights) / (np.sum(weights) + 1e-9))


def _frequencies() -> Array:
    hertz: Array = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=_WINDOW)
    return hertz


def silences(audio: Array, sample_rate: int) -> tuple[float, float]:
    """Seconds of the longest silence, and of that at the start."""
    block = sample_rate // 100
    blocks = audio[:, : audio.shape[1] // block * block].reshape(2, -1, block)
    level = 10.0 * np.log10(np.mean(blocks**2, axis=(0, 2)) + 1e-12)
    quiet = level < _SILENCE_DB
    longest = run = 0
    for silent in quiet:
        run = run + 1 if silent else 0
        longest = max(longest, run)
    start = int(np.argmin(quiet)) if not quiet.all() else quiet.size
    return longest / 100.0, start / 100.0
