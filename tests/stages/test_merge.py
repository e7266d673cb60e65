"""Promise: merge publishes base + adapter and the proof of it. A preset on disk that is anything else is
refused, and nothing is published."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.data.examples import Example, write_examples
from pipeline.errors import PocketGemmaError
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.run.folder import Run
from pipeline.stages import merge
from pipeline.tuning.load import load_adapter, read_checked
from tests.support.finished_run import DEMO, config, write_adapter

WEIGHTS = "model.weights.h5"
BLOCK = "layers/gemma3_decoder_block_3"
Damage = Callable[[Any, Any], None]
"""Changes the open HDF5 file of the merged preset, given that of the base."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as far as finetune, with a random adapter of query and value."""
    folder = tmp_path_factory.mktemp("merge") / "run"
    question: Any = (
        {"role": "user", "content": "Greet gold."},
        {"role": "assistant", "content": "Hi, gold!"},
    )
    with Run(folder) as run:
        with run.stage("download", settings={}) as work:
            shutil.copytree(DEMO / "base", work.folder / "preset")
        with run.stage("prepare", settings={}, after=("download",)) as work:
            write_examples(work.folder / "train.jsonl", [Example(question)])
        with run.stage("finetune", settings={}, after=("download", "prepare")) as work:
            write_adapter(run.files.download.preset, work.folder / "adapter.safetensors")
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "run")


def run_merge(folder: Path) -> None:
    with Run(folder) as run:
        merge.run(config(), run)


def damage_preset(monkeypatch: pytest.MonkeyPatch, folder: Path, damage: Damage) -> None:
    """Change the merged preset on disk between its being written and its being read again."""
    load = load_causal_lm

    def load_damaged(preset: Path, *arguments: Any, **options: Any) -> Any:
        if preset.name == "keras":
            base = folder / "download" / "preset" / WEIGHTS
            with h5py.File(preset / WEIGHTS, "r+") as file, h5py.File(base, "r") as original:
                damage(file, original)
        return load(preset, *arguments, **options)

    monkeypatch.setattr(merge, "load_causal_lm", load_damaged)


def refused(folder: Path, message: str) -> None:
    with pytest.raises(PocketGemmaError, match=message):
        run_merge(folder)
    assert not (folder / "merge").exists()


@pytest.mark.slow
def test_it_publishes_both_forms_and_the_proof(folder: Path) -> None:
    run_merge(folder)
    published = folder / "merge"
    assert {path.name for path in published.iterdir()} == {
        "keras",
        "huggingface",
        "proof.json",
        "manifest.json",
    }
    details = json.loads((published / "manifest.json").read_text(encoding="utf-8"))["details"]
    proof = json.loads((published / "proof.json").read_text(encoding="utf-8"))
    adapter = read_checked(folder / "finetune" / "adapter.safetensors")
    assert details["matrices"] == len(proof["matrices"]) == 2 * 6
    assert (details["changed"], details["formula"]) == ("matrices", "W0 + 1·A·B")
    assert {matrix["name"] for matrix in proof["matrices"]} == set(adapter.matrices)
    assert details["largest_relative_deviation"] == proof["largest_relative_deviation"] <= 1e-6
    assert details["other_weights_unchanged"] == proof["other_weights"] > 0
    ratios = [each["difference"] / each["rounding"] for each in details["sequences"]]
    assert len(ratios) == 2 and details["logit_noise"] == max(ratios) < 10


@pytest.mark.slow
def test_the_merged_preset_does_not_depend_on_the_time(folder: Path) -> None:
    """Otherwise the stages after it would run again after each merge."""
    run_merge(folder)
    metadata = json.loads((folder / "merge/keras/metadata.json").read_text(encoding="utf-8"))
    assert "keras_version" in metadata and "date_saved" not in metadata


def unmerge_one_matrix(file: Any, base: Any) -> None:
    path = f"{BLOCK}/attention/value_dense/vars/0"
    file[path][...] = base[path][...]


def change_one_norm(file: Any, base: Any) -> None:
    values = file[f"{BLOCK}/pre_attention_norm/vars/0"]
    values[5] = np.nextafter(values[5], np.float32(9))


def restore_the_base(file: Any, base: Any) -> None:
    def restore(path: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            file[path][...] = item[...]

    base.visititems(restore)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (unmerge_one_matrix, r"decoder_block_3\.value"),
        (change_one_norm, "decoder_block_3.*changed"),
        (restore_the_base, "no matrix differs from the base"),
    ],
)
def test_a_preset_that_is_not_base_and_adapter_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: Damage, message: str
) -> None:
    damage_preset(monkeypatch, folder, damage)
    refused(folder, message)


def test_an_adapter_of_another_base_is_refused(folder: Path) -> None:
    path = folder / "finetune" / "adapter.safetensors"
    replace(load_adapter(path), base_digest="0" * 64).save(path)
    refused(folder, "adapter was trained on.*pocketgemma finetune --force")


@pytest.mark.slow
def test_a_hugging_face_folder_that_answers_otherwise_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = write_hugging_face

    def write_with_half_the_window(model: Any, tokenizer: Any, output: Path) -> None:
        write(model, tokenizer, output)
        settings = json.loads((output / "config.json").read_text(encoding="utf-8"))
        settings["sliding_window"] //= 2
        (output / "config.json").write_text(json.dumps(settings), encoding="utf-8")

    monkeypatch.setattr(merge, "write_hugging_face", write_with_half_the_window)
    refused(folder, "logits")
