"""Questions before something is lost."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget

from mlx_music_app.models.info import Kind, ModelInfo, State
from mlx_music_app.models.words import size_in_words


def ask_to_delete(parent: QWidget, model: ModelInfo, freed: int) -> bool:
    """Whether to delete a model, after saying what that does."""
    size = size_in_words(freed)
    if model.kind is Kind.LINKED:
        return _ask(
            parent,
            f"Remove {model.name} from the list?",
            f"Its files stay where they are:\n{model.folder}",
            "Remove",
        )
    if model.state is State.ABSENT:
        return _ask(
            parent, f"Remove {model.name} from the list?", "Nothing of it is here.", "Remove"
        )
    if model.kind is Kind.OWN:
        text = f"It goes to the trash. Emptying the trash frees {size}."
    else:
        text = (
            f"This frees {size}. Other programs that use this download lose it too. "
            "You can download it again."
        )
    return _ask(parent, f"Delete {model.name}?", text, "Delete")


def ask_to_discard(parent: QWidget, model: ModelInfo, freed: int) -> bool | None:
    """Whether to discard an unfinished download (True), keep it for later (False), or neither."""
    size = size_in_words(freed)
    box = QMessageBox(parent)
    box.setWindowTitle("Stop the download")
    box.setText(f"Stop the download of {model.name}?")
    box.setInformativeText(
        f"{size} are here already. Keep them, and the download goes on from there when you want it."
    )
    keep = box.addButton("Keep for later", QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton(f"Discard {size}", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(keep)
    box.exec()
    if box.clickedButton() is discard:
        return True
    return False if box.clickedButton() is keep else None


def ask_to_remove(parent: QWidget, what: str, name: str) -> bool:
    """Whether to remove an adapter or a voice, which are not kept elsewhere."""
    return _ask(
        parent, f"Remove the {what} {name}?", "Takes that were made with it stay.", "Remove"
    )


def _ask(parent: QWidget, question: str, text: str, yes: str) -> bool:
    box = QMessageBox(parent)
    box.setWindowTitle(yes)
    box.setText(question)
    box.setInformativeText(text)
    accept = box.addButton(yes, QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    return box.clickedButton() is accept
