"""The steps of `make app`, in their order: what each does, and from what."""

from __future__ import annotations

import platform
import runpy
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from resources.packaging import contents, notarize, wheels
from resources.packaging.checks import OLDEST_SYSTEM, check_bundle
from resources.packaging.dmg import check_content, make_dmg, mounted
from resources.packaging.frameworks import fix_frameworks
from resources.packaging.layout import NAME, PackagingError
from resources.packaging.notarize import credentials
from resources.packaging.prune import prune
from resources.packaging.sign import (
    ENTITLEMENTS,
    IDENTITY_VARIABLE,
    identity_of,
    sign,
    verify_signature,
)
from resources.packaging.stamps import Input
from resources.packaging.thin import thin
from resources.packaging.tools import run
from resources.packaging.trial import try_app

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]

#: What the app is built from, without what builds it.
_SOURCES = ("engine", "app", "pyproject.toml", "setup.py", "setup_app.py")


@dataclass(frozen=True)
class Job:
    """One build: where it works, and the environment variables that it heeds."""

    root: Path
    environment: Mapping[str, str]

    @property
    def work(self) -> Path:
        return self.root / "build" / "macos"

    @property
    def app(self) -> Path:
        return self.root / "dist" / f"{NAME}.app"

    @property
    def dmg(self) -> Path:
        return self.root / "dist" / f"{NAME.replace(' ', '-')}-{self.version}-arm64.dmg"

    @property
    def python(self) -> Path:
        return self.work / "environment" / "bin" / "python"

    @cached_property
    def version(self) -> str:
        file = self.root / "engine" / "mlx_music" / "version.py"
        return str(runpy.run_path(str(file))["__version__"])

    @property
    def identity(self) -> str | None:
        return identity_of(self.environment)

    def require_app(self) -> Path:
        if not self.app.is_dir():
            raise PackagingError(f"{self.app} is not there: make app builds it")
        return self.app


@dataclass(frozen=True)
class Step:
    """One step.

    does: in one line, for who watches.
    run: does it; returns what came of it, in one line or more, or raises PackagingError.
    inputs: what it depends on besides the steps before it.
    product: what must be there for the step to count as done; None if it leaves no file.
    skip: why it cannot be done here and need not be, in one line; None if it can.
    """

    name: str
    does: str
    run: Callable[[Job], str]
    inputs: Callable[[Job], list[Input]]
    product: Callable[[Job], Path] | None = None
    skip: Callable[[Job], str | None] = lambda _: None


def _environment(job: Job) -> str:
    _require_mac()
    folder = job.work / "wheels"
    wheels.fetch(folder)
    return f"its Python: {wheels.make_environment(job.work / 'environment', folder)}"


def _build(job: Job) -> str:
    _require_mac()
    if not job.python.exists():
        raise PackagingError(f"{job.python} is not there: the step environment makes it")
    work = job.work / "py2app"
    # It would put what an earlier build has left there into the app.
    shutil.rmtree(work, ignore_errors=True)
    # Without -E, PYTHONPATH would add packages to the app.
    command = [str(job.python), "-E", "setup_app.py", "py2app"]
    command += ["--bdist-base", str(work), "--dist-dir", str(job.app.parent)]
    run(command, folder=job.root, log=job.work / "py2app.log")
    return f"{job.require_app()}"


def _prune(job: Job) -> str:
    return f"{prune(job.require_app()) / 1e6:.0f} MB less"


def _frameworks(job: Job) -> str:
    return f"{fix_frameworks(job.require_app())} frameworks rebuilt"


def _thin(job: Job) -> str:
    return f"{thin(job.require_app()) / 1e6:.0f} MB less"


def _sign(job: Job) -> str:
    number = sign(job.require_app(), job.identity)
    how = f"as {job.identity}" if job.identity else f"ad hoc, as {IDENTITY_VARIABLE} is not set"
    return f"{number} signatures, {how}"


def _verify(job: Job) -> str:
    problems = check_bundle(job.require_app())
    for problem in problems:
        print(f"  {problem}", flush=True)
    if problems:
        raise PackagingError(f"{job.app} has {len(problems)} problems, listed above")
    verify_signature(job.app)
    return "nothing is wrong with it"


def _self_test(job: Job) -> str:
    return try_app(job.require_app())


def _notarize_app(job: Job) -> str:
    notarize.notarize_app(job.require_app(), _who(job))
    return "accepted, and the ticket fastened"


def _dmg(job: Job) -> str:
    make_dmg(job.require_app(), job.dmg, job.identity)
    return f"{job.dmg} ({job.dmg.stat().st_size / 1e6:.0f} MB)"


