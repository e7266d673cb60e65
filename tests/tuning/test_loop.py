"""The loss looks at responses only; training is seeded, keeps its best epoch and refuses to diverge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.examples import Example
from pipeline.data.tokenize import EncodedExamples, batches, encode
from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.loop import Training, fit
from pipeline.tuning.lora import enable_lora
from pipeline.tuning.loss import Batches, exact_match_metric, response_arrays, response_model
from tests.tuning.conftest import SETTINGS

NAMES = [
    "gold",
    "silver",
    "iron",
    "neon",
    "argon",
    "radon",
    "copper",
    "zinc",
    "tin",
    "lead",
    "xenon",
    "boron",
]
TARGETS = ("query", "value")


@pytest.fixture(scope="module")
def examples(base: Path) -> EncodedExamples:
    pairs = [
        (f"Say hello to {name}.", f"Hello, {name}!" + " Hi!" * (place % 3))
        for place, name in enumerate(NAMES)
    ]
    conversations = [
        Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}))
        for question, answer in pairs
    ]
    return encode(conversations, Tokenizer.of_preset(base))


def train(
    base: Path, examples: EncodedExamples, folder: Path, **settings: object
) -> tuple[Training, Adapter]:
    import keras

    folder.mkdir()
    chosen = replace(SETTINGS, **settings)  # type: ignore[arg-type]
    keras.utils.set_random_seed(chosen.seed)
    backbone = load_causal_lm(base).backbone
    layers = enable_lora(backbone, 8, 8.0, TARGETS)
    training = fit(backbone, examples, examples, chosen, FinetuneFiles(folder))
    return training, Adapter.of_backbone(backbone, layers, "base")


def test_gathering_keeps_every_response_token_in_its_order(examples: EncodedExamples) -> None:
    for batch in batches(examples, 5, seed=1):
        inputs, labels, weights = response_arrays(batch, batch.token_ids.shape[1])
        for row in range(5):
            kept = weights[row] > 0
            wanted = batch.sample_weight[row] > 0
            np.testing.assert_array_equal(labels[row][kept], batch.labels[row][wanted])
            np.testing.assert_array_equal(inputs["positions"][row][kept], np.flatnonzero(wanted))


def test_too_few_columns_are_refused_and_no_token_is_lost_in_silence(examples: EncodedExamples) -> None:
    with pytest.raises(ValueError, match="too few"):
        response_arrays(next(batches(examples, 12)), 2)


def test_an_epoch_holds_every_response_token_once(examples: EncodedExamples) -> None:
    source = Batches(examples, 5, seed=3)
    for number in range(3):
        assert sum(weights.sum() for _, _, weights in source.epoch(number)) == examples.response_tokens


def test_logits_at_response_positions_are_those_of_the_whole_sequence(
    base: Path, examples: EncodedExamples
) -> None:
    from keras import ops

    model = load_causal_lm(base)
    inputs, _, _ = Batches(examples, 4, None).epoch(0)[0]
    chosen = ops.convert_to_numpy(response_model(model.backbone)(inputs))
    whole = ops.convert_to_numpy(model({key: inputs[key] for key in ("token_ids", "padding_mask")}))
    for row, positions in enumerate(inputs["positions"]):
        np.testing.assert_allclose(chosen[row], whole[row, positions], atol=1e-4)


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
    assert training.trainable_parameters == sum(a.size + b.size for a, b in adapter.tensors.values())
    assert any(np.abs(b).max() > 0 for _, b in adapter.tensors.values())


@pytest.mark.parametrize(
    ("monitor", "results", "best"),
    [
        ("loss", [(3.0, 0.1), (1.0, 0.2), (2.0, 0.9), (2.5, 0.9)], 2),
        ("exact_match", [(1.0, 0.5), (2.0, 0.7), (3.0, 0.6), (3.0, 0.7)], 2),
        ("exact_match", [(2.0, 0.5), (1.0, 0.5), (3.0, 0.5), (3.0, 0.4)], 2),
    ],
)
def test_the_best_epoch_is_kept_when_later_ones_are_worse(
    base: Path, monitor: str, results: list[tuple[float, float]], best: int
) -> None:
    from keras import ops

    from pipeline.tuning.callbacks import KeepBest

    backbone = load_causal_lm(base).backbone
    enable_lora(backbone, 2, 2.0, TARGETS)
    model = response_model(backbone)
    keeper = KeepBest(monitor, patience=2)
    keeper.set_model(model)
    variable = model.trainable_variables[0]
    for epoch, (loss, exact_match) in enumerate(results):
        variable.assign(ops.full(variable.shape, float(epoch)))
        keeper.on_epoch_end(epoch, {"val_loss": loss, "val_exact_match": exact_match})
    assert model.stop_training
    keeper.on_train_end()
    assert keeper.best_epoch == best
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), best - 1)


def test_exact_match_counts_whole_responses_and_no_filler_rows() -> None:
    labels = np.array([[1, 2, 0], [1, 2, 3], [1, 1, 1], [2, 2, 2]], np.int32)
    predicted = np.array([[1, 2, 9], [1, 2, 9], [1, 1, 1], [0, 0, 0]])
    weights = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0]], np.float32)
    metric = exact_match_metric()
    metric.update_state(labels, np.eye(10, dtype=np.float32)[predicted], weights)
    assert float(metric.result()) == 0.5


def test_a_loss_that_is_no_number_stops_with_a_word_on_what_to_do() -> None:
    from pipeline.tuning.callbacks import KeepBest

    with pytest.raises(PocketGemmaError, match=r"became nan in epoch 3; lower finetune\.learning_rate"):
        KeepBest("loss", patience=2).on_epoch_end(2, {"val_loss": float("nan"), "val_exact_match": 0.0})


def test_training_without_validation_is_refused(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    backbone = load_causal_lm(base).backbone
    with pytest.raises(InputError, match="no validation example"):
        fit(backbone, examples, EncodedExamples((), 0), SETTINGS, FinetuneFiles(tmp_path))
