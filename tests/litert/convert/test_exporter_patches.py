"""Promise: the converter leaves weights in their file and releases pages of files without losing a byte, and
its result is the same."""

import json
import mmap
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.safetensors import read_safetensors
from pipeline.isolation import HASH_SEED
from pipeline.litert.convert.exporter_patches import in_float32, release_file_pages
from tests.support.tiny_gemma import SPEC

linux = pytest.mark.skipif(
    not Path("/proc/self/smaps").exists(), reason="the kernel does not tell what is mapped"
)
BYTES = 1 << 22

PLAIN = """
import sys
sys.modules["triton"] = None
from litert_torch.generative.export_hf.export import export
model, output, lengths, context = sys.argv[1:]
export(
    model=model, output_dir=output, prefill_lengths=[int(length) for length in lengths.split(",")],
    cache_length=int(context),
    quantization_recipe="none", tokenizer_path_override=model + "/tokenizer.model",
    export_vision_encoder=False, export_audio_encoder=False, experimental_lightweight_conversion=True,
)
"""
"""The unpatched exporter."""

CONSTANTS = """
import sys
sys.modules["triton"] = None
import torch
from litert_torch.backend import inline_consts
from pipeline.litert.convert.exporter_patches import leave_weights_in_their_file
from tests.litert.convert.test_exporter_patches import resident
leave_weights_in_their_file()
weights = torch.from_file(sys.argv[1], shared=False, size=1 << 20, dtype=torch.float32)
assert inline_consts._clamp_inf_values(weights) is weights
assert resident(sys.argv[1]) == 0, resident(sys.argv[1])
assert weights.sum() == 1 << 20
limits = inline_consts._clamp_inf_values(torch.tensor([float("-inf"), 2.0, float("inf")]))
assert torch.equal(limits, torch.tensor([torch.finfo().min, 2.0, torch.finfo().max])), limits
"""


def resident(path: str) -> int:
    """Bytes of a mapped file that this process holds in memory."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if not line.split()[0].endswith(":"):
            inside = line.endswith(path)
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


@linux
def test_pages_of_a_checkpoint_are_released_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(range(256)) * (BYTES // 256))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        before = mapped[:]
        assert resident(str(path)) == BYTES
        assert release_file_pages() >= BYTES
        assert resident(str(path)) == 0
        assert mapped[:] == before


@linux
def test_data_written_to_a_mapping_is_not_released(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(BYTES))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        mapped[BYTES // 2] = 7
        release_file_pages()
        assert mapped[BYTES // 2] == 7


def write_bfloat16(folder: Path, name: str, values: np.ndarray) -> None:
    header = {name: {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [0, 2 * values.size]}}
    text = json.dumps(header).encode()
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + upper.tobytes())


def test_a_checkpoint_in_bfloat16_is_widened_on_disk_without_loss(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    values = np.random.default_rng(0).standard_normal((300, 40)).astype(np.float32)
    values = (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    write_bfloat16(folder, "model.embed_tokens.weight", values)
    (folder / "config.json").write_text("{}")
    wide = in_float32(folder, tmp_path / "wide")
    (tensor,) = read_safetensors(wide / "model.safetensors").tensors.values()
    assert tensor.dtype == "F32"
    assert np.array_equal(tensor.read(0, 300), values)
    assert (wide / "config.json").read_text() == "{}"


def test_a_checkpoint_in_float32_is_used_as_it_is(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"model.norm.weight": np.ones(3, np.float32)}, str(tmp_path / "model.safetensors"))
    assert in_float32(tmp_path, tmp_path / "wide") == tmp_path
    assert not (tmp_path / "wide").exists()


@linux
@pytest.mark.slow
def test_weights_are_not_copied_and_infinities_are_still_clamped(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    np.ones(1 << 20, np.float32).tofile(path)
    subprocess.run([sys.executable, "-c", CONSTANTS, str(path)], check=True, cwd=Path(__file__).parents[3])


@pytest.mark.slow
def test_the_model_equals_that_of_the_unpatched_exporter(folder: Path, model: Path, tmp_path: Path) -> None:
    lengths = ",".join(map(str, SPEC.prefill_lengths))
    source = shutil.copytree(folder, tmp_path / "model")
    command = [sys.executable, "-c", PLAIN, str(source), str(tmp_path), lengths, str(SPEC.context_length)]
    environment = os.environ | {"PYTHONHASHSEED": HASH_SEED}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    plain = read_container(tmp_path / "model.litertlm")
    assert plain.read(MODEL) == read_container(model).read(MODEL)
