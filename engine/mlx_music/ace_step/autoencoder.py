"""Sound to latents and back: mel, autoencoder, vocoder and resampling strung together."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_music.ace_step import dcae
from mlx_music.ace_step.dcae import DCAE
from mlx_music.ace_step.vocoder import CHUNK_FRAMES, Vocoder
from mlx_music.audio.resample import resample
from mlx_music.progress import Progress

FloatArray = npt.NDArray[np.float32]

#: Pieces on a CPU, in latent and mel frames: small ones take no longer there, and a convolution's
#: unfolded input is what most memory goes to (10 s of Sketch take 0.2 at most, and not 0.6 GB).
CPU_TILE, CPU_CHUNK_FRAMES = 32, 128


def piece_sizes() -> tuple[int, int]:
    """Latent frames that are decoded to a mel at once, and mel frames to sound."""
    if mx.default_device() == mx.Device(mx.gpu):
        return dcae.TILE, CHUNK_FRAMES
    return CPU_TILE, CPU_CHUNK_FRAMES


class MusicAutoencoder:
    """Stereo sound (2, samples) to latents (1, 16, frames, 8) and back.

    Both directions work in pieces along time whose results are those of the whole within float
    error, so memory hardly grows with the length.
    """

    def __init__(self, codec: DCAE, vocoder: Vocoder) -> None:
        self.codec = codec
        self.vocoder = vocoder

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how sound is made here."""
        networks = {
            "vocoder": self.vocoder.half_precision,
            "autoencoder": self.codec.decoder.half_precision,
        }
        return tuple(
            f"the {name} stays in float32, where decoding takes longer: float16 would be heard"
            for name, half in networks.items()
            if half is False
        )

    def encode(self, audio: FloatArray, sample_rate: int) -> mx.array:
        """Latents, float32, of `audio` (2, samples) at `sample_rate` Hz.

        The end is padded with silence to a whole latent frame.
        """
        native = resample(audio, sample_rate, dcae.SAMPLE_RATE)
        missing = -native.shape[1] % dcae.SAMPLES_PER_LATENT
        native = np.pad(native, ((0, 0), (0, missing)))
        log_mel = self.vocoder.mel_transform(mx.array(native))
        mel = dcae.normalise_mel(log_mel).transpose(2, 1, 0)[None]
        latents = dcae.scale_latents(self.codec.encode(mel, piece_sizes()[0]).astype(mx.float32))
        mx.eval(latents)
        return latents

    def decode(
        self,
        latents: mx.array,
        sample_rate: int,
        progress: Progress | None = None,
        on_mel: Callable[[mx.array, range, int], None] | None = None,
    ) -> FloatArray:
        """Sound (2, samples) at `sample_rate` Hz of `latents` (1, 16, frames, 8).

        Reports each piece to `progress` and can be cancelled between pieces. `on_mel` is given
        the normalised mel of each piece, the latent frames that it is of, and how many there are.
        """
        progress = progress or Progress()
        frames = latents.shape[2]
        tile, chunk = piece_sizes()
        parts = self.codec.decoder.parts(frames, tile)
        chunks = len(self.vocoder.chunks(frames * self.codec.decoder.factor, chunk))
        progress.start("decode", len(parts) + chunks)

        mels = []
        pieces = self.codec.decode_tiles(dcae.unscale_latents(latents), tile)
        for done, (part, mel) in enumerate(zip(parts, pieces, strict=True), 1):
            mels.append(dcae.denormalise_mel(mel)[0].transpose(2, 1, 0))
            mx.async_eval(mels[-1])
            if on_mel is not None:
                on_mel(mel, range(part.start, part.stop), frames)
            progress.step(done)
        log_mel = mx.concatenate(mels, axis=1)
        mx.eval(log_mel)  # or what the last pieces still hold would add to what the vocoder needs
        del mels
        waves = []
        for done, wave in enumerate(self.vocoder.decode_chunks(log_mel, chunk), len(parts) + 1):
            waves.append(wave)
            progress.step(done)
        # On the device: only what is asked for is ever copied to NumPy.
        native = mx.concatenate(waves, axis=1)
        return resample(native, self.vocoder.config.sampling_rate, sample_rate)
