"""Preferences: few, and each takes effect at once."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QWidget,
)

from mlx_music_app.preferences import DEFAULTS, Preferences
from mlx_music_app.ui.compose.look import Segments, button, column, label, row
from mlx_music_app.ui.style.theme import Space

_FORMATS = (
    ("wav", "WAV"),
    ("flac", "FLAC"),
    ("aiff", "AIFF"),
    ("ogg", "Ogg Vorbis"),
    ("mp3", "MP3"),
)
_DEPTHS = ((16, "16 bit"), (24, "24 bit"), (32, "32 bit float"))

#: Depths that each format has.
_DEPTHS_OF = {"wav": (16, 24, 32), "aiff": (16, 24, 32), "flac": (16, 24), "ogg": (), "mp3": ()}


class PreferencesDialog(QDialog):
    """There is no OK: what is chosen holds."""

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self.setWindowTitle("Preferences")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._make_controls()
        form = QFormLayout()
        form.setHorizontalSpacing(Space.L)
        form.setVerticalSpacing(Space.M)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        form.addRow("Appearance", self.appearance)
        form.addRow("Takes are kept in", column(row(self._folder, self._choose, self._reset)))
        form.addRow("", _hint("Takes that are there already stay where they are."))
        form.addRow("Drag out and export as", row(self.format, self.bit_depth))
        form.addRow("", _hint("WAV with 24 bits suits every music program."))
        form.addRow("Memory for the model", self.memory)
        form.addRow("", _hint("With less it lets parts go between steps, and is slower."))
        form.addRow("Menu bar", self.menu_bar)
        form.addRow("Notifications", self.notify)
        close = button("Done", "primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        box = column(form, row(1, close), gap=Space.XL, margin=Space.XL)
        box.setSizeConstraint(box.SizeConstraint.SetFixedSize)
        self.setLayout(box)
        self._show_values()
        preferences.changed.connect(self._on_changed)

    def _make_controls(self) -> None:
        self.appearance = Segments(
            (("system", "As the system"), ("light", "Light"), ("dark", "Dark")), "Appearance"
        )
        self.appearance.chosen.connect(self._on_appearance)
        self._folder = label("", "body", wrap=False)
        self._choose = button("Choose…")
        self._choose.setAccessibleName("Choose the folder for takes")
        self._choose.clicked.connect(self._on_choose)
        self._reset = button("Reset", "link")
        self._reset.setAccessibleName("Keep takes in the usual folder again")
        self._reset.clicked.connect(self._on_reset)
        self.format, self.bit_depth = QComboBox(), QComboBox()
        self.format.setAccessibleName("Format for dragging out and exporting")
        self.bit_depth.setAccessibleName("Bit depth for dragging out and exporting")
        for value, words in _FORMATS:
            self.format.addItem(words, value)
        for depth, words in _DEPTHS:
            self.bit_depth.addItem(words, depth)
        self.format.activated.connect(self._on_format)
        self.bit_depth.activated.connect(self._on_depth)
        self.memory = QDoubleSpinBox()
        self.memory.setAccessibleName("Memory for the model in gigabytes")
        self.memory.setRange(0.0, 1024.0)
        self.memory.setDecimals(0)
        self.memory.setSuffix(" GB")
        self.memory.setSpecialValueText("Automatic")
        self.memory.setMinimumWidth(140)
        self.memory.setKeyboardTracking(False)
        self.memory.valueChanged.connect(self._on_memory)
        self.menu_bar = self._switch("Show MLX Music in the menu bar", "show_menu_bar_extra")
        self.notify = self._switch("Say when music is done", "notify_when_done")

    def _switch(self, words: str, name: str) -> QCheckBox:
        switch = QCheckBox(words)
        switch.setProperty("preference", name)
        switch.toggled.connect(self._on_switch)
        return switch

    def _show_values(self) -> None:
        get = self._preferences.get
        self.appearance.choose(get("appearance"))
        folder = str(self._preferences.music_folder)
        short = folder.replace(str(Path.home()), "~", 1)
        metrics = self._folder.fontMetrics()
        self._folder.setText(metrics.elidedText(short, Qt.TextElideMode.ElideMiddle, 260))
        self._folder.setToolTip(folder)
        self._reset.setVisible(bool(get("music_folder")))
        kind = get("export_format")
        self.format.setCurrentIndex(self.format.findData(kind))
        self.bit_depth.setCurrentIndex(self.bit_depth.findData(get("export_bit_depth")))
        self.bit_depth.setEnabled(bool(_DEPTHS_OF.get(kind)))
        model = self.bit_depth.model()
        for place, (depth, _) in enumerate(_DEPTHS):
            item = model.item(place)  # type: ignore[attr-defined]
            item.setEnabled(depth in _DEPTHS_OF.get(kind, ()))
        self.memory.blockSignals(True)
        self.memory.setValue(get("memory_limit"))
        self.memory.blockSignals(False)
        for switch in (self.menu_bar, self.notify):
            switch.setChecked(get(switch.property("preference")))

    def _on_changed(self, name: str) -> None:
        if name in DEFAULTS:
            self._show_values()

    def _on_appearance(self, value: str) -> None:
        self._preferences.set("appearance", value)

    def _on_choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self, "Keep takes in", str(self._preferences.music_folder)
        )
        if folder:
            self._preferences.set("music_folder", folder)

    def _on_reset(self) -> None:
        self._preferences.reset("music_folder")

    def _on_format(self, place: int) -> None:
        kind = self.format.itemData(place)
        self._preferences.set("export_format", kind)
        depths = _DEPTHS_OF[kind]
        if depths and self._preferences.get("export_bit_depth") not in depths:
            self._preferences.set("export_bit_depth", 24)

    def _on_depth(self, place: int) -> None:
        self._preferences.set("export_bit_depth", self.bit_depth.itemData(place))

    def _on_memory(self, gigabytes: float) -> None:
        self._preferences.set("memory_limit", float(gigabytes))

    def _on_switch(self, on: bool) -> None:
        self._preferences.set(self.sender().property("preference"), on)


def _hint(words: str) -> QLabel:
    return label(words, "hint", wrap=False)
