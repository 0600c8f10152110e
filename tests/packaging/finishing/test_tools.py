"""Running other programs: failures in one line, waiting for what passes, and stamps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from resources.packaging import tools
from resources.packaging.stamps import Stamps, key_of
from resources.packaging.tools import ToolError, run


def python(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


def test_what_a_program_writes(tmp_path: Path) -> None:
    show = "import os; print(os.getcwd(), sorted(os.environ))"
    said = run(python(show), environment={"A": "1"}, folder=tmp_path)
    assert said.startswith(f"{tmp_path} ['A'")


def test_a_failure_is_one_line_and_keeps_the_output(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "log"
    program = "import sys; print('1\\n2\\n3\\n\\n'); print('4', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ToolError) as error:
        run(python(program), log=log)
    name = Path(sys.executable).name
    expected = f"{name} failed, exit code 3: 2; 3; 4 (all that it wrote: {log})"
    assert str(error.value) == expected
    assert log.read_text().split() == ["1", "2", "3", "4"]


def test_a_signal() -> None:
    with pytest.raises(ToolError, match=r"failed, signal 9$"):
        run(python("import os; os.kill(os.getpid(), 9)"))


def test_a_program_that_takes_too_long() -> None:
    with pytest.raises(ToolError, match=r"took more than 0\.2 seconds$"):
        run(python("import time; time.sleep(60)"), timeout=0.2)


def test_what_a_program_that_hangs_has_written() -> None:
    code = "import time; print('Symbol not found', flush=True); time.sleep(60)"
    with pytest.raises(ToolError, match=r"took more than 2 seconds: Symbol not found$") as error:
        run(python(code), timeout=2)
    assert error.value.output == "Symbol not found\n"


def test_a_missing_program() -> None:
    with pytest.raises(ToolError, match=r"^nothing is missing: there is no /nowhere/nothing$"):
        run(["/nowhere/nothing", "--now"])


def test_a_passing_fault_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(tools.time, "sleep", waits.append)
    program = (
        "import sys, pathlib; path = pathlib.Path(sys.argv[1]); path.write_text("
        "(path.read_text() if path.exists() else '') + '.'); "
        "sys.exit('busy' if len(path.read_text()) < 3 else 0)"
    )
    run([*python(program), str(tmp_path / "count")], again_on=["busy"], wait=5)
    assert waits == [5, 10]
    assert capsys.readouterr().out.count("trying again") == 2


def test_a_fault_that_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(tools.time, "sleep", waits.append)
    with pytest.raises(ToolError, match="busy"):
        run(python("import sys; sys.exit('busy')"), again_on=["busy"], attempts=3)
    assert len(waits) == 2
    with pytest.raises(ToolError, match="full"):
        run(python("import sys; sys.exit('full')"), again_on=["busy"], attempts=3)
    assert len(waits) == 2


def test_a_key_is_that_of_the_content(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("1")
    first = key_of(["text", folder])
    (folder / "__pycache__" / "a.pyc").write_text("1")
    (folder / "a.py").touch()
    assert key_of(["text", folder]) == first
    (folder / "a.py").write_text("2")
    second = key_of(["text", folder])
    (folder / "a.py").rename(folder / "b.py")
    keys = {first, second, key_of(["text", folder]), key_of(["other", folder]), key_of(["text"])}
    assert len(keys) == 5


def test_stamps(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "done", ["one", "two", "three"])
    for name in ("one", "two", "three"):
        assert not stamps.has(name, "key")
        stamps.set(name, "key")
    assert stamps.has("two", "key")
    assert not stamps.has("two", "other key")
    stamps.clear_from("two")
    assert [stamps.has(name, "key") for name in ("one", "two", "three")] == [True, False, False]
