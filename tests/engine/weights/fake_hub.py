"""A small imitation of the Hugging Face hub on this machine: model info, file redirects, a CDN."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Repo:
    """The files of one commit; those in `large` are stored as the hub stores large files."""

    commit: str
    files: dict[str, bytes]
    large: set[str]
    branches: set[str] = field(default_factory=lambda: {"main"})

    def digest(self, name: str) -> str:
        data = self.files[name]
        if name in self.large:
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Request:
    method: str
    path: str
    range: str | None
    authorized: bool


class FakeHub:
    """Serves `repos` by id; the other attributes make things go wrong.

    `break_after`: bytes after which a transfer breaks off, one entry per transfer;
    `served`: other content for a file than the hub lists; `status`: an HTTP status and error code
    for every request of a repository; `ignore_ranges`: answer a range with the whole file;
    `silent`: never answer.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.break_after: list[int] = []
        self.served: dict[str, bytes] = {}
        self.status: tuple[int, str] | None = None
        self.ignore_ranges = False
        self.silent = False
        self.released = threading.Event()
        self.url = ""
        self.cdn = ""

    def add(self, repo_id: str, files: dict[str, bytes], commit: str = "a" * 40) -> Repo:
        large = {name for name in files if name.endswith(".safetensors")}
        self.repos[repo_id] = Repo(commit, files, large)
        return self.repos[repo_id]

    def transfers(self, name: str | None = None) -> list[Request]:
        """The requests that ask for content (of one file)."""
        gets = [r for r in self.requests if r.method == "GET" and "/api/" not in r.path]
        return [r for r in gets if name is None or r.path.endswith("/" + name)]


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    hub = FakeHub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    hub.url = f"http://127.0.0.1:{server.server_port}"
    hub.cdn = f"http://localhost:{server.server_port}/cdn"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub, path = self.hub, urlsplit(self.path).path
        authorized = "Authorization" in self.headers
        hub.requests.append(Request(self.command, path, self.headers.get("Range"), authorized))
        if hub.silent:
            hub.released.wait()
        elif hub.status is not None:
            self._refuse(*hub.status)
        elif path.startswith("/cdn/"):
            self._cdn(unquote(path.removeprefix("/cdn/")))
        elif path.startswith("/api/models/"):
            self._info(path.removeprefix("/api/models/"))
        elif "/resolve/" not in path:
            self._refuse(404, "")
        else:
            self._resolve(path.removeprefix("/"))

    def _refuse(self, status: int, code: str) -> None:
        self._reply(status, b"", {"X-Error-Code": code} if code else {})

    def _find(self, repo_id: str, revision: str) -> Repo | None:
        repo = self.hub.repos.get(repo_id)
        if repo is None:
            self._refuse(404, "RepoNotFound")
        elif revision != repo.commit and revision not in repo.branches:
            self._refuse(404, "RevisionNotFound")
        else:
            return repo
        return None

    def _info(self, path: str) -> None:
        repo_id, _, revision = path.partition("/revision/")
        repo = self._find(repo_id, unquote(revision) or "main")
        if repo is None:
            return
        siblings = []
        for name, data in repo.files.items():
            entry = {"rfilename": name, "size": len(data), "blobId": repo.digest(name)}
            if name in repo.large:
                lfs = {"sha256": repo.digest(name), "size": len(data), "pointerSize": 135}
                entry |= {"blobId": "0" * 40, "lfs": lfs}
            siblings.append(entry)
        info = {"id": repo_id, "modelId": repo_id, "sha": repo.commit, "siblings": siblings}
        self._reply(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

    def _resolve(self, path: str) -> None:
        repo_id, _, rest = path.partition("/resolve/")
        revision, name = map(unquote, rest.split("/", 1))
        repo = self._find(repo_id, revision)
        if repo is None:
            return
        if name not in repo.files:
            self._refuse(404, "EntryNotFound")
            return
        headers = {"X-Repo-Commit": repo.commit, "ETag": f'"{repo.digest(name)}"'}
        if name in repo.large:
            headers |= {
                "X-Linked-Etag": f'"{repo.digest(name)}"',
                "X-Linked-Size": str(len(repo.files[name])),
                "Location": f"{self.hub.cdn}/{repo_id}/{name}",
            }
            self._reply(302, b"", headers)
        else:
            self._content(self.hub.served.get(name, repo.files[name]), headers)

    def _cdn(self, path: str) -> None:
        repo_id = "/".join(path.split("/")[:2])
        name = path.removeprefix(f"{repo_id}/")
        self._content(self.hub.served.get(name, self.hub.repos[repo_id].files[name]), {})

    def _content(self, data: bytes, headers: dict[str, str]) -> None:
        status, asked = 200, self.headers.get("Range")
        if asked is not None and not self.hub.ignore_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            status, data = 206, data[start:]
        self._reply(status, data, headers)

    def _reply(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if status in (200, 206) and "/api/" not in self.path and self.hub.break_after:
            data = data[: self.hub.break_after.pop(0)]
        self.wfile.write(data)
