"""Promise: an adapter is trained for the recipe that it will be stored by, and again when that changes; an
ordinary one is not. Settings that cannot work are refused before Keras is loaded, and a training that makes
the model worse is no success."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.examples import Example, read_examples, write_examples
from pipeline.data.tokenize import EncodedExamples, encode
from pipeline.digests import sha256_of_file
from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.recipe.schema import Config
from pipeline.recipe.sections.finetune import CHECKPOINT_KEYS, FinetuneSection
from pipeline.run.folder import Run
from pipeline.stages import finetune
from pipeline.tuning import micro_batches
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.allocation import VARIABLES
from pipeline.tuning.devices import Compute
from pipeline.tuning.load import load_adapter
from pipeline.tuning.loop import Training
from pipeline.tuning.methods.quantization_aware import trained_scales
from tests.support.finished_run import DEMO

NAMES = ("gold", "iron", "neon", "zinc", "tin", "lead", "xenon", "boron")
EXAMPLES = [
    Example(({"role": "user", "content": f"Greet {name}."}, {"role": "assistant", "content": f"Hi, {name}!"}))
    for name in NAMES
]
AFTER = ("download", "prepare")
AS_RECORDED = FinetuneSection(
    backend="torch", rank=2, epochs=1, alpha=2.0, targets=("query", "value")
).model_dump(exclude={*CHECKPOINT_KEYS, "start"}) | {"targets": ["value", "query"]}
"""As a version recorded it that kept the order of the list and every value as it was written."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run folder as far as prepare."""
    with Run(tmp_path) as run, run.stage("download", settings={}) as work:
        shutil.copytree(DEMO / "base", work.folder / "preset")
    prepare(run, train=EXAMPLES, validation=EXAMPLES)
    return run


def prepare(run: Run, **splits: list[Example]) -> None:
    with (
        Run(run.root) as opened,
        opened.stage("prepare", settings={}, after=("download",), force=True) as work,
    ):
        for name, examples in splits.items():
            write_examples(work.folder / f"{name}.jsonl", examples)


def config(data: dict[str, Any] | None = None, **finetune: Any) -> Config:
    settings = {"backend": "torch", "rank": 2, "epochs": 1} | finetune
    return Config.model_validate(
        {"name": "t", "data": {"train": "x.jsonl"} | (data or {}), "finetune": settings}
    )


@pytest.fixture
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "use_backend", lambda backend: pytest.fail("Keras was loaded"))


def train(run: Run, *, aware: bool, recipe: str) -> tuple[Adapter, int]:
    """The adapter, and when its file was written."""
    settings = {"backend": "torch", "rank": 2, "epochs": 1, "quantization_aware": aware}
    config = Config.model_validate(
        {"name": "t", "data": {"train": "x"}, "finetune": settings, "convert": {"recipe": recipe}}
    )
    with Run(run.root) as opened:
        finetune.run(config, opened)
        path = opened.folder("finetune") / "adapter.safetensors"
    return load_adapter(path), path.stat().st_mtime_ns


@pytest.mark.slow
def test_an_adapter_for_one_recipe_is_not_taken_for_another(run: Run) -> None:
    adapter, written = train(run, aware=True, recipe="int4")
    assert adapter.settings["recipe"] == "int4"
    assert len(trained_scales(adapter)) == 43
    assert train(run, aware=True, recipe="int4")[1] == written
    again, later = train(run, aware=True, recipe="int4_embedding_int8")
    assert (again.settings["recipe"], later > written) == ("int4_embedding_int8", True)


@pytest.mark.slow
def test_an_ordinary_adapter_is_good_for_every_recipe(run: Run) -> None:
    adapter, written = train(run, aware=False, recipe="int4")
    assert ("recipe" in adapter.settings, trained_scales(adapter)) == (False, {})
    assert train(run, aware=False, recipe="int8")[1] == written


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"rank": 33},
            "finetune.rank: 33 exceeds the rank of decoder_block_0.query, which is at most 32; ",
        ),
        ({"rank": 129, "targets": ["up"]}, "set finetune.rank to at most 128"),
        (
            {"targets": ["per_layer_gate"]},
            "finetune.targets: per_layer_gate: not in a layer of gemma3; it has",
        ),
    ],
)
@pytest.mark.usefixtures("without_keras")
def test_settings_that_do_not_fit_the_model_are_refused_before_keras_is_loaded(
    run: Run, settings: dict[str, Any], message: str
) -> None:
    with Run(run.root) as opened, pytest.raises(InputError, match=message):
        finetune.run(config(**settings), opened)


