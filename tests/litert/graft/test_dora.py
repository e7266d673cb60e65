"""Promise: a graft of a DoRA adapter writes the matrices that merging gives, bit by bit."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.families.names import MATRICES, hugging_face_name, parse_adapter_name
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.presets import preset_digest
from pipeline.litert.graft.adapter import graft_adapter
from pipeline.litert.graft.weight_map import locate_matrices
from pipeline.litert.graft.writer import graft
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.methods.dora import with_magnitudes
from pipeline.tuning.methods.lora import LoraFactors
from pipeline.tuning.peft import write_peft
from tests.support.grafting import FFN, HEAD_DIM, HEADS, HIDDEN, matrices_of, write_base, write_folder

KERNELS = {
    "query": (HEADS, HIDDEN, HEAD_DIM),
    "output": (HEADS, HEAD_DIM, HIDDEN),
    "gate": (HIDDEN, FFN),
    "down": (FFN, HIDDEN),
}


def adapter_of(folder: Path) -> Adapter:
    """Random A, B and magnitudes of four kinds of matrix in two layers."""
    random = np.random.default_rng(5)
    pairs, magnitudes = {}, {}
    for layer in range(2):
        for target, kernel in KERNELS.items():
            name = f"decoder_block_{layer}.{target}"
            a, b = random.standard_normal((*kernel[:-1], 3)), random.standard_normal((3, kernel[-1]))
            pairs[name] = (a.astype(np.float32), b.astype(np.float32))
            axes = MATRICES[target].input_axes
            rows = [size for axis, size in enumerate(kernel) if axis not in axes]
            magnitudes[name] = random.uniform(1, 9, rows).astype(np.float32)
    plain = LoraFactors(3, 6.0, tuple(KERNELS), pairs).adapter(preset_digest(folder))
    return with_magnitudes(plain, magnitudes)


def explicit(w0: np.ndarray, adapter: Adapter, name: str) -> np.ndarray:
    """The merged matrix by the formula of the paper, whole, in float64."""
    factors, kind = LoraFactors.of(adapter), MATRICES[parse_adapter_name(name)[1]]
    a, b = (each.astype(np.float64) for each in factors.pairs[name])
    product: Any = factors.scale * (a @ b)
    directed = w0 + kind.as_matrix(product)
    magnitude = adapter.tensors[f"{name}.magnitude"].reshape(-1, 1)
    return np.asarray(magnitude * directed / np.linalg.norm(directed, axis=1, keepdims=True))


def test_a_graft_of_our_adapter_and_of_pefts_writes_the_merged_matrices(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    adapter, merged = adapter_of(folder), dict(matrices_of(folder))
    for name in LoraFactors.of(adapter).pairs:
        matrix = hugging_face_name(name)
        w0, formula = merged[matrix], explicit(merged[matrix], adapter, name)
        merged[matrix] = w0 + adapter.method.deltas(adapter).matrices[matrix][1]()(0, w0)
        np.testing.assert_allclose(merged[matrix], formula, rtol=0, atol=1e-6 * np.abs(w0).max())
    rounded = ((name, nearest(matrix, 8, None)) for name, matrix in merged.items())
    weight_map = locate_matrices(base, PresetMatrices(folder).items(), SCHEMES["int8"])
    graft(base, weight_map, tmp_path / "expected.litertlm", rounded)

    adapter.save(tmp_path / "adapter.safetensors")
    write_peft(adapter, tmp_path / "peft")
    for source in ("adapter.safetensors", "peft"):
        out = tmp_path / f"{source}.litertlm"
        report = graft_adapter(base, tmp_path / source, folder, out)
        assert report.matrices == 8
        assert out.read_bytes() == (tmp_path / "expected.litertlm").read_bytes(), source
