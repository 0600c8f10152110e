"""Gives Qt's frameworks back the links that a wheel, which is a zip, cannot hold.

A framework is a folder with its content in Versions/A, and links to that: Versions/Current, and
each thing at its top. PySide6's wheel has none of them, and a second copy of Resources at the top.
codesign refuses such a folder: "bundle format is ambiguous (could be app or framework)".
"""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

from resources.packaging import layout
from resources.packaging.layout import PackagingError


def fix_frameworks(app: Path) -> int:
    """Rebuild the links of every framework in `app`; returns how many needed it.

    Doing it twice is harmless. Raises PackagingError for a framework that cannot be understood.
    """
    return sum(_fix(framework) for framework in layout.frameworks(app))


def version_of(framework: Path) -> Path:
    """The one folder in `Versions`. Raises PackagingError if there is none, or more than one."""
    folder = framework / "Versions"
    found = [path for path in folder.glob("*") if path.is_dir() and not path.is_symlink()]
    if len(found) != 1:
        raise PackagingError(f"{framework}: {len(found)} versions in it, not one")
    return found[0]


def links_of(framework: Path) -> dict[Path, str]:
    """The links that a whole framework has, and what each says."""
    version = version_of(framework)
    links = {framework / "Versions" / "Current": version.name}
    for name in (framework.stem, "Resources"):
        if (version / name).exists():
            links[framework / name] = f"Versions/Current/{name}"
    return links


def _fix(framework: Path) -> bool:
    version = version_of(framework)
    for path in framework.iterdir():
        if path.name != "Versions" and not path.is_symlink():
            _remove_copy(path, version / path.name)
    changed = False
    for path, target in links_of(framework).items():
        if path.is_symlink() and path.readlink() == Path(target):
            continue
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        changed = True
    return changed


def _remove_copy(path: Path, original: Path) -> None:
    """Remove `path`, a copy of `original` where a link belongs; another thing is an error."""
    if not _same(path, original):
        raise PackagingError(f"{path} differs from {original}, so it cannot become a link to it")
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _same(path: Path, original: Path) -> bool:
    """Whether files are equal, or folders hold equal files; `original` may hold more."""
    if not path.is_dir():
        return original.is_file() and filecmp.cmp(path, original, shallow=False)
    return original.is_dir() and all(
        _same(inner, original / inner.name) for inner in path.iterdir()
    )
