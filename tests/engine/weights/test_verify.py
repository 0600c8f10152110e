from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.numpy import save

from mlx_music.errors import Cancelled, CheckpointError
from mlx_music.weights.component_files import weight_alternatives
from mlx_music.weights.download import list_remote
from mlx_music.weights.hub import find_checkpoint
from mlx_music.weights.verify import FileCheck, VerifyReport, discard_damaged, verify_checkpoint
from tests.engine.weights.fake_hub import FakeHub
from tests.engine.weights.files import ramp, write_shards, write_weights

REPO = "someone/Some-Model"
REQUIRED = ["part/config.json", weight_alternatives("part")]
FILES = {
    "part/config.json": b'{"a": 1}',
    "part/model.safetensors": save({"x": ramp(3), "y": ramp(4000)}),
}


def local(folder: Path) -> Path:
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def downloaded(hub: FakeHub) -> Path:
    hub.add(REPO, FILES)
    return find_checkpoint(REPO, required=REQUIRED)


def flip_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def problems(report: VerifyReport) -> dict[str, str]:
    return {file.name: file.problem for file in report.files if file.problem is not None}


def test_whole_local_checkpoint(tmp_path: Path) -> None:
    folder = local(tmp_path / "model")
    report = verify_checkpoint(folder, required=REQUIRED)
    assert report.ok
    assert report.folder == folder
    assert report.nbytes == sum(map(len, FILES.values()))
    assert report.files == tuple(
        FileCheck(name, folder / name, len(data)) for name, data in sorted(FILES.items())
    )


def test_download_is_compared_with_the_hubs_digests(hub: FakeHub) -> None:
    report = verify_checkpoint(downloaded(hub), required=REQUIRED)
    assert report.ok
    assert [file.digest_compared for file in report.files] == [True, True]


@pytest.mark.parametrize("name", sorted(FILES))
def test_one_wrong_bit_in_a_download(hub: FakeHub, name: str) -> None:
    folder = downloaded(hub)
    content = (folder / name).resolve()
    if content.read_bytes() == FILES["part/config.json"]:
        content.write_text('{"a": 2}')
    else:
        flip_last_byte(content)
    report = verify_checkpoint(folder)
    assert not report.ok
    assert problems(report) == {name: "its content is not the hub's (checksum)"}


def test_local_folder_against_the_hubs_digests(hub: FakeHub, tmp_path: Path) -> None:
    hub.add(REPO, FILES)
    digests = {name: file.digest for name, file in list_remote(REPO).files.items()}
    folder = local(tmp_path / "copy")
    assert verify_checkpoint(folder, digests=digests).ok
    flip_last_byte(folder / "part/model.safetensors")
    assert verify_checkpoint(folder).ok
    assert "part/model.safetensors" in problems(verify_checkpoint(folder, digests=digests))


def test_every_problem_is_listed(tmp_path: Path) -> None:
    folder = local(tmp_path / "model")
    (folder / "part/config.json").write_text('{\n"a": }')
    write_weights(folder / "torn", {"x": ramp(4)})
    torn = folder / "torn/model.safetensors"
    torn.write_bytes(torn.read_bytes()[:-4])
    index = write_shards(folder / "sharded", [{"x": ramp(2)}, {"y": ramp(2)}])
    (index.parent / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    (folder / "link.json").symlink_to("nowhere.json")
    report = verify_checkpoint(folder, required=[*REQUIRED, "vocab.json"])
    found = problems(report)
    assert found.keys() == {
        "link.json",
        "part/config.json",
        f"sharded/{index.name}",
        "torn/model.safetensors",
        "vocab.json",
    }
    assert found["link.json"].startswith("no such file")
    assert found["part/config.json"].startswith("line 2: not valid JSON")
    assert "this shard of" in found[f"sharded/{index.name}"]
    assert found["torn/model.safetensors"].startswith("tensor 'x': the file is truncated")
    assert found["vocab.json"] == "missing"


def test_unreadable_required_index_is_listed_once(tmp_path: Path) -> None:
    index = tmp_path / "part" / "model.safetensors.index.json"
    index.parent.mkdir()
    index.write_text("{")
    report = verify_checkpoint(tmp_path, required=[weight_alternatives("part")])
    assert list(problems(report)) == ["part/model.safetensors.index.json"]


def test_hidden_folders_are_not_part_of_a_checkpoint(tmp_path: Path) -> None:
    folder = local(tmp_path / "model")
    (folder / ".git" / "lfs").mkdir(parents=True)
    (folder / ".git" / "lfs" / "x.json").write_text("{")
    assert len(verify_checkpoint(folder).files) == len(FILES)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        verify_checkpoint(tmp_path / "absent")


def test_progress_and_cancelling(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlx_music.weights import hub_cache

    monkeypatch.setattr(hub_cache, "_HASHED_AT_ONCE", 1000)
    folder = downloaded(hub)
    seen: list[tuple[int, int]] = []
    verify_checkpoint(folder, progress=lambda done, total: seen.append((done, total)))
    total = sum(map(len, FILES.values()))
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 10

    def stop(done: int, total: int) -> None:
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        verify_checkpoint(folder, progress=stop)


def test_damaged_files_are_discarded_and_fetched_again(hub: FakeHub) -> None:
    folder = downloaded(hub)
    flip_last_byte((folder / "part/model.safetensors").resolve())
    removed = discard_damaged(verify_checkpoint(folder, required=REQUIRED))
    assert removed == [folder / "part/model.safetensors"]
    hub.requests.clear()
    assert find_checkpoint(REPO, required=REQUIRED) == folder
    assert verify_checkpoint(folder, required=REQUIRED).ok
    assert {Path(r.path).name for r in hub.transfers()} == {"model.safetensors"}


def test_only_a_download_can_be_discarded(hub: FakeHub, tmp_path: Path) -> None:
    folder = local(tmp_path / "mine")
    (folder / "part/config.json").write_text("{")
    with pytest.raises(CheckpointError, match="outside the hub cache"):
        discard_damaged(verify_checkpoint(folder))
    assert (folder / "part/config.json").exists()
