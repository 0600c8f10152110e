"""Which take is being listened to. The player knows files; this knows takes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from mlx_music_app.audio.player import Player
from mlx_music_app.library.take import Take


def is_at_end(player: Player) -> bool:
    """Whether all of the file was heard. A length is no whole number of milliseconds."""
    return 0.0 < player.duration <= player.position + 0.001


class Playback(QObject):
    """Loads takes into the player as they are wanted, and says no where the file is gone."""

    changed = Signal()  # another take, another name of it, or it began or stopped to play
    moved = Signal(object, float)  # Take, seconds
    refused = Signal(str)

    def __init__(self, player: Player, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._take: Take | None = None
        #: The last take whose file was gone.
        self.refused_take: Take | None = None
        player.positionChanged.connect(self._on_position)
        player.stateChanged.connect(self._on_state)

    @property
    def take(self) -> Take | None:
        """What is loaded, unless somebody else loaded another file."""
        if self._take is not None and self._player.path == self._take.path:
            return self._take
        return None

    @property
    def playing(self) -> bool:
        return bool(self._player.playing)

    def position_of(self, take: Take) -> float:
        """Seconds; 0 for what is not loaded."""
        return float(self._player.position) if self._is_loaded(take) else 0.0

    def toggle(self, take: Take) -> None:
        """Play it from the start; if it is loaded, go on or pause."""
        if self._is_loaded(take):
            self._player.toggle()
        elif self._load(take):
            self._player.play()

    def prepare(self, take: Take) -> None:
        """Load it to be played next, unless something is listened to, or will be after a pause."""
        if self._is_over() and not self._is_loaded(take) and not take.missing:
            self._load(take)

    def seek(self, take: Take, seconds: float) -> None:
        """Go to a moment of it, and go on playing if something was."""
        was_playing = self._player.playing
        if self._is_loaded(take) or self._load(take):
            self._player.seek(seconds)
            if was_playing and not self._player.playing:
                self._player.play()

    def swap(self, take: Take) -> None:
        """Hear this one from where the other one is."""
        if take.missing:
            self._refuse(take)
        elif self.take is None:
            self.toggle(take)
        elif not self._is_loaded(take):
            self._take = take
            self._player.swap(take.path)
            self.changed.emit()

    def stop(self, takes: Sequence[Take]) -> None:
        """Let go of files that are about to be gone."""
        if self._player.path in [take.path for take in takes]:
            self._take = None
            self._player.unload()
            self.changed.emit()

    def update(self, take: Take) -> None:
        """The take was renamed or moved."""
        if self._take is not None and self._take.id == take.id and self._take.path == take.path:
            renamed = self._take.name != take.name
            self._take = take
            if renamed:
                self.changed.emit()

    def _is_over(self) -> bool:
        """Whether nothing is loaded, or it was not begun, or heard to its end."""
        player = self._player
        waits = not player.playing and (player.position == 0.0 or is_at_end(player))
        return player.path is None or waits

    def _is_loaded(self, take: Take) -> bool:
        return self.take is not None and self.take.id == take.id

    def _load(self, take: Take) -> bool:
        if take.missing:
            self._refuse(take)
            return False
        self._take = take
        self._player.load(take.path)
        self.changed.emit()
        return True

    def _refuse(self, take: Take) -> None:
        self.refused_take = take
        self.refused.emit(
            f"{take.path.name} is not where it was: {take.path.parent}. "
            "Put it back, or choose Locate to say where it is."
        )

    def _on_state(self, playing: bool) -> None:
        self.changed.emit()

    def _on_position(self, seconds: float) -> None:
        if self.take is not None:
            self.moved.emit(self.take, seconds)
