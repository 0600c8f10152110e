"""Where the sound goes: names of the files, checked before any work is done."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mlx_music.cli.command import UsageError
from mlx_music.cli.request_flags import typed_flags, whole_numbers
from mlx_music.cli.text import file_stem
from mlx_music.errors import AudioError
from mlx_music.request import MAX_SEED, GenerationRequest

_DEFAULT_EXTENSION = ".wav"
_CHANNELS = 2


def add_output_flags(group: argparse._ArgumentGroup) -> None:
    """Add `--output`, `--takes`, `--seeds`, `--bit-depth`, `--force`."""
    group.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="audio file to write: .wav, .flac, .aiff, .ogg or .mp3 (default: a new .wav here,"
        " named after the prompt and the seed)",
    )
    group.add_argument(
        "--takes",
        type=_positive,
        metavar="N",
        help="how many takes to make, with seeds that count up (default 1); FILE becomes"
        " FILE-1, FILE-2, ...",
    )
    group.add_argument(
        "--seeds", type=_seed_list, metavar="N,N,...", help="a take for each of these seeds"
    )
    group.add_argument(
        "--bit-depth",
        type=int,
        metavar="N",
        help="bits per sample: 16, 24, or in WAV 32 for float (default 24)",
    )
    group.add_argument("--force", action="store_true", help="replace existing files")


@dataclass(frozen=True)
class Take:
    """One file to be made: its request, with every seed, and its path if that was named."""

    request: GenerationRequest
    path: Path | None

    @property
    def seed(self) -> int:
        """The seed that tells it from other takes: of its noise, or for a retake of its other
        noise."""
        seed = getattr(self.request, _seed_field(self.request))
        assert isinstance(seed, int)  # `GenerationRequest.takes` decides on it
        return seed


@dataclass(frozen=True)
class OutputPlan:
    """Every file that a command will write, found to be writable."""

    takes: tuple[Take, ...]
    stem: str
    bit_depth: int | None
    overwrite: bool

    def path_of(self, take: Take) -> Path:
        """The path to write `take` to; without `--output` one that does not exist yet."""
        if take.path is not None:
            return take.path
        return free_path(Path(f"{self.stem}-{take.seed}{_DEFAULT_EXTENSION}"))


def plan_outputs(args: argparse.Namespace, request: GenerationRequest) -> OutputPlan:
    """Decide on seeds and names, and check that the files can be written.

    Raises `UsageError` for what the arguments alone make impossible, `AudioError` for what stands
    in the way on the disk.
    """
    requests = _requests(args, request)
    if args.output == "":
        raise UsageError("--output: is empty; give the name of an audio file")
    named = None if args.output is None else Path(os.path.expanduser(args.output))
    if named is not None and named.is_dir():
        raise UsageError(f"--output: {named} is a folder; give the name of a file in it")
    _check_format(named or Path(f"take{_DEFAULT_EXTENSION}"), args.bit_depth, request.sample_rate)
    plan = OutputPlan(
        takes=tuple(
            Take(each, path)
            for each, path in zip(requests, _paths(named, len(requests)), strict=True)
        ),
        stem=file_stem(request.prompt),
        bit_depth=args.bit_depth,
        overwrite=args.force,
    )
    from mlx_music.audio.atomic import check_target

    for take in plan.takes:
        check_target(plan.path_of(take), overwrite=args.force)
    return plan


def free_path(path: Path) -> Path:
    """`path`, or the first of "name-2.wav", "name-3.wav", ... beside it that does not exist."""
    # Not Path.exists: that raises for a folder that cannot be looked into.
    return next(each for each in _numbered(path) if not os.path.lexists(each))


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _paths(named: Path | None, takes: int) -> Sequence[Path | None]:
    if named is None or takes == 1:
        return [named] * takes
    return [named.with_name(f"{named.stem}-{n}{named.suffix}") for n in range(1, takes + 1)]


def _seed_field(request: GenerationRequest) -> str:
    return "retake_seed" if request.task == "retake" else "seed"


def _requests(args: argparse.Namespace, request: GenerationRequest) -> list[GenerationRequest]:
    """The request of each take."""
    field = _seed_field(request)
    if args.seeds is None:
        return request.takes(args.takes or 1)
    if args.takes is not None:
        raise UsageError("--takes: give it or --seeds, not both")
    if field in typed_flags(args):
        raise UsageError(f"{typed_flags(args)[field]}: give it or --seeds, not both")
    return request.takes(args.seeds)


def _check_format(path: Path, bit_depth: int | None, sample_rate: int) -> None:
    from mlx_music.audio.formats import audio_format

    flag = "--output"
    try:
        file_format = audio_format(path)
        flag = "--bit-depth"
        file_format = audio_format(path, bit_depth)
        flag = "--sample-rate"
        file_format.check(_CHANNELS, sample_rate)
    except AudioError as error:
        raise UsageError(f"{flag}: {error}") from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number of 1 or more')
    return int(text)


def _seed_list(text: str) -> tuple[int, ...]:
    try:
        seeds = whole_numbers(text)
    except ValueError:
        seeds = ()
    if not seeds or not all(0 <= seed <= MAX_SEED for seed in seeds):
        raise argparse.ArgumentTypeError(
            f'"{text}" is not a list of whole numbers from 0 to {MAX_SEED}, such as 1,2,3'
        )
    return seeds
