"""One app at a time: a second start hands its files to the first, which comes to the front."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from mlx_music_app import paths

log = logging.getLogger(__name__)

_PATIENCE_MS = 1000


def server_name() -> str:
    """Differs by the folder that the app keeps its things in, and so by person."""
    own = str(paths.data_folder().absolute())
    return f"mlx-music-{hashlib.sha1(own.encode()).hexdigest()[:12]}"


def hand_over(files: Sequence[Path]) -> bool:
    """Give the files to the app that runs already; False if none does."""
    socket = QLocalSocket()
    socket.connectToServer(server_name())
    if not socket.waitForConnected(_PATIENCE_MS):
        return False
    socket.write(json.dumps([str(path.absolute()) for path in files]).encode() + b"\n")
    # The answer shows that it is alive: one that hangs must not swallow a start.
    done = socket.waitForBytesWritten(_PATIENCE_MS) and socket.waitForReadyRead(_PATIENCE_MS)
    socket.disconnectFromServer()
    return done


class FirstInstance(QObject):
    """Listens for later starts."""

    startedAgain = Signal(object)  # list of Path

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)

    def listen(self) -> bool:
        name = server_name()
        if self._server.listen(name):
            return True
        # What an app that crashed left behind: nobody answered, or `hand_over` had succeeded.
        QLocalServer.removeServer(name)
        if not self._server.listen(name):
            log.warning("a second start will not be noticed: %s", self._server.errorString())
            return False
        return True

    def close(self) -> None:
        self._server.close()

    def _on_connection(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(self._on_line)
            socket.disconnected.connect(socket.deleteLater)
            if socket.canReadLine():
                self._read(socket)

    def _on_line(self) -> None:
        socket = self.sender()
        if isinstance(socket, QLocalSocket) and socket.canReadLine():
            self._read(socket)

    def _read(self, socket: QLocalSocket) -> None:
        try:
            names = json.loads(bytes(socket.readLine().data()).decode())
        except ValueError:
            log.warning("a start sent something that is no list of files")
            return
        socket.write(b"ok\n")
        socket.flush()
        self.startedAgain.emit([Path(str(name)) for name in names])
