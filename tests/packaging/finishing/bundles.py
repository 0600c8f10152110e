"""Small apps: one as py2app leaves it, and the same made fit to be shipped."""

from __future__ import annotations

import plistlib
import struct
import zipfile
from pathlib import Path

from tests.packaging.finishing import mach_o
from tests.packaging.finishing.mach_o import ARM64, BUNDLE, EXECUTABLE, X86_64

VERSION = "0.1.0"
PACKAGES = "Contents/Resources/lib/python3.12"

_QT_RPATHS = ("@loader_path/", "@loader_path/Qt/lib", "@loader_path/../shiboken6/")


def make_app(folder: Path) -> Path:
    """An app with a bit of everything that the real one has, as py2app leaves it, unsigned."""
    app = folder / "MLX Music.app"
    packages = app / PACKAGES
    _write_programs(app)
    _write_mlx(packages / "mlx")
    _write_pyside(packages / "PySide6")
    shiboken = "libshiboken6.abi3.6.9.dylib"
    _fat(packages / "shiboken6" / shiboken, name=f"@rpath/{shiboken}")
    _text(packages / "shiboken6/include/shiboken.h")
    _text(packages / "numpy" / "core.py")
    _text(packages / "numpy" / "linalg" / "tests" / "test_linalg.py")
    sound = packages / "_sounddevice_data/portaudio-binaries"
    _fat(sound / "libportaudio.dylib", name="@rpath/libportaudio.dylib")
    (sound / "libportaudio64bit.dll").write_bytes(b"MZ\x90\x00 for Windows")
    mach_o.write(packages / "_soundfile_data/libsndfile_arm64.dylib", mach_o.thin())
    return app


def metal_library(system: tuple[int, int] = (14, 0)) -> bytes:
    """What a Metal library starts with."""
    head = b"MTLB" + bytes.fromhex("0180 0200 0700 0081") + struct.pack("<HH", *system)
    return head.ljust(256, b"\0")


def framework(path: Path, version: str = "A", *, loads: tuple[str, ...] = ()) -> Path:
    """A framework as it comes out of a wheel: without links, and Resources twice."""
    inner = path / "Versions" / version
    name = f"@rpath/{path.name}/Versions/{version}/{path.stem}"
    _fat(inner / path.stem, name=name, loads=loads, rpaths=("@loader_path/../../../",))
    for folder in (inner, path):
        _text(folder / "Resources" / "Info.plist")
    return path


def _write_programs(app: Path) -> None:
    contents = app / "Contents"
    python = "@executable_path/../Frameworks/Python.framework/Versions/3.12/Python"
    program = mach_o.thin(kind=EXECUTABLE)
    mach_o.write(contents / "MacOS" / "MLX Music", program)
    mach_o.write(contents / "MacOS" / "python", mach_o.thin(kind=EXECUTABLE, loads=[python]))
    plist = {
        "CFBundleExecutable": "MLX Music",
        "CFBundleShortVersionString": VERSION,
        "LSMinimumSystemVersion": "14.0",
        "PyRuntimeLocations": [python],
    }
    (contents / "Info.plist").write_bytes(plistlib.dumps(plist))
    whole = framework(contents / "Frameworks" / "Python.framework", "3.12")
    (whole / "Versions" / "Current").symlink_to("3.12")
    ssl = "@executable_path/../Frameworks/libssl.3.dylib"
    mach_o.write(contents / "Frameworks" / "libssl.3.dylib", mach_o.thin(name=ssl))
    system = "/usr/lib/libSystem.B.dylib"
    module = mach_o.thin(kind=BUNDLE, loads=[ssl, system])
    mach_o.write(app / PACKAGES / "lib-dynload" / "_ssl.so", module)
    with zipfile.ZipFile(contents / "Resources/lib/python312.zip", "w") as archive:
        archive.writestr("json/__init__.pyc", b"code")
    _text(contents / "Resources" / "site.pyc")
    (app / PACKAGES / "site.pyc").symlink_to("../../site.pyc")
    _text(contents / "Resources" / "sketch" / "model.json")


def _write_mlx(folder: Path) -> None:
    core = mach_o.thin(kind=BUNDLE, loads=["@rpath/libmlx.dylib"], rpaths=["@loader_path/lib"])
    mach_o.write(folder / "core.cpython-312-darwin.so", core)
    library = mach_o.thin(name="@rpath/libmlx.dylib", system=(14, 0))
    mach_o.write(folder / "lib" / "libmlx.dylib", library)
    (folder / "lib" / "mlx.metallib").write_bytes(metal_library())
    _text(folder / "include" / "mlx.h")


def _write_pyside(pyside: Path) -> None:
    _text(pyside / "__init__.py")
    _text(pyside / "QtCore.pyi")
    _text(pyside / "glue" / "qtcore.cpp")
    mach_o.write(pyside / "lrelease", mach_o.thin(kind=EXECUTABLE))
    mach_o.write(pyside / "Designer.app/Contents/MacOS/Designer", mach_o.thin(kind=EXECUTABLE))
    library = "@rpath/libpyside6.abi3.6.9.dylib"
    shiboken = "@rpath/libshiboken6.abi3.6.9.dylib"
    _fat(pyside / "libpyside6.abi3.6.9.dylib", name=library, loads=(shiboken,), rpaths=_QT_RPATHS)
    for name in ("QtCore", "QtWidgets", "QtQml"):
        loads = (library, shiboken, qt(name))
        _fat(pyside / f"{name}.abi3.so", kind=BUNDLE, loads=loads, rpaths=_QT_RPATHS)
    needs = {
        "QtCore": (),
        "QtDBus": ("QtCore",),
        "QtGui": ("QtCore", "QtDBus"),
        "QtWidgets": ("QtGui", "QtCore"),
        "QtQml": ("QtCore",),
    }
    for name, needed in needs.items():
        framework(pyside / f"Qt/lib/{name}.framework", loads=tuple(map(qt, needed)))
    plugins = pyside / "Qt" / "plugins"
    for plugin in (
        "platforms/libqcocoa.dylib",
        "platforms/libqminimal.dylib",
        "sql/libqsqlite.dylib",
    ):
        _fat(
            plugins / plugin, kind=BUNDLE, loads=(qt("QtGui"),), rpaths=("@loader_path/../../lib",)
        )
    _text(pyside / "Qt" / "qml" / "plugins.qmltypes")
    _text(pyside / "Qt" / "translations" / "qt_de.qm")


def qt(name: str) -> str:
    return f"@rpath/{name}.framework/Versions/A/{name}"


def _fat(path: Path, **options: object) -> None:
    parts = (mach_o.thin(cpu=cpu, **options) for cpu in (X86_64, ARM64))  # type: ignore[arg-type]
    mach_o.write(path, mach_o.fat(*parts))


def _text(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text")
