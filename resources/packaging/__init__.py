"""How "MLX Music.app" is built: `python -m resources.packaging`; its steps are in `steps`."""

import sys

# Apple's command line tools bring 3.9, on which the modules below would end in a traceback.
if sys.version_info < (3, 10):  # noqa: UP036
    version = ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        "building MLX Music.app needs Python 3.12 as python.org has it, "
        f"and {sys.executable} is {version}"
    )
