"""Back to what the form held before something else filled it in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx_music_app.ui.compose.notice import Notice

State = dict[str, Any]

#: What is typed or chosen, of all that a state holds.
_HELD = ("title", "model", "takes", "outline", "form")


class WaysBack:
    """Knows whether a form was edited, and offers back what is replaced in it.

    state: of the form now; show: puts one into it.
    """

    def __init__(
        self, notice: Notice, state: Callable[[], State], show: Callable[[State], None]
    ) -> None:
        self._notice, self._state, self._show = notice, state, show
        self._begun: State | None = None

    def begin(self) -> None:
        """From now on is counted what is edited."""
        self._begun = self._state()

    def forget(self) -> None:
        """Nobody knows from when on to count: all that is there may have been edited."""
        self._begun = None

    def is_edited(self) -> bool:
        """Whether the form holds what was typed or chosen since it began."""
        return not _same(self._state(), self._begun)

    def tell(self, words: str, before: State) -> None:
        """Tell what happened to the form, with a way back to how it was before.

        An older way back stays if nothing was replaced.
        """
        if not _same(self._state(), before):
            self._notice.tell(words, lambda: self._bring_back(before))

    def _bring_back(self, state: State) -> None:
        """Undo, which can be undone itself: the form may have been filled in since."""
        replaced = self._state()
        self._show(state)
        self._notice.tell("Brought back.", lambda: self._bring_back(replaced))


def _same(one: State, other: State | None) -> bool:
    return other is not None and all(one[name] == other[name] for name in _HELD)
