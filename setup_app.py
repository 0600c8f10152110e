"""Builds "MLX Music.app" with py2app: `python setup_app.py py2app`.

What it builds is neither pruned nor signed, and holds what this Python has installed; `make app`
does the rest, in an environment of its own. What goes in is said in resources/packaging.
"""

from __future__ import annotations

import sys

from resources.packaging import contents
from resources.packaging.layout import PackagingError

try:
    from setuptools import setup

    from mlx_music.version import __version__
    from resources.packaging.command import AppDistribution, BuildApp
except ModuleNotFoundError as error:
    sys.exit(f'setup_app.py needs {error.name}: python -m pip install ".[app,bundle]", or make app')

try:
    options = contents.options(__version__)
except PackagingError as error:
    sys.exit(f"setup_app.py: {error}")

setup(
    app=[str(contents.PROGRAM)],
    version=__version__,
    distclass=AppDistribution,
    cmdclass={"py2app": BuildApp},
    options={"py2app": {"bdist_base": "build/py2app", **options}},
)
