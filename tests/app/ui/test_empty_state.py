"""What stands where nothing is yet."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from mlx_music_app.ui.empty_state import EmptyState


@pytest.mark.parametrize(("height", "has_picture"), [(160, False), (400, True)])
def test_words_are_whole_where_there_is_little_room(
    qtbot: QtBot, height: int, has_picture: bool
) -> None:
    empty = EmptyState("queue", "Nothing in the queue", "What you generate is made here. " * 4)
    qtbot.addWidget(empty)
    empty.resize(280, 300)
    empty.show()
    empty.resize(280, height)
    assert empty._picture.isVisible() == has_picture
    # The title is not pressed flat, and no line of the text is cut off, when it is laid out.
    assert empty._title.height() == empty._title.sizeHint().height()
    assert empty._title.geometry().bottom() < empty._text.y()
    qtbot.waitUntil(lambda: empty._text.geometry().bottom() < height)
