from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.commands import adapter
from pipeline.errors import InputError


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
    with pytest.raises(InputError, match=f"{output}: is read by this command; choose another file"):
        adapter.adapter_file(tmp_path / "poet.safetensors", tmp_path / "base.litertlm", tmp_path / output)
