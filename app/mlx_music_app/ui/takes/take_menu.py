"""The menu of one take, or of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QMenu, QWidget

from mlx_music_app.library.take import Take
from mlx_music_app.ui.reveal import reveal_words
from mlx_music_app.ui.takes.inspector import WORK


def take_menu(
    takes: Sequence[Take], do: Callable[[str], None], *, region: bool, parent: QWidget
) -> QMenu:
    """Commands call `do` with a word: "play", "rename", "work:extend" and so on."""
    menu = QMenu(parent)
    here = [take for take in takes if not take.missing]
    one = takes[0] if len(takes) == 1 else None

    def add(words: str, command: str, *, enabled: bool = True) -> None:
        action = menu.addAction(words)
        action.setEnabled(enabled)
        action.triggered.connect(lambda: do(command))

    if one is not None:
        if one.missing:
            add("Locate…", "locate")
        else:
            add("Play", "play")
        menu.addSeparator()
        for task, words, _, _ in WORK:
            usable = not one.missing and (task != "repaint" or region)
            add(words, f"work:{task}", enabled=usable)
        add("Use these settings", "settings")
        menu.addSeparator()
        add("Rename", "rename")
    elif len(takes) == 2:
        add("Compare A/B", "compare", enabled=len(here) == 2)
        menu.addSeparator()
    starred = all(take.favourite for take in takes)
    add("Remove from favourites" if starred else "Add to favourites", "favourite")
    menu.addSeparator()
    if one is not None:
        add("Export…", "export", enabled=not one.missing)
    add("Copy", "copy", enabled=bool(here))
    if one is not None:
        add(reveal_words(), "reveal", enabled=not one.missing)
    menu.addSeparator()
    add("Delete" if one is not None else f"Delete {len(takes)} takes", "delete")
    return menu
