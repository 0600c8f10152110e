from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mlx_music.errors import CheckpointError
from mlx_music.weights.hub import find_checkpoint
from mlx_music.weights.hub_cache import (
    discard,
    file_digest,
    find_snapshot,
    installed_models,
    known_digest,
    repo_folder,
)
from tests.engine.weights.fake_hub import FakeHub

REPO = "someone/Some-Model"
FILES = {"part/config.json": b'{"a": 1}', "part/model.safetensors": b"not looked into"}


def download(hub: FakeHub, commit: str = "a" * 40, revision: str | None = None) -> Path:
    hub.add(REPO, FILES, commit).branches |= {"v1"}
    return find_checkpoint(REPO, required=list(FILES), revision=revision, refresh=True)


def test_snapshot_by_branch_and_commit(hub: FakeHub) -> None:
    assert find_snapshot(REPO, None) is None
    folder = download(hub)
    assert find_snapshot(REPO, None) == find_snapshot(REPO, "main") == folder
    assert find_snapshot(REPO, "a" * 40) == folder
    assert find_snapshot(REPO, "v1") is None
    assert find_snapshot(REPO, "b" * 40) is None
    assert find_snapshot("some/other", None) is None


def test_a_torn_reference_counts_as_none(hub: FakeHub) -> None:
    download(hub)
    (repo_folder(REPO) / "refs" / "main").write_text("")
    assert find_snapshot(REPO, None) is None


def test_installed_models(hub: FakeHub) -> None:
    assert installed_models(list(FILES)) == []
    old = download(hub, revision="v1")
    new = download(hub, "b" * 40)
    (new / "part/model.safetensors").unlink()
    other = repo_folder("some/other") / "snapshots" / ("c" * 40) / "README.md"
    other.parent.mkdir(parents=True)
    other.touch()  # a model of another kind
    first, second = installed_models(list(FILES))
    size = sum(map(len, FILES.values()))
    assert (first.repo_id, first.commit, first.path) == (REPO, "a" * 40, old)
    assert (first.revisions, first.nbytes, first.missing) == (("v1",), size, ())
    assert (second.commit, second.revisions) == ("b" * 40, ("main",))
    assert (second.nbytes, second.missing) == (8, ("part/model.safetensors",))


def test_digests(hub: FakeHub) -> None:
    folder = download(hub)
    repo = hub.repos[REPO]
    for name, data in FILES.items():
        digest = known_digest(folder / name)
        assert digest == repo.digest(name)
        sizes: list[int] = []
        assert file_digest(folder / name, digest, sizes.append) == digest
        assert sum(sizes) == len(data)
    sha256 = hashlib.sha256(FILES["part/config.json"]).hexdigest()
    assert file_digest(folder / "part/config.json", "0" * 64) == sha256


def test_no_digest_outside_a_cache(tmp_path: Path) -> None:
    plain, link = tmp_path / ("a" * 64), tmp_path / "link"
    plain.touch()
    link.symlink_to(plain.name)
    assert known_digest(plain) is None
    assert known_digest(link) is None
    with pytest.raises(CheckpointError, match="no such file"):
        file_digest(tmp_path / "absent", "0" * 64)


def test_discard_removes_link_and_content(hub: FakeHub) -> None:
    folder = download(hub)
    path = folder / "part/model.safetensors"
    blob = path.resolve()
    discard(path)
    assert not path.is_symlink()
    assert not blob.exists()
    assert (folder / "part/config.json").exists()


def test_discard_follows_links_between_repositories(hub: FakeHub) -> None:
    """Newer caches keep one copy for several repositories, behind a second link."""
    folder = download(hub)
    path = folder / "part/model.safetensors"
    blob = path.resolve()
    shared = repo_folder(REPO).parent / "blobs" / "ab" / "content"
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(Path("../../blobs/ab/content"))
    assert known_digest(path) == blob.name
    discard(path)
    assert not blob.is_symlink()
    assert not shared.exists()


def test_discard_keeps_to_the_cache(hub: FakeHub, tmp_path: Path) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.touch()
    with pytest.raises(CheckpointError, match="outside the hub cache"):
        discard(mine)
    link = repo_folder(REPO) / "snapshots" / "link"
    link.parent.mkdir(parents=True)
    link.symlink_to(mine)
    with pytest.raises(CheckpointError, match="outside the hub cache"):
        discard(link)
    assert mine.exists()
