"""Part 5: the text encoder and the transformer, from scratch and together, by flow matching.

    python -m resources.sketch.recipe.train_transformer --work DIR --minutes 10

As in the pipeline: noisy latents are (1 - sigma) x + sigma z, the target is z - x, the
transformer is told sigma * 1000, and guidance's unconditional pass has zeros for the states of
the prompt and keeps its mask.
"""

from __future__ import annotations

import argparse
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from resources.sketch.recipe import sizes
from resources.sketch.recipe.captions import caption
from resources.sketch.recipe.muon import Muon
from resources.sketch.recipe.songs import training_song
from resources.sketch.recipe.training import (
    Average,
    Clock,
    Log,
    Step,
    adam,
    device,
    learning_rate,
    load,
    rates_of,
    restore,
    save,
    set_rate,
    shipped,
)
from resources.sketch.recipe.transformer import Transformer

_PEAK_RATE = 1.2e-3
_DECAY = 0.02
_BATCH = 128
#: Share of items that are not told what they are.
_UNCONDITIONAL = 0.12
#: Lengths of a batch in frames, and how often each comes: 6 to 30 seconds, most about the length
#: that is made when nobody says. Few, because each is compiled and recorded by itself.
_LENGTHS = {65: 1, 130: 4, 194: 2, 323: 1}
#: Share of crops that begin where the song does. Every other one begins with a later bar.
_FROM_THE_START = 0.8
#: Seconds between checkpoints.
_KEEP_EVERY = 60.0
#: One less than a multiple of 8: with the speaker's place, attention runs its fast kernel.
_MAX_TOKENS = 47
_CAPTIONS_PER_CLIP = 16


class Sketch(nn.Module):
    """Both networks, as one thing to train."""

    def __init__(self) -> None:
        super().__init__()
        options = {
            k: v for k, v in sizes.TEXT_ENCODER.items() if k not in ("architectures", "model_type")
        }
        self.text_encoder = UMT5EncoderModel(UMT5Config(**options))
        self.transformer = Transformer(sizes.TRANSFORMER)

    def forward(
        self, latents: Tensor, timestep: Tensor, ids: Tensor, mask: Tensor, told: Tensor
    ) -> Tensor:
        """told: bool (batch,); the others see zeros instead of their prompt."""
        states = self.text_encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        states = states * told[:, None, None].to(states.dtype)
        return self.transformer(latents, timestep, states, mask)

    def load_shipped(self, folder: Path) -> None:
        """Take the weights of an exported model."""
        text = shipped(folder / "umt5-base", "model.safetensors")
        text["encoder.embed_tokens.weight"] = text["shared.weight"]
        self.text_encoder.load_state_dict(text)
        weights = shipped(folder / "ace_step_transformer")
        weights = {name: tensor for name, tensor in weights.items() if "lyric" not in name}
        self.transformer.load_state_dict(weights)


def _matrices(model: Sketch) -> list[nn.Parameter]:
    """The weights inside of both networks' blocks, which Muon steps; the rest is AdamW's."""
    return [
        parameter
        for name, parameter in model.named_parameters()
        if name.startswith(("transformer.transformer_blocks", "text_encoder.encoder.block"))
        and name.endswith("weight")
        and (parameter.ndim == 2 or (parameter.ndim == 3 and parameter.shape[2] == 1))
        and "relative_attention_bias" not in name
    ]


class Captions:
    """Token ids of several captions of every clip, int (clips, captions, tokens), 0-padded."""

    def __init__(self, work: Path, clips: int, to: torch.device) -> None:
        tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
        tokenizer.enable_truncation(_MAX_TOKENS)
        tokenizer.enable_padding(length=_MAX_TOKENS, pad_id=0)
        songs = [training_song(i) for i in range(clips)]
        texts = [
            caption(song, index * _CAPTIONS_PER_CLIP + n)
            for index, song in enumerate(songs)
            for n in range(_CAPTIONS_PER_CLIP)
        ]
        ids = torch.tensor([encoding.ids for encoding in tokenizer.encode_batch(texts)])
        self._ids = ids.view(clips, _CAPTIONS_PER_CLIP, _MAX_TOKENS).to(torch.int16).to(to)

    def of(self, which: Tensor) -> tuple[Tensor, Tensor]:
        """One caption of each clip, drawn; ids and bool mask."""
        drawn = torch.randint(_CAPTIONS_PER_CLIP, which.shape, device=which.device)
        ids = self._ids[which, drawn].long()
        return ids, ids != 0


