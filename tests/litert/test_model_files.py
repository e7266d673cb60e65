"""Promise: a conversion rounds to nearest whatever the spec says, and a grafted file declares its own spec,
not the cached base's."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert import model_files as module
from pipeline.litert.graft.base_cache import CachedBase
from pipeline.litert.graft.weight_map import locate_matrices
from pipeline.litert.model_files import convert_folder, graft_onto
from pipeline.litert.model_spec import ModelSpec
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES
from tests.support.grafting import matrices_of, write_base, write_folder

SPEC = ModelSpec("int4", (8,), 16, 1.0, 64, 0.95, "tuned")
UP = "model.layers.1.mlp.up_proj.weight"


def test_the_converter_is_asked_to_round_to_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def export(folder: Path, output: Path, spec: ModelSpec, log: Path) -> dict[str, Any]:
        asked.append(spec)
        return {"seconds": 3.0, "peak_memory_bytes": 5, "bytes": 7}

    monkeypatch.setattr(module, "export_litertlm", export)
    facts = convert_folder(tmp_path, tmp_path / "out", replace(SPEC, rounding="gptq"), tmp_path / "log")
    assert asked == [SPEC]
    assert facts == {
        "seconds": 3.0,
        "peak_memory_bytes": 5,
        "bytes": 7,
        "method": "full conversion",
        "converter_seconds": 3.0,
    }


@pytest.mark.parametrize("declared", [True, False])
def test_a_grafted_file_declares_its_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: bool
) -> None:
    folder = write_folder(tmp_path / "folder")
    matrices = matrices_of(folder)
    base = CachedBase(tmp_path / "cached")
    write_base(base.model, matrices, SPEC.recipe)
    weight_map = locate_matrices(base.model, PresetMatrices(folder).items(), SCHEMES[SPEC.recipe])
    weight_map.save(base.folder / "weight-map.json")
    output, checked = tmp_path / "model.litertlm", []

    def apply(source: Path, target: Path, tokenizer: Tokenizer, spec: ModelSpec) -> None:
        assert spec is SPEC
        target.write_bytes(b"declared" + source.read_bytes())

    monkeypatch.setattr(module, "model_differences", lambda *_: [] if declared else ["description is base"])
    monkeypatch.setattr(module, "apply_spec", apply)
    monkeypatch.setattr(module, "check_litertlm", lambda path, *_: checked.append(path))
    changed = [(UP, nearest(matrices[UP] + 1, 4))]
    facts = graft_onto(base, output, SPEC, cast(Tokenizer, None), changed)
    assert (facts["method"], facts["matrices"], facts["bytes"]) == ("graft", 1, output.stat().st_size)
    assert output.read_bytes().startswith(b"declared") != declared
    assert checked == [output]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cached", "folder", "model.litertlm"]
