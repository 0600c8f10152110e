"""The disk image that people download: the app, and a link to drag it onto."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.packaging.layout import NAME, PackagingError
from resources.packaging.sign import codesign
from resources.packaging.tools import ToolError, run

#: macOS's virus scanner looks into a new image while hdiutil wants to close it.
_PASSING = ("Resource busy", "Resource temporarily unavailable")


def make_dmg(app: Path, dmg: Path, identity: str | None) -> None:
    """Write the image `dmg` with `app` in it; signed, if there is an identity to sign it with.

    `dmg` is complete or not there. Raises PackagingError.
    """
    dmg.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dmg.parent, prefix=".dmg-") as folder:
        content = Path(folder, "content")
        content.mkdir()
        # Unlike most ways to copy, ditto keeps everything that a signature covers.
        run(["ditto", app, content / app.name])
        (content / "Applications").symlink_to("/Applications")
        image = Path(folder, "image.dmg")
        command = ["hdiutil", "create", "-volname", NAME, "-srcfolder", str(content)]
        command += ["-fs", "HFS+", "-format", "UDZO", "-ov", str(image)]
        run(command, again_on=_PASSING)
        run(["hdiutil", "verify", image], again_on=_PASSING)
        if identity is not None:
            codesign([image], identity)
        os.replace(image, dmg)


@contextmanager
def mounted(dmg: Path) -> Iterator[Path]:
    """The folder in which the content of `dmg` can be read, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="mlx-music-dmg-") as folder:
        place = Path(folder).resolve() / "volume"
        place.mkdir()
        attach = ["hdiutil", "attach", "-readonly", "-nobrowse", "-noautoopen"]
        run([*attach, "-mountpoint", str(place), str(dmg)], again_on=_PASSING)
        try:
            yield place
        finally:
            _detach(place)


def _detach(place: Path) -> None:
    try:
        run(["hdiutil", "detach", place], again_on=_PASSING)
    except ToolError:
        # It is only read from, so nothing is lost.
        run(["hdiutil", "detach", "-force", place])


def check_content(place: Path) -> Path:
    """The app in the mounted image. Raises PackagingError if it or the link is missing."""
    link = place / "Applications"
    if not link.is_symlink() or os.readlink(link) != "/Applications":
        raise PackagingError("the disk image has no link to /Applications")
    app = place / f"{NAME}.app"
    if not app.is_dir():
        raise PackagingError(f"the disk image has no {app.name}")
    return app
