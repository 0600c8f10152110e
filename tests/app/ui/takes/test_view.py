"""The takes view as a person uses it: by mouse and keys, over a real library."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QPushButton, QToolTip
from pytestqt.qtbot import QtBot

from mlx_music_app.background import Background
from mlx_music_app.library import deletion
from mlx_music_app.library.errors import LibraryError, NoTrash
from mlx_music_app.library.library import Library
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.takes import actions
from mlx_music_app.ui.takes.delegate import TakeDelegate
from mlx_music_app.ui.takes.view import TakesView
from tests.app.doubles import SilentPlayer
from tests.app.making import add_take


@pytest.fixture(autouse=True)
def _own_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


@pytest.fixture
def view(
    qtbot: QtBot,
    library: Library,
    player: SilentPlayer,
    background: Background,
    preferences: Preferences,
) -> TakesView:
    view = TakesView(library, player, background, preferences)
    qtbot.addWidget(view)
    view.resize(960, 640)
    view.show()
    return view


def rect_of(view: TakesView, take_id: int):  # type: ignore[no-untyped-def]
    return view.list.visualRect(view.model.index_of(take_id))


def click(qtbot: QtBot, view: TakesView, point: QPoint, **more: object) -> None:
    qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=point, **more)


def test_an_empty_library_teaches(view: TakesView, qtbot: QtBot, library: Library) -> None:
    assert view._nothing_yet.isVisible()
    with qtbot.waitSignal(view.composeRequested):
        view._nothing_yet.findChild(QPushButton).click()
    take = add_take(library)
    view.show_take(take.id)
    assert not view._nothing_yet.isVisible()
    assert view.current() == take


def test_nothing_found_leads_back(view: TakesView, qtbot: QtBot, library: Library) -> None:
    take = add_take(library, "Evening")
    view.show_take(take.id)
    qtbot.keyClicks(view.filter.search, "zebra")
    qtbot.keyClick(view.filter.search, Qt.Key.Key_Return)
    assert view.model.ids() == []
    assert view._nothing_found.isVisible()
    assert view.current() is None
    view._nothing_found.findChild(QPushButton).click()
    assert list(view.model.ids()) == [take.id]
    assert view.filter.search.text() == ""


def test_keys_of_the_list(
    view: TakesView, qtbot: QtBot, library: Library, player: SilentPlayer
) -> None:
    first, second = add_take(library, "First"), add_take(library, "Second")
    view.model.flush()
    view.focus_list()
    assert view.current() == second
    qtbot.keyClick(view.list, Qt.Key.Key_Down)
    assert view.current() == first
    qtbot.keyClick(view.list, Qt.Key.Key_Space)
    assert player.playing
    assert player.path == first.path
    qtbot.keyClick(view.list, Qt.Key.Key_Space)
    assert not player.playing
    qtbot.keyClick(view.list, Qt.Key.Key_Return)
    editor = view.list.viewport().findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, "Better")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: library.take(first.id).title == "Better")
    assert view.inspector.title.text() == "Better"


def test_star_and_picture_are_buttons(
    view: TakesView, qtbot: QtBot, library: Library, player: SilentPlayer
) -> None:
    take = add_take(library)
    view.model.flush()
    row = rect_of(view, take.id)
    click(qtbot, view, TakeDelegate.star_rect(row).center())
    assert library.take(take.id).favourite
    click(qtbot, view, TakeDelegate.thumbnail_rect(row).center())
    assert player.playing
    assert view.inspector.star.isChecked()
    view.inspector.star.click()
    assert not library.take(take.id).favourite


def test_hints_over_a_row(view: TakesView, library: Library, qtbot: QtBot) -> None:
    take = add_take(library)
    view.model.flush()
    row = rect_of(view, take.id)
    for place, words in (
        (TakeDelegate.star_rect(row).center(), "Add to favourites"),
        (TakeDelegate.thumbnail_rect(row).center(), "Play"),
    ):
        where = view.list.viewport().mapToGlobal(place)
        QApplication.sendEvent(view.list.viewport(), QHelpEvent(QEvent.Type.ToolTip, place, where))
        assert QToolTip.text() == words


def test_deleting_and_the_way_back(
    view: TakesView, qtbot: QtBot, library: Library, player: SilentPlayer
) -> None:
    takes = [add_take(library, name) for name in ("One", "Two", "Three")]
    view.show_take(takes[1].id)
    view.play(takes[1].id)
    qtbot.keyClick(view.list, Qt.Key.Key_Delete)
    assert [library.take(i).title for i in view.model.ids()] == ["Three", "One"]
    assert not player.playing
    assert player.path is None
    assert view.playback.take is None
    assert view.current() == takes[0]
    assert view.undo.isVisible()
    view.undo.findChild(QPushButton).click()
    assert len(view.model.ids()) == 3
    assert view.current().id == takes[1].id
    assert not view.undo.isVisible()
    qtbot.waitUntil(lambda: takes[1].path.exists())


def test_what_cannot_be_deleted_is_selected_again(
    view: TakesView, qtbot: QtBot, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Path:
        raise NoTrash(f"{path}: was kept")

    monkeypatch.setattr(deletion, "move_to_trash", refuse)
    takes = [add_take(library, name) for name in ("One", "Two", "Three")]
    ids = [takes[1].id, takes[0].id]
    view.show_takes(ids)
    with qtbot.waitSignal(library.problem) as problem:
        view.delete_selected()
        assert view.undo.isVisible()
    assert "was kept" in problem.args[0]
    assert not view.undo.isVisible()
    assert [take.id for take in view.selected()] == ids


def test_notes_typed_just_before_come_back(view: TakesView, qtbot: QtBot, library: Library) -> None:
    take = add_take(library, "One")
    failed: list[str] = []
    view.failed.connect(failed.append)
    view.show_take(take.id)
    qtbot.keyClicks(view.inspector.notes, "less reverb")
    view.delete_selected()
    assert not view.inspector._notes_timer.isActive()
    view.undo_delete()
    assert failed == []
    assert view.current().notes == "less reverb"


def test_several_are_chosen(view: TakesView, qtbot: QtBot, library: Library) -> None:
    takes = [add_take(library, name) for name in ("One", "Two")]
    view.model.flush()
    view.list.selectAll()
    assert view.current() is None
    assert [take.title for take in view.selected()] == ["Two", "One"]
    view.do("favourite")
    assert all(library.take(take.id).favourite for take in takes)
    view.do("favourite")
    assert not any(library.take(take.id).favourite for take in takes)


def test_comparing_two(
    view: TakesView, qtbot: QtBot, library: Library, player: SilentPlayer
) -> None:
    first, second = add_take(library, "One"), add_take(library, "Two")
    view.model.flush()
    view.list.selectAll()
    view.do("compare")
    assert player.path == second.path
    player.reach(0.5)
    qtbot.keyClick(view.list, Qt.Key.Key_X)
    assert player.sent[-1] == ("load", {"path": str(first.path), "keep": True})
    assert player.position == 0.5
    assert view.compare.current == 1
    library.delete([second.id])
    assert not view.compare.active


def test_what_is_typed_is_kept(view: TakesView, qtbot: QtBot, library: Library) -> None:
    first, second = add_take(library, "One"), add_take(library, "Two")
    view.show_take(first.id)
    inspector = view.inspector
    inspector.title.selectAll()
    qtbot.keyClicks(inspector.title, "Uno")
    qtbot.keyClick(inspector.title, Qt.Key.Key_Return)
    qtbot.keyClicks(inspector.notes, "less reverb")
    qtbot.keyClicks(inspector.tags.field, "album")
    qtbot.keyClick(inspector.tags.field, Qt.Key.Key_Return)
    view.show_take(second.id)
    kept = library.take(first.id)
    assert (kept.title, kept.notes, kept.tags) == ("Uno", "less reverb", ("album",))
    inspector.title.clear()
    qtbot.keyClick(inspector.title, Qt.Key.Key_Return)
    assert inspector.title.text() == "Two"


def test_notes_are_kept_after_a_pause(view: TakesView, qtbot: QtBot, library: Library) -> None:
    first, second = add_take(library, "One"), add_take(library, "Two")
    view.show_take(first.id)
    inspector = view.inspector
    qtbot.keyClicks(inspector.notes, "less reverb")
    with qtbot.waitSignal(library.takeChanged, timeout=3000):
        pass
    assert library.take(first.id).notes == "less reverb"
    inspector.star.click()
    assert inspector.notes.toPlainText() == "less reverb"
    view.show_take(second.id)
    assert inspector.notes.toPlainText() == ""
    view.show_take(first.id)
    assert inspector.notes.toPlainText() == "less reverb"


def test_a_half_typed_tag_goes_to_its_own_take(
    view: TakesView, qtbot: QtBot, library: Library
) -> None:
    first, second = add_take(library, "One"), add_take(library, "Two")
    view.show_take(first.id)
    tags = view.inspector.tags
    qtbot.keyClicks(tags.field, "album")
    view.show_take(second.id)
    assert tags.field.text() == ""
    assert library.take(first.id).tags == ("album",)
    assert (tags.tags(), library.take(second.id).tags) == ((), ())
    qtbot.keyClicks(tags.field, "single")
    view.inspector.save_now()
    assert library.take(second.id).tags == ("single",)


def test_a_half_typed_title_is_kept(view: TakesView, qtbot: QtBot, library: Library) -> None:
    first, second = add_take(library, "One"), add_take(library, "Two")
    view.show_take(first.id)
    view.inspector.title.selectAll()
    qtbot.keyClicks(view.inspector.title, "Uno")
    view.show_take(second.id)
    assert [library.take(each.id).title for each in (first, second)] == ["Uno", "Two"]
    assert view.inspector.title.text() == "Two"


def test_notes_that_cannot_be_written_are_tried_again(
    view: TakesView, qtbot: QtBot, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(take: int, notes: str) -> None:
        raise LibraryError("the disk is full")

    take = add_take(library)
    view.show_take(take.id)
    qtbot.keyClicks(view.inspector.notes, "less reverb")
    with monkeypatch.context() as full, qtbot.waitSignal(view.failed):
        full.setattr(library, "set_notes", refuse)
        view.inspector.save_now()
    view.inspector.save_now()
    assert library.take(take.id).notes == "less reverb"


def test_notes_do_not_end_a_tag(view: TakesView, qtbot: QtBot, library: Library) -> None:
    take = add_take(library)
    view.show_take(take.id)
    qtbot.keyClicks(view.inspector.notes, "less reverb")
    qtbot.keyClicks(view.inspector.tags.field, "alb")
    with qtbot.waitSignal(library.takeChanged, timeout=3000):
        pass
    assert view.inspector.tags.field.text() == "alb"
    assert library.take(take.id).tags == ()


def test_long_names_stay_within_the_inspector(view: TakesView, library: Library) -> None:
    title = "Warm lo-fi hip hop, dusty drums, " * 4
    compound = "Donaudampfschifffahrtsgesellschaftskapitänsmützenschirm" * 2
    root = add_take(library, title, prompt=compound, lyrics=compound, model=compound)
    child = add_take(
        library, title, parent=root.id, task="extend", extend_right=5.0, source=f"{compound}.wav"
    )
    library.set_tags(child.id, ["x" * 60, "W" * 60])
    view.splitter.setSizes([900, 100])
    for take in (root, child):
        view.show_take(take.id)
        QApplication.processEvents()
        inspector = view.inspector
        shown = inspector.viewport().width()
        assert inspector.widget().minimumSizeHint().width() <= shown
        assert inspector.widget().width() == shown
        rows = [row for row in inspector.family.findChildren(QPushButton) if row.isVisible()]
        assert [row.text().split("  ·  ")[0] for row in rows] == [root.name, child.name]
        assert [row.toolTip() for row in rows] == [root.name, child.name]


def test_tab_passes_by_the_page_itself(view: TakesView, library: Library) -> None:
    assert not view.inspector.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_work_is_asked_for(view: TakesView, qtbot: QtBot, library: Library) -> None:
    take = add_take(library)
    view.show_take(take.id)
    inspector = view.inspector
    assert not inspector.work["repaint"].isEnabled()
    for task in ("extend", "retake", "edit", "reference"):
        with qtbot.waitSignal(view.workRequested) as asked:
            inspector.work[task].click()
        assert asked.args == [take, task, None]
    inspector.waveform.set_region((0.2, 0.6))
    inspector._on_region((0.2, 0.6))
    with qtbot.waitSignal(view.workRequested) as asked:
        inspector.work["repaint"].click()
    assert asked.args == [take, "repaint", (0.2, 0.6)]
    with qtbot.waitSignal(view.workRequested) as asked:
        view.do("work:repaint")
    assert asked.args[2] == (0.2, 0.6)
    with qtbot.waitSignal(view.useSettingsRequested) as asked:
        inspector.use_settings.click()
    assert asked.args == [take]


def test_a_family_can_be_walked(view: TakesView, library: Library) -> None:
    root = add_take(library, "Root")
    child = add_take(library, "Child", parent=root.id, task="extend", extend_right=5.0, source="x")
    view.show_take(child.id)
    rows = [row for row in view.inspector.family.findChildren(QPushButton) if row.isVisible()]
    assert [row.property("take") for row in rows] == [root.id, child.id]
    rows[0].click()
    assert view.current() == root


def test_a_missing_file_is_shown_as_such(
    view: TakesView, qtbot: QtBot, library: Library, player: SilentPlayer,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    take = add_take(library)
    view.show_take(take.id)
    moved = tmp_path / "elsewhere.wav"
    take.path.rename(moved)
    with qtbot.waitSignal(library.scanFinished):
        library.rescan()
    assert view.current().missing
    assert view.inspector.missing.isVisible()
    assert not view.inspector.work["extend"].isEnabled()
    with qtbot.waitSignal(view.playback.refused) as failed:
        view.play(take.id)
    assert "not where it was" in failed.args[0]
    assert player.path is None
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(moved), ""))
    view.do("locate")
    assert view.current().path == moved
    assert not view.inspector.missing.isVisible()


def test_seeking_loads_and_goes_on(view: TakesView, library: Library, player: SilentPlayer) -> None:
    take = add_take(library)
    view.show_take(take.id)
    view.inspector.waveform.seekRequested.emit(0.25)
    assert player.position == 0.25
    assert not player.playing
    assert view.inspector.waveform.position == 0.25


def test_copying_and_dragging_hand_out_files(
    view: TakesView, library: Library, preferences: Preferences, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = add_take(library, seconds=2.0)
    view.show_take(take.id)
    view.do("copy")
    data: QMimeData = QGuiApplication.clipboard().mimeData()
    assert [url.toLocalFile() for url in data.urls()] == [str(take.path)]
    dragged: list[list[Path]] = []
    monkeypatch.setattr(
        actions, "start_drag", lambda widget, paths: (dragged.append(list(paths)), True)[1]
    )
    view.list.startDrag(Qt.DropAction.CopyAction)
    assert dragged == [[take.path]]
    view.inspector.waveform.dragRequested.emit((0.5, 1.5))
    (part,) = dragged[1]
    assert part != take.path
    assert part.exists()
    assert library.import_file(take.path) == take


def test_what_has_to_be_converted_is_copied_when_it_is_there(
    view: TakesView, qtbot: QtBot, library: Library, preferences: Preferences
) -> None:
    take = add_take(library, seconds=2.0)
    preferences.set("export_format", "flac")
    view.show_take(take.id)
    said: list[str] = []
    view.actions_of_takes.said.connect(said.append)
    view.do("copy")
    # It is made elsewhere: the window is not held up.
    assert said == ["Making FLAC to copy…"]
    qtbot.waitUntil(lambda: len(said) > 1, timeout=10_000)
    assert said[1].startswith("Copied 1 file")
    data: QMimeData = QGuiApplication.clipboard().mimeData()
    assert [Path(url.toLocalFile()).suffix for url in data.urls()] == [".flac"]


def test_exporting(
    view: TakesView, qtbot: QtBot, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = add_take(library)
    view.show_take(take.id)
    target = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), "FLAC (*.flac)"))
    with qtbot.waitSignal(view.actions_of_takes.said) as said:
        view.do("export")
    assert said.args == ["Exported out.flac"]
    assert (tmp_path / "out.flac").exists()
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no/such/x.wav"), "")
    )
    (tmp_path / "no").touch()
    with qtbot.waitSignal(view.failed) as failed:
        view.do("export")
    assert "x.wav" in failed.args[0] or "no" in failed.args[0]


def test_exporting_asks_before_it_replaces(
    view: TakesView, qtbot: QtBot, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, other = add_take(library, "One"), add_take(library, "Two")
    view.show_take(take.id)
    there = tmp_path / "out.wav"
    there.write_bytes(b"mine")
    answers = iter((tmp_path / "out", other.path, there))
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(next(answers)), "WAV (*.wav)")
    )
    with qtbot.waitSignal(view.failed) as failed:
        view.do("export")
    assert "out.wav is in" in failed.args[0]
    assert there.read_bytes() == b"mine"
    before = other.path.read_bytes()
    with qtbot.waitSignal(view.failed) as failed:
        view.do("export")
    assert "is a file of the library" in failed.args[0]
    assert other.path.read_bytes() == before
    with qtbot.waitSignal(view.actions_of_takes.said):
        view.do("export")
    assert there.read_bytes() != b"mine"


def test_what_is_converted_to_be_dragged_is_made_first(
    view: TakesView,
    qtbot: QtBot,
    library: Library,
    preferences: Preferences,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preferences.set("export_format", "flac")
    take = add_take(library)
    view.show_take(take.id)
    dragged: list[list[Path]] = []
    monkeypatch.setattr(
        actions, "start_drag", lambda widget, paths: (dragged.append(list(paths)), True)[1]
    )
    said: list[str] = []
    view.actions_of_takes.said.connect(said.append)
    view.list.startDrag(Qt.DropAction.CopyAction)
    view.list.startDrag(Qt.DropAction.CopyAction)
    assert dragged == []
    qtbot.waitUntil(lambda: said[-1:] == ["Ready to drag"])
    assert said == ["Making FLAC to drag…", "Making FLAC to drag…", "Ready to drag"]
    view.list.startDrag(Qt.DropAction.CopyAction)
    ((path,),) = dragged
    assert path.suffix == ".flac"
    assert path.exists()
    assert len(list(path.parent.iterdir())) == 1


def test_the_menu_offers_what_can_be_done(view: TakesView, library: Library) -> None:
    from mlx_music_app.ui.takes.take_menu import take_menu

    takes = [add_take(library, name) for name in ("One", "Two")]
    asked: list[str] = []
    menu = take_menu(takes[:1], asked.append, region=False, parent=view)
    words = {action.text(): action for action in menu.actions()}
    assert not words["Repaint"].isEnabled()
    words["Vary"].trigger()
    words["Export…"].trigger()
    assert asked == ["work:retake", "export"]
    both = take_menu(takes, asked.append, region=False, parent=view)
    texts = [action.text() for action in both.actions()]
    assert "Compare A/B" in texts
    assert "Delete 2 takes" in texts
    assert "Vary" not in texts
