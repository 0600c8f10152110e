"""py2app's command, with what it does not do, or does in a way that does not work here.

py2app 0.28.10, as its source says.
"""

from __future__ import annotations

import compileall
import plistlib
import py_compile
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import setuptools
from py2app import build_app

from resources.packaging import contents, layout

#: Recipes of py2app for modules that are in the app, and what they would do:
#: sslmod   sets SSL_CERT_FILE to a file that is not there on a Mac without OpenSSL's certificates.
#:          The HTTP library believes it, and no model could be downloaded.
#: pyside6  adds a qt.conf that sends Qt to a folder of plugins which stays empty: the plugins are
#:          where they always are, in PySide6.
_RECIPES_LEFT_OUT = frozenset(("sslmod", "pyside6"))

#: What py2app puts into Info.plist without being asked: a window's layout that it used to bring
#: along, and a path of the machine that the app is built on.
_LAYOUT = "NSMainNibFile"
_BUILDER = "PythonExecutable"  # in PythonInfoDict


class AppDistribution(setuptools.Distribution):
    """The project, of which an app is built from what is installed."""

    def parse_config_files(self, *arguments: Any, **options: Any) -> None:
        super().parse_config_files(*arguments, **options)
        # py2app refuses to build a project with dependencies: it cannot install them.
        self.install_requires: list[str] = []
        # It builds a project's packages first, into a folder that keeps modules which have been
        # renamed since, and would take them from there.
        self.packages = self.py_modules = self.ext_modules = None


class BuildApp(build_app.py2app):
    """`py2app`, for this app."""

    def collect_recipedict(self) -> dict[str, Callable[..., Any]]:
        recipes = super().collect_recipedict()
        return {name: recipes[name] for name in recipes if name not in _RECIPES_LEFT_OUT}

    def create_appbundle(self, *arguments: Any, **options: Any) -> tuple[str, str, Any]:
        app, resources, plist = super().create_appbundle(*arguments, **options)
        plist.pop(_LAYOUT)
        plist["PythonInfoDict"].pop(_BUILDER)
        (layout.contents(Path(app)) / "Info.plist").write_bytes(plistlib.dumps(plist))
        return app, resources, plist

    def run(self) -> None:
        with _unsigned():
            super().run()
        library = layout.python_folder(Path(self.appdir))
        # A wheel's copy of the resources; the app has them in Contents/Resources.
        resources = library / "mlx_music" / "_resources"
        if resources.exists():
            shutil.rmtree(resources)
        for tests in list(library.rglob(contents.TESTS)):
            shutil.rmtree(tests, ignore_errors=True)  # one can be within another
        compile_all(library)


@contextmanager
def _unsigned() -> Iterator[None]:
    """Keep py2app from signing: it fails on Qt's frameworks, which are not whole yet, and
    everything is signed when all is done."""
    sign = build_app.codesign_adhoc
    build_app.codesign_adhoc = lambda app: None
    try:
        yield
    finally:
        build_app.codesign_adhoc = sign


def compile_all(folder: Path) -> None:
    """Compile what lies beside the zip: the app must not change after signing, so Python would
    compile it again at each start.

    Python trusts the result without a look at the source, whose date may change on its way.
    """
    for cache in folder.rglob("__pycache__"):
        shutil.rmtree(cache)
    compileall.compile_dir(
        folder,
        quiet=2,  # PySide6 has templates of Python code among its own
        stripdir=str(folder),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
