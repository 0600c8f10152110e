"""The icons' tests draw, and there may be no screen."""

from __future__ import annotations

import os

# Before anything of Qt starts.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
