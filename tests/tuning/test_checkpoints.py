"""Promise: the newest whole checkpoint of a training is found again, and a disk that refuses one stops
nothing."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.tuning.checkpoints import Checkpoint, Checkpoints


def checkpoint(steps: int) -> Checkpoint:
    tensors = {"a": np.full((2, 3), steps, np.float32), "b": np.array(steps)}
    return Checkpoint(1, steps - 10, steps, tensors, {"history": [{"loss": 0.5}]})


def test_the_newest_is_found_and_two_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "one")
    assert kept.latest() is None
    for steps in (11, 12, 13, 100):
        assert kept.save(checkpoint(steps))
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        "step-100.safetensors",
        "step-13.safetensors",
    ]
    found = kept.latest()
    assert found is not None
    assert (found.epoch, found.step, found.steps) == (1, 90, 100)
    assert found.facts == {"history": [{"loss": 0.5}]}
    np.testing.assert_array_equal(found.tensors["a"], np.full((2, 3), 100, np.float32))
    assert (int(found.tensors["b"]), found.tensors["b"].shape) == (100, ())


@pytest.mark.parametrize("damage", [b"", b"\x00" * 100])
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path: Path, damage: bytes) -> None:
    kept = Checkpoints(tmp_path, "one")
    for steps in (11, 12):
        kept.save(checkpoint(steps))
    (kept.folder / "step-12.safetensors").write_bytes(damage)
    (kept.folder / "step-13.partial").write_bytes(damage)
    found = kept.latest()
    assert found is not None and found.steps == 11


def test_trainings_do_not_share_checkpoints(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "one").save(checkpoint(11))
    other = Checkpoints(tmp_path, "other")
    assert other.latest() is None and other.others()
    assert not Checkpoints(tmp_path, "one").others()


def test_they_are_due_by_time_or_by_steps(tmp_path: Path) -> None:
    now = [0.0]
    kept = Checkpoints(tmp_path, "one", minutes=2, every=10, clock=lambda: now[0])
    assert [kept.is_due(steps) for steps in (1, 9, 10, 11, 20)] == [False, False, True, False, True]
    now[0] = 120
    assert kept.is_due(21)
    kept.save(checkpoint(21))
    assert not kept.is_due(22)
    assert not Checkpoints(tmp_path, "one", clock=lambda: 1e9).is_due(10)


def test_a_disk_that_refuses_is_mentioned_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    kept = Checkpoints(tmp_path / "file", "one")
    assert not kept.save(checkpoint(11))
    assert not kept.save(checkpoint(12))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("cannot write a checkpoint (Not a directory); training continues without one")
