"""Keeps a Mac awake, and the app out of App Nap, while music is made.

An app that cannot be seen (a DAW fills the screen) is put into App Nap: it gets less of the
processor, slower disks and late timers. One that has taken a power assertion is not, so the app
takes its own, which also holds idle sleep off. The display may sleep.
"""

from __future__ import annotations

import ctypes
import logging
import sys

from PySide6.QtCore import QObject, Slot

log = logging.getLogger(__name__)

_FRAMEWORK = "/System/Library/Frameworks/{0}.framework/{0}"
_UTF8 = 0x08000100  # kCFStringEncodingUTF8
_ON = 255  # kIOPMAssertionLevelOn
_KIND = b"PreventUserIdleSystemSleep"  # kIOPMAssertionTypePreventUserIdleSystemSleep
_REASON = b"MLX Music is making music"


class IOKit:
    """macOS's power assertions, as `IOKit/pwr_mgt/IOPMLib.h` declares them.

    They end with the process at the latest. Raises OSError or AttributeError where there are none.
    """

    def __init__(self) -> None:
        core = ctypes.CDLL(_FRAMEWORK.format("CoreFoundation"))
        self._string = core.CFStringCreateWithCString
        self._string.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32]
        self._string.restype = ctypes.c_void_p
        self._forget = core.CFRelease
        self._forget.argtypes = [ctypes.c_void_p]
        self._forget.restype = None

        kit = ctypes.CDLL(_FRAMEWORK.format("IOKit"))
        number = ctypes.POINTER(ctypes.c_uint32)
        self._create = kit.IOPMAssertionCreateWithName
        self._create.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, number]
        self._create.restype = ctypes.c_int
        self._release = kit.IOPMAssertionRelease
        self._release.argtypes = [ctypes.c_uint32]
        self._release.restype = ctypes.c_int

    def take(self) -> int:
        """Take one; returns its number. Raises OSError."""
        strings = [self._string(None, text, _UTF8) for text in (_KIND, _REASON)]
        number = ctypes.c_uint32(0)
        try:
            if not all(strings):
                raise OSError("no memory for a string")
            kind, reason = strings
            code = self._create(kind, _ON, reason, ctypes.byref(number))
        finally:
            for string in filter(None, strings):
                self._forget(string)
        if code:
            raise OSError(f"IOPMAssertionCreateWithName: {code & 0xFFFFFFFF:#x}")
        return number.value

    def release(self, number: int) -> None:
        """Let go of one."""
        self._release(number)


class Wakefulness(QObject):
    """Told whether the app is busy, keeps it and the system awake for as long. For macOS only."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._power: IOKit | None = None
        self._number: int | None = None
        if sys.platform == "darwin":
            try:
                self._power = IOKit()
            except (OSError, AttributeError) as error:
                log.warning("the system may go to sleep while music is made: %s", error)

    @property
    def is_held(self) -> bool:
        """Whether sleep is held off now."""
        return self._number is not None

    @Slot(bool)
    def keep(self, busy: bool) -> None:
        """Hold sleep off, or no longer."""
        if not busy:
            self.end()
        elif self._power is not None and not self.is_held:
            try:
                self._number = self._power.take()
            except OSError as error:
                # Music is made all the same, and only a long song can be caught by sleep.
                log.warning("the system may go to sleep while music is made: %s", error)

    def end(self) -> None:
        """Let the system sleep again."""
        number, self._number = self._number, None
        if number is not None and self._power is not None:
            self._power.release(number)
