"""Promise: `pocketgemma graft` writes the merged matrices into the base, and refuses an adapter, preset or
map of another base."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.families.names import MATRICES, hugging_face_name
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.presets import preset_digest
from pipeline.litert.graft.adapter import graft_adapter
from pipeline.litert.graft.weight_map import locate_matrices
from pipeline.litert.graft.writer import graft
from pipeline.quantization.rounding import Quantized, least_squares, nearest, with_scales
from pipeline.quantization.schemes import SCHEMES
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.lora_products import weight_delta
from pipeline.tuning.methods.lora import LoraFactors
from pipeline.tuning.methods.quantization_aware import with_trained_scales
from tests.support.grafting import FFN, HEAD_DIM, HEADS, HIDDEN, matrices_of, write_base, write_folder

ROOT = Path(__file__).parents[3]
KERNELS = {
    "query": (HEADS, HIDDEN, HEAD_DIM),
    "value": (1, HIDDEN, HEAD_DIM),
    "output": (HEADS, HEAD_DIM, HIDDEN),
    "gate": (HIDDEN, FFN),
    "down": (FFN, HIDDEN),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "folder")


def adapter_of(folder: Path) -> Adapter:
    """Random A and B of rank 3 for five kinds of matrix."""
    random = np.random.default_rng(5)
    tensors = {}
    for layer in range(2):
        for target, kernel in KERNELS.items():
            a, b = random.standard_normal((*kernel[:-1], 3)), random.standard_normal((3, kernel[-1]))
            tensors[f"decoder_block_{layer}.{target}"] = (a.astype(np.float32), b.astype(np.float32))
    return LoraFactors(3, 6.0, tuple(KERNELS), tensors).adapter(preset_digest(folder))


def merged(folder: Path, adapter: Adapter) -> dict[str, np.ndarray]:
    """All matrices, those with an adapter merged as the merge stage does it: in the layout of the kernel."""
    found = dict(matrices_of(folder))
    factors = LoraFactors.of(adapter)
    for name, pair in factors.pairs.items():
        delta = weight_delta(*pair, factors.scale)
        found[hugging_face_name(name)] = found[hugging_face_name(name)] + MATRICES[
            name.rpartition(".")[2]
        ].as_matrix(delta)
    return found


def expected(
    base: Path,
    folder: Path,
    recipe: str,
    matrices: dict[str, np.ndarray],
    path: Path,
    rounding: object = nearest,
) -> bytes:
    scheme = SCHEMES[recipe]

    def rounded() -> Iterator[tuple[str, Quantized]]:
        for name, matrix in matrices.items():
            yield name, rounding(matrix, scheme.bits_of(name), scheme.block_of(name))  # type: ignore[operator]

    graft(base, locate_matrices(base, PresetMatrices(folder).items(), scheme), path, rounded())
    return path.read_bytes()


@pytest.mark.parametrize("recipe", ["int8", "int4", "int4_block32", "fp16"])
def test_the_file_holds_the_merged_matrices(folder: Path, tmp_path: Path, recipe: str) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), recipe)
    adapter = adapter_of(folder)
    adapter.save(tmp_path / "adapter.safetensors")
    report = graft_adapter(base, tmp_path / "adapter.safetensors", folder, tmp_path / "out.litertlm")
    assert (report.recipe, report.matrices, report.kind) == (recipe, 10, "PocketGemma")
    wanted = expected(base, folder, recipe, merged(folder, adapter), tmp_path / "expected.litertlm")
    assert (tmp_path / "out.litertlm").read_bytes() == wanted


def test_least_squares_writes_every_matrix(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4")
    adapter = adapter_of(folder)
    adapter.save(tmp_path / "adapter.safetensors")
    out = tmp_path / "out.litertlm"
    assert graft_adapter(base, tmp_path, folder, out, "least_squares").matrices == 15
    wanted = expected(
        base, folder, "int4", merged(folder, adapter), tmp_path / "expected.litertlm", least_squares
    )
    assert out.read_bytes() == wanted


def test_an_adapter_trained_for_a_recipe_brings_its_scales(folder: Path, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int4")
    scales = {
        f"{name}.scales": np.full((len(matrix), 1), 0.3, np.float32)
        for name, matrix in matrices_of(folder).items()
    }
    adapter = with_trained_scales(adapter_of(folder), "int4", scales)
    adapter.save(tmp_path / "adapter.safetensors")
    out = tmp_path / "out.litertlm"
    assert graft_adapter(base, tmp_path, folder, out).matrices == 15

    def by_scales(matrix: np.ndarray, bits: int, block: None) -> Quantized:
        return with_scales(matrix, np.full((len(matrix), 1), 0.3, np.float32), bits)

    wanted = expected(
        base, folder, "int4", merged(folder, adapter), tmp_path / "expected.litertlm", by_scales
    )
    assert out.read_bytes() == wanted
    other = write_base(tmp_path / "int8.litertlm", matrices_of(folder), "int8")
    refuse(other, tmp_path, folder, "was trained for int4, but .*int8.litertlm is int8")


def write_peft(folder: Path) -> np.ndarray:
    """Write a PEFT adapter of one matrix; returns what it adds to the matrix."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    a, b = torch.randn(2, HIDDEN), torch.randn(FFN, 2)
    module = "base_model.model.model.layers.1.mlp.up_proj"
    save_file(
        {f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}, folder / "adapter_model.safetensors"
    )
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 1, "target_modules": ["up_proj"]}
    config["base_model_name_or_path"] = "google/gemma"
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return np.asarray((b.double() @ a.double() * 0.5).float())


