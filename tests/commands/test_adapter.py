import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.commands import adapter
from pipeline.errors import InputError
from pipeline.tuning.load import load_deltas
from pipeline.tuning.methods.dora import with_magnitudes
from tests.support.lora import random_adapter


def test_rank_and_size_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(source: Path, base: Path, output: Path) -> SimpleNamespace:
        assert (source.name, base.name) == ("poet.safetensors", "base.litertlm")
        output.write_bytes(bytes(120_000))
        return SimpleNamespace(rank=16)

    monkeypatch.setattr(adapter, "write_for_base", write)
    output = tmp_path / "poet.tflite"
    adapter.adapter_file(tmp_path / "poet.safetensors", tmp_path / "base.litertlm", output)
    assert capsys.readouterr().out == f"{output}: rank 16, 0.12 MB\n"


@pytest.mark.parametrize("output", ["poet.safetensors", "base.litertlm"])
def test_what_is_read_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr(adapter, "write_for_base", lambda *paths: pytest.fail("written"))
    (tmp_path / output).write_text("read", encoding="utf-8")
    with pytest.raises(InputError, match=f"{output}: is an input of this command; choose another file"):
        adapter.adapter_file(tmp_path / "poet.safetensors", tmp_path / "base.litertlm", tmp_path / output)


def test_a_base_must_be_named_for_the_runtime_and_only_for_it(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"^--base: missing; name the \.litertlm that the adapter is for, or use --format peft",
    ):
        adapter.adapter_file(tmp_path / "poet.safetensors", None, tmp_path / "poet.tflite")
    with pytest.raises(InputError, match="^--base: not used with --format peft; remove it$"):
        adapter.peft_folder(tmp_path / "poet.safetensors", tmp_path / "base.litertlm", tmp_path / "peft")


def poet(folder: Path) -> Path:
    """An adapter file of DoRA."""
    plain = random_adapter(layers=1, hidden=8, heads=2, kv_heads=1, head_dim=4, rank=2, targets=("output",))
    with_magnitudes(plain, {"decoder_block_0.output": np.ones(8, np.float32)}).save(
        folder / "poet.safetensors"
    )
    return folder / "poet.safetensors"


def test_the_command_writes_a_folder_for_peft(tmp_path: Path) -> None:
    output = tmp_path / "peft"
    arguments = ["adapter", "--adapter", str(poet(tmp_path)), "--format", "peft", "--out", str(output)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(rf"{output}: DoRA, 0\.00 MB\n", result.output.replace("\n", "") + "\n")
    assert sorted(path.name for path in output.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert list(load_deltas(output).matrices) == ["model.layers.0.self_attn.o_proj.weight"]
    assert not list(tmp_path.glob(".*"))


def test_the_working_directory_can_be_the_folder_for_peft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = poet(tmp_path), tmp_path / "peft"
    output.mkdir()
    monkeypatch.chdir(output)
    adapter.peft_folder(source, None, Path())
    # The folder is still the one that the shell is in.
    assert sorted(path.name for path in Path().iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert output.samefile(Path())
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("output", ["full", "file", "poet.safetensors"])
def test_a_folder_for_peft_replaces_nothing(tmp_path: Path, output: str) -> None:
    source = poet(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="already exists and is not an empty folder; choose another"):
        adapter.peft_folder(source, None, tmp_path / output)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_peft_adapter_is_not_written_again(tmp_path: Path) -> None:
    adapter.peft_folder(poet(tmp_path), None, tmp_path / "peft")
    with pytest.raises(InputError, match="peft: is already a PEFT adapter; use this folder"):
        adapter.peft_folder(tmp_path / "peft", None, tmp_path / "again")
