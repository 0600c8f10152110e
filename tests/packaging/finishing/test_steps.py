"""The driver: what is done, what is passed over, and what it says and returns."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from resources.packaging import __main__ as driver
from resources.packaging import steps
from resources.packaging.layout import PackagingError
from resources.packaging.steps import STEPS, Job, Step
from tests.packaging.finishing.bundles import make_app
from tests.packaging.finishing.fake_tools import IDENTITY, PROGRAMS, FakeTools

NAMES = [step.name for step in STEPS]
NOTARIZING = {"notarize-app", "notarize-dmg"}

Build = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout, as small as it can be."""
    version = tmp_path / "checkout" / "engine" / "mlx_music" / "version.py"
    version.parent.mkdir(parents=True)
    version.write_text('__version__ = "0.1.0"\n')
    return tmp_path / "checkout"


@pytest.fixture
def build(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Build:
    """Builds, with stand-ins for what the steps do; returns the exit code, and what was said."""

    def stand_in(step: Step) -> Step:
        def run(job: Job) -> str:
            for path in (job.python, job.app, job.dmg):
                if step.product and step.product(job) == path:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
            return step.name

        return replace(step, run=run)

    monkeypatch.setattr(driver, "STEPS", tuple(map(stand_in, STEPS)))

    def run(*chosen: str, **variables: str) -> tuple[int, dict[str, str]]:
        return _build(Job(root, variables), chosen, capsys)

    return run


def _build(
    job: Job, chosen: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, str]]:
    """(exit code, what was said of each step, and under "error" what went wrong)."""
    capsys.readouterr()
    code = driver.build(job, chosen)
    said = capsys.readouterr()
    lines = [line for line in said.out.splitlines() if line.startswith("[")]
    by_step = dict(line.partition("] ")[2].split(": ", 1) for line in lines)
    return code, {**by_step, "error": said.err.strip()}


def done(said: dict[str, str]) -> set[str]:
    """The steps that were done, not passed over or skipped."""
    passed_over = ("done already", "skipped")
    names = said.keys() - {"error"}
    return {name for name in names if not said[name].startswith(passed_over)}


def test_all_steps_one_after_the_other(build: Build, root: Path) -> None:
    code, said = build()
    assert code == 0
    assert list(said)[:-1] == NAMES
    assert done(said) == set(NAMES) - NOTARIZING
    assert said["notarize-app"].startswith("skipped, no credentials of Apple's notary service")


