from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlx_music.errors import Cancelled
from mlx_music.weights import download
from tests.engine.weights.fake_hub import FakeHub
from tests.engine.weights.hub_cases import (
    REPO,
    WEIGHTS,
    failure,
    find,
    partials,
    weights,
)


def test_downloads_only_what_is_required(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    folder = find()
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    assert found == {name: files[name] for name in ("part/config.json", WEIGHTS)}
    asked = {Path(request.path).name for request in hub.transfers()}
    assert asked == {"config.json", "model.safetensors"}
    assert not partials(folder.parents[2])


def test_the_cache_is_one_that_huggingface_hub_knows(hub: FakeHub, files: dict[str, bytes]) -> None:
    from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download

    hub.add(REPO, files)
    folder = find()
    assert folder.name == "a" * 40
    hub.requests.clear()
    assert snapshot_download(REPO, local_files_only=True) == str(folder)
    assert Path(hf_hub_download(REPO, WEIGHTS, local_files_only=True)) == folder / WEIGHTS
    assert hub.requests == []
    (repo,) = scan_cache_dir(folder.parents[2]).repos
    assert (repo.repo_id, repo.nb_files) == (REPO, 2)


def test_takes_over_what_huggingface_hub_downloaded(
    hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import hf_hub_download

    hub.add(REPO, files)
    hf_hub_download(REPO, WEIGHTS)
    hub.requests.clear()
    find()
    assert [Path(r.path).name for r in hub.transfers()] == ["config.json"]


def test_a_complete_cache_needs_no_network(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    folder = find()
    hub.requests.clear()
    assert find() == folder
    assert find(download=False) == folder
    assert find(revision="a" * 40) == folder
    assert hub.requests == []


def test_sharded_repository(hub: FakeHub, files: dict[str, bytes]) -> None:
    del files[WEIGHTS]
    stem = "part/diffusion_pytorch_model"
    names = [f"{stem}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    table = {"a": Path(names[0]).name, "b": Path(names[1]).name}
    files |= {name: weights(i) for i, name in enumerate(names)}
    files[f"{stem}.safetensors.index.json"] = json.dumps({"weight_map": table}).encode()
    files["part/unrelated-00001-of-00002.safetensors"] = b"no"
    hub.add(REPO, files)
    folder = find()
    assert [(folder / name).read_bytes() for name in names] == [files[name] for name in names]
    assert not (folder / "part/unrelated-00001-of-00002.safetensors").exists()


def test_revisions(hub: FakeHub, files: dict[str, bytes]) -> None:
    repo = hub.add(REPO, files)
    repo.branches = {"main", "refs/pr/1"}
    assert find(revision="refs/pr/1").name == "a" * 40
    assert "no such revision" in failure(revision="v9")
    assert f"{REPO} (revision v9): " in failure(revision="v9")


def test_progress_counts_all_bytes(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    seen: list[tuple[int, int]] = []
    find(progress=lambda done, total: seen.append((done, total)))
    total = len(files[WEIGHTS]) + len(files["part/config.json"])
    assert {entry[1] for entry in seen} == {total}
    done = [entry[0] for entry in seen]
    assert done[0] == 0
    assert done[-1] == total
    assert done == sorted(done)
    assert len(set(done)) > 5


def test_cancelled_download_goes_on_where_it_stopped(
    hub: FakeHub, files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.add(REPO, files)

    def stop_half_way(done: int, total: int) -> None:
        if done > total / 2:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        find(progress=stop_half_way)
    (partial,) = partials(tmp_path)
    kept = partial.stat().st_size
    assert 0 < kept < len(files[WEIGHTS])
    hub.requests.clear()
    first: list[int] = []
    folder = find(progress=lambda done, total: first.append(done))
    assert [r.range for r in hub.transfers("model.safetensors")][-1] == f"bytes={kept}-"
    assert kept + len(files["part/config.json"]) in first
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]


def test_interrupted_transfer_goes_on_in_the_next_call(
    hub: FakeHub, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_RETRIES", -1)
    hub.add(REPO, files)
    hub.break_after = [100_000, 4000]
    assert "goes on where it stopped" in failure()
    (partial,) = partials(tmp_path)
    assert partial.stat().st_size == 4000
    hub.requests.clear()
    folder = find()
    assert hub.transfers("model.safetensors")[-1].range == "bytes=4000-"
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]


def test_broken_connection_is_taken_up_again(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    hub.break_after = [100_000, 3000, 0, 2000]
    folder = find()
    cdn = [r for r in hub.transfers("model.safetensors") if r.path.startswith("/cdn")]
    assert [r.range for r in cdn] == [None, "bytes=3000-", "bytes=3000-", "bytes=5000-"]
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]


def test_every_byte_of_progress_counts_anew(
    hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_RETRIES", 1)
    hub.add(REPO, files)
    hub.break_after = [100_000, 1000, 0, 1000, 0, 1000, 0]
    assert (find() / WEIGHTS).read_bytes() == files[WEIGHTS]


def test_connection_that_keeps_breaking(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    hub.break_after = [100_000] + [0] * 100
    assert "cannot reach" in failure()
    assert len(hub.break_after) == 100 - 1 - download._RETRIES


def test_server_without_ranges_starts_again(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    hub.break_after = [100_000, 3000]
    hub.ignore_ranges = True
    seen: list[int] = []
    folder = find(progress=lambda done, total: seen.append(done))
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]
    assert max(seen) == seen[-1] == len(files[WEIGHTS]) + len(files["part/config.json"])


def test_wrong_content_is_refused(hub: FakeHub, files: dict[str, bytes], tmp_path: Path) -> None:
    hub.add(REPO, files)
    hub.served[WEIGHTS] = weights(seed=1)
    assert f"{WEIGHTS} arrived damaged" in failure()
    assert not partials(tmp_path)
    hub.served.clear()
    assert (find() / WEIGHTS).read_bytes() == files[WEIGHTS]


def test_wrong_content_of_a_small_file_is_refused(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    hub.served["part/config.json"] = b'{"width": 4}'
    assert "part/config.json arrived damaged" in failure()


def test_short_content_is_refused(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    hub.served[WEIGHTS] = files[WEIGHTS][:7000]
    assert f"only 7,000 of {len(files[WEIGHTS]):,} bytes of {WEIGHTS}" in failure()


def test_overlong_partial_file_starts_again(
    hub: FakeHub, files: dict[str, bytes], tmp_path: Path
) -> None:
    repo = hub.add(REPO, files)
    blobs = tmp_path / "cache" / "models--someone--Some-Model-v1" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{repo.digest(WEIGHTS)}.mlx-music.partial").write_bytes(bytes(50_000))
    assert "arrived damaged" in failure()
    assert (find() / WEIGHTS).read_bytes() == files[WEIGHTS]


def test_token_goes_to_the_hub_but_not_to_the_cdn(
    hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    hub.add(REPO, files)
    find()
    by_host = {r.path.startswith("/cdn"): r.authorized for r in hub.requests}
    assert by_host == {False: True, True: False}


def test_disk_without_links_keeps_one_copy(
    hub: FakeHub, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import file_download

    monkeypatch.setattr(file_download, "are_symlinks_supported", lambda cache_dir=None: False)
    hub.add(REPO, files)
    folder = find()
    assert not (folder / WEIGHTS).is_symlink()
    copies = [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.stat().st_size > 9000]
    assert copies == [folder / WEIGHTS]
    hub.requests.clear()
    assert find() == folder
    assert hub.requests == []


# --- refresh


def test_refresh_follows_the_branch_and_keeps_what_did_not_change(
    hub: FakeHub, files: dict[str, bytes]
) -> None:
    hub.add(REPO, files)
    old = find()
    hub.add(REPO, {**files, "part/config.json": b'{"width": 5}'}, commit="b" * 40)
    assert find() == old
    hub.requests.clear()
    new = find(refresh=True)
    assert new.name == "b" * 40
    assert (new / "part/config.json").read_bytes() == b'{"width": 5}'
    assert hub.transfers("model.safetensors") == []
    assert find() == new


def test_refresh_fetches_damaged_files_again(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    folder = find()
    blob = (folder / WEIGHTS).resolve()
    data = bytearray(files[WEIGHTS])
    data[-1] ^= 1
    blob.write_bytes(bytes(data))
    assert find() == folder  # nobody looks
    hub.requests.clear()
    assert find(refresh=True) == folder
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]
    assert {Path(r.path).name for r in hub.transfers()} == {"model.safetensors"}


def test_truncated_and_lost_files_are_fetched_again(hub: FakeHub, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    folder = find()
    (folder / WEIGHTS).resolve().write_bytes(files[WEIGHTS][:-1])
    (folder / "part/config.json").resolve().unlink()  # leaves a broken link
    assert find() == folder
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]
    assert (folder / "part/config.json").read_bytes() == files["part/config.json"]
