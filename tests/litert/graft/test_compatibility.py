"""Promise: every difference that a graft cannot write is found by name, and one that it can write is not."""

from pathlib import Path

import numpy as np

from pipeline.families.names import EMBEDDING
from pipeline.litert.graft.compatibility import changes_outside_matrices, fixed_content
from tests.support.grafting import matrices_of, with_tensors, write_folder

UP = "model.layers.1.mlp.up_proj.weight"


def test_other_values_in_matrices_can_be_grafted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    changed = with_tensors(folder, tmp_path / "changed", {UP: matrices_of(folder)[UP] + 1})
    assert changes_outside_matrices(fixed_content(folder), fixed_content(changed)) == []


def test_what_a_graft_cannot_write_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    norm = "model.layers.0.input_layernorm.weight"
    other = with_tensors(
        folder, tmp_path / "norm", {norm: np.ones(32, np.float32), UP: matrices_of(folder)[UP] + 1}
    )
    assert changes_outside_matrices(fixed_content(folder), fixed_content(other)) == [norm]
    wider = with_tensors(folder, tmp_path / "wider", {UP: np.ones((96, 32), np.float32)})
    assert changes_outside_matrices(fixed_content(folder), fixed_content(wider)) == [UP]
    untied = with_tensors(folder, tmp_path / "untied", {"lm_head.weight": matrices_of(folder)[EMBEDDING]})
    (untied / "tokenizer.model").write_bytes(b"another")
    assert changes_outside_matrices(fixed_content(folder), fixed_content(untied)) == [
        "lm_head.weight",
        "tokenizer.model",
    ]
