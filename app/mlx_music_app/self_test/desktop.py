"""What a person sees and hears: Qt, the player and the window. Each check is one of `CHECKS`."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_music_app.self_test.check import RATE, CheckFailed, tone

if TYPE_CHECKING:
    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QApplication, QWidget


def check_qt(_: Path) -> str:
    """The plugins that are needed: Qt ends the process if there is none for the screen."""
    from PySide6.QtCore import QLibraryInfo, QPluginLoader, qVersion
    from PySide6.QtGui import QImageReader

    plugins = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath))
    wanted = ["offscreen"] + ["cocoa"] * (sys.platform == "darwin")
    for name in wanted:
        files = list((plugins / "platforms").glob(f"libq{name}.*"))
        if not files:
            raise CheckFailed(f"no plugin for the platform {name} in {plugins / 'platforms'}")
        loader = QPluginLoader(str(files[0]))
        if not loader.load():
            raise CheckFailed(f"{files[0]} cannot be loaded: {loader.errorString()}")
    pictures = [bytes(name.data()) for name in QImageReader.supportedImageFormats()]
    for kind in ("svg", "jpeg"):
        if kind.encode() not in pictures:
            raise CheckFailed(f"no plugin for {kind} pictures in {plugins / 'imageformats'}")
    return f"Qt {qVersion()}, {', '.join(wanted)}"


def application(folder: Path) -> QApplication:
    """The one application; raises CheckFailed where Qt could not start."""
    from PySide6.QtWidgets import QApplication

    from mlx_music_app.application import MusicApplication

    there = QApplication.instance()
    if isinstance(there, QApplication):
        return there
    check_qt(folder)
    _kept.append(MusicApplication(["MLX Music"]))
    return _kept[0]


#: The application ends with its last reference.
_kept: list[QApplication] = []


def _wait(until: Callable[[], Any], seconds: float, what: str) -> None:
    from PySide6.QtCore import QCoreApplication

    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            raise CheckFailed(f"{what} ({seconds:g} seconds)")
        QCoreApplication.processEvents()
        time.sleep(0.01)


# Playing


def check_outputs(_: Path) -> str:
    """PortAudio, and on a Mac what tells of devices that come and go."""
    from mlx_music_app.audio import devices

    try:
        version = devices.portaudio().get_portaudio_version()[1]
    except devices.NoSoundOutput as error:
        if sys.platform == "linux":  # where it is the system's
            return "no PortAudio on this system, so nothing can be heard"
        raise CheckFailed(f"PortAudio does not load: {error.__cause__}") from error
    # A bar is between what two questions bring, and is left alone where neither is answered.
    if sys.platform == "darwin" and not devices.hardware_state().strip(b"|"):
        raise CheckFailed("CoreAudio cannot be asked for its devices")
    return f"{version.partition(',')[0]}, {len(devices.output_devices())} devices"


def check_player(folder: Path) -> str:
    """Half a second, played to its end by the process that plays, through no device."""
    from mlx_music.audio.files import write_audio
    from mlx_music_app.audio.devices import SILENT
    from mlx_music_app.audio.player import Player

    application(folder)
    path = write_audio(folder / "played.wav", tone(0.5), RATE, overwrite=True)
    faults: list[str] = []
    heard: list[float] = []
    ended: list[bool] = []
    player = Player()
    player.failed.connect(faults.append)
    player.levelChanged.connect(lambda left, right: heard.append(max(left, right)))
    player.finished.connect(lambda: ended.append(True))
    try:
        player.set_device(SILENT)
        player.load(path)
        player.play()
        _wait(lambda: ended or faults, 30.0, "the sound does not come to its end")
        position = player.position
    finally:
        player.close()
    if faults:
        raise CheckFailed(faults[0])
    if max(heard, default=0.0) < 0.1 or position < 0.4:
        raise CheckFailed(f"only {position:.2f} s were played, or silence")
    return f"{position:.1f} s of sound"


def check_power(_: Path) -> str:
    """That the system can be kept awake, and the app out of App Nap, while music is made."""
    from mlx_music_app.wakefulness import IOKit

    if sys.platform != "darwin":
        return "only a Mac is kept awake"
    try:
        power = IOKit()
        number = power.take()
    except (OSError, AttributeError) as error:
        raise CheckFailed(f"the system cannot be kept awake: {error}") from error
    power.release(number)
    return f"assertion {number} taken and released"


# The window


_NO_HINTS = "This plugin does not support"


class _Faults(logging.Handler):
    """What the app logs of work and slots that failed, which it survives, but a check does not."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        why = f" ({type(error).__name__}: {error})" if error is not None else ""
        self.lines.append(" ".join(f"{record.getMessage()}{why}".split()))


def check_window(folder: Path) -> str:
    """The main window over an empty library, every view of it painted, and its end."""
    from mlx_music_app.application import Session
    from mlx_music_app.library.library import database_path

    app = application(folder)
    # What the screenless platform says of itself.
    logging.getLogger("qt").addFilter(lambda record: _NO_HINTS not in record.getMessage())
    if folder not in database_path().parents:
        raise CheckFailed(f"the library would be {database_path()}, outside of {folder}")
    faults = _Faults()
    logging.getLogger().addHandler(faults)
    session = Session(app)
    session.crashes.install()
    try:
        session.start()
        painted = _look_at(session.window, app)
    finally:
        if session.window is not None:
            session.window.close_without_asking()
        ended = session.end()
        session.preferences.sync()  # else they are written later, when their folder is gone
        session.crashes.remove()
        logging.getLogger().removeHandler(faults)
    if faults.lines:
        raise CheckFailed(f"{len(faults.lines)} faults in its log: {'; '.join(faults.lines)}")
    if not ended:
        raise CheckFailed("something still runs after its end")
    return f"{painted} pictures"


def _look_at(window: Any, app: QApplication) -> int:
    """Show one thing after another; how many there were."""
    from PySide6.QtWidgets import QDialog

    _settle(app)
    places = ("welcome", "compose", "takes", "models")
    for place in places:
        window.show_place(place)
        _paint(window, app, place)
    dialogs = (window.show_about, window.show_preferences)
    for show in dialogs:
        show()
        dialog = app.activeModalWidget()
        if not isinstance(dialog, QDialog):
            raise CheckFailed(f"{show.__name__} shows nothing")
        _paint(dialog, app, show.__name__)
        dialog.close()
    return len(places) + len(dialogs)


def _settle(app: QApplication) -> None:
    """Let what was put off happen, and the threads it asked answer."""
    until = time.monotonic() + 0.3
    _wait(lambda: time.monotonic() > until, 5.0, "events have no end")
    app.sendPostedEvents()


def _paint(widget: QWidget, app: QApplication, name: str) -> None:
    app.processEvents()
    if colours(widget.grab().toImage()) < 4:
        raise CheckFailed(f"{name} is empty")


def colours(picture: QImage) -> int:
    """How many different ones there are, as far as a look at every few pixels tells."""
    return len(
        {
            picture.pixel(x, y)
            for x in range(0, picture.width(), 3)
            for y in range(0, picture.height(), 3)
        }
    )
