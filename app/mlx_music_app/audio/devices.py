"""The outputs that sound can go to, as PortAudio lists them.

The list is that of the moment when PortAudio started. The window asks `Player.devices`, whose
process starts PortAudio anew when something was plugged in or out.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
import sys
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any


class NoSoundOutput(Exception):
    """Sound cannot go anywhere: one line for the person."""


#: The name of an output that is always there, in no list, and heard by nobody: the self-test's.
SILENT = "mlx-music-silent-output"


@dataclass(frozen=True)
class Device:
    """index: PortAudio's. channels: at most 2. rate: Hz, the device's own."""

    index: int
    name: str
    channels: int
    rate: int


def portaudio() -> ModuleType:
    """The sounddevice module. Raises NoSoundOutput where PortAudio is missing or does not start."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        # sounddevice raises OSError if there is no PortAudio.
        raise NoSoundOutput(
            "There is no sound output: PortAudio is not installed. Everything else works."
        ) from error
    return sounddevice


def output_devices() -> list[str]:
    """Names of the outputs, each once; empty if there are none, or no PortAudio."""
    try:
        return list(dict.fromkeys(device.name for device in _devices()))
    except NoSoundOutput:
        return []


def default_output() -> str:
    """The name of the system's own output, "" if there is none."""
    try:
        return find_device("").name
    except NoSoundOutput:
        return ""


def find_device(name: str) -> Device:
    """The output of that name; of "", or a name that is not there, the system's own.

    Raises NoSoundOutput if there is none at all.
    """
    if name == SILENT:
        return Device(-1, SILENT, 2, 48_000)
    devices, sd = _devices(), portaudio()
    default = _default_index(sd)
    for device in sorted(devices, key=lambda device: device.index != default):
        if device.name == name:
            return device
    for device in devices:
        if device.index == default:
            return device
    if devices:
        return devices[0]
    raise NoSoundOutput("There is no sound output. Connect one, or choose one in the system.")


def restart_portaudio() -> None:
    """Let PortAudio look again at what there is. No stream may be open."""
    sd = portaudio()
    # sounddevice has no other way; its documentation names these two for it.
    try:
        sd._terminate()
        sd._initialize()
    except sd.PortAudioError as error:
        raise NoSoundOutput(f"There is no sound output ({error}).") from error


def _devices() -> list[Device]:
    sd = portaudio()
    try:
        listed = sd.query_devices()
    except sd.PortAudioError as error:
        raise NoSoundOutput(f"There is no sound output ({error}).") from error
    return [
        Device(
            int(entry["index"]),
            str(entry["name"]),
            min(2, int(entry["max_output_channels"])),
            round(entry["default_samplerate"]),
        )
        for entry in listed
        if entry["max_output_channels"] > 0
    ]


def _default_index(sd: Any) -> int:
    """PortAudio's default, which is of its first host; where that has none, any host's."""
    hosts = sd.query_hostapis()
    indices = [int(sd.default.device[1])] + [int(host["default_output_device"]) for host in hosts]
    return next((index for index in indices if index >= 0), -1)


# PortAudio does not say that a device was plugged in or out, and asking it means to stop the
# sound. On a Mac, CoreAudio itself can be asked, at the cost of a function call.


def _code(text: str) -> int:
    return int(struct.unpack(">I", text.encode())[0])


class _Address(ctypes.Structure):
    """AudioObjectPropertyAddress, of CoreAudio's AudioHardwareBase.h."""

    _fields_ = (
        ("selector", ctypes.c_uint32),
        ("scope", ctypes.c_uint32),
        ("element", ctypes.c_uint32),
    )


@lru_cache(maxsize=1)
def _core_audio() -> ctypes.CDLL | None:
    if sys.platform != "darwin":
        return None
    path = ctypes.util.find_library("CoreAudio")
    return ctypes.CDLL(path) if path else None


def hardware_state() -> bytes:
    """Something that changes when devices come or go, or the system's default changes.

    Always the same where the system cannot be asked without stopping the sound.
    """
    library = _core_audio()
    if library is None:
        return b""
    return _property(library, "dOut") + b"|" + _property(library, "dev#")


def _property(library: ctypes.CDLL, selector: str) -> bytes:
    """A property of CoreAudio's system object (1), or nothing if it does not say."""
    address = _Address(_code(selector), _code("glob"), 0)
    size = ctypes.c_uint32(0)
    arguments = (ctypes.c_uint32(1), ctypes.byref(address), ctypes.c_uint32(0), None)
    if library.AudioObjectGetPropertyDataSize(*arguments, ctypes.byref(size)):
        return b""
    buffer = ctypes.create_string_buffer(size.value)
    if library.AudioObjectGetPropertyData(*arguments, ctypes.byref(size), buffer):
        return b""
    return buffer.raw[: size.value]
