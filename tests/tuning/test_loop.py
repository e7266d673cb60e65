"""Training is seeded, lowers the loss, trains the adapter only and keeps its history."""

import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import PocketGemmaError
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.run.files import FinetuneFiles
from pipeline.tuning import allocation
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.loop import Training, check_finite, compare, fit
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


@pytest.mark.slow
def test_training_lowers_the_loss_and_writes_its_history(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    training, _ = train(base, examples, tmp_path / "run", epochs=6)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,exact_match,loss,val_exact_match,val_loss"
    losses = [float(row.split(",")[4]) for row in rows[1:]]
    assert len(losses) == training.epochs == 6
    assert training.best_validation_loss is not None
    assert training.best_validation_loss < losses[0] / 2
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


@pytest.mark.slow
def test_the_history_has_the_mean_over_the_steps(
    base: Path, examples: EncodedExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    plain, losses = keras.Model.train_on_batch, []

    def noted(*args: Any, **kwargs: Any) -> Any:
        found = plain(*args, **kwargs)
        losses.append(float(found["loss"]))
        return found

    monkeypatch.setattr(keras.Model, "train_on_batch", noted)
    train(base, examples, tmp_path / "run", micro_batch_size=2)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()[1:]
    for epoch, steps in enumerate(np.split(np.array(losses), len(rows))):
        assert float(rows[epoch].split(",")[2]) == pytest.approx(steps.mean(), abs=1e-5)
    assert losses[0] != pytest.approx(losses[-1], rel=0.1)


def test_norms_are_fused_and_memory_is_kept_while_it_trains(
    base: Path, examples: EncodedExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    backbone = load_causal_lm(base).backbone
    METHOD.attach(backbone, MethodSettings(8, 8.0, TARGETS))
    calls: list[tuple[int, int]] = []
    library = SimpleNamespace(
        mallopt=lambda parameter, value: calls.append((parameter, value)), malloc_trim=lambda pad: None
    )
    monkeypatch.setattr(allocation, "_glibc", lambda: library)
    monkeypatch.setattr(allocation, "_is_configured", lambda: False)
    seen: list[tuple[str, list[tuple[int, int]]]] = []
    plain = keras.Model.train_on_batch

    def step(*arguments: Any, **more: Any) -> Any:
        seen.append((type(backbone.get_layer("final_normalization")).__name__, list(calls)))
        return plain(*arguments, **more)

    monkeypatch.setattr(keras.Model, "train_on_batch", step)
    fit(backbone, examples, examples, replace(SETTINGS, epochs=1), FinetuneFiles(tmp_path))
    kept = list(allocation.KEEP.items())
    assert seen == [("FusedNorm", kept)] * 3
    assert calls == kept + list(allocation.AFTERWARDS.items())


def test_only_the_adapter_is_trained(base: Path, examples: EncodedExamples, tmp_path: Path) -> None:
    training, adapter = train(base, examples, tmp_path / "run", epochs=1)
    assert training.trainable_parameters == sum(tensor.size for tensor in adapter.tensors.values())
    assert all(tensor.any() for tensor in adapter.tensors.values())


RESULTS = [
    # monitor, trained, untrained: (loss, exact match)
    ("loss", (2.0, 0.0), (3.0, 0.5), None),
    ("exact_match", (4.0, 0.6), (3.0, 0.5), None),
    ("loss", (3.01, 0.5), (3.0, 0.5), "did not improve the model"),
    ("exact_match", (2.0, 0.4), (3.0, 0.5), "did not improve the model"),
]


@pytest.mark.parametrize(("monitor", "trained", "untrained", "warning"), RESULTS)
def test_a_training_that_does_not_help_is_mentioned(
    monitor: str,
    trained: tuple[float, float],
    untrained: tuple[float, float],
    warning: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pipeline.tuning.callbacks import Result

    compare(Result(*trained), Result(*untrained), replace(SETTINGS, monitor=monitor), "validation")
    printed = capsys.readouterr().out
    assert warning in printed if warning else printed == ""


@pytest.mark.parametrize("monitor", ["loss", "exact_match"])
@pytest.mark.parametrize("loss", [3.1, float("nan"), float("inf")])
def test_a_training_that_makes_the_model_worse_is_refused(monitor: str, loss: float) -> None:
    from pipeline.tuning.callbacks import Result

    settings = replace(SETTINGS, monitor=monitor, learning_rate=0.5)
    with pytest.raises(PocketGemmaError, match="made the model worse") as caught:
        compare(Result(loss, 0.0), Result(3.0, 0.5), settings, "validation")
    if not math.isfinite(loss):
        with pytest.raises(PocketGemmaError, match="made the model worse"):
            compare(Result(loss, 1.0), Result(3.0, 0.5), settings, "validation")
    assert str(caught.value).endswith(
        "before training a loss of 3 and 50.0 % exact match; lower finetune.learning_rate (0.5)"
    )


@pytest.mark.parametrize(
    ("logs", "what"),
    [({"loss": 2.0, "val_loss": float("nan")}, "validation loss is nan"), ({"loss": float("inf")}, "is inf")],
)
def test_a_loss_that_is_not_finite_stops_training_with_advice(logs: dict[str, float], what: str) -> None:
    check_finite({"loss": 2.0, "val_loss": 3.0}, "after epoch 2")
    with pytest.raises(PocketGemmaError, match=rf"{what} after epoch 3; lower finetune\.learning_rate"):
        check_finite(logs, "after epoch 3")


def test_training_stops_at_the_step_whose_loss_is_not_finite(
    base: Path, examples: EncodedExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the examples of that step."""
    import keras

    losses = iter([2.0, 1.5, float("nan")])
    monkeypatch.setattr(keras.Model, "train_on_batch", lambda *_, **__: {"loss": next(losses)})
    with pytest.raises(PocketGemmaError) as caught:
        train(base, examples, tmp_path / "run")
    found = re.search(r"loss is nan at step 3 \(examples ([\d, ]+)\); lower", str(caught.value))
    assert found, caught.value
    numbers = [int(number) for number in found[1].split(", ")]
    assert len(numbers) == SETTINGS.batch_size and all(1 <= number <= len(examples) for number in numbers)


def test_a_model_that_computes_no_number_is_not_trained(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    backbone = load_causal_lm(base).backbone
    METHOD.attach(backbone, MethodSettings(8, 1e308, TARGETS))
    with pytest.raises(PocketGemmaError) as caught:
        fit(backbone, examples, examples, SETTINGS, FinetuneFiles(tmp_path))
    assert str(caught.value) == (
        "the loss on the validation examples is nan before any training; check model.preset, set "
        "finetune.dtype: float32, or lower finetune.alpha if the recipe sets it"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [6, 5])
def test_micro_batches_train_the_same_adapter(
    base: Path, examples: EncodedExamples, tmp_path: Path, batch_size: int
) -> None:
    """Five examples in parts of two: the last part has one, and a row that weighs nothing."""
    whole, parts = (
        train(base, examples, tmp_path / str(size), batch_size=batch_size, micro_batch_size=size)
        for size in (None, 2)
    )
    assert parts[0].steps == whole[0].steps
    assert parts[0].best_validation_loss == pytest.approx(whole[0].best_validation_loss, rel=1e-4)
    for name, tensor in whole[1].tensors.items():
        limit = 1e-3 * np.abs(tensor).max()
        np.testing.assert_allclose(parts[1].tensors[name], tensor, atol=limit, err_msg=name)


def test_parts_without_examples_do_not_count(base: Path, examples: EncodedExamples) -> None:
    """Of 12 examples in batches of eight, the last batch has four, and four parts of nothing."""
    from pipeline.tuning.loss import Batches, response_model
    from pipeline.tuning.progress import Progress

    model = response_model(load_causal_lm(base).backbone)
    model.compile()
    found = []
    for micro_batches in (1, 8):
        progress = Progress(model, None, None)
        for parts, chosen in Batches(examples, 8, 0, micro_batches).epoch(0):
            assert sum(part.examples for part in parts) == len(chosen)
            # Right in every example: only parts of nothing could lower it.
            results = [{"loss": 0.0, "exact_match": float(part.examples > 0)} for part in parts]
            progress.add_step(results, [part.examples for part in parts])
        found.append(progress.means["exact_match"])
    assert found == [1.0, 1.0]


@pytest.mark.slow
def test_a_batch_has_no_more_rows_than_there_are_examples(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    for name, size in (("all", len(examples)), ("more", 10**12)):
        training, adapter = train(base, examples, tmp_path / name, epochs=1, batch_size=size)
        assert training.steps == 1
        adapter.save(tmp_path / f"{name}.safetensors")
    first, second = ((tmp_path / f"{name}.safetensors").read_bytes() for name in ("all", "more"))
    assert first == second
