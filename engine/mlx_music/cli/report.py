"""What a command made: told file by file, or at the end as one JSON object."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_music.cli.text import length_in_words, one_line

if TYPE_CHECKING:
    from mlx_music.metadata import Description
    from mlx_music.output import MusicOutput


def add_report_flags(parser: argparse._ActionsContainer) -> None:
    """Add `--json` and `--quiet`, for every command that makes sound."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object about the result at the end"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="show no progress, only notes and errors"
    )


@dataclass
class Report:
    """Tells of the files that a command writes.

    Standard output gets the paths or the JSON and nothing else, so that other programs can go on
    from there; standard error gets what is for people.
    """

    as_json: bool
    quiet: bool
    timings: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    common: dict[str, Any] = field(default_factory=dict)
    complete: bool = False

    def note(self, text: str) -> None:
        """Tell once what a person should know."""
        if text in self.notes:
            return
        self.notes.append(text)
        print(f"mlx-music: note: {one_line(text)}", file=sys.stderr)

    def compare(self, settings: Description, source: str, model: str) -> None:
        """Say why the settings of an earlier file will not give the same music."""
        if not settings.model:
            self.note(f"{source} names no model of this program; its seed gives other music here")
        elif settings.model != model:
            self.note(
                f"{source} was made with {settings.model}, and this run uses {model}: the same"
                " seed gives other music"
            )

    def begin(self, number: int, count: int) -> None:
        """Say which of several takes is being made."""
        if count > 1 and not self.quiet:
            print(f"take {number} of {count}", file=sys.stderr)

    def add(self, path: Path, seed: int, output: MusicOutput) -> None:
        """Tell of one file."""
        self.paths.append(path)
        self.seeds.append(seed)
        for stage, seconds in output.timings.items():
            self.timings[stage] = self.timings.get(stage, 0.0) + seconds
        self.common = self.common or {
            "duration": output.duration,
            "sample_rate": output.sample_rate,
            "model": output.model,
            "request": output.request.to_dict(),
        }
        for note in output.notes:
            self.note(note)
        if not self.quiet:
            length, seconds = length_in_words(output.duration), sum(output.timings.values())
            name = "retake seed" if output.request.task == "retake" else "seed"
            print(f"{length} of music in {seconds:.1f} s, {name} {seed}", file=sys.stderr)
        if not self.as_json:
            print(path, flush=True)

    def finish(self) -> None:
        """Print the JSON object, if one is wanted and there is a file to tell of.

        "request" is that of the first file; "complete" is false if the run was stopped early.
        """
        if not self.as_json or not self.paths:
            return
        values = {
            "paths": [str(path) for path in self.paths],
            "seeds": self.seeds,
            "complete": self.complete,
            **self.common,
            "timings": {stage: round(seconds, 3) for stage, seconds in self.timings.items()},
            "notes": self.notes,
        }
        print(json.dumps(values, ensure_ascii=False))
