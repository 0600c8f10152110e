"""`mlx-music quantize`: write a smaller copy of a model."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_music.ace_step.published import MODEL_ID
from mlx_music.cli.command import OK, Command
from mlx_music.cli.interrupts import stoppable
from mlx_music.cli.model_flags import MODEL_HELP, add_revision_flag
from mlx_music.cli.progress_display import progress_display
from mlx_music.errors import CheckpointError
from mlx_music.progress import ByteProgress

if TYPE_CHECKING:
    from mlx_music.ace_step.quantize import QuantizedCheckpoint
    from mlx_music.weights.quantization import QuantizationConfig

#: Keys of `weights.quantization.PRESETS`, its group sizes, and keys of `ace_step.quantize.PARTS`,
#: which come with MLX and so are too heavy for `--help`.
PRESETS = ("speed", "balanced", "quality")
GROUP_SIZES = (32, 64, 128)
PARTS = ("transformer", "text_encoder", "decoder")

_EPILOG = """\
speed     4 bits everywhere: smallest
balanced  4 bits for the feed-forward layers, 8 for attention and the others
quality   8 bits everywhere: nearest to the original

The copy has the layout of the original and is used like it: --model DST. Weights that never
influence the output are left out. Large files of the parts that are not quantized take no room of
their own if SRC is on the same disk. DST appears whole or not at all.

examples:
  mlx-music quantize ACE-Step/ACE-Step-v1-3.5B ./ace-step-balanced
  mlx-music quantize ./my-checkpoint ./small --preset speed --part transformer --part text_encoder
  mlx-music generate --model ./ace-step-balanced --prompt "warm lo-fi hip hop, 80 bpm"
"""

_INDENT = "  "
_NAMES_SHOWN = 3


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="SRC",
        help=f"{MODEL_HELP}, such as {MODEL_ID}",
    )
    parser.add_argument("destination", metavar="DST", help="folder to write; it must not exist")
    group = parser.add_argument_group("How")
    group.add_argument(
        "--preset",
        choices=PRESETS,
        default="balanced",
        help="how many bits each kind of layer gets (default %(default)s)",
    )
    group.add_argument(
        "--part",
        choices=PARTS,
        action="append",
        help="what to quantize; may be given several times (default transformer, which is most of"
        " a model)",
    )
    group.add_argument(
        "--group-size",
        type=int,
        choices=GROUP_SIZES,
        help="weights that share a scale: fewer are nearer to the original, and larger (default"
        " 64)",
    )
    add_revision_flag(group)
    group.add_argument(
        "--offline", action="store_true", help="download nothing, use what is installed"
    )
    group.add_argument(
        "--json", action="store_true", help="print one JSON object about the result at the end"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="show no progress")


def _run(args: argparse.Namespace) -> int:
    destination = Path(os.path.expanduser(args.destination))
    if os.path.lexists(destination):  # before gigabytes are downloaded
        raise CheckpointError(f"{destination}: exists; give another name, or remove it")
    from mlx_music.ace_step.finding import find_model
    from mlx_music.ace_step.quantize import quantize_checkpoint

    config = _config(args)
    with progress_display(quiet=args.quiet) as progress, stoppable(progress, quiet=args.quiet):
        source = find_model(
            args.source,
            revision=args.revision,
            download=not args.offline,
            progress=ByteProgress(progress, "download"),
        )
        made = quantize_checkpoint(source, destination, config, parts=args.part, progress=progress)
    if args.json:
        print(json.dumps(_facts(made, config), ensure_ascii=False))
    else:
        _print(made)
    return OK


def _config(args: argparse.Namespace) -> QuantizationConfig:
    from mlx_music.weights.quantization import PRESETS as CONFIGS

    config = CONFIGS[args.preset]()
    return config if args.group_size is None else replace(config, group_size=args.group_size)


def _facts(made: QuantizedCheckpoint, config: QuantizationConfig) -> dict[str, Any]:
    """The result as plain JSON values: bits, and why others are kept, by the path of a layer."""
    return {
        "path": str(made.folder),
        "config": config.to_dict(),
        "nbytes_before": sum(made.bytes_before.values()),
        "nbytes_after": sum(made.bytes_after.values()),
        "components": [
            {
                "name": name,
                "nbytes_before": made.bytes_before[name],
                "nbytes_after": nbytes,
                "bits": dict(made.reports[name].bits) if name in made.reports else {},
                "kept": dict(made.reports[name].kept) if name in made.reports else {},
            }
            for name, nbytes in made.bytes_after.items()
        ],
    }


def _print(made: QuantizedCheckpoint) -> None:
    print(made.folder)
    before, after = made.bytes_before, made.bytes_after
    rows = [(name, before[name], after[name], _bits(made, name)) for name in after]
    rows.append(("in all", sum(before.values()), sum(after.values()), ""))
    names, old, new = (max(len(f"{row[i]:,}" if i else row[0]) for row in rows) for i in range(3))
    for name, was, now, what in rows:
        share = f"{100 * now / was:.0f} %"
        line = f"{name:<{names}}  {was:>{old},} -> {now:>{new},} bytes {share:>6}  {what}"
        print(f"{_INDENT}{line.rstrip()}")
    for name, report in made.reports.items():
        _print_kept(name, report.kept, len(report.bits) + len(report.kept))


def _bits(made: QuantizedCheckpoint, name: str) -> str:
    """How many layers of a component have how many bits."""
    if name not in made.reports:
        return "as it was"
    counts = Counter(made.reports[name].bits.values())
    return ", ".join(f"{count} layers with {bits} bits" for bits, count in sorted(counts.items()))


def _print_kept(name: str, kept: Any, count: int) -> None:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for path, reason in kept.items():
        by_reason[reason].append(path)
    for reason, paths in by_reason.items():
        more = f" and {len(paths) - _NAMES_SHOWN} more" if len(paths) > _NAMES_SHOWN else ""
        shown = ", ".join(paths[:_NAMES_SHOWN])
        print(
            f"{_INDENT}{name}: {len(paths)} of {count} layers keep their precision ({reason}):"
            f" {shown}{more}"
        )


COMMAND = Command(
    name="quantize",
    summary="write a smaller copy of a model",
    usage="SRC DST [--preset NAME] [options]",
    description="Write a copy of a model whose weights take fewer bits, and so less memory.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
