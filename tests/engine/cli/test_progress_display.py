from __future__ import annotations

import io

import pytest

from mlx_music.cli.progress_display import progress_display
from mlx_music.errors import Cancelled
from mlx_music.progress import ByteProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with progress_display(quiet=False, stream=stream) as progress:
        for stage, total in (("encode", 1), ("sample", 60), ("sample", 1000)):
            progress.start(stage, total)
            for step in range(1, total + 1):
                progress.step(step)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("encode: done in ")
    # The first step, then every tenth part.
    assert len(lines) == 1 + 11 + 11
    assert lines[1].startswith("sample: 1 %, 1 of 60, 0:0")
    assert lines[1].endswith(" left")
    assert lines[6].startswith("sample: 50 %, 30 of 60, ")
    assert lines[11].startswith("sample: done in ")
    assert lines[12].startswith("sample: 0 %, 1 of 1000, ")


def test_bars_with_the_time_left_on_a_terminal() -> None:
    stream = Terminal()
    with progress_display(quiet=False, stream=stream) as progress:
        for _ in range(2):
            progress.start("sample", 4)
            for step in range(1, 5):
                progress.step(step)
        progress.start("decode", 3)
        progress.step(1)
    text = stream.getvalue()
    finished = [line.rpartition("\r")[2] for line in text.split("\n")]
    assert finished[0].startswith("sample   100% |")
    assert finished[0].rstrip().endswith("<00:00]")
    assert "4/4 [00:00<" in finished[0]
    assert finished[1].startswith("sample   100% |")
    # One that was broken off is closed as well, so that an error begins on a line of its own.
    assert finished[2].startswith("decode    33% |")
    assert finished[3] == ""
    assert len(finished) == 4


def test_bytes_are_counted_as_bytes() -> None:
    lines, bars = io.StringIO(), Terminal()
    for stream in (lines, bars):
        with progress_display(quiet=False, stream=stream) as progress:
            tell = ByteProgress(progress, "download")
            # What a download does: begins at nothing twice, starts a file again, ends twice.
            for done in (0, 0, 3_000_000, 1_000_000, 5_000_000, 10_000_000, 10_000_000):
                tell(done, 10_000_000)
    assert [line.split(",")[0] for line in lines.getvalue().splitlines()][:2] == [
        "download: 30 %",
        "download: 50 %",
    ]
    assert "download: 50 %, 5.0 MB of 10.0 MB, 0:00 left" in lines.getvalue()
    assert len(lines.getvalue().splitlines()) == 3
    assert bars.getvalue().count("\n") == 1
    assert "10.0M/10.0M" in bars.getvalue()


def test_quiet_shows_nothing_and_still_cancels() -> None:
    stream = Terminal()
    with progress_display(quiet=True, stream=stream) as progress:
        tell = ByteProgress(progress, "download")
        tell(0, 10)
        progress.cancel()
        with pytest.raises(Cancelled):
            tell(5, 10)
    assert stream.getvalue() == ""