def _batch(latents: Tensor, phrases: Tensor, frames: int, count: int) -> tuple[Tensor, Tensor]:
    """Clips drawn and cropped: (count, 8, 16, frames), and which they are.

    phrases: int (clips,), the frames of two bars of each, which are whole. A crop that begins
    anywhere else would teach that a beat may be anywhere.
    """
    to, longest = latents.device, latents.shape[3]
    which = torch.randint(len(latents), (count,), device=to)
    phrase = phrases[which]
    starts = (torch.rand(count, device=to) * ((longest - frames) // phrase + 1)).long() * phrase
    starts = starts * (torch.rand(count, device=to) >= _FROM_THE_START)
    index = starts[:, None] + torch.arange(frames, device=to)
    index = index[:, None, None].expand(-1, latents.shape[1], latents.shape[2], -1)
    return latents[which].gather(3, index).float(), which


def _sigma(count: int, to: torch.device) -> Tensor:
    """Noise levels: all of them, and more of the high ones, where rhythm and harmony form."""
    return torch.sigmoid(torch.randn(count, device=to) * 1.2 + 0.6)


def _loss(
    model: nn.Module,
    latents: Tensor,
    phrases: Tensor,
    captions: Captions,
    frames: int,
    count: int,
) -> Tensor:
    x, which = _batch(latents, phrases, frames, count)
    ids, mask = captions.of(which)
    noise, sigma = torch.randn_like(x), _sigma(count, x.device)
    told = torch.rand(count, device=x.device) >= _UNCONDITIONAL
    s = sigma[:, None, None, None]
    with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda, cache_enabled=False):
        velocity = model((1 - s) * x + s * noise, sigma * 1000, ids, mask, told)
    return F.mse_loss(velocity.float(), noise - x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0, help="training in all")
    parser.add_argument("--now", type=float, default=1e9, help="minutes of it in this call")
    parser.add_argument("--batch", type=int, default=_BATCH)
    parser.add_argument("--start", type=Path, help="exported model to go on from")
    parser.add_argument("--peak-rate", type=float, default=_PEAK_RATE)
    parser.add_argument("--eager", action="store_true", help="without compiling and CUDA graphs")
    args = parser.parse_args()
    to = device()
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    data = load(args.work / "latents.pt")
    if data is None:
        raise SystemExit(f"{args.work}/latents.pt is missing; run train_autoencoder first")
    latents = data["latents"].to(to)
    phrases = [round(2 * training_song(i).bar_frames) for i in range(len(latents))]
    phrases = torch.tensor(phrases, device=to)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(Captions, args.work, len(latents), to)
        model = Sketch().to(to)
        if args.start is not None:
            model.load_shipped(args.start)
        matrices = _matrices(model)
        inside = {id(parameter) for parameter in matrices}
        others = [p for p in model.parameters() if id(p) not in inside]
        optimizers = [Muon(matrices, _DECAY), adam(others, betas=(0.9, 0.97), decay=0.0)]
        average = Average(model, 0.9995)
        file = args.work / "transformer.pt"
        state, spent = load(file), 0.0
        if state is not None:
            model.load_state_dict(state["model"])
            for optimizer, theirs in zip(optimizers, state["optimizers"], strict=True):
                restore(optimizer, theirs)
            average.load(state["average"])
            spent = state["spent"]
        captions = reading.result()
    if not args.eager:
        # All blocks are one program, so it is compiled once for each length.
        for block in model.transformer.transformer_blocks:
            block.compile(dynamic=False)

    def step(frames: int) -> dict[str, Tensor]:
        for parameter in model.parameters():
            parameter.grad = None
        loss = _loss(model, latents, phrases, captions, frames, args.batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        average.update()
        return {"loss": loss.detach()}

    rates = [rate for optimizer in optimizers for rate in rates_of(optimizer)]
    steps = [Step(partial(step, frames), rates, eager=args.eager) for frames in _LENGTHS]
    clock, log = Clock(args.minutes, args.now, spent), Log(args.work / "transformer.log")

    def keep() -> None:
        save(
            file,
            {
                "model": model.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                "average": average.weights,
                "spent": clock.spent,
                "done": clock.progress >= 1.0,
            },
        )

    kept = clock.spent
    for number in clock.steps():
        for optimizer in optimizers:
            set_rate(optimizer, learning_rate(clock.progress, args.peak_rate))
        log.add(**random.choices(steps, list(_LENGTHS.values()))[0]())
        log.flush(clock, number)
        if clock.spent - kept > _KEEP_EVERY:
            keep()
            kept = clock.spent
    keep()


if __name__ == "__main__":
    main()
