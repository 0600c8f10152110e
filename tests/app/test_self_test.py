"""The self-test of a copy of the app: it passes here, and fails where something is missing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlx_music import voices
from mlx_music.resources import VARIABLE
from mlx_music.text import dictionary
from mlx_music_app import paths, self_test, wakefulness
from mlx_music_app.audio import devices
from mlx_music_app.self_test import CHECKS, CheckFailed, contents, desktop, run_checks
from mlx_music_app.self_test.imports import import_all

ICONS = Path(__file__).resolve().parents[2] / "resources" / "icons"


def test_this_copy_is_whole_and_nobody_s_files_are_touched(tmp_path: Path) -> None:
    home = tmp_path / "a person's home"
    home.mkdir()
    hidden = ("MLX_MUSIC_APP_HOME", "MLX_MUSIC_VOICES", "HF_HOME", "QT_QPA_PLATFORM", VARIABLE)
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-m", "mlx_music_app", "--self-test"],
        env={**environment, "HOME": str(home), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    first, *lines, last = done.stdout.splitlines()
    assert first.startswith("MLX Music ")
    said = done.stdout + done.stderr
    assert [line.partition(":")[0] for line in lines] == [f"ok   {n}" for n, _ in CHECKS], said
    assert last == f"all {len(CHECKS)} checks passed"
    assert done.returncode == 0, said
    assert "Traceback" not in done.stderr
    # Fonts are the system's own affair.
    assert [
        path for path in home.rglob("*") if path.is_file() and "fontconfig" not in str(path)
    ] == []
    assert list(tmp_path.glob("mlx-music-self-test-*")) == []


def test_whatever_is_kept_is_kept_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    self_test._live_in(tmp_path)
    for folder in (
        paths.data_folder(),
        paths.cache_folder(),
        paths.log_folder(),
        paths.default_music_folder(),
        voices.voices_folder(),
        dictionary._cache(),
    ):
        assert tmp_path in folder.parents


def test_it_goes_on_after_a_failure_and_says_each_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_: Path) -> str:
        raise CheckFailed("no such thing")

    def falls(_: Path) -> str:
        raise KeyError("two\nlines")

    checks = (("first", breaks), ("second", falls), ("third", lambda _: "there"))
    assert run_checks(checks, tmp_path) == 1
    captured = capsys.readouterr()
    _, *lines, last = captured.out.splitlines()
    assert lines[0] == "FAIL first: no such thing"
    assert lines[1].startswith("FAIL second: KeyError: ")
    assert lines[2].startswith("ok   third: there, ")
    assert last == "2 of 3 checks failed: first, second"
    assert "in falls" in captured.err  # where it was, which a builder wants to know
    assert run_checks(checks[2:], tmp_path) == 0


@pytest.mark.parametrize("zipped", [False, True])
def test_a_module_that_only_a_function_imports_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    """In folders and in a zip file, in which py2app puts modules."""
    name = f"shipped_{zipped}".lower()
    source = {
        "__init__.py": "",
        "early.py": "import json\nfrom collections import abc\n",
        "late.py": (
            "def use():\n"
            "    from left_out.by.py2app import this\n"
            f"    from {name} import early, gone\n"
            "class Lazy:\n"
            "    def use(self):\n"
            "        import os.path\n"
            "        import sounddevice_not_here\n"
        ),
        "inner/__init__.py": "import left_out\n",
        "inner/most.py": "",
        "__main__.py": "import sys\nimport not_for_programs\nsys.exit(3)\n",
    }
    place = tmp_path / "modules.zip" if zipped else tmp_path
    if zipped:
        with zipfile.ZipFile(place, "w") as archive:
            for file, text in source.items():
                archive.writestr(f"{name}/{file}", text)
    else:
        for file, text in source.items():
            (place / name / file).parent.mkdir(parents=True, exist_ok=True)
            (place / name / file).write_text(text)
    monkeypatch.syspath_prepend(str(place))
    done = import_all((name,), hidden=("no_such_library",), leave_out=("sounddevice_not_here",))
    assert done.modules >= {"json", "os.path", "collections", f"{name}.early", f"{name}.late"}
    assert sorted(line.partition(":")[0] for line in done.missing) == [
        "a library needs no_such_library",
        f"{name}.__main__ needs not_for_programs",
        f"{name}.inner",
        f"{name}.late needs {name}",
    ]
    assert all("No module named" in line for line in done.missing)


def test_an_import_that_is_missing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    monkeypatch.setattr(contents, "_OURS", ("mlx_music.text",))
    with pytest.raises(CheckFailed, match=r"1 missing: .*transliteration needs pypinyin"):
        contents.check_imports(tmp_path)


def test_resources_that_are_missing_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "ICONS", f"{contents.ICONS} lost-one lost-two")
    with pytest.raises(CheckFailed, match=r"icons/lost-one.svg, icons/lost-two.svg"):
        contents.check_resources(tmp_path)


def test_every_icon_is_looked_for() -> None:
    assert set(contents.ICONS.split()) == {path.stem for path in ICONS.glob("*.svg")}


def test_a_model_that_is_missing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert run_checks([("model", contents.check_model)], tmp_path) == 1
    assert "FAIL model: CheckpointError: sketch: this installation lacks" in capsys.readouterr().out


def test_metadata_that_is_missing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlx_music_app.ui.about._others", list)
    with pytest.raises(CheckFailed, match="does not name numpy"):
        contents.check_licences(tmp_path)


def test_a_platform_plugin_that_is_missing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qt itself would end the process."""
    from PySide6.QtCore import QLibraryInfo

    monkeypatch.setattr(QLibraryInfo, "path", lambda _: str(tmp_path))
    with pytest.raises(CheckFailed, match="no plugin for the platform offscreen"):
        desktop.check_qt(tmp_path)


def test_a_mac_that_does_not_tell_of_its_devices_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portaudio = SimpleNamespace(get_portaudio_version=lambda: (0, "PortAudio V19, revision 1"))
    monkeypatch.setattr(devices, "portaudio", lambda: portaudio)
    monkeypatch.setattr(devices, "output_devices", lambda: ("Speakers",))
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(devices, "_core_audio", lambda: object())
    monkeypatch.setattr(devices, "_property", lambda library, selector: b"\0\0\0\0")
    assert desktop.check_outputs(tmp_path) == "PortAudio V19, 1 devices"
    monkeypatch.setattr(devices, "_property", lambda library, selector: b"")
    with pytest.raises(CheckFailed, match="cannot be asked"):
        desktop.check_outputs(tmp_path)


def test_a_mac_that_does_not_stay_awake_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses:
        def take(self) -> int:
            raise OSError("IOPMAssertionCreateWithName: 0xe00002c9")

    monkeypatch.setattr(wakefulness, "IOKit", Refuses)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(CheckFailed, match=r"cannot be kept awake: .*0xe00002c9"):
        desktop.check_power(tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "only a Mac" in desktop.check_power(tmp_path)


def test_a_window_over_the_person_s_library_is_refused(tmp_path: Path, qapp: object) -> None:
    with pytest.raises(CheckFailed, match="outside of"):
        desktop.check_window(tmp_path / "elsewhere")


def test_work_that_fails_behind_the_window_is_a_fault() -> None:
    """The app logs it and goes on."""
    faults = desktop._Faults()
    log = logging.getLogger("mlx_music_app.background")
    log.addHandler(faults)
    try:
        raise KeyError("gone")
    except KeyError:
        log.exception("background work\nfailed")
    finally:
        log.removeHandler(faults)
    log.warning("no fault")
    assert faults.lines == ["background work failed (KeyError: 'gone')"]
