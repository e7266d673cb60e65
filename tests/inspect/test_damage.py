"""Promise: whatever is damaged in a file, inspect reports it or refuses it in one line, in seconds and in
little memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.inspect.conftest import write_runtime_adapter, write_task
from tests.support.damage import damaged

EACH = 100


@pytest.mark.slow
def test_random_damage_is_reported_or_refused(
    tmp_path: Path, tflite: Path, tokenizer: bytes, bundle: Path
) -> None:
    task = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer)
    adapter = write_runtime_adapter(tmp_path / "adapter.tflite")
    files = [bundle, task, tflite, adapter]
    command = [sys.executable, "-m", "tests.support.damage", str(EACH), *map(str, files)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    refused = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines())
    assert list(refused) == [file.name for file in files]
    # Cuts alone are a quarter of the damage.
    assert all(int(count) >= EACH // 5 for count in refused.values()), refused


def test_damage_repeats_and_changes_something() -> None:
    content = bytes(range(256)) * 64
    copies = list(damaged(content, 40))
    assert copies == list(damaged(content, 40))
    assert len(set(copies)) > 30 and content not in copies
    assert copies != list(damaged(content, 40, seed=1))
