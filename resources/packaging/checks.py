"""What must hold of a finished app, looked up in its files: on a Mac and on any other system.

Each check yields its problems, one line each, with the path within the app first.
"""

from __future__ import annotations

import os
import plistlib
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from resources.packaging import layout
from resources.packaging.frameworks import links_of
from resources.packaging.layout import PackagingError
from resources.packaging.macho import (
    ARCHITECTURE,
    EXECUTABLE,
    MachOError,
    Slice,
    Version,
    find_files,
    is_macho,
    read_macho,
)
from resources.packaging.plist import MINIMUM_SYSTEM
from resources.packaging.signature import read_signature

OLDEST_SYSTEM: Version = (int(MINIMUM_SYSTEM.split(".")[0]), int(MINIMUM_SYSTEM.split(".")[1]))

#: The most bytes that the app may take on disk, without the built-in model.
BUDGET = 420_000_000
_MODEL = "sketch"

#: How the native files of other systems start, and what a linker makes programs from.
_FOREIGN = {b"\x7fELF": "Linux", b"MZ": "Windows", b"!<arch>": "a linker"}
_NATIVE_SUFFIXES = (".so", ".dylib", ".metallib")

#: Parts of macOS, which a program may load; they are not there as files.
_SYSTEM = ("/usr/lib/", "/System/Library/")

#: Without it, the hardened runtime loads nothing that is signed ad hoc.
LIBRARY_VALIDATION_OFF = "com.apple.security.cs.disable-library-validation"


@dataclass(frozen=True)
class Bundle:
    """An app, read once for all checks. `damaged` are Mach-O files that cannot be read, and why."""

    app: Path
    files: tuple[Path, ...]
    native: dict[Path, tuple[Slice, ...]]
    plist: dict[str, Any]
    damaged: tuple[str, ...] = field(default=())

    @classmethod
    def read(cls, app: Path) -> Bundle:
        """Raises PackagingError if `app` is no app at all."""
        plist = layout.info_plist(app)
        files = tuple(find_files(app))
        native: dict[Path, tuple[Slice, ...]] = {}
        damaged = []
        for path in filter(is_macho, files):
            try:
                native[path] = read_macho(path)
            except MachOError as error:
                damaged.append(str(error))
        return cls(app, files, native, plist, tuple(damaged))

    def name(self, path: Path) -> str:
        return path.relative_to(self.app).as_posix()

    @cached_property
    def parts(self) -> dict[Path, Slice]:
        """The part of every native file that a Mac with Apple Silicon runs."""
        return {
            path: part
            for path, parts in self.native.items()
            for part in parts
            if part.architecture == ARCHITECTURE
        }

    @cached_property
    def programs(self) -> list[Path]:
        folder = layout.programs(self.app)
        return [path for path in self.native if path.parent == folder]


Check = Callable[[Bundle], Iterator[str]]


def check_bundle(app: Path, *, signed: bool = True) -> list[str]:
    """Every problem of the app, one line each; none if it is fit to be shipped.

    signed: False leaves out what only holds after signing.
    Raises PackagingError if `app` is no app at all.
    """
    bundle = Bundle.read(app)
    checks = (*CHECKS, signatures) if signed else CHECKS
    return [*bundle.damaged, *(problem for check in checks for problem in check(bundle))]


def info_plist(bundle: Bundle) -> Iterator[str]:
    program = layout.programs(bundle.app) / bundle.plist.get("CFBundleExecutable", "")
    if not program.is_file() or not os.access(program, os.X_OK):
        yield f"Contents/Info.plist: its CFBundleExecutable, {program.name!r}, is no program"
    promised = bundle.plist.get("LSMinimumSystemVersion")
    if promised != MINIMUM_SYSTEM:
        yield f"Contents/Info.plist: its LSMinimumSystemVersion is {promised}, not {MINIMUM_SYSTEM}"
    for place, value in _strings(bundle.plist):
        if value.startswith(("/", "~")):
            yield f"Contents/Info.plist: {place} is a path of the machine that built it: {value}"