@pytest.mark.usefixtures("without_keras")
def test_a_rank_that_the_runtime_does_not_take_is_refused_before_keras_is_loaded(run: Run) -> None:
    sections = {"finetune": {"targets": ["query"]}, "convert": {"adapters": "runtime"}}
    small = Config.model_validate({"name": "t", "data": {"train": "x"}, **sections})
    with Run(run.root) as opened, pytest.raises(InputError, match="16 in each of 4 heads is rank 64 at run"):
        finetune.run(small, opened)


@pytest.mark.parametrize("data", [{}, {"validation": "v.jsonl", "validation_share": 0}])
@pytest.mark.usefixtures("without_keras")
def test_without_validation_examples_nothing_is_trained_unless_that_is_asked_for(
    run: Run, data: dict[str, Any]
) -> None:
    prepare(run, train=EXAMPLES, validation=[])
    with (
        Run(run.root) as opened,
        pytest.raises(InputError, match="leaves no example for validation") as caught,
    ):
        finetune.run(config(data), opened)
    assert "set data.validation_share: 0 and remove data.validation to train without" in str(caught.value)


@pytest.mark.slow
def test_without_validation_all_epochs_are_trained_and_the_last_is_kept(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(run, train=EXAMPLES[:1], validation=[])
    with Run(run.root) as opened:
        finetune.run(config({"validation_share": 0}, epochs=5, patience=1), opened)
        details = opened.manifest("finetune").details
    assert (details["epochs"], details["best_epoch"], details["best_validation_loss"]) == (5, 5, None)
    text = details["general_text"]
    assert text["tokens"] > 0
    printed = capsys.readouterr().out
    assert "without validation, epoch 5 is kept" in printed
    before, after = (f"{text[moment]:,.1f}" for moment in ("before", "after"))
    assert f"perplexity on general text: {before} before training, {after} after" in printed
    assert not (run.folder("finetune") / "reserved").exists()


@pytest.mark.parametrize(
    ("settings", "small_share", "wanted"),
    [({}, 0.1, 2), ({"micro_batch_size": 3}, 0.1, 3), ({}, 0.0, 4)],
)
def test_micro_batches_follow_the_examples_unless_the_recipe_sets_them(
    run: Run, settings: dict[str, Any], small_share: float, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(run, train=EXAMPLES[:1] * 4, validation=EXAMPLES[:1])
    seen: list[tuple[int | None, str, bool]] = []

    def fit(*arguments: Any) -> Training:
        training_settings, checkpoints = arguments[3], arguments[5]
        configured = VARIABLES.keys() <= os.environ.keys()
        seen.append((training_settings.micro_batch_size, checkpoints.folder.name, configured))
        raise PocketGemmaError("far enough")

    tokens = encode(read_examples(run.files.prepare.train), Tokenizer.of_preset(run.files.download.preset))
    monkeypatch.setattr(micro_batches, "TOKENS", 2 * int(tokens.lengths[0]))
    monkeypatch.setattr(micro_batches, "SMALL_SHARE", small_share)
    monkeypatch.setattr(finetune, "fit", fit)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for on_accelerator in (False, True):
        monkeypatch.setattr(finetune, "computes_on_accelerator", lambda model, on=on_accelerator: on)
        with Run(run.root) as opened, pytest.raises(PocketGemmaError, match="far enough"):
            finetune.run(config(**settings), opened)
    chosen, names, configured = zip(*seen, strict=True)
    assert chosen == (wanted, settings.get("micro_batch_size", 4))
    assert (names[0] == names[1]) == (chosen[0] == chosen[1])
    assert all(configured)


def test_a_model_that_predicts_no_general_text_is_kept_all_the_same(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([52.61, None])

    def perplexity(*arguments: object) -> float | None:
        value = next(found)
        assert value or any(run.root.rglob("adapter.safetensors"))
        return value

    monkeypatch.setattr(finetune, "perplexity", perplexity)
    with Run(run.root) as opened:
        finetune.run(config(epochs=1), opened)
        details = opened.manifest("finetune").details
    assert (details["general_text"]["before"], details["general_text"]["after"]) == (52.61, None)
    assert "general text: 52.6 before training, not finite after" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("validation", [True, False])
def test_a_training_that_makes_the_model_worse_is_refused(run: Run, validation: bool) -> None:
    prepare(run, train=EXAMPLES, validation=EXAMPLES if validation else [])
    share = {} if validation else {"validation_share": 0}
    with Run(run.root) as opened, pytest.raises(PocketGemmaError) as caught:
        finetune.run(config(share, learning_rate=1e30), opened)
    assert "made the model worse" in str(caught.value) or "training diverged" in str(caught.value)
    assert "lower finetune.learning_rate" in str(caught.value)
    assert not run.folder("finetune").exists()


def test_validation_measures_the_last_answer_of_a_conversation(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Exception):
        pass

    def fit(backbone: Any, train: EncodedExamples, validation: EncodedExamples, *_: Any) -> Any:
        found.extend((train.response_tokens, validation.response_tokens))
        raise Stopped

    found: list[int] = []
    one, other = (example.messages for example in EXAMPLES[:2])
    both = [Example(one + other, learned_earlier=(1,))]
    prepare(run, train=both, validation=both)
    monkeypatch.setattr(finetune, "fit", fit)
    with Run(run.root) as opened, pytest.raises(Stopped):
        finetune.run(config(), opened)
    prepare(run, train=[Example(other)], validation=[Example(one)])
    with Run(run.root) as opened, pytest.raises(Stopped):
        finetune.run(config(), opened)
    trained, measured, of_other, of_one = found
    assert (trained, measured) == (of_one + of_other, of_other)


def test_a_full_disk_is_found_before_training(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "ROOM_FOR_HISTORY", 1 << 60)
    monkeypatch.setattr(finetune, "use_backend", lambda backend: pytest.fail("Keras was loaded"))
    with Run(run.root) as opened, pytest.raises(PocketGemmaError, match="not enough space for a result"):
        finetune.run(config(), opened)


def test_the_same_training_said_in_other_words_is_not_repeated(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Run(run.root) as opened,
        opened.stage("finetune", settings=AS_RECORDED, after=AFTER, keep=True) as work,
    ):
        (work.folder / "adapter.safetensors").touch()
    monkeypatch.setattr(finetune, "use_backend", lambda backend: pytest.fail("trained again"))
    for words in (
        {"targets": ["v_proj", "query"]},
        {"targets": ["query", "value", "query"], "alpha": 2, "method": "lora", "warmup_steps": 20},
    ):
        with Run(run.root) as opened:
            finetune.run(config(**words), opened)
        assert "✓ finetune  up to date" in capsys.readouterr().out


def test_another_version_of_keras_or_of_the_computation_takes_no_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The optimizer may have other variables, and the steps that follow other values."""
    encoded = EncodedExamples((), 0)

    def name(version: str) -> str:
        monkeypatch.setattr(finetune, "package_versions", lambda: {"keras": version})
        compute = Compute("torch", "float32", "set in the recipe")
        return finetune.fingerprint({}, ("keras",), compute, "base", encoded, encoded)

    assert name("3.15.1") == name("3.15.1")
    assert name("3.15.1") != name("3.16.0")
    before = name("3.15.1")
    monkeypatch.setattr(finetune, "COMPUTATION", finetune.COMPUTATION + 1)
    assert name("3.15.1") != before


def earlier(run: Run, folder: Path, seed: int = 0) -> Path:
    """An adapter of another run, with a rank of its own."""
    with Run(run.root) as opened:
        finetune.run(config(rank=4, seed=seed, targets=["up", "output"]), opened)
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(run.files.finetune.adapter, folder / "adapter.safetensors"))


def continued(run: Run, start: Path, **finetuning: Any) -> Adapter:
    settings = {"backend": "torch", "epochs": 1, "learning_rate": 1e-12, "start": str(start)} | finetuning
    with Run(run.root) as opened:
        finetune.run(
            Config.model_validate({"name": "t", "data": {"train": "x.jsonl"}, "finetune": settings}), opened
        )
    return load_adapter(run.files.finetune.adapter)


@pytest.mark.slow
def test_an_earlier_adapter_decides_and_is_recorded(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = earlier(run, tmp_path / "earlier")
    found = continued(run, start)
    assert (found.settings["rank"], found.settings["targets"]) == (4, ["output", "up"])
    said = capsys.readouterr().out
    assert f"starts from {start}: rank 4, alpha 4, output, up" in said
    document = run.manifest("finetune").document
    (entry,) = document["inputs"]
    assert (entry["name"], entry["sha256"]) == ("start", sha256_of_file(start))
    # Where it lies does not count, what is in it does.
    (tmp_path / "moved").mkdir()
    continued(run, Path(shutil.copy(start, tmp_path / "moved/adapter.safetensors")))
    assert "up to date" in capsys.readouterr().out
    continued(run, start, rank=4)
    assert "up to date" in capsys.readouterr().out
    with pytest.raises(InputError, match="has rank 4, but the recipe says 8; remove finetune.rank"):
        continued(run, start, rank=8)
    earlier(run, tmp_path / "earlier", seed=1)
    continued(run, start)
    assert "input changed (start)" in capsys.readouterr().out


@pytest.mark.slow
def test_an_adapter_that_is_trained_for_rounding_is_continued_for_the_same_recipe(
    run: Run, tmp_path: Path
) -> None:
    first, _ = train(run, aware=True, recipe="int4")
    start = Path(shutil.copy(run.files.finetune.adapter, tmp_path / "adapter.safetensors"))

    def again(recipe: str) -> Adapter:
        settings = {"quantization_aware": True, "learning_rate": 1e-12, "start": str(start), "epochs": 1}
        sections = {"finetune": {"backend": "torch"} | settings, "convert": {"recipe": recipe}}
        with Run(run.root) as opened:
            finetune.run(Config.model_validate({"name": "t", "data": {"train": "x"}} | sections), opened)
        return load_adapter(run.files.finetune.adapter)

    found = again("int4")
    for name, tensor in first.tensors.items():
        np.testing.assert_allclose(found.tensors[name], tensor, atol=1e-9, err_msg=name)
    with pytest.raises(InputError, match="trained for convert.recipe: int4, not int8; set it to int4"):
        again("int8")


@pytest.mark.slow
def test_checkpoints_belong_to_the_adapter_that_training_started_from(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (earlier(run, tmp_path / name, seed) for seed, name in enumerate(("first", "second")))
    names: list[str] = []
    plain = finetune.fingerprint

    def noted(*determinants: Any) -> str:
        names.append(plain(*determinants))
        return names[-1]

    monkeypatch.setattr(finetune, "fingerprint", noted)
    for start in (first, second, first):
        continued(run, start)
    assert names[0] == names[2] != names[1]


@pytest.mark.slow
def test_what_cannot_be_started_from_is_refused_before_keras_is_loaded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = earlier(run, tmp_path / "earlier")
    monkeypatch.setattr(finetune, "use_backend", lambda backend: pytest.fail("Keras was loaded"))
    other = load_adapter(start)
    (tmp_path / "other").mkdir()
    replace(other, base_digest="another").save(tmp_path / "other/adapter.safetensors")
    for settings, message in (
        ({"start": str(start), "rank": 2}, "has rank 4, but the recipe says 2; remove finetune.rank"),
        ({"start": str(tmp_path / "other"), "rank": 4}, "trained on another base"),
        ({"start": str(run.root)}, "is the result that this stage replaces; copy it to another folder"),
        ({"start": str(tmp_path / "gone")}, "gone"),
        ({"start": str(start), "quantization_aware": True}, "trained with the method lora"),
    ):
        with Run(run.root) as opened, pytest.raises(InputError, match=message):
            finetune.run(config(**settings), opened)
