"""Starts the built app as macOS would, and has it test itself."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from resources.packaging import layout
from resources.packaging.layout import NAME, PackagingError
from resources.packaging.sign import verify_signature
from resources.packaging.tools import Command, ToolError, run

#: In seconds. The first start of a fresh build is slow: macOS looks at every library in it.
_FIRST_START = 300
_TEST = 900


def try_app(app: Path) -> str:
    """Run the app's self-test; returns what it says. Raises PackagingError if it fails.

    It starts with nothing that a shell has set, in no folder of the project, and with a home
    folder of its own, where it finds no settings and no models.
    """
    program = layout.programs(app) / NAME
    expected = f"{NAME} {layout.info_plist(app).get('CFBundleShortVersionString')}"
    with tempfile.TemporaryDirectory(prefix="mlx-music-home-") as home:
        environment = {"HOME": home, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        # Where macOS keeps a person's temporary files; not everything finds it without.
        environment |= {key: os.environ[key] for key in ("TMPDIR", "USER") if key in os.environ}
        start = _start([program, "--version"], environment, _FIRST_START)
        if start.strip() != expected:
            raise PackagingError(f"{program} --version says {start.strip()!r}, not {expected!r}")
        said = _start([program, "--self-test"], environment, _TEST)
    # An app that writes into itself breaks its signature, and macOS would not start it again.
    verify_signature(app)
    return said


def _start(command: Command, environment: dict[str, str], timeout: float) -> str:
    """What the app writes; where it fails, all of that is shown.

    What fails before the app's own code shows a dialog, for which nobody is there: the time is up
    then, and only what was written until then says why.
    """
    try:
        return run(command, environment=environment, folder=Path("/"), timeout=timeout)
    except ToolError as error:
        print(error.output, flush=True)
        raise
