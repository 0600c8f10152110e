"""What the playing process does with commands, devices that go, and files that fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from mlx_music_app.audio import devices, server
from mlx_music_app.audio.devices import Device, NoSoundOutput
from mlx_music_app.audio.mixer import Mixer


class Card:
    """Outputs that are there, and what was opened of them."""

    def __init__(self) -> None:
        self.present = [Device(0, "Speakers", 2, 48_000), Device(1, "Headphones", 2, 44_100)]
        self.refused: set[str] = set()
        self.open: list[Stream] = []
        self.restarts = 0

    def find(self, name: str) -> Device:
        if not self.present:
            raise NoSoundOutput("There is no sound output.")
        return next((d for d in self.present if d.name == name), self.present[0])

    def restart(self) -> None:
        assert not any(stream.running for stream in self.open)
        self.restarts += 1


class Stream:
    """In place of `Output`: renders when the test says so."""

    card: Card
    latency, underflows, slowest = 480, 0, 0.0

    def __init__(self, device: Device, mixer: Mixer) -> None:
        if device.name in self.card.refused:
            raise NoSoundOutput(f"{device.name} cannot play sound.")
        self.device, self.mixer, self.running, self.lost = device, mixer, True, False
        self.card.open.append(self)

    def close(self) -> None:
        self.running = False

    def run(self, frames: int) -> np.ndarray:
        assert self.running
        out = np.empty((frames, 2), np.float32)
        self.mixer.render(out)
        return out


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    card = Card()
    monkeypatch.setattr(Stream, "card", card, raising=False)
    monkeypatch.setattr(server, "Output", Stream)
    monkeypatch.setattr(devices, "find_device", card.find)
    monkeypatch.setattr(devices, "restart_portaudio", card.restart)
    monkeypatch.setattr(devices, "output_devices", lambda: [d.name for d in card.present])
    monkeypatch.setattr(devices, "default_output", lambda: card.find("").name)
    monkeypatch.setattr(devices, "hardware_state", lambda: b"")
    return card


class Driver:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.server = server.Server(self.events.append)
        self.id = 0

    def do(self, what: str, **values: Any) -> None:
        self.id += 1
        self.server.carry_out({"do": what, "id": self.id, **values})
        self.server.tick()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == event]


@pytest.fixture
def driver(card: Card) -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.server.close()


def _song(path: Path, seconds: float = 2.0, sign: float = 1.0) -> str:
    frames = sign * np.arange(1, round(48_000 * seconds) + 1) / 2**20
    sf.write(path, np.stack([frames, frames], 1).astype(np.float32), 48_000, subtype="FLOAT")
    return str(path)


def _decoded(driver: Driver) -> None:
    for track in driver.server._tracks.values():
        track.wait()


def test_loads_plays_seeks_and_ends(driver: Driver, card: Card, tmp_path: Path) -> None:
    driver.do("load", path=_song(tmp_path / "a.wav"))
    assert driver.of("loaded")[0]["duration"] == 2.0
    assert not card.open  # no device is touched before there is something to hear
    _decoded(driver)
    driver.do("play")
    out = card.open[0].run(1024)
    assert out[0, 0] == np.float32(2**-20)
    driver.do("seek", position=1.5)
    card.open[0].run(960)
    driver.server.tick()
    assert driver.events[-1]["position"] == pytest.approx(1.5 + 480 / 48_000)
    card.open[0].run(48_000)
    driver.server.tick()
    assert driver.of("finished")
    assert driver.of("tick")[-1]["playing"] is False


def test_the_stream_is_closed_after_a_rest(
    driver: Driver, card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.do("load", path=_song(tmp_path / "a.wav"))
    driver.do("play")
    card.open[0].run(512)
    driver.do("pause")
    card.open[0].run(512)
    driver.server.tick()
    assert card.open[0].running
    monkeypatch.setattr(server, "_REST", -1.0)
    driver.server.tick()
    assert not card.open[0].running
    monkeypatch.setattr(server, "_REST", 0.2)
    time.sleep(0.3)
    driver.do("play")  # a device may take its time to wake up
    assert card.open[1].running


def test_swap_goes_on_at_the_same_position(driver: Driver, card: Card, tmp_path: Path) -> None:
    driver.do("load", path=_song(tmp_path / "a.wav"))
    _decoded(driver)
    driver.do("play")
    card.open[0].run(10_000)
    driver.do("load", path=_song(tmp_path / "b.wav", sign=-1.0), keep=True)
    _decoded(driver)
    driver.server.tick()
    out = card.open[0].run(2000)
    assert out[-1, 0] == np.float32(-12_000 / 2**20)


def test_headphones_that_are_pulled_pause_where_they_were_heard(
    driver: Driver, card: Card, tmp_path: Path
) -> None:
    driver.do("device", name="Headphones")
    driver.do("load", path=_song(tmp_path / "a.wav"))
    _decoded(driver)
    driver.do("play")
    card.open[0].run(22_050)
    card.present.pop()
    card.open[0].lost = True
    driver.server.tick()
    assert driver.of("lost") == [{"event": "lost", "id": driver.id, "name": "Headphones"}]
    assert not card.open[0].running
    assert driver.of("devices")[-1]["names"] == ["Speakers"]
    driver.server.tick()
    assert driver.of("tick")[-1]["playing"] is False
    # Played again, it goes on through what is left, at its rate, from the same place.
    driver.do("play")
    _decoded(driver)
    card.open[1].run(4800)
    assert card.open[1].device.name == "Speakers"
    position = (22_050 - 480) / 44_100
    driver.server.tick()
    assert driver.events[-1]["position"] == pytest.approx(
        position + (4800 - 480) / 48_000, abs=1e-3
    )


def test_a_device_that_refuses_gives_way_to_the_systems_own(
    driver: Driver, card: Card, tmp_path: Path
) -> None:
    card.refused.add("Headphones")
    driver.do("device", name="Headphones")
    driver.do("load", path=_song(tmp_path / "a.wav"))
    driver.do("play")
    assert card.open[0].device.name == "Speakers"
    assert driver.of("lost")[0]["name"] == "Headphones"
    assert driver.of("lost")[0]["plays"] is True


def test_another_device_takes_over_while_playing(
    driver: Driver, card: Card, tmp_path: Path
) -> None:
    driver.do("load", path=_song(tmp_path / "a.wav"))
    _decoded(driver)
    driver.do("play")
    card.open[0].run(24_000)
    driver.do("device", name="Headphones")
    _decoded(driver)
    assert not card.open[0].running
    out = card.open[1].run(4410)
    assert card.open[1].device.name == "Headphones"
    expected = (24_000 - 480 + 4800) / 2**20
    assert out[-1, 0] == pytest.approx(expected, rel=1e-3)


def test_a_changed_default_is_followed_while_playing(
    driver: Driver, card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.do("load", path=_song(tmp_path / "a.wav"))
    driver.do("play")
    card.open[0].run(512)
    card.present.reverse()
    monkeypatch.setattr(devices, "hardware_state", lambda: b"new|list")
    driver.server._hardware_seen = 0.0
    driver.server.tick()
    assert card.open[1].device.name == "Headphones"
    assert card.open[1].running
    assert card.restarts == 1


def test_without_any_output_files_open_and_playing_says_why(
    driver: Driver, card: Card, tmp_path: Path
) -> None:
    card.present.clear()
    driver.do("load", path=_song(tmp_path / "a.wav"))
    assert driver.of("loaded")
    driver.do("play")
    assert driver.of("failed")[0]["message"] == "There is no sound output."


def test_a_file_that_cannot_be_read_is_said_and_does_not_play(
    driver: Driver, card: Card, tmp_path: Path
) -> None:
    driver.do("load", path=str(tmp_path / "gone.wav"))
    assert "is not where it was" in driver.of("failed")[0]["message"]
    driver.do("play")
    assert not card.open


def test_few_tracks_are_kept(driver: Driver, tmp_path: Path) -> None:
    for number in range(6):
        driver.do("load", path=_song(tmp_path / f"{number}.wav", seconds=0.1))
    assert len(driver.server._tracks) <= server._KEPT + 1


def test_no_portaudio_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert devices.output_devices() == []
    assert devices.default_output() == ""
    with pytest.raises(NoSoundOutput, match="PortAudio is not installed"):
        devices.portaudio()