def _notarize_dmg(job: Job) -> str:
    _require_dmg(job)
    notarize.notarize_dmg(job.dmg, _who(job))
    return "accepted, and the ticket fastened"


def _try_dmg(job: Job) -> str:
    _require_dmg(job)
    with mounted(job.dmg) as place:
        return try_app(check_content(place))


def _who(job: Job) -> list[str]:
    """The options of notarytool that say who asks Apple."""
    who = credentials(job.environment)
    if who is None:
        raise PackagingError(_cannot_notarize(job) or "")
    return who


def _cannot_notarize(job: Job) -> str | None:
    if credentials(job.environment) is None:
        names = f"{notarize.PROFILE}, or {', '.join(notarize.KEY)}"
        return f"no credentials of Apple's notary service in the environment ({names})"
    if job.identity is None:
        return f"Apple takes signed apps only, and {IDENTITY_VARIABLE} is not set"
    return None


def _require_mac() -> None:
    if sys.platform != "darwin" or platform.machine() != "arm64":
        here = f"{platform.system()} on {platform.machine()}"
        raise PackagingError(f"the app is built on macOS on Apple Silicon, and this is {here}")
    wanted = f"/Library/Frameworks/Python.framework/Versions/{wheels.PYTHON}/bin/python3"
    if not _runs_on_older_systems():
        raise PackagingError(
            f"the app needs the Python of python.org inside it, and {sys.executable} is another; "
            f"name it with: make app PYTHON={wanted}"
        )
    # Before anything is fetched.
    wheels.require_python()


def _runs_on_older_systems() -> bool:
    """Whether this Python is a framework, made for the oldest system of the app or one before.

    Those of Homebrew are frameworks, too, but made for the system that they are installed on.
    """
    oldest = sysconfig.get_config_var("MACOSX_DEPLOYMENT_TARGET")
    if not sysconfig.get_config_var("PYTHONFRAMEWORK") or not oldest:
        return False
    return tuple(map(int, str(oldest).split("."))) <= OLDEST_SYSTEM


def _require_dmg(job: Job) -> None:
    if not job.dmg.is_file():
        raise PackagingError(f"{job.dmg} is not there: the step dmg makes it")


def _ours(*names: str) -> Callable[[Job], list[Input]]:
    """Inputs: modules of this package."""
    return lambda _: [HERE / f"{name}.py" for name in names]


def _environment_inputs(job: Job) -> list[Input]:
    # The project is installed into the environment, so it is made anew when a source changes.
    sources: list[Input] = [job.root / name for name in _SOURCES]
    sources += [job.root / "resources" / name for name in contents.SHIPPED]
    lists = [HERE / "wheels.py", HERE / "requirements-macos.txt", HERE / "requirements-build.txt"]
    return [sys.version, sys.base_prefix, *lists, *sources]


def _build_inputs(job: Job) -> list[Input]:
    return [*_ours("command", "contents", "dictionary", "plist")(job), HERE / "start"]


def _sign_inputs(job: Job) -> list[Input]:
    return [*_ours("sign")(job), ENTITLEMENTS, job.identity or "ad hoc"]


STEPS = (
    Step(
        "environment",
        "make a clean environment from wheels for macOS 14",
        _environment,
        _environment_inputs,
        product=lambda job: job.python,
    ),
    Step(
        "build",
        "build the app with py2app, in some minutes",
        _build,
        _build_inputs,
        lambda job: job.app,
    ),
    Step("prune", "remove what the app does not use", _prune, _ours("prune", "macho")),
    Step("frameworks", "rebuild the links of Qt's frameworks", _frameworks, _ours("frameworks")),
    Step("thin", "cut fat files down to arm64", _thin, _ours("thin", "macho")),
    Step("sign", "sign everything, from the inside out", _sign, _sign_inputs),
    Step("verify", "check the finished app", _verify, _ours("checks", "signature", "macho")),
    Step("self-test", "start the app, and have it test itself", _self_test, _ours("trial")),
    Step(
        "notarize-app",
        "have Apple notarize the app",
        _notarize_app,
        _ours("notarize"),
        skip=_cannot_notarize,
    ),
    Step("dmg", "pack the app into a disk image", _dmg, _ours("dmg"), lambda job: job.dmg),
    Step(
        "notarize-dmg",
        "have Apple notarize the disk image",
        _notarize_dmg,
        _ours("notarize"),
        skip=_cannot_notarize,
    ),
    Step("try-dmg", "start the app from the disk image", _try_dmg, _ours("dmg", "trial")),
)
