"""Signs the app, from the inside out, for the hardened runtime.

Entitlements: none (entitlements.plist), and why the hardened runtime needs none of them:

- Memory that is written and then run (`allow-jit`, `allow-unsigned-executable-memory`): MLX's
  Metal kernels are made for the GPU, by the system. Callbacks through cffi (sounddevice,
  soundfile) and ctypes come from macOS's own libffi, which maps their code from a signed library
  of its own: cffi's arm64 wheel calls `ffi_closure_alloc` of /usr/lib/libffi.dylib and does not
  even import `mmap`. Qt's regular expressions try whether there is such memory, and are
  interpreted where there is none.
- Libraries signed by others (`disable-library-validation`): all are in the app, and signed with
  the same identity as the app.
- Microphone (`device.audio-input`): the app plays and never records.

A build that is signed ad hoc needs one: the hardened runtime loads libraries of Apple's and of the
program's own team only, an ad hoc signature has no team, and two without one do not count as the
same ("mapping process and mapped file (non-platform) have different Team IDs"). So without it such
an app ends before it starts. It gets that exception rather than no hardened runtime, so that all
else is tried out under the rules that a released app runs under.
"""

from __future__ import annotations

import plistlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from resources.packaging import layout
from resources.packaging.checks import LIBRARY_VALIDATION_OFF
from resources.packaging.frameworks import version_of
from resources.packaging.layout import PackagingError
from resources.packaging.macho import find_files, find_macho
from resources.packaging.tools import Command, run

ENTITLEMENTS = Path(__file__).with_name("entitlements.plist")

#: The name of a certificate in the keychain, "Developer ID Application: ..."; not set is ad hoc.
IDENTITY_VARIABLE = "CODESIGN_IDENTITY"

_AD_HOC = "-"

#: How many files one call of codesign signs. Each asks Apple's server for the time.
_BATCH = 40

#: What codesign says when that server does not answer.
_PASSING = ("timestamp was expected", "timestamp service is not available")


def identity_of(environment: Mapping[str, str]) -> str | None:
    """The identity to sign with; None to sign ad hoc, which is also what "-" stands for."""
    identity = environment.get(IDENTITY_VARIABLE, "").strip()
    return identity if identity not in ("", _AD_HOC) else None


def signing_order(app: Path) -> list[Path]:
    """Everything to be signed in `app`, what is within something else before that.

    Loose libraries, frameworks, the programs beside the main one, the app itself: signing a
    folder writes down the signatures of what is within it.
    """
    frameworks = layout.frameworks(app)
    of_bundles = {version_of(framework) / framework.stem for framework in frameworks}
    of_bundles.add(_main_program(app))
    loose = [path for path in find_macho(app) if path not in of_bundles]
    folder = layout.programs(app)
    programs = [path for path in loose if path.parent == folder]
    libraries = [path for path in loose if path.parent != folder]
    return [*libraries, *frameworks, *programs, app]


def sign(app: Path, identity: str | None) -> int:
    """Sign everything in `app`; returns how many signatures that took.

    identity: a certificate's name, None to sign ad hoc. Old signatures are replaced.
    Raises PackagingError, such as for a certificate that is not there.
    """
    if identity is not None:
        require_identity(identity)
    _prepare(app)
    order = signing_order(app)
    programs = [path for path in order if path.parent == layout.programs(app) or path == app]
    others = order[: len(order) - len(programs)]
    for start in range(0, len(others), _BATCH):
        codesign(others[start : start + _BATCH], identity, "--options", "runtime")
    with _entitlements(identity) as options:
        for path in programs:
            codesign([path], identity, "--options", "runtime", *options)
    return len(order)


def verify_signature(app: Path) -> None:
    """Have macOS check every signature in the app. Raises PackagingError."""
    run(["codesign", "--verify", "--deep", "--strict", "--verbose=2", app])


def codesign(paths: Sequence[Path], identity: str | None, *options: str) -> None:
    """Sign `paths`, one after the other. Only a real identity gets a trusted time."""
    time = "--timestamp" if identity else "--timestamp=none"
    command: Command = [
        "codesign",
        "--force",
        "--sign",
        identity or _AD_HOC,
        time,
        *options,
        *paths,
    ]
    run(command, again_on=_PASSING)


def require_identity(identity: str) -> None:
    """Raises PackagingError if the keychain has no valid certificate of this name."""
    known = run(["security", "find-identity", "-v", "-p", "codesigning"])
    if identity not in known:
        names = [line.split('"')[1] for line in known.splitlines() if line.count('"') == 2]
        have = ", ".join(names) if names else "none"
        raise PackagingError(
            f'{IDENTITY_VARIABLE} is "{identity}", and no valid certificate in the keychain has '
            f"that name; those there: {have}"
        )


def _prepare(app: Path) -> None:
    """Make what stands in codesign's way go away."""
    for path in find_files(app):
        if not path.is_symlink():
            # OpenSSL's libraries come read-only, and an app is for all users of a Mac.
            path.chmod(path.stat().st_mode | 0o644)
    # "resource fork, Finder information, or similar detritus not allowed": the Finder leaves
    # that, and iCloud does where a checkout lies in its folders.
    run(["xattr", "-c", "-r", app])


@contextmanager
def _entitlements(identity: str | None) -> Iterator[list[str]]:
    """The options of codesign that give a program its entitlements."""
    entitlements = plistlib.loads(ENTITLEMENTS.read_bytes())
    if identity is None:
        entitlements[LIBRARY_VALIDATION_OFF] = True
    if not entitlements:
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        # Written anew, as macOS reads entitlements less leniently than other property lists.
        path = Path(folder, "entitlements.plist")
        path.write_bytes(plistlib.dumps(entitlements))
        yield ["--entitlements", str(path)]


def _main_program(app: Path) -> Path:
    name = str(layout.info_plist(app).get("CFBundleExecutable", ""))
    path = layout.programs(app) / name
    if not path.is_file():
        raise PackagingError(f"{path} is not there: the app's main program by its Info.plist")
    return path
