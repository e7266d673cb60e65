"""Training is seeded, lowers the loss, trains the adapter only and keeps its history."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.loop import Training, fit
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD
from tests.tuning.conftest import SETTINGS

TARGETS = ("query", "value")


def train(
    base: Path, examples: EncodedExamples, folder: Path, **settings: object
) -> tuple[Training, Adapter]:
    import keras

    folder.mkdir()
    chosen = replace(SETTINGS, **settings)  # type: ignore[arg-type]
    keras.utils.set_random_seed(chosen.seed)
    backbone = load_causal_lm(base).backbone
    attachment = METHOD.attach(backbone, MethodSettings(8, 8.0, TARGETS))
    training = fit(backbone, examples, examples, chosen, FinetuneFiles(folder))
    return training, METHOD.collect(attachment, "base")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_adapter_bytes_and_another_seed_others(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        _, adapter = train(base, examples, tmp_path / name, seed=seed)
        adapter.save(tmp_path / f"{name}.safetensors")
    a, b, c = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_training_lowers_the_loss_and_writes_its_history(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    training, _ = train(base, examples, tmp_path / "run", epochs=6)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,exact_match,loss,val_exact_match,val_loss"
    losses = [float(row.split(",")[4]) for row in rows[1:]]
    assert len(losses) == training.epochs == 6
    assert training.best_validation_loss < losses[0] / 2
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_only_the_adapter_is_trained(base: Path, examples: EncodedExamples, tmp_path: Path) -> None:
    training, adapter = train(base, examples, tmp_path / "run", epochs=1)
    assert training.trainable_parameters == sum(tensor.size for tensor in adapter.tensors.values())
    assert all(tensor.any() for tensor in adapter.tensors.values())


def test_training_without_validation_is_refused(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    backbone = load_causal_lm(base).backbone
    with pytest.raises(InputError, match="there is no validation example"):
        fit(backbone, examples, EncodedExamples((), 0), SETTINGS, FinetuneFiles(tmp_path))
