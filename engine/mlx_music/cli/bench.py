"""`mlx-music bench`: how fast a model is here, and how much memory it takes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_music.backend import DTYPES
from mlx_music.benchmark.sizes import GROUPS, PUBLISHED, REPEATS, SMALL, Options
from mlx_music.cli.command import OK, Command, UsageError
from mlx_music.cli.interrupts import stoppable
from mlx_music.cli.model_flags import MODEL_HELP, add_revision_flag, gigabytes
from mlx_music.cli.progress_display import progress_display
from mlx_music.cli.quantize import PARTS, PRESETS

if TYPE_CHECKING:
    from mlx_music.benchmark.report import Report, StageResult

_EPILOG = """\
Without --model, networks of the published sizes are filled with random numbers, so nothing needs
to be downloaded; without a GPU, small ones. The first run on a machine is slower, because kernels
are compiled. A share is the part that a stage reaches of the rate of one large matrix product.

examples:
  mlx-music bench --json before.json
  mlx-music bench --quantize speed --only transformer --duration 60
  mlx-music bench --model ./ace-step-balanced --repeats 5
  mlx-music bench --compare before.json after.json
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("What to measure")
    what.add_argument(
        "-m", "--model", metavar="MODEL", help=f"{MODEL_HELP} (default random weights)"
    )
    size = what.add_mutually_exclusive_group()
    size.add_argument(
        "--small", action="store_true", help="small networks, to see in seconds that it works"
    )
    size.add_argument(
        "--full", action="store_true", help="networks of the published sizes, also on a CPU"
    )
    what.add_argument(
        "--quantize",
        choices=PRESETS,
        metavar="PRESET",
        help=f"quantize before measuring: {', '.join(PRESETS)}",
    )
    what.add_argument(
        "--part", choices=PARTS, action="append", help="what to quantize (default transformer)"
    )
    what.add_argument(
        "--dtype",
        choices=DTYPES,
        help="what the transformer computes with (default bfloat16 on a GPU, float32 on a CPU)",
    )
    what.add_argument(
        "--memory-limit", type=gigabytes, metavar="GB", help="memory that a song may take"
    )
    add_revision_flag(what)
    what.add_argument(
        "--offline", action="store_true", help="download nothing, use what is installed"
    )
    how = parser.add_argument_group("How to measure")
    how.add_argument(
        "-d",
        "--duration",
        type=float,
        action="append",
        metavar="SECONDS",
        help="length of a song; may be given several times (default 60 and 240)",
    )
    how.add_argument(
        "--steps", type=_positive, metavar="N", help=f"of a song (default {PUBLISHED.steps})"
    )
    how.add_argument(
        "--repeats",
        type=_positive,
        default=REPEATS,
        metavar="N",
        help="runs of each stage that count; fewer of a long one (default %(default)s)",
    )
    how.add_argument(
        "--only",
        choices=GROUPS,
        action="append",
        metavar="PART",
        help=f"measure only this; may be given several times: {', '.join(GROUPS)}",
    )
    out = parser.add_argument_group("Results")
    out.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="also write the results to FILE; of a stopped run, those so far",
    )
    out.add_argument("--force", action="store_true", help="replace FILE if it exists")
    out.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("BEFORE", "AFTER"),
        help="measure nothing; show the results in two files side by side",
    )
    out.add_argument(
        "--across-devices", action="store_true", help="compare results of different devices"
    )
    out.add_argument("-q", "--quiet", action="store_true", help="print results and nothing else")


def _run(args: argparse.Namespace) -> int:
    if args.compare is not None:
        return _compare(args)
    if args.across_devices:
        raise UsageError("--across-devices: only with --compare")
    if args.part is not None and args.quantize is None:
        raise UsageError("--part: only with --quantize")
    if args.model is not None and (args.small or args.full):
        raise UsageError(f"--{'small' if args.small else 'full'}: a model has its own sizes")
    return _measure(args)


def _compare(args: argparse.Namespace) -> int:
    from mlx_music.benchmark.compare import comparison
    from mlx_music.benchmark.report import read_report

    before, after = (read_report(Path(os.path.expanduser(path))) for path in args.compare)
    print(comparison(before, after, across_devices=args.across_devices))
    return OK


def _measure(args: argparse.Namespace) -> int:
    from mlx_music.audio.atomic import check_target, write_whole
    from mlx_music.benchmark.report import heading, remarks, row
    from mlx_music.benchmark.run import run

    path = None if args.json is None else os.path.expanduser(args.json)
    if path is not None:  # before minutes are spent
        check_target(path, overwrite=args.force)

    def note(text: str) -> None:
        if not args.quiet:
            print(f"{text} ...", file=sys.stderr, flush=True)

    measured: Report | None = None

    def on_stage(report: Report, stage: StageResult) -> None:
        nonlocal measured
        measured = report
        print(row(report, stage), flush=True)

    options = _options(args, note)
    try:
        with progress_display(quiet=args.quiet) as progress, stoppable(progress, quiet=args.quiet):
            measured = report = run(
                options,
                progress,
                on_note=note,
                on_start=lambda report: print(heading(report), flush=True),
                on_stage=on_stage,
            )
        lines = remarks(report)
        if lines:
            print("\n".join(["", *lines]))
    finally:  # also if it was stopped: each stage may have taken minutes
        if path is not None and measured is not None:
            write_whole(path, measured.to_json().encode(), overwrite=args.force)
            print(path)
    return OK


def _options(args: argparse.Namespace, note: Callable[[str], None]) -> Options:
    from mlx_music.request import GenerationRequest

    unsaid = args.model is None and not args.small and not args.full
    on_cpu = unsaid and not _has_gpu()
    sizes = SMALL if args.small or on_cpu else PUBLISHED
    options = Options(
        sizes=sizes.name,
        model=args.model,
        revision=args.revision,
        download=not args.offline,
        dtype=args.dtype,
        memory_limit=args.memory_limit,
        quantize=args.quantize,
        parts=None if args.part is None else tuple(dict.fromkeys(args.part)),
        durations=tuple(dict.fromkeys(args.duration or ())),
        steps=args.steps,
        repeats=args.repeats,
        groups=GROUPS if args.only is None else tuple(args.only),
    )
    # Before a model is looked for, which may make only shorter music.
    for duration in options.durations or sizes.durations:
        steps = options.steps or sizes.steps
        GenerationRequest("any", duration=duration, num_inference_steps=steps).validate()
    if on_cpu:
        note("no GPU here, so the networks are small; --full measures the published sizes")
    return options


def _has_gpu() -> bool:
    import mlx.core as mx

    return bool(mx.default_device() == mx.Device(mx.gpu))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number over 0')
    return int(text)


COMMAND = Command(
    name="bench",
    summary="measure speed and memory on this machine",
    usage="[--model MODEL] [--json FILE] [options]",
    description="Measure how fast each stage of making a song is on this machine, and how much"
    " memory it\ntakes.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
