from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlx_music.weights import download
from tests.engine.weights.fake_hub import FakeHub
from tests.engine.weights.hub_cases import (
    REPO,
    WEIGHTS,
    failure,
    find,
    go_offline,
    weights,
)

# --- local folders


def write_local(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_local_folder(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = write_local(tmp_path / "model", files)
    assert find(folder) == folder
    assert find(str(folder)) == folder


def test_local_folder_of_a_home(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = write_local(tmp_path / "model", files)
    assert find("~/model") == folder


def test_relative_folder_wins_over_an_id(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_local(tmp_path / REPO, files)
    monkeypatch.chdir(tmp_path)
    assert find(REPO) == Path(REPO)


def test_optional_files_come_along(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    folder = find(optional=["README.md", "nosuch.json"])
    assert (folder / "README.md").read_bytes() == files["README.md"]
    assert not (folder / "other").exists()


def test_sharded_local_folder(tmp_path: Path, files: dict[str, bytes]) -> None:
    del files[WEIGHTS]
    shard = "model-00001-of-00001.safetensors"
    files["part/model.safetensors.index.json"] = json.dumps({"weight_map": {"a": shard}}).encode()
    folder = write_local(tmp_path / "model", files)
    assert f"part/{shard} missing" in failure(folder)
    (folder / "part" / shard).write_bytes(weights())
    assert find(folder) == folder


def test_local_folder_lacks_files(tmp_path: Path) -> None:
    message = failure(tmp_path)
    assert message.startswith(f"{tmp_path}: part/config.json, {WEIGHTS} missing")
    many = [f"file{i}" for i in range(9)]
    assert "file0, file1, file2 and 6 more missing" in failure(tmp_path, required=many)


def test_no_such_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for given in (
        tmp_path / "no",
        str(tmp_path / "no"),
        "./no",
        "../no/no",
        "~/no/no",
        Path("a/b"),
    ):
        assert "no such folder" in failure(given)
    (tmp_path / "file.safetensors").touch()
    assert "a file, where" in failure(tmp_path / "file.safetensors")


@pytest.mark.parametrize(
    "text", ["", "word", "a/b/c", "a b/c", "a/b--c", "a/..", "-a/b", "a/b.git"]
)
def test_neither_folder_nor_id(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert failure(text).startswith(f"{text!r}: neither a folder nor a hub id like org/name")


def test_local_folder_has_no_revisions(tmp_path: Path) -> None:
    assert "no revisions" in failure(tmp_path, revision="main")


# --- what goes wrong


def test_download_not_wanted(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    message = failure(download=False)
    assert message == f"{REPO}: not downloaded; get it with `mlx-music download {REPO}`"
    folder = find()
    (folder / WEIGHTS).unlink()
    assert f"download incomplete ({WEIGHTS})" in failure(download=False)
    assert len(hub.repos) == 1


def test_offline_mode(
    hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPO, files)
    go_offline(monkeypatch)
    message = failure()
    assert message.startswith(f"{REPO}: not downloaded, and offline mode is on (HF_HUB_OFFLINE)")
    assert hub.requests == []


def test_offline_mode_with_a_complete_cache(
    hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPO, files)
    folder = find()
    go_offline(monkeypatch)
    hub.requests.clear()
    assert find() == folder
    assert hub.requests == []


def test_no_network(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    message = failure()
    assert "cannot reach http://127.0.0.1:9" in message
    assert "connect to the internet, or give a local folder" in message


def test_no_answer(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_TIMEOUT_SECONDS", 0.05)
    hub.silent = True
    assert "cannot reach" in failure()


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ((404, "RepoNotFound"), "no such repository on the hub, and no such folder here"),
        ((401, "RepoNotFound"), "no such repository on the hub"),
        ((403, "GatedRepo"), "access is restricted: ask for it at http://127.0.0.1"),
        ((404, "RevisionNotFound"), "no such revision"),
        ((403, ""), "the hub refused access (HTTP 403)"),
        ((429, ""), "HTTP 429: try again later"),
        ((503, ""), "HTTP 503: try again later"),
    ],
)
def test_the_hub_says_no(hub: FakeHub, status: tuple[int, str], problem: str) -> None:
    hub.status = status
    message = failure()
    assert message.startswith(f"{REPO}: ")
    assert problem in message


def test_the_hub_says_no_during_the_transfer(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)

    def refuse(done: int, total: int) -> None:
        hub.status = (503, "")

    assert "HTTP 503" in failure(progress=refuse)


def test_repository_of_another_kind(hub: FakeHub, files: dict[str, bytes]) -> None:
    del files[WEIGHTS]
    hub.add(REPO, files)
    assert f"the repository lacks {WEIGHTS}; it holds another kind" in failure()
    assert hub.transfers() == []


def test_repository_without_files(hub: FakeHub) -> None:
    hub.add(REPO, {})
    assert "lists no files" in failure()


def test_too_little_disk_space(
    hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPO, files)
    usage = type("Usage", (), {"free": download._SPARE_BYTES + 5000})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)
    message = failure()
    assert "GB to download, but" in message
    assert "HF_HUB_CACHE" in message
    assert hub.transfers() == []


def test_space_is_counted_without_what_is_there(
    hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPO, files)
    monkeypatch.setattr(download, "_RETRIES", -1)
    hub.break_after = [100_000, 6000]
    failure()
    left = len(files[WEIGHTS]) - 6000
    usage = type("Usage", (), {"free": download._SPARE_BYTES + left})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)
    find()


def test_disk_full_during_the_transfer(
    hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def no_space(url: str, partial: Path, tally: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    hub.add(REPO, files)
    monkeypatch.setattr(download, "_append", no_space)
    assert "is full: free some space" in failure()


def test_cache_that_cannot_be_written(
    hub: FakeHub, files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.add(REPO, files)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models--someone--Some-Model-v1").write_text("in the way")
    assert "cannot write" in failure()


def test_waits_for_another_process_and_uses_its_file(
    hub: FakeHub, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    repo = hub.add(REPO, files)
    monkeypatch.setattr(download, "_LOCK_POLL_SECONDS", 0.01)
    home = "models--someone--Some-Model-v1"
    digest = repo.digest(WEIGHTS)
    blob = tmp_path / "cache" / home / "blobs" / digest
    locks = tmp_path / "cache" / ".locks" / home
    blob.parent.mkdir(parents=True)
    locks.mkdir(parents=True)
    other = FileLock(locks / f"{digest}.lock")
    other.acquire()

    def finish(done: int, total: int) -> None:
        if done and other.is_locked:  # the small file is there: now the wait has begun
            blob.write_bytes(files[WEIGHTS])
            other.release()

    folder = find(progress=finish)
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]
    assert hub.transfers("model.safetensors") == []


# --- as a fresh process sees it


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_environment_is_honoured(hub: FakeHub, files: dict[str, bytes], tmp_path: Path) -> None:
    hub.add(REPO, files)
    code = (
        "from mlx_music.weights.hub import find_checkpoint\n"
        f"print(find_checkpoint({REPO!r}, required=['part/config.json', {WEIGHTS!r}]))"
    )
    place = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "elsewhere")}
    refused = run(code, HF_HUB_OFFLINE="1", **place)
    assert "offline mode is on" in refused.stderr
    assert hub.requests == []
    done = run(code, **place)
    assert done.stderr == ""
    folder = Path(done.stdout.strip())
    assert folder.is_relative_to(tmp_path / "elsewhere")
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]
    assert run(code, HF_HUB_OFFLINE="1", **place).stdout.strip() == str(folder)


def test_nothing_slow_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, mlx_music\n"
        "before = set(sys.modules)\n"
        "import mlx_music.weights.hub, mlx_music.weights.verify\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    imported = run(code).stdout.split()
    assert "mlx_music.weights.hub" in imported
    slow = {"huggingface_hub", "mlx", "numpy", "safetensors", "tqdm", "httpx"}
    assert not slow & {name.split(".")[0] for name in imported}
