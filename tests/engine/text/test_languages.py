"""The languages, and what knowing them costs."""

from __future__ import annotations

import subprocess
import sys

from mlx_music.text.languages import FALLBACK_LANGUAGE, LANGUAGE_NAMES, LANGUAGES

#: What only a line that needs it may load.
HEAVY = ("numpy", "py3langid", "num2words", "pypinyin", "hangul_romanize", "cutlet", "tokenizers")


def test_seventeen_with_names() -> None:
    assert len(LANGUAGES) == len(set(LANGUAGES)) == 17
    assert all(LANGUAGE_NAMES[code] for code in LANGUAGES)
    assert FALLBACK_LANGUAGE in LANGUAGES


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys, mlx_music.text.languages, mlx_music.text.cleaning, mlx_music.text.detection\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