def architectures(bundle: Bundle) -> Iterator[str]:
    for path, parts in bundle.native.items():
        names = [part.architecture for part in parts]
        if ARCHITECTURE not in names:
            yield f"{bundle.name(path)}: has no {ARCHITECTURE} part, only {', '.join(names)}"
        elif len(names) > 1:
            yield f"{bundle.name(path)}: not thinned, it holds {', '.join(names)}"


def foreign_files(bundle: Bundle) -> Iterator[str]:
    for path in bundle.files:
        if path.is_symlink():
            continue
        with path.open("rb") as file:
            start = file.read(8)
        for magic, system in _FOREIGN.items():
            if start.startswith(magic) and (magic != b"MZ" or path.suffix in (".dll", ".exe")):
                yield f"{bundle.name(path)}: a file for {system}"


def minimum_system(bundle: Bundle) -> Iterator[str]:
    minimums = {path: part.minimum_system for path, part in bundle.parts.items()}
    for path in bundle.files:
        if path.suffix == ".metallib":
            minimums[path] = _metal_system(path)
            if minimums[path] is None:
                yield f"{bundle.name(path)}: no Metal library, or of a kind that is new"
    for path, minimum in minimums.items():
        if minimum is not None and minimum > OLDEST_SYSTEM:
            yield (
                f"{bundle.name(path)}: needs macOS {minimum[0]}.{minimum[1]}, "
                f"the app promises {OLDEST_SYSTEM[0]}.{OLDEST_SYSTEM[1]}"
            )


def load_commands(bundle: Bundle) -> Iterator[str]:
    own = [rpath for path in bundle.programs for rpath in _rpaths(bundle, path)]
    for path, part in bundle.parts.items():
        for rpath in part.rpaths:
            if not rpath.startswith("@"):
                yield f"{bundle.name(path)}: looks for libraries in {rpath}, outside of the app"
        for name in part.libraries:
            if name.startswith(_SYSTEM):
                continue
            places = _places(bundle, path, name, [*_rpaths(bundle, path), *own])
            if not any(_inside(bundle.app, place) for place in places):
                yield f"{bundle.name(path)}: loads {name}, which is not in the app"


def mlx(bundle: Bundle) -> Iterator[str]:
    """MLX looks for its kernels beside its own library first; two of them would not share state."""
    found = [path for path in bundle.files if path.name == "libmlx.dylib"]
    if len(found) != 1:
        places = ": " + ", ".join(map(bundle.name, found)) if found else ""
        yield f"libmlx.dylib: there are {len(found)} of it, not one{places}"
    for path in found:
        if not path.with_name("mlx.metallib").is_file():
            yield f"{bundle.name(path)}: has no mlx.metallib beside it"
    kernels = [path for path in bundle.files if path.name == "mlx.metallib"]
    if len(kernels) > 1:
        yield f"mlx.metallib: there are {len(kernels)} of it, not one"


def zips(bundle: Bundle) -> Iterator[str]:
    """macOS loads native code from files only, and codesign does not look into a zip."""
    for path in bundle.files:
        if path.suffix != ".zip" or path.is_symlink():
            continue
        if not zipfile.is_zipfile(path):
            yield f"{bundle.name(path)}: no zip, or a damaged one"
            continue
        with zipfile.ZipFile(path) as archive:
            for entry in archive.namelist():
                if entry.endswith(_NATIVE_SUFFIXES):
                    yield f"{bundle.name(path)}: holds native code: {entry}"


def frameworks(bundle: Bundle) -> Iterator[str]:
    for framework in layout.frameworks(bundle.app):
        name = bundle.name(framework)
        try:
            links = links_of(framework)
        except PackagingError as error:
            yield str(error)
            continue
        for path, target in links.items():
            if not path.is_symlink() or os.readlink(path) != target:
                yield f"{bundle.name(path)}: should be a link to {target}"
        for path in sorted(framework.iterdir()):
            if path.name != "Versions" and not path.is_symlink():
                yield f"{bundle.name(path)}: a copy, where a framework has links"
        for needed in (framework.stem, "Resources/Info.plist"):
            if not (framework / "Versions" / "Current" / needed).is_file():
                yield f"{name}: has no {needed}"


