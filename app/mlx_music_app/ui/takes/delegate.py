"""How a row of the list is drawn and edited."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QHelpEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from mlx_music_app.library.take import Take
from mlx_music_app.ui.long_text import elided
from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Radius, Space, theme
from mlx_music_app.ui.takes.model import ID_ROLE, TAKE_ROLE, number_words
from mlx_music_app.ui.takes.thumbnails import Thumbnails
from mlx_music_app.ui.words import clock, day

Index = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 62
_THUMBNAIL = QSize(64, 34)
_STAR = 18


class TakeDelegate(QStyledItemDelegate):
    """Picture, name, what it is; on the right its length, day and star."""

    starPressed = Signal(int)
    picturePressed = Signal(int)

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._star_on, self._star_off = icon("star-filled", "star"), icon("star", "text_tertiary")
        self._play, self._pause = icon("play", "accent"), icon("pause", "accent")
        self._warning, self._family = icon("warning", "warning"), icon("family", "text_tertiary")
        self.playing_id = -1
        self.is_playing = False

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(240, ROW_HEIGHT)

    # Where things stand in a row.

    @staticmethod
    def _body(row: QRect) -> QRect:
        return row.adjusted(Space.S, 1, -Space.S, -1)

    @classmethod
    def thumbnail_rect(cls, row: QRect) -> QRect:
        body = cls._body(row)
        top = body.center().y() - _THUMBNAIL.height() // 2
        return QRect(QPoint(body.left() + Space.S, top), _THUMBNAIL)

    @classmethod
    def star_rect(cls, row: QRect) -> QRect:
        body = cls._body(row)
        return QRect(body.right() - Space.S - _STAR, body.center().y() - _STAR // 2, _STAR, _STAR)

    @classmethod
    def _words_rect(cls, row: QRect) -> QRect:
        body = cls._body(row)
        left = cls.thumbnail_rect(row).right() + Space.M
        right = cls.star_rect(row).left() - Space.M
        return QRect(left, body.top() + 9, right - left, body.height() - 18)

    # Painting.

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        take = index.data(TAKE_ROLE)
        if take is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, option)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        self._paint_picture(painter, option.rect, take, hovered)
        self._paint_words(painter, option.rect, take)
        if take.favourite or hovered:
            star = self._star_on if take.favourite else self._star_off
            star.paint(painter, self.star_rect(option.rect))
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        body = QRectF(self._body(option.rect))
        state = option.state
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            active = bool(state & QStyle.StateFlag.State_Active)
            painter.setBrush(theme().color("selected" if active else "selected_inactive"))
            painter.drawRoundedRect(body, Radius.CONTROL, Radius.CONTROL)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(theme().color("hover"))
            painter.drawRoundedRect(body, Radius.CONTROL, Radius.CONTROL)
        view = option.widget
        by_key = view is not None and bool(view.property("keyboardFocus"))
        if by_key and state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(theme().color("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(
                body.adjusted(0.5, 0.5, -0.5, -0.5), Radius.CONTROL, Radius.CONTROL
            )

    def _paint_picture(self, painter: QPainter, row: QRect, take: Take, hovered: bool) -> None:
        where = self.thumbnail_rect(row)
        current = take.id == self.playing_id
        if take.missing:
            self._warning.paint(painter, _middle(where, 22))
            return
        if hovered or (current and self.is_playing):
            glyph = self._pause if current and self.is_playing else self._play
            glyph.paint(painter, _middle(where, 24))
            return
        bars = self._thumbnails.bars(take)
        if bars is None:
            return
        step = where.width() / len(bars)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("waveform_played" if current else "waveform"))
        middle, half = where.center().y() + 0.5, where.height() / 2
        for number, height in enumerate(bars.tolist()):
            tall = max(1.0, height * half)
            painter.drawRect(
                QRectF(where.left() + number * step, middle - tall, step * 0.62, 2 * tall)
            )

    def _paint_words(self, painter: QPainter, row: QRect, take: Take) -> None:
        words = self._words_rect(row)
        upper = QRect(words.left(), words.top(), words.width(), words.height() // 2)
        lower = QRect(words.left(), upper.bottom() + 1, words.width(), words.height() // 2)
        colour = theme().color
        right = self._right_words(painter, upper, clock(take.duration), "text_secondary")
        title = QRect(upper.left(), upper.top(), right - upper.left() - Space.S, upper.height())
        if take.parent is not None:
            title.setRight(title.right() - 18)
        painter.setFont(theme().font("label"))
        painter.setPen(colour("text_disabled" if take.missing else "text"))
        text = _draw_elided(painter, title, take.title, number_words(take))
        if take.parent is not None:
            at = title.left() + QFontMetrics(painter.font()).horizontalAdvance(text) + Space.XS
            self._family.paint(painter, QRect(at, title.center().y() - 7, 15, 15))
        right = self._right_words(painter, lower, day(take.created), "text_tertiary")
        line = QRect(lower.left(), lower.top(), right - lower.left() - Space.M, lower.height())
        painter.setFont(theme().font("caption"))
        painter.setPen(colour("warning" if take.missing else "text_secondary"))
        _draw_elided(painter, line, second_line(take))

    @staticmethod
    def _right_words(painter: QPainter, where: QRect, text: str, color: str) -> int:
        painter.setFont(theme().font("numbers"))
        painter.setPen(theme().color(color))
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(where, int(flags), text)
        return where.right() - QFontMetrics(painter.font()).horizontalAdvance(text)

    # Pressing and editing.

    def editorEvent(self, event, model, option, index) -> bool:  # type: ignore[no-untyped-def, override]
        pressed = event.type() == QEvent.Type.MouseButtonRelease
        if (
            pressed
            and isinstance(event, QMouseEvent)
            and event.button() == Qt.MouseButton.LeftButton
        ):
            point = event.position().toPoint()
            if self.star_rect(option.rect).adjusted(-6, -8, 6, 8).contains(point):
                self.starPressed.emit(index.data(ID_ROLE))
                return True
            if self.thumbnail_rect(option.rect).contains(point):
                self.picturePressed.emit(index.data(ID_ROLE))
                return True
        return super().editorEvent(event, model, option, index)

    def helpEvent(
        self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        take = index.data(TAKE_ROLE)
        if event.type() == QEvent.Type.ToolTip and take is not None:
            if self.star_rect(option.rect).adjusted(-6, -8, 6, 8).contains(event.pos()):
                words = "Remove from favourites" if take.favourite else "Add to favourites"
                QToolTip.showText(event.globalPos(), words, view)
                return True
            if self.thumbnail_rect(option.rect).contains(event.pos()) and not take.missing:
                QToolTip.showText(event.globalPos(), "Play", view)
                return True
        return super().helpEvent(event, view, option, index)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setAccessibleName("New title")
        editor.setMaxLength(200)
        return editor

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        words = self._words_rect(option.rect)
        tall = editor.sizeHint().height()
        editor.setGeometry(
            words.left() - 8, option.rect.center().y() - tall // 2, words.width() - 40, tall
        )


def second_line(take: Take) -> str:
    """What is said below a take's name."""
    if take.missing:
        return "File not found: it was moved or deleted"
    tags = "".join(f"#{tag}  " for tag in take.tags)
    prompt = " ".join(take.request.prompt.split())
    return tags + (prompt or "No description")


def _middle(where: QRect, side: int) -> QRect:
    return QRect(where.center().x() - side // 2, where.center().y() - side // 2, side, side)


def _draw_elided(painter: QPainter, where: QRect, text: str, tail: str = "") -> str:
    shown = elided(QFontMetrics(painter.font()), text, where.width(), tail)
    flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
    painter.drawText(where, int(flags), shown)
    return shown


__all__ = ["ROW_HEIGHT", "TakeDelegate", "second_line"]
