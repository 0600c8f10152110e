"""Finding and downloading the lyric vocabulary, from a server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from mlx_music.ace_step import vocabulary
from mlx_music.errors import LyricsError

CONTENT = b'{"model": "stands in for the published file"}' * 50


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers = {"/good": (200, CONTENT, len(CONTENT)), "/other": (200, b"no", 2)}
        answers["/cut"] = (200, CONTENT[:10], len(CONTENT))
        status, content, length = answers.get(self.path, (404, b"", 0))
        self.server.requests.append(self.path)  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.requests = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache" / "lyric_vocab.json"
    monkeypatch.delenv(vocabulary.VARIABLE, raising=False)
    monkeypatch.setattr(vocabulary, "cached_vocabulary", lambda: path)
    monkeypatch.setattr(vocabulary, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return path


def url(server: HTTPServer, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_it_is_downloaded_once(cache: Path, server: HTTPServer) -> None:
    for _ in range(2):
        assert vocabulary.find_vocabulary(url=url(server, "/good")) == cache
    assert cache.read_bytes() == CONTENT
    assert server.requests == ["/good"]  # type: ignore[attr-defined]
    assert list(cache.parent.iterdir()) == [cache]


@pytest.mark.parametrize(
    ("path", "problem"),
    [("/other", "not the published"), ("/cut", "cannot be downloaded"), ("/none", "404")],
)
def test_a_bad_download_is_one_line_and_leaves_nothing(
    cache: Path, server: HTTPServer, path: str, problem: str
) -> None:
    with pytest.raises(LyricsError, match=problem) as caught:
        vocabulary.find_vocabulary(url=url(server, path))
    assert "\n" not in str(caught.value)
    assert vocabulary.VARIABLE in str(caught.value)
    assert not cache.parent.exists() or not list(cache.parent.iterdir())


def test_no_server_is_one_line(cache: Path, server: HTTPServer) -> None:
    with pytest.raises(LyricsError, match="cannot be downloaded"):
        vocabulary.find_vocabulary(url="http://127.0.0.1:9/nothing")


def test_a_damaged_cache_is_replaced(cache: Path, server: HTTPServer) -> None:
    cache.parent.mkdir()
    cache.write_bytes(CONTENT[:-1])
    vocabulary.find_vocabulary(url=url(server, "/good"))
    assert cache.read_bytes() == CONTENT


def test_an_interrupted_write_leaves_nothing(
    cache: Path, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Path, target: Path) -> Path:
        assert self.read_bytes() == CONTENT
        assert self.parent == target.parent
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vocabulary.find_vocabulary(url=url(server, "/good"))
    assert not list(cache.parent.iterdir())


def test_a_cache_that_cannot_be_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    cache.parent.mkdir()
    cache.write_bytes(CONTENT)
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(LyricsError, match=r"lyric_vocab\.json: .*Permission denied"):
        vocabulary.find_vocabulary()


def test_offline_says_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LyricsError, match=r"HF_HUB_OFFLINE.*MLX_MUSIC_LYRIC_VOCAB"):
        vocabulary.find_vocabulary()
    with pytest.raises(LyricsError, match="mlx-music download"):
        vocabulary.find_vocabulary(download=False)


def test_a_cache_that_cannot_be_written(
    cache: Path, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.write_text("a file in the place of the folder")
    with pytest.raises(LyricsError, match="cannot be written"):
        vocabulary.find_vocabulary(url=url(server, "/good"))


def test_a_file_can_be_given(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "own.json"
    monkeypatch.setenv(vocabulary.VARIABLE, str(given))
    with pytest.raises(LyricsError, match=r"own\.json: is no file"):
        vocabulary.find_vocabulary()
    given.write_text("{}")
    assert vocabulary.find_vocabulary() == given