def test_a_peft_adapter_is_merged(folder: Path, tmp_path: Path) -> None:
    delta = write_peft(tmp_path)
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")
    report = graft_adapter(base, tmp_path, folder, tmp_path / "out.litertlm")
    assert (report.kind, report.matrices) == ("PEFT", 1)
    assert str(report).endswith("\nthe adapter names google/gemma as its base; the preset must be that model")
    matrices = matrices_of(folder)
    matrices["model.layers.1.mlp.up_proj.weight"] = matrices["model.layers.1.mlp.up_proj.weight"] + delta
    wanted = expected(base, folder, "int8", matrices, tmp_path / "expected.litertlm")
    assert (tmp_path / "out.litertlm").read_bytes() == wanted


@pytest.fixture
def base(folder: Path, tmp_path: Path) -> Path:
    adapter_of(folder).save(tmp_path / "adapter.safetensors")
    return write_base(tmp_path / "base.litertlm", matrices_of(folder), "int8")


def refuse(base: Path, adapter: Path, preset: Path, message: str) -> None:
    before = sorted(base.parent.rglob("*"))
    with pytest.raises(InputError, match=message) as refused:
        graft_adapter(base, adapter, preset, base.parent / "refused.litertlm")
    assert "\n" not in str(refused.value)
    assert [
        path for path in base.parent.rglob("*") if path not in before and "weight-map" not in path.name
    ] == []


def test_the_weight_map_is_saved_next_to_the_base_and_used_again(
    base: Path, folder: Path, tmp_path: Path
) -> None:
    first = graft_adapter(base, tmp_path, folder, tmp_path / "first.litertlm")
    second = graft_adapter(base, tmp_path, folder, tmp_path / "second.litertlm")
    assert (first.recognized, second.recognized) == (True, False)
    assert (tmp_path / "base.litertlm.weight-map.json").is_file()
    assert (tmp_path / "first.litertlm").read_bytes() == (tmp_path / "second.litertlm").read_bytes()
    content = bytearray(base.read_bytes())
    content[-1] ^= 1
    base.write_bytes(content)
    refuse(base, tmp_path, folder, "does not match its weight map")