def links(bundle: Bundle) -> Iterator[str]:
    """codesign refuses an app with links out of it, and they would lead nowhere anyway."""
    for parent, folders, files in os.walk(bundle.app):
        for path in (Path(parent, name) for name in sorted((*folders, *files))):
            if path.is_symlink():
                target = os.readlink(path)
                if os.path.isabs(target) or not _inside(bundle.app, path):
                    yield f"{bundle.name(path)}: links to {target}, which is not in the app"


def size(bundle: Bundle) -> Iterator[str]:
    model = layout.resources(bundle.app) / _MODEL
    total = sum(path.lstat().st_size for path in bundle.files if model not in path.parents)
    if total > BUDGET:
        yield (
            f"{bundle.app.name}: {total / 1e6:.0f} MB without the built-in model, "
            f"more than {BUDGET / 1e6:.0f}"
        )


CHECKS: tuple[Check, ...] = (
    info_plist,
    architectures,
    foreign_files,
    minimum_system,
    load_commands,
    mlx,
    zips,
    frameworks,
    links,
    size,
)


def signatures(bundle: Bundle) -> Iterator[str]:
    """Every native file is signed, unchanged since, and macOS will load it into the app."""
    read = {path: read_signature(path, part) for path, part in bundle.parts.items()}
    by_certificate = any(
        signature is not None and not signature.ad_hoc
        for path, signature in read.items()
        if path in bundle.programs
    )
    for path, signature in read.items():
        name = bundle.name(path)
        if signature is None:
            yield f"{name}: not signed"
        elif not signature.intact:
            yield f"{name}: changed after it was signed"
        elif signature.ad_hoc and by_certificate:
            yield f"{name}: signed ad hoc, the app is not: macOS would not load it"
        elif bundle.parts[path].file_type != EXECUTABLE:
            continue
        elif not signature.hardened:
            yield f"{name}: signed without the hardened runtime"
        elif signature.ad_hoc != _allows_any_library(signature.entitlements):
            have = "lacks" if signature.ad_hoc else "must not have"
            yield f"{name}: {have} the entitlement {LIBRARY_VALIDATION_OFF}"
    sealed = [bundle.app / "Contents"]
    sealed += [path / "Versions" / "Current" for path in layout.frameworks(bundle.app)]
    for folder in sealed:
        if not (folder / "_CodeSignature" / "CodeResources").is_file():
            yield f"{bundle.name(folder)}: not signed as a whole"


def _allows_any_library(entitlements: bytes) -> bool:
    return bool(entitlements and plistlib.loads(entitlements).get(LIBRARY_VALIDATION_OFF))


def _strings(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """(where, text) of every text in a property list."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strings(inner, f"{place}[{number}]")


def _metal_system(path: Path) -> Version | None:
    """The oldest macOS whose Metal reads the library; None if it is no Metal library.

    Its header is not documented. The version stands at byte 12: read in the two wheels of MLX
    0.32.4, which were built for 14.0 and 26.2 and have these numbers there.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if len(start) < 16 or not start.startswith(b"MTLB"):
        return None
    major, minor = struct.unpack_from("<HH", start, 12)
    return major, minor


def _expand(bundle: Bundle, path: Path, name: str) -> Path:
    """`name` as the file at `path` means it."""
    name = name.replace("@loader_path", str(path.parent))
    return Path(name.replace("@executable_path", str(layout.programs(bundle.app))))


def _rpaths(bundle: Bundle, path: Path) -> list[Path]:
    part = bundle.parts.get(path)
    return [_expand(bundle, path, rpath) for rpath in part.rpaths] if part else []


def _places(bundle: Bundle, path: Path, name: str, rpaths: list[Path]) -> list[Path]:
    """Where macOS looks for the library called `name` that the file at `path` loads."""
    prefix = "@rpath/"
    if name.startswith(prefix):
        return [rpath / name[len(prefix) :] for rpath in rpaths]
    return [_expand(bundle, path, name)]


def _inside(app: Path, path: Path) -> bool:
    """Whether there is something at `path`, links followed, within the app."""
    resolved = path.resolve()
    return resolved.exists() and app.resolve() in resolved.parents
