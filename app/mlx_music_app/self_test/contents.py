"""What is inside: code, files, libraries and the model. Each check is one of `CHECKS`."""

from __future__ import annotations

import sys
from pathlib import Path

from mlx_music_app.self_test.check import RATE, CheckFailed, tone


def check_imports(_: Path) -> str:
    """Everything that the app and the engine import, at whatever time."""
    from mlx_music_app.self_test.imports import import_all

    # From Python 3.13 on, cutlet is an extra. sounddevice has a check of its own.
    leave_out = ["sounddevice"] + ["cutlet"] * (sys.version_info >= (3, 13))
    done = import_all(_OURS, hidden=_HIDDEN, leave_out=leave_out)
    if done.missing:
        raise CheckFailed(f"{len(done.missing)} missing: {'; '.join(done.missing)}")
    return f"{len(done.modules)} modules"


_OURS = ("mlx_music", "mlx_music_app")

#: What libraries import by themselves when they need it, and would go without in silence.
_HIDDEN = ("_cffi_backend", "hf_xet", "sqlite3", "ssl")


def check_licences(_: Path) -> str:
    """About names what is inside, which it learns from the packages' metadata."""
    from mlx_music_app.ui.about import licences

    listed = licences()
    missing = [name for name in ("numpy", "tokenizers", "soundfile") if f"\n{name} " not in listed]
    if missing:
        raise CheckFailed(
            f"About does not name {', '.join(missing)}: the metadata (.dist-info) is missing"
        )
    return f"{listed.count(chr(10))} lines"


def check_resources(_: Path) -> str:
    """Files that come along."""
    from mlx_music_app.resources import resource
    from mlx_music_app.ui.compose.presets import load_presets

    names = ["style.qss", "presets.json", *(f"icons/{name}.svg" for name in ICONS.split())]
    missing = []
    for name in names:
        try:
            empty = not resource(name).read_bytes().strip()
        except FileNotFoundError:
            empty = True
        if empty:
            missing.append(name)
    if missing:
        raise CheckFailed(f"missing or empty: {', '.join(missing)}")
    return f"{len(names)} files, {len(load_presets())} presets"


#: The drawings in resources/icons that the window uses.
ICONS = """
arrow-down arrow-up calendar check chevron-down chevron-left chevron-right chevron-up chip clock
close compare compose copy dice download error export extend family file filter folder globe grip
headphones help info link lock loop lyrics menu-bar minus models more music panel-right pause pencil
play plus queue redo reference refresh repaint reset reveal search settings sidebar skip-back
skip-forward sort star-filled star stop tag takes trash undo unlock vary verify volume-mute volume
wand warning zoom-in zoom-out
"""


def check_formats(folder: Path) -> str:
    """Every kind of file, with its tags: written, read, and the same sound."""
    import numpy as np

    from mlx_music import GenerationRequest, MusicOutput
    from mlx_music.audio.files import AUDIO_FORMATS, read_audio
    from mlx_music.audio.resample import resample
    from mlx_music.metadata import read_description

    sound = tone(0.5)
    request = GenerationRequest(prompt="self-test", seed=1)
    made = MusicOutput(sound, RATE, np.zeros((8, 16, 1), np.float32), request, "self-test")
    for kind in AUDIO_FORMATS.values():
        path = made.save(folder / f"tone{kind.extensions[0]}")
        heard, rate = read_audio(path)
        heard = heard[:, : sound.shape[1]]
        if rate != RATE or np.abs(heard - sound[:, : heard.shape[1]]).mean() > 0.01:
            raise CheckFailed(f"{kind.name} comes back as another sound")
        if read_description(path).request != request:
            raise CheckFailed(f"{kind.name} loses its settings")
    if resample(sound, RATE, 32_000).shape[1] != 16_000:  # soxr does this one
        raise CheckFailed("resampling gives another length")
    return ", ".join(AUDIO_FORMATS)


def check_words(_: Path) -> str:
    """The data behind languages, numbers and scripts."""
    from importlib.util import find_spec

    from mlx_music.text.detection import detect
    from mlx_music.text.numbers import spell_numbers
    from mlx_music.text.transliteration import pinyin, romaja, romaji
    from mlx_music_app.library.naming import ascii_title

    said = [
        (detect("Ich laufe durch den Regen, und niemand kennt mein Lied"), "de"),
        (spell_numbers("21", "en"), "twenty-one"),
        (spell_numbers("21", "de"), "einundzwanzig"),
        (pinyin("你好"), "ni3hao3"),
        (romaja("안녕"), "annyeong"),
        (ascii_title("你好"), "ni hao"),
    ]
    japanese = find_spec("cutlet") is not None
    if japanese:
        said.append((romaji("こんにちは"), "Konnichiha"))
    for found, expected in said:
        if found != expected:
            raise CheckFailed(f'"{found}" where "{expected}" is expected')
    return "all languages" if japanese else "all languages but Japanese, which is an extra"


def check_downloads(_: Path) -> str:
    """The hub's HTTP library answers, its TLS begins, and the certificates are there.

    No network: this process answers itself, and not in TLS.
    """
    from importlib import import_module
    from importlib.util import find_spec

    from huggingface_hub import get_session

    from mlx_music.weights.hub_errors import transport_error

    with _Answering() as port:
        text = get_session().get(f"http://127.0.0.1:{port}/").text
        if text != "ok":
            raise CheckFailed(f'HTTP brings "{text}" where "ok" was sent')
        try:
            get_session().get(f"https://127.0.0.1:{port}/")
        except transport_error() as error:
            if "SSL" not in str(error):
                raise
        else:
            raise CheckFailed("HTTPS takes an answer that is none")
    # Some versions of the library bring their own certificates, others take the system's.
    if find_spec("certifi") is not None:
        file = Path(import_module("certifi").where())
        if not file.is_file():
            raise CheckFailed(f"certificates are missing: {file}")
    return "HTTP and TLS"


class _Answering:
    """Answers each connection to a port of this machine with "ok" while it is entered."""

    def __enter__(self) -> int:
        import socket
        import threading

        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._answer, name="answering", daemon=True)
        self._thread.start()
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        import socket

        # Wakes up `accept`, which does not notice that its socket is closed.
        socket.create_connection(self._socket.getsockname()).close()
        self._thread.join()
        self._socket.close()

    def _answer(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if not connection.recv(4096):
                    return
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
                )


def check_model(_: Path) -> str:
    """About a second of music by the model that is built in."""
    import mlx.core as mx
    import numpy as np

    from mlx_music import ACEStep
    from mlx_music.ace_step.published import SKETCH

    model = ACEStep.from_pretrained(SKETCH, download=False)
    output = model.generate(
        prompt="calm piano, strings", duration=1.0, num_inference_steps=4, seed=1
    )
    if not np.isfinite(output.audio).all():
        raise CheckFailed("the sound holds NaN or infinity")
    loudness = float(np.sqrt(np.mean(np.square(output.audio))))
    if loudness < 0.001:
        raise CheckFailed(f"the sound is silent (RMS {loudness:.6f})")
    return f"{output.duration:.1f} s of sound on the {mx.default_device().type.name}"