def test_nothing_is_written_into_a_finished_stage(
    base: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETGEMMA_CACHE", str(tmp_path / "cache"))
    stage = tmp_path / "run" / "convert"
    stage.mkdir(parents=True)
    finished = stage / "base.litertlm"
    finished.write_bytes(base.read_bytes())
    (stage / "manifest.json").write_text("{}", encoding="utf-8")
    before = sorted(stage.iterdir())
    first = graft_adapter(finished, tmp_path, folder, tmp_path / "first.litertlm")
    second = graft_adapter(finished, tmp_path, folder, tmp_path / "second.litertlm")
    assert (first.recognized, second.recognized) == (True, False)
    with pytest.raises(InputError, match="is inside the finished result of convert, which must not"):
        graft_adapter(finished, tmp_path, folder, stage / "mine.litertlm")
    assert sorted(stage.iterdir()) == before


def test_an_adapter_of_another_base_is_refused(base: Path, folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.safetensors"
    config = folder / "config.json"
    config.write_text(config.read_text() + " ")  # the same shapes, another digest
    refuse(base, adapter, folder, "was not trained on .*folder")


def test_an_adapter_of_other_shapes_is_refused(base: Path, folder: Path, tmp_path: Path) -> None:
    narrow = {"decoder_block_0.query": (np.ones((1, 8, 2), np.float32), np.ones((2, 8), np.float32))}
    LoraFactors(2, 2.0, ("query",), narrow).adapter("").save(tmp_path / "narrow.safetensors")
    refuse(
        base, tmp_path / "narrow.safetensors", folder, r"q_proj.weight has shape \(8, 8\), .* has \(64, 32\)"
    )
    deeper = {"decoder_block_9.down": (np.ones((64, 2), np.float32), np.ones((2, 32), np.float32))}
    LoraFactors(2, 2.0, ("down",), deeper).adapter("").save(tmp_path / "deeper.safetensors")
    refuse(
        base,
        tmp_path / "deeper.safetensors",
        folder,
        "has no such matrix: the adapter belongs to another base",
    )


def test_a_base_of_other_weights_is_refused(base: Path, tmp_path: Path) -> None:
    other = write_folder(tmp_path / "other", seed=9)
    adapter_of(other).save(tmp_path / "adapter.safetensors")
    refuse(base, tmp_path, other, "match none of the recipes")


@pytest.mark.parametrize(
    "output",
    [
        "base.litertlm",
        "base.litertlm.weight-map.json",
        "adapter.safetensors",
        "folder/model.safetensors",
        "folder/new.litertlm",
        "link.litertlm",
    ],
)
@pytest.mark.parametrize("located", [False, True], ids=["first", "again"])
def test_what_is_read_is_never_overwritten(
    base: Path, folder: Path, tmp_path: Path, output: str, located: bool
) -> None:
    if located:
        graft_adapter(base, tmp_path, folder, tmp_path / "out.litertlm")
    (tmp_path / "link.litertlm").symlink_to(base)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"an input of this command.*; choose .*--out$"):
        graft_adapter(base, tmp_path, folder, tmp_path / output)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("output", ["adapter_config.json", "adapter_model.safetensors"])
def test_no_file_of_a_peft_adapter_is_overwritten(
    base: Path, folder: Path, tmp_path: Path, output: str
) -> None:
    write_peft(tmp_path)
    before = (tmp_path / output).read_bytes()
    with pytest.raises(InputError, match=f"{output}: is an input of this command"):
        graft_adapter(base, tmp_path / "adapter_model.safetensors", folder, tmp_path / output)
    assert (tmp_path / output).read_bytes() == before


def test_a_folder_as_output_is_refused(base: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    with pytest.raises(InputError, match="outputs: is a folder; name the file to write with --out"):
        graft_adapter(base, tmp_path, folder, tmp_path / "outputs")


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("recipe", "values", "alpha", "rounding"),
    [
        ("int8", 1e30, 1, "nearest"),
        ("int8", 1e30, 1, "least_squares"),
        ("int8", 1.0, 1e308, "nearest"),
        ("fp16", 200.0, 2, "nearest"),
        ("int4_block32", 3000.0, 2, "nearest"),
    ],
    ids=["product", "least squares", "alpha", "float16", "scales"],
)
def test_what_no_type_of_the_base_can_hold_is_refused(
    folder: Path, tmp_path: Path, recipe: str, values: float, alpha: float, rounding: str
) -> None:
    base = write_base(tmp_path / "base.litertlm", matrices_of(folder), recipe)
    write_peft_values(tmp_path, np.float32(values), alpha)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"up_proj.weight: infinite or NaN after adding the adapter: the"):
        graft_adapter(base, tmp_path, folder, tmp_path / "out.litertlm", rounding)
    assert [path for path in tmp_path.iterdir() if path not in before and "map" not in path.name] == []


def write_peft_values(folder: Path, value: np.float32, alpha: float) -> None:
    """A PEFT adapter of one matrix whose A and B have one value everywhere."""
    module = "base_model.model.model.layers.1.mlp.up_proj"
    factors = {"A": np.full((2, HIDDEN), value), "B": np.full((FFN, 2), value)}
    tensors = {f"{module}.lora_{part}.weight": values for part, values in factors.items()}
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": alpha, "target_modules": ["up_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def test_the_command_reports_its_result_in_two_lines(base: Path, folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "graft"]
    files = {"base": base, "adapter": tmp_path, "preset": folder, "out": tmp_path / "out.litertlm"}
    for option, path in files.items():
        command += [f"--{option}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("recipe of the base: int8 (recognized; matrices located in")
    assert second.startswith("wrote 10 matrices from a PocketGemma adapter in")
    assert (tmp_path / "out.litertlm").stat().st_size == base.stat().st_size


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has only what the command line and a graft need."""
    uv = shutil.which("uv") or str(ROOT / ".venv-uv" / "bin" / "uv")
    environment = tmp_path_factory.mktemp("light") / "venv"
    python = environment / "bin" / "python"
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", str(python), "--constraint", "requirements.lock"]
    subprocess.run([*install, *needed], check=True, cwd=ROOT)
    return python


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ours", "PEFT"])
def test_it_runs_without_the_packages_that_train_and_convert(
    light: Path, base: Path, folder: Path, tmp_path: Path, form: str
) -> None:
    absent = (
        "import importlib.util as i; print([n for n in ('torch', 'tensorflow', 'keras', 'jax', "
        "'litert_torch', 'litert_lm_builder', 'ai_edge_litert', 'flatbuffers', 'sentencepiece') if "
        "i.find_spec(n)])"
    )
    found = subprocess.run([light, "-c", absent], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    if form == "PEFT":
        write_peft(tmp_path)
    outputs = [tmp_path / "light.litertlm", tmp_path / "full.litertlm"]
    for python, output in zip((light, sys.executable), outputs, strict=True):
        files = {"base": base, "adapter": tmp_path, "preset": folder, "out": output}
        options = [part for option, path in files.items() for part in (f"--{option}", str(path))]
        done = subprocess.run(
            [str(python), "-m", "pipeline", "graft", *options],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"from a {'PEFT' if form == 'PEFT' else 'PocketGemma'} adapter" in done.stdout
    assert outputs[0].read_bytes() == outputs[1].read_bytes() != base.read_bytes()