def test_from_the_built_app_to_the_image(
    root: Path, tools_on_path: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left out but the app's own start; Apple's programs are stand-ins on PATH."""
    monkeypatch.setattr(steps, "try_app", lambda app: f"tested {app.name}")
    make_app(root / "dist")
    job = Job(root, {"CODESIGN_IDENTITY": IDENTITY, "NOTARY_PROFILE": "ann"})
    assert driver.build(job, NAMES[2:]) == 0
    assert job.dmg.name == "MLX-Music-0.1.0-arm64.dmg"
    assert job.dmg.is_file()
    assert {call[0] for call in tools_on_path.calls()} == set(PROGRAMS)
    submitted = tools_on_path.calls("xcrun", "notarytool", "submit")
    assert [Path(call[3]).suffix for call in submitted] == [".zip", ".dmg"]


def test_a_second_time_there_is_nothing_to_do(build: Build) -> None:
    build()
    code, said = build()
    assert code == 0
    assert done(said) == set()


def test_signed_and_notarized(build: Build) -> None:
    variables = {"CODESIGN_IDENTITY": IDENTITY, "NOTARY_PROFILE": "ann"}
    code, said = build(**variables)
    assert code == 0
    assert done(said) == set(NAMES)
    assert done(build(**variables)[1]) == set()


def test_credentials_that_come_later(build: Build) -> None:
    build(CODESIGN_IDENTITY=IDENTITY)
    _, said = build(CODESIGN_IDENTITY=IDENTITY, NOTARY_PROFILE="ann")
    # The app in the image must be the one with the ticket.
    assert done(said) == {"notarize-app", "dmg", "notarize-dmg", "try-dmg"}


def test_another_identity_signs_again(build: Build) -> None:
    build()
    _, said = build(CODESIGN_IDENTITY=IDENTITY)
    assert done(said) == set(NAMES[NAMES.index("sign") :]) - NOTARIZING


def test_a_change_builds_again(build: Build, root: Path) -> None:
    build()
    (root / "app").mkdir()
    (root / "app" / "new.py").touch()
    _, said = build()
    assert done(said) == set(NAMES) - NOTARIZING


def test_a_product_that_is_gone_is_made_again(build: Build, root: Path) -> None:
    build()
    (root / "dist" / "MLX-Music-0.1.0-arm64.dmg").unlink()
    assert done(build()[1]) == {"dmg", "try-dmg"}


def test_going_on_after_a_failure(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = driver.STEPS

    def fail(job: Job) -> str:
        raise PackagingError("codesign failed, exit code 1: errSecInternalComponent")

    broken = [replace(step, run=fail) if step.name == "sign" else step for step in whole]
    monkeypatch.setattr(driver, "STEPS", broken)
    code, said = build()
    assert code == 1
    assert said["error"] == "sign: codesign failed, exit code 1: errSecInternalComponent"
    assert list(said)[:-1] == NAMES[: NAMES.index("sign") + 1]
    monkeypatch.setattr(driver, "STEPS", whole)
    code, said = build()
    assert code == 0
    assert done(said) == set(NAMES[NAMES.index("sign") :]) - NOTARIZING


def test_named_steps_are_done_in_any_case(build: Build) -> None:
    build()
    _, said = build("verify", "prune")
    assert list(said)[:-1] == ["prune", "verify"]
    assert done(said) == {"prune", "verify"}
    # What was done to the pruned app counts no more.
    assert "thin" in done(build()[1])


def test_a_named_step_that_is_skipped_fails(build: Build) -> None:
    build()
    assert build("notarize-app")[0] == 1
    code, said = build("notarize-app", NOTARY_PROFILE="ann")
    assert code == 1
    assert said["notarize-app"].startswith("skipped, Apple takes signed apps only")


def test_half_of_the_credentials_are_an_error(build: Build) -> None:
    code, said = build(CODESIGN_IDENTITY=IDENTITY, NOTARY_KEY_ID="K")
    assert code == 1
    assert said["error"].startswith("notarize-app: NOTARY_KEY_ID set, but not NOTARY_KEY")


def test_a_step_needs_what_those_before_it_make(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job(root, {})
    for name in ("prune", "frameworks", "thin", "sign", "verify", "self-test", "dmg"):
        code, said = _build(job, [name], capsys)
        assert code == 1
        assert said["error"] == f"{name}: {job.app} is not there: make app builds it"
    _, said = _build(job, ["try-dmg"], capsys)
    assert said["error"] == f"try-dmg: {job.dmg} is not there: the step dmg makes it"


def test_problems_are_listed(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(root, {})
    job.app.mkdir(parents=True)
    monkeypatch.setattr(steps, "check_bundle", lambda _: ["a.so: not signed", "b.so: too new"])
    code = driver.build(job, ["verify"])
    said = capsys.readouterr()
    assert code == 1
    assert said.out.splitlines()[1:] == ["  a.so: not signed", "  b.so: too new"]
    assert said.err.strip() == f"verify: {job.app} has 2 problems, listed above"


def test_an_unknown_step_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        driver.main(["notarise"])
    assert end.value.code == 2
    assert 'there is no step "notarise"; the steps are: environment' in capsys.readouterr().err


@pytest.mark.parametrize("step", [step for step in STEPS if step.name in ("environment", "build")])
def test_the_app_is_built_on_a_mac_only(
    root: Path, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    with pytest.raises(PackagingError, match=r"and this is Linux on x86_64$"):
        step.run(Job(root, {}))


def test_the_app_is_built_with_the_python_of_python_org(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(steps.sysconfig, "get_config_var", lambda _: "")
    with pytest.raises(PackagingError, match=r"needs the Python of python\.org"):
        STEPS[0].run(Job(root, {}))


@pytest.mark.parametrize(("system", "right"), [("10.13", True), ("14.0", True), ("15", False)])
def test_a_python_made_for_newer_systems_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, system: str, right: bool
) -> None:
    """Such as Homebrew's; found out before anything is fetched."""
    told = {"PYTHONFRAMEWORK": "Python", "MACOSX_DEPLOYMENT_TARGET": system}
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(steps.sysconfig, "get_config_var", told.get)
    monkeypatch.setattr(steps.wheels, "PYTHON", "3.99")
    said = r"built with Python 3\.99, and" if right else r"needs the Python of python\.org"
    with pytest.raises(PackagingError, match=said):
        STEPS[0].run(Job(root, {}))


def test_building_calls_py2app(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_require_mac", lambda: None)
    job = Job(root, {})
    with pytest.raises(PackagingError, match="the step environment makes it"):
        STEPS[1].run(job)
    job.python.parent.mkdir(parents=True)
    job.python.write_text('#!/bin/sh\necho "$@"; mkdir -p "$7/MLX Music.app"\n')
    job.python.chmod(0o755)
    assert STEPS[1].run(job) == str(job.app)
    words = (job.work / "py2app.log").read_text().split()
    assert words[:4] == ["-E", "setup_app.py", "py2app", "--bdist-base"]
    assert words[5:] == ["--dist-dir", str(root / "dist")]
