"""Long names where there is little room."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetrics, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QStyleOptionButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from mlx_music_app.ui.long_text import Elided, ElidedButton, WrappedLabel, breakable, elided

LONG = "Warm lo-fi hip hop, dusty drums & vinyl"
COMPOUND = "Donaudampfschifffahrtsgesellschaftskapitänsmütze"


def test_the_tail_is_never_cut_off(qapp: QApplication) -> None:
    metrics = QFontMetrics(qapp.font())
    room = metrics.horizontalAdvance("Warm lo-fi hip hop")
    assert elided(metrics, "Short", room, " 2") == "Short 2"
    shown = elided(metrics, LONG, room, " 12")
    assert shown.startswith("Warm")
    assert shown.endswith("… 12")
    assert metrics.horizontalAdvance(shown) <= room


def test_a_label_is_elided_and_read_out_whole(qtbot: QtBot) -> None:
    label = Elided()
    qtbot.addWidget(label)
    label.setText(LONG, " 2")
    label.resize(140, 20)
    label.show()
    assert label.shown().endswith("… 2")
    assert label.text() == f"{LONG} 2"
    assert label.accessibleName() == f"{LONG} 2"
    label.resize(900, 20)
    assert label.shown() == f"{LONG} 2"
    label.setFont(QFont(label.font().family(), 60))
    assert label.shown().endswith("… 2")


def test_a_button_shows_what_fits(qtbot: QtBot) -> None:
    button = ElidedButton(LONG, " 2")
    qtbot.addWidget(button)
    option = QStyleOptionButton()
    button.resize(900, 30)
    button.initStyleOption(option)
    assert option.text == button.text() == f"{LONG} 2".replace("&", "&&")
    button.resize(180, 30)
    button.initStyleOption(option)
    assert option.text.endswith("… 2")
    assert button.fontMetrics().horizontalAdvance(option.text) < 180


@pytest.mark.parametrize(
    "text", ["piano, 90 bpm", "我们在月光下慢慢走过那条长长的老街道直到天亮为止"]
)
def test_what_breaks_by_itself_stays_as_it_is(text: str) -> None:
    assert breakable(text) == text


def test_a_long_word_goes_on_in_the_next_line_and_is_copied_whole(qtbot: QtBot) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    label = WrappedLabel(f"{COMPOUND}\nla")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByKeyboard)
    label.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    QVBoxLayout(page).addWidget(label)
    assert page.minimumSizeHint().width() < 100
    line = label.fontMetrics().lineSpacing()
    assert label.heightForWidth(150) > 3 * line
    label.setSelection(0, len(QLabel.text(label)))
    assert label.text() == f"{COMPOUND}\nla"
    qtbot.keyClick(label, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == f"{COMPOUND}\nla"
