"""The smaller parts of the takes view, each by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music_app.background import Background
from mlx_music_app.library.library import Library
from mlx_music_app.library.take import Take
from mlx_music_app.ui.compose.times import read_clock
from mlx_music_app.ui.compose.words import label_of
from mlx_music_app.ui.takes import delegate
from mlx_music_app.ui.takes.compare import CompareBar
from mlx_music_app.ui.takes.delegate import TakeDelegate, second_line
from mlx_music_app.ui.takes.family import FamilyTree, in_order, made_how
from mlx_music_app.ui.takes.filter_bar import FilterBar
from mlx_music_app.ui.takes.inspector import facts
from mlx_music_app.ui.takes.model import Query
from mlx_music_app.ui.takes.playback import Playback
from mlx_music_app.ui.takes.request_table import RequestTable, settings_of, words_of
from mlx_music_app.ui.takes.tags_editor import TagsEditor
from mlx_music_app.ui.takes.thumbnails import COLUMNS, Thumbnails
from mlx_music_app.ui.takes.undo_bar import UndoBar
from mlx_music_app.ui.words import clock, count, day
from tests.app.doubles import SilentPlayer
from tests.app.making import add_take


def take(
    number: int, *, parent: int | None = None, missing: bool = False, **fields: object
) -> Take:
    return Take(
        id=number,
        path=Path(f"/music/{number}.wav"),
        title=f"Song {number}",
        number=1,
        created=datetime(2025, 3, 1, tzinfo=timezone.utc),
        duration=30.0,
        sample_rate=48_000,
        request=GenerationRequest(prompt="piano", **fields),  # type: ignore[arg-type]
        model="sketch",
        parent=parent,
        missing=missing,
    )


@pytest.mark.parametrize(
    ("seconds", "whole", "tenths", "passed"),
    [(0, "0:00", "0:00.0", "0:00"), (59.96, "1:00", "1:00.0", "0:59"),
     (61.25, "1:01", "1:01.2", "1:01"), (3725, "1:02:05", "1:02:05.0", "1:02:05"),
     (-0.3, "0:00", "-0:00.3", "0:00"), (62.5, "1:02", "1:02.5", "1:02")],
)  # fmt: skip
def test_clock(seconds: float, whole: str, tenths: str, passed: str) -> None:
    assert clock(seconds) == whole
    assert clock(seconds, 1) == tenths
    assert clock(seconds, down=True) == passed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(65, "1:05"), (30.25, "0:30.25"), (-1.5, "-0:01.5"), (3723.004, "1:02:03.004")],
)
def test_what_is_written_short_is_read_again(seconds: float, text: str) -> None:
    assert clock(seconds, 3, short=True) == text
    if seconds >= 0:
        assert read_clock(text) == seconds


@pytest.mark.parametrize("text", ["", "1:60", "a:10", "1:75:00", "1:2:3:4", "::5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_clock(text)


def test_facts_tell_takes_of_one_title_apart() -> None:
    first = take(1)
    assert facts(first).startswith("0:30")
    assert facts(replace(first, number=2)).startswith("Take 2  ·  0:30")


def test_days_and_counts() -> None:
    now = datetime(2025, 3, 10, 12, 0).astimezone()
    assert day(now.replace(hour=9, minute=5), now) == "Today 09:05"
    assert day(now.replace(day=9), now) == "Yesterday 12:00"
    assert day(now.replace(month=1), now) == "10 Jan"
    assert day(now.replace(year=2023), now).endswith("Mar 2023")
    assert [count(n, "take") for n in (0, 1, 12_000)] == ["0 takes", "1 take", "12,000 takes"]


def test_filter_bar_waits_for_a_pause(qtbot: QtBot) -> None:
    bar = FilterBar(lambda: ["sad", "slow"])
    qtbot.addWidget(bar)
    queries: list[Query] = []
    bar.queryChanged.connect(queries.append)
    qtbot.keyClicks(bar.search, "piano")
    assert queries == []
    with qtbot.waitSignal(bar.queryChanged, timeout=2000):
        pass
    assert [query.search for query in queries] == ["piano"]
    bar.favourites.click()
    assert queries[-1] == Query(search="piano", favourites=True)
    menu = bar.tags_button.menu()
    menu.aboutToShow.emit()
    menu.actions()[2].trigger()
    assert queries[-1].tag == "slow"
    bar.order_button.menu().actions()[2].trigger()
    assert (queries[-1].sort, queries[-1].descending) == ("title", False)
    bar.set_count(3)
    bar.clear()
    assert queries[-1] == Query(sort="title", descending=False)
    assert not bar.tags_button.isChecked()


def test_tags_editor_adds_and_removes(qtbot: QtBot) -> None:
    editor = TagsEditor()
    qtbot.addWidget(editor)
    said: list[tuple[str, ...]] = []
    editor.edited.connect(said.append)
    editor.set_tags(("slow",), known=("slow", "sad"))
    qtbot.keyClicks(editor.field, "#Loud, SLOW, , loud &co")
    qtbot.keyClick(editor.field, Qt.Key.Key_Return)
    assert said == [("slow", "Loud", "loud &co")]
    chips = [chip for chip in editor.findChildren(QPushButton) if not chip.isHidden()]
    assert [chip.text() for chip in chips] == ["slow", "Loud", "loud &&co"]
    chips[0].click()
    assert said[-1] == ("Loud", "loud &co")
    qtbot.keyClicks(editor.field, "loud")
    qtbot.keyClick(editor.field, Qt.Key.Key_Return)
    assert len(said) == 2


def test_request_is_shown_in_words(qtbot: QtBot) -> None:
    request = GenerationRequest(
        prompt="piano", lyrics="la\nla", guidance_scale=7.5, task="repaint", source="/a/b/song.wav",
        repaint_start=2.0, repaint_end=4.0, seed=9,
    )  # fmt: skip
    assert words_of(request) == [("Style", "piano"), ("Lyrics", "la\nla")]
    rows = dict(settings_of(request, everything=False))
    assert rows["Made as"] == "Region painted anew"
    assert rows[label_of("guidance_scale")] == "7.5"
    assert rows[label_of("source")] == "song.wav"
    assert rows[label_of("repaint_start")] == "2 s"
    assert label_of("omega_scale") not in rows
    table = RequestTable()
    qtbot.addWidget(table)
    table.set_request(request, "ACE-Step/ACE-Step-v1-3.5B")
    shown = [label.text() for label in table.findChildren(QLabel)]
    assert "ACE-Step-v1-3.5B" in shown
    toggle = table.findChild(QPushButton)
    toggle.click()
    assert label_of("omega_scale") in [label.text() for label in table.findChildren(QLabel)]


def test_family_is_an_outline(qtbot: QtBot) -> None:
    root, other = take(1), take(4, parent=1, task="extend", extend_right=5.0)
    child, grandchild = take(2, parent=1), take(3, parent=2, task="edit", source_prompt="x")
    ordered = in_order([root, child, other, grandchild])
    assert [(each.id, depth) for each, depth in ordered] == [(1, 0), (2, 1), (3, 2), (4, 1)]
    assert [made_how(each) for each in (root, child, other, grandchild)] == [
        "", "from a reference", "extended", "edited",
    ]  # fmt: skip
    tree = FamilyTree()
    qtbot.addWidget(tree)
    tree.set_family([root, child, other, grandchild], current=2)
    rows = tree.findChildren(QPushButton)
    assert [row.isChecked() for row in rows] == [False, True, False, False]
    with qtbot.waitSignal(tree.pressed) as pressed:
        rows[2].click()
    assert pressed.args == [3]


def test_family_with_a_circle_ends() -> None:
    assert in_order([take(1, parent=2), take(2, parent=1)]) == []


def test_a_narrow_row_keeps_the_number_of_the_take(
    qtbot: QtBot, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    draw = delegate._draw_elided
    monkeypatch.setattr(
        delegate,
        "_draw_elided",
        lambda *args: (drawn.append(draw(*args)), drawn[-1])[1],
    )
    long = replace(take(1), title="Warm lo-fi hip hop, dusty drums", number=12)
    painter = QPainter(picture := QPixmap(240, delegate.ROW_HEIGHT))
    TakeDelegate(Thumbnails(background))._paint_words(painter, picture.rect(), long)
    painter.end()
    assert drawn[0].startswith("W")
    assert drawn[0].endswith("… 12")


def test_second_line() -> None:
    assert second_line(take(1)) == "piano"
    assert second_line(take(1, missing=True)).startswith("File not found")


def test_compare_changes_between_two(qtbot: QtBot) -> None:
    bar = CompareBar()
    qtbot.addWidget(bar)
    heard: list[int] = []
    bar.picked.connect(lambda picked: heard.append(picked.id))
    bar.compare(take(1), take(2))
    bar.toggle()
    bar.buttons[0].click()
    assert heard == [1, 2, 1]
    bar.forget([2])
    assert not bar.active
    bar.toggle()
    assert heard == [1, 2, 1]


def test_both_names_of_a_comparison_are_told_apart(qtbot: QtBot) -> None:
    bar = CompareBar()
    qtbot.addWidget(bar)
    first = replace(take(1), title="Warm lo-fi hip hop, dusty drums")
    second = replace(first, id=2, number=2)
    bar.compare(first, second)
    bar.resize(320, bar.sizeHint().height())
    QApplication.processEvents()
    a, b = bar.names
    assert a.text().startswith("A  W")
    assert a.shown().endswith("…")
    assert b.text().startswith("B  W")
    assert b.shown().endswith("… 2")
    for name in bar.names:
        assert name.fontMetrics().horizontalAdvance(name.shown()) <= name.width()
    assert b.toolTip() == second.name


def test_playback_knows_takes(player: SilentPlayer, qtbot: QtBot) -> None:
    playback = Playback(player)
    refused: list[str] = []
    playback.refused.connect(refused.append)
    first, second = take(1), take(2)
    playback.toggle(first)
    assert playback.playing
    assert playback.take == first
    player.reach(0.4)
    assert playback.position_of(first) == 0.4
    assert playback.position_of(second) == 0.0
    playback.swap(second)
    assert player.sent[-1] == ("load", {"path": str(second.path), "keep": True})
    playback.toggle(second)
    assert not playback.playing
    playback.seek(first, 0.5)
    assert player.sent[-2:] == [
        ("load", {"path": str(first.path), "keep": False}),
        ("seek", {"position": 0.5}),
    ]
    playback.toggle(take(3, missing=True))
    assert len(refused) == 1
    assert "not where it was" in refused[0]
    player.load(Path("/elsewhere.wav"))
    assert playback.take is None


def test_thumbnails_are_made_once(library: Library, background: Background, qtbot: QtBot) -> None:
    made = add_take(library)
    thumbnails = Thumbnails(background)
    with qtbot.waitSignal(thumbnails.ready):
        assert thumbnails.bars(made) is None
    bars = thumbnails.bars(made)
    assert bars is not None
    assert bars.shape == (COLUMNS,)
    assert np.isclose(bars.max(), 1.0)
    assert thumbnails.bars(take(99, missing=True)) is None
    broken = take(98)
    with qtbot.waitSignal(thumbnails.ready):
        assert thumbnails.bars(broken) is None
    assert thumbnails.bars(broken) is None


def test_undo_bar(qtbot: QtBot) -> None:
    bar = UndoBar()
    qtbot.addWidget(bar)
    bar.say("Copied")
    button = bar.findChild(QPushButton)
    assert button.isHidden()
    bar.say("Moved", undo=True)
    with qtbot.waitSignal(bar.undoPressed):
        button.click()
    assert bar.isHidden()
