"""The list's model: it follows the library, and reads rows only when they are looked at."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from mlx_music_app.background import Background
from mlx_music_app.library.library import Library, database_path
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.takes.model import TAKE_ROLE, Query, TakesModel
from tests.app.making import add_take, fill_catalogue


@pytest.fixture
def model(library: Library) -> TakesModel:
    model = TakesModel(library)
    model.reload()
    return model


def names(model: TakesModel) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def test_rows_come_change_and_go_with_the_library(
    library: Library, model: TakesModel, qtbot: QtBot, qtmodeltester: object
) -> None:
    first = add_take(library, "First")
    model.flush()
    with qtbot.waitSignal(model.rowsInserted):
        second = add_take(library, "Second")
    assert names(model) == ["Second", "First"]
    with qtbot.waitSignal(model.dataChanged):
        library.rename(first.id, "Renamed")
    assert names(model) == ["Second", "Renamed"]
    with qtbot.waitSignal(model.rowsRemoved):
        library.delete([second.id])
    assert names(model) == ["Renamed"]
    library.undo_delete()
    model.flush()
    assert names(model) == ["Second", "Renamed"]
    qtmodeltester.check(model)  # type: ignore[attr-defined]


def test_editing_a_row_asks_for_another_title(
    library: Library, model: TakesModel, qtbot: QtBot
) -> None:
    take = add_take(library, "First")
    model.flush()
    index = model.index_of(take.id)
    assert not model.setData(index, "  ")
    assert not model.setData(index, "First")
    with qtbot.waitSignal(model.renamed) as renamed:
        assert model.setData(index, " Other ")
    assert renamed.args == [take.id, "Other"]


def test_query_narrows_and_sorts(library: Library, model: TakesModel) -> None:
    piano = add_take(library, "B", prompt="piano")
    add_take(library, "A", prompt="guitar", seconds=2.0)
    library.set_favourite(piano.id, True)
    library.set_tags(piano.id, ["keep"])
    model.reload()
    for query, expected in (
        (Query(search="guit"), ["A"]),
        (Query(favourites=True), ["B"]),
        (Query(tag="keep"), ["B"]),
        (Query(sort="title", descending=False), ["A", "B"]),
        (Query(sort="duration"), ["A", "B"]),
        (Query(search="nothing like it"), []),
    ):
        model.set_query(query)
        assert names(model) == expected
        assert query.narrows == (len(expected) < 2)


def test_a_screen_reader_hears_a_row(library: Library, model: TakesModel) -> None:
    take = add_take(library, "First", seconds=1.0)
    library.set_favourite(take.id, True)
    library.set_tags(take.id, ["slow", "sad"])
    model.reload()
    words = model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert words.startswith("First, 0:01, Today")
    assert words.endswith("favourite, 2 tags: slow, sad")


def test_ten_thousand_takes_are_read_as_they_are_looked_at(
    preferences: Preferences, background: Background, tmp_path: Path
) -> None:
    fill_catalogue(database_path(), tmp_path / "gone", 10_000)
    library = Library(preferences, background)
    library.open()
    reads: list[int] = []
    get_many = library.get_many
    library.get_many = lambda ids: (reads.append(len(ids)), get_many(ids))[1]  # type: ignore[method-assign]
    model = TakesModel(library)
    began = time.perf_counter()
    model.reload()
    assert model.rowCount() == 10_000
    assert model.index(5000).data(TAKE_ROLE).title == "Song 5000"
    model.set_query(Query(search="techno 120"))
    assert 0 < model.rowCount() < 10_000
    assert time.perf_counter() - began < 1.0
    assert sum(reads) <= 2 * TakesModel.BLOCK
    library.close()
