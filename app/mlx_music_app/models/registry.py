"""What the app remembers of models between starts: folders and hub ids that a person added."""

from __future__ import annotations

import logging
import os
import string
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlx_music_app.json_file import read_json, write_json

log = logging.getLogger(__name__)

_VERSION = 1
_HUB = "huggingface.co/"
_HUB_LETTERS = set(string.ascii_letters + string.digits + "-_.")


@dataclass(frozen=True)
class Remembered:
    """folders: checkpoints elsewhere on this machine. hub_ids: repositories that were asked for.
    totals: bytes of a whole download by hub id, as the hub gave them, to show how much of it is
    there without asking again."""

    folders: tuple[str, ...] = ()
    hub_ids: tuple[str, ...] = ()
    totals: tuple[tuple[str, int], ...] = ()


def hub_id_of(text: str) -> str:
    """The id "org/name" in what a person typed, which may be the address of a page; else ""."""
    name = text.strip()
    address = name.removeprefix("https://")
    parts = name.split("/")
    if address.startswith(_HUB):  # of the page, or of one below it
        parts = address.removeprefix(_HUB).split("/")[:2]
    plain = all(part[:1].isalnum() and not set(part) - _HUB_LETTERS for part in parts)
    return "/".join(parts) if plain and len(parts) == 2 else ""


class Registry:
    """A small JSON file, replaced as a whole on each change. For the main thread.

    What changes it raises OSError where the file cannot be written; until the app ends the change
    is known all the same.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.known = _read(file)

    def add_folder(self, folder: Path) -> None:
        self._keep(folders=_with(self.known.folders, str(folder)))

    def forget_folder(self, folder: Path) -> None:
        self._keep(folders=_without(self.known.folders, str(folder)))

    def add_hub_id(self, hub_id: str) -> None:
        self._keep(hub_ids=_with(self.known.hub_ids, hub_id))

    def forget_hub_id(self, hub_id: str) -> None:
        totals = tuple(entry for entry in self.known.totals if entry[0] != hub_id)
        self._keep(hub_ids=_without(self.known.hub_ids, hub_id), totals=totals)

    def total(self, hub_id: str) -> int | None:
        return dict(self.known.totals).get(hub_id)

    def set_total(self, hub_id: str, nbytes: int) -> None:
        totals = {**dict(self.known.totals), hub_id: nbytes}
        self._keep(totals=tuple(totals.items()))

    def _keep(self, **changes: Any) -> None:
        known = replace(self.known, **changes)
        if known == self.known:
            return
        self.known = known
        values = {
            "version": _VERSION,
            "folders": list(known.folders),
            "hub": list(known.hub_ids),
            "totals": dict(known.totals),
        }
        write_json(values, self.file)


def _read(file: Path) -> Remembered:
    try:
        values = read_json(file)
    except FileNotFoundError:
        return Remembered()
    except (OSError, ValueError) as error:
        # The models themselves are where they were; only what was added has to be added again.
        aside = file.with_name(f"{file.name}.damaged")
        log.warning("%s cannot be read (%s); kept as %s", file, error, aside.name)
        if file.is_file():
            os.replace(file, aside)
        return Remembered()
    if not isinstance(values, dict):
        return Remembered()
    totals = values.get("totals")
    pairs = totals.items() if isinstance(totals, dict) else ()
    return Remembered(
        _texts(values.get("folders")),
        _texts(values.get("hub")),
        tuple((name, size) for name, size in pairs if isinstance(size, int) and size > 0),
    )


def _texts(values: Any) -> tuple[str, ...]:
    given: Iterable[Any] = values if isinstance(values, list) else ()
    return tuple(dict.fromkeys(value for value in given if isinstance(value, str) and value))


def _with(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*values, value)))


def _without(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(other for other in values if other != value)
