"""What all commands that make sound have in common: their flags, and the run itself."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_music.cli.command import FAILED, OK
from mlx_music.cli.interrupts import stoppable
from mlx_music.cli.model_flags import ChosenModel, open_model
from mlx_music.cli.output_flags import (
    OutputPlan,
    Take,
    add_output_flags,
    free_path,
    plan_outputs,
)
from mlx_music.cli.progress_display import progress_display
from mlx_music.cli.report import Report, add_report_flags
from mlx_music.cli.request_flags import add_from_flag
from mlx_music.errors import AudioError
from mlx_music.progress import Progress
from mlx_music.request import GenerationRequest

if TYPE_CHECKING:
    from mlx_music.ace_step.pipeline import ACEStep
    from mlx_music.metadata import Description
    from mlx_music.output import MusicOutput


def add_making_flags(parser: argparse.ArgumentParser, *, from_file: bool = True) -> None:
    """Add the group "Output": files, takes, `--from` (if wanted), `--json`, `--quiet`."""
    group = parser.add_argument_group("Output")
    add_output_flags(group)
    if from_file:
        add_from_flag(group)
    add_report_flags(group)


def make_music(
    args: argparse.Namespace,
    chosen: ChosenModel,
    request: GenerationRequest,
    settings: Description | None = None,
) -> int:
    """Make every take of `request` with the chosen model and write it; the exit code.

    The files are checked before the model is opened, and a signal ends the run clean. `settings`
    are those of `--from`.
    """
    plan = plan_outputs(args, request)
    report = Report(as_json=args.json, quiet=args.quiet)
    if chosen.note:
        report.note(chosen.note)
    has_start = request.source is not None or request.reference is not None
    chosen.about.check(request, has_start=has_start)
    all_in_place = True
    try:
        with progress_display(quiet=args.quiet) as progress, stoppable(progress, quiet=args.quiet):
            started = time.perf_counter()
            model = open_model(args, chosen.name, progress)
            report.timings["load"] = time.perf_counter() - started
            if model.about != chosen.about:  # it came with the download
                report.note(
                    f"{model.name} has defaults of its own, which count from the next run on"
                )
            if settings is not None:
                report.compare(settings, args.settings_file, model.name)
            # One after another: each is on the disk as soon as it is made, memory does not grow
            # with their number, and every file is bit for bit what its seed alone gives.
            for number, take in enumerate(plan.takes, start=1):
                report.begin(number, len(plan.takes))
                all_in_place &= _make_take(model, take, plan, report, progress)
            report.complete = True
    finally:  # also of a run that was stopped: its first takes are on the disk
        report.finish()
    return OK if all_in_place else FAILED


def _make_take(
    model: ACEStep, take: Take, plan: OutputPlan, report: Report, progress: Progress
) -> bool:
    """Make and write one take; whether it is where it was wanted."""
    output = model.generate(take.request, progress=progress)
    progress.check()
    wanted = plan.path_of(take)
    try:
        path = output.save(wanted, bit_depth=plan.bit_depth, overwrite=plan.overwrite)
    except AudioError as error:  # the disk has changed since the plan was made
        path = _save_elsewhere(output, wanted, plan.bit_depth, error)
        report.note(f"{error}; the music was written to {path} instead")
        report.add(path, take.seed, output)
        return False
    report.add(path, take.seed, output)
    return True


def _save_elsewhere(
    output: MusicOutput, wanted: Path, bit_depth: int | None, error: AudioError
) -> Path:
    """Write what took minutes to make beside `wanted`, or else to the temporary folder.

    Raises `error`, for which it could not be written to `wanted`, if that fails too.
    """
    for folder in (wanted.parent, Path(tempfile.gettempdir())):
        try:
            return output.save(free_path(folder / wanted.name), bit_depth=bit_depth)
        except AudioError:
            continue
    raise error
