"""Signals, in this process and to a running one."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from mlx_music.cli.command import Stopped
from mlx_music.cli.interrupts import stoppable
from mlx_music.errors import Cancelled
from mlx_music.progress import Progress
from tests.engine.cli.conftest import COMMAND, environment


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_cancels_the_second_interrupts(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    progress = Progress()

    def twice() -> None:
        with stoppable(progress, quiet=True):
            signal.raise_signal(number)
            assert progress.cancelled
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert signal.getsignal(number) is before


def test_cancelling_by_a_signal_tells_which() -> None:
    progress = Progress()

    def once() -> None:
        with stoppable(progress, quiet=True):
            signal.raise_signal(signal.SIGTERM)
            progress.check()

    with pytest.raises(Stopped) as stopped:
        once()
    assert stopped.value.signal == signal.SIGTERM


def test_cancelling_by_other_means_stays_what_it_is() -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled) as cancelled, stoppable(progress, quiet=True):
        progress.check()
    assert not isinstance(cancelled.value, Stopped)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_ends_clean(
    number: signal.Signals, code: int, checkpoint: Path, tmp_path: Path
) -> None:
    args = ["generate", "--prompt", "drums", "--duration", "1", "--steps", "1000"]
    work = tmp_path / "work"
    work.mkdir()
    with subprocess.Popen(
        [*COMMAND, *args, "--model", str(checkpoint), "--output", "drums.wav"],
        cwd=work,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("sample: "):
                break
        child.send_signal(number)
        rest = child.stderr.read()
        out = child.stdout.read()
        assert child.wait(timeout=60) == code
    assert "done" not in line
    assert "Traceback" not in rest
    assert rest.splitlines()[-1] == "mlx-music: cancelled"
    assert "mlx-music: stopping after this step; once more stops at once" in rest
    assert "sample: done" not in rest
    assert out == ""
    assert list(work.iterdir()) == []
