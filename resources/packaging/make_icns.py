"""Draws the app's icons: `python -m resources.packaging.make_icns` after a change in art/.

Every size is drawn from the SVG at its own number of pixels, and packed into an .icns, which is
checked in: a build needs neither a renderer nor icnsutil (pip install icnsutil).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ART = Path(__file__).resolve().parent / "art"
ICONS = Path(__file__).resolve().parents[1] / "icons"

#: Each .icns, and the drawing in it.
DRAWINGS = {"mlx-music": "app-icon", "mlx-music-document": "document-icon"}

#: The kinds of picture in an .icns, by Apple's four letters: pixels, and what they are for. All are
#: PNG but two, which are ARGB as Apple's iconutil has them: small PNG are noise in Finder's lists.
#: https://en.wikipedia.org/wiki/Apple_Icon_Image_format
KINDS = {
    "ic04": (16, "16x16"),
    "ic11": (32, "16x16@2x"),
    "ic05": (32, "32x32"),
    "ic12": (64, "32x32@2x"),
    "ic07": (128, "128x128"),
    "ic13": (256, "128x128@2x"),
    "ic08": (256, "256x256"),
    "ic14": (512, "256x256@2x"),
    "ic09": (512, "512x512"),
    "ic10": (1024, "512x512@2x"),
}
ARGB = ("ic04", "ic05")


def main() -> int:
    """Write every .icns. 1 if icnsutil is missing."""
    try:
        import icnsutil
    except ImportError:
        print("icnsutil is not installed: pip install icnsutil", file=sys.stderr)
        return 1
    for name, drawing in DRAWINGS.items():
        icns = icnsutil.IcnsFile()
        for kind, (pixels, _) in KINDS.items():
            picture = draw(drawing, pixels)
            icns.add_media(kind, data=argb(picture) if kind in ARGB else png(picture))
        path = ICONS / f"{name}.icns"
        # Under its name only when it is whole.
        with tempfile.TemporaryDirectory(dir=ICONS) as folder:
            icns.write(str(Path(folder) / path.name))
            problems = list(icnsutil.IcnsFile.verify(str(Path(folder) / path.name)))
            if problems:
                print(f"{path.name}: {'; '.join(problems)}", file=sys.stderr)
                return 1
            (Path(folder) / path.name).replace(path)
        print(f"{path}: {len(KINDS)} pictures, {path.stat().st_size / 1000:.0f} kB")
    return 0


def draw(drawing: str, pixels: int) -> QImage:
    """A drawing as a picture of `pixels` by `pixels`, from the SVG for that size if it has one."""
    path = ART / f"{drawing}-{pixels}.svg"
    path = path if path.exists() else ART / f"{drawing}.svg"
    renderer = QSvgRenderer(str(path))
    if not renderer.isValid():
        raise ValueError(f"{path}: is no drawing that Qt can read")
    picture = QImage(pixels, pixels, QImage.Format.Format_ARGB32_Premultiplied)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    renderer.render(painter)
    painter.end()
    return picture.convertToFormat(QImage.Format.Format_ARGB32)


def png(picture: QImage) -> bytes:
    """A file, as bytes."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG", 0)  # 0 is the smallest
    return bytes(buffer.data().data())


def argb(picture: QImage) -> bytes:
    """Apple's packed ARGB: the four channels one after another."""
    from icnsutil import PackBytes

    # Named, for the bits live as long as their picture.
    straight = picture.convertToFormat(QImage.Format.Format_RGBA8888)
    rgba = bytes(straight.constBits())
    channels = (rgba[place::4] for place in (3, 0, 1, 2))
    return b"ARGB" + b"".join(PackBytes.pack(list(channel)) for channel in channels)


if __name__ == "__main__":
    sys.exit(main())
