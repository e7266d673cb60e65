"""Promise: training starts from an earlier adapter exactly as it is, and keeps what it has learned if that is
replayed. What cannot be continued exactly is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.examples import Example
from pipeline.data.tokenize import EncodedExamples, encode
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.registry import read_shape
from pipeline.formats.peft import PeftFactors, lora_content, write_peft_folder
from pipeline.gemma.causal_lm import load_backbone
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.loop import Training, fit
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods import dora, lora, quantization_aware
from pipeline.tuning.start import Start, find_start, read_start, settings_of, start_from
from tests.tuning.conftest import BASE, NAMES, SETTINGS

LORA = MethodSettings(4, 8.0, ("query", "value", "up"))
RECIPE = MethodSettings(8, 8.0, ("query", "value"))
"""The defaults of a recipe."""


def train(
    start: Adapter | None, examples: EncodedExamples, folder: Path, **settings: Any
) -> tuple[Training, Adapter]:
    import keras

    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(1)
    backbone = load_backbone(BASE)
    attachment = lora.METHOD.attach(backbone, LORA)
    if start:
        start_from(Start(folder, None, lora.METHOD, {}), start, attachment)
    training = fit(backbone, examples, examples, replace(SETTINGS, **settings), FinetuneFiles(folder))
    return training, lora.METHOD.collect(attachment, "base")


def loss_of(adapter: Adapter, examples: EncodedExamples) -> float:
    from pipeline.tuning.loss import Batches, measure, response_model

    backbone = load_backbone(BASE)
    adapter.method.apply(adapter, backbone)
    model = response_model(backbone)
    model.compile()
    return measure(model, Batches(examples, 4, None))["loss"]


@pytest.fixture(scope="module")
def second() -> EncodedExamples:
    """Examples that contradict nothing in the first ones, but overwrite their form."""
    examples = [
        Example(
            (
                {"role": "user", "content": f"Say goodbye to {name}."},
                {"role": "assistant", "content": f"So long, old {name}."},
            )
        )
        for name in NAMES
    ]
    return encode(examples, Tokenizer.of_preset(BASE))


@pytest.fixture(scope="module")
def earlier(examples: EncodedExamples, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    """An adapter that has learned the first examples."""
    _, adapter = train(None, examples, tmp_path_factory.mktemp("earlier"), epochs=10)
    return adapter


@pytest.mark.slow
def test_replay_keeps_the_earlier_skill_and_new_data_alone_do_not(
    earlier: Adapter, examples: EncodedExamples, second: EncodedExamples, tmp_path: Path
) -> None:
    before = loss_of(earlier, examples)
    both = EncodedExamples(second.examples + examples.examples, second.pad_id)
    _, alone = train(earlier, second, tmp_path / "alone", epochs=8)
    _, replayed = train(earlier, both, tmp_path / "replayed", epochs=8)
    assert loss_of(earlier, second) > 1
    assert loss_of(alone, second) < 0.5 and loss_of(replayed, second) < 0.5
    forgotten, kept = loss_of(alone, examples), loss_of(replayed, examples)
    assert kept < 1.5 * before + 0.05
    assert forgotten > 3 * kept


@pytest.mark.slow
def test_a_training_that_changes_nothing_keeps_the_adapter(
    earlier: Adapter, examples: EncodedExamples, tmp_path: Path
) -> None:
    training, adapter = train(earlier, examples, tmp_path, epochs=1, learning_rate=1e-12)
    assert training.untrained_validation_loss == pytest.approx(loss_of(earlier, examples), rel=1e-5)
    for name, tensor in earlier.tensors.items():
        np.testing.assert_allclose(adapter.tensors[name], tensor, atol=1e-9)


def test_an_adapter_that_is_not_taken_over_whole_is_noticed(
    earlier: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    attachment = lora.METHOD.attach(load_backbone(BASE), LORA)
    monkeypatch.setattr(lora.Lora, "restore", lambda *_: None)
    with pytest.raises(PocketGemmaError, match=r"decoder_block_0.query.lora_a differs when training"):
        start_from(Start(Path("a"), None, lora.METHOD, {}), earlier, attachment)


@pytest.mark.slow
def test_dora_continues_with_its_magnitudes(
    examples: EncodedExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load_backbone(BASE)
    attachment = dora.METHOD.attach(backbone, LORA)
    fit(backbone, examples, examples, replace(SETTINGS, epochs=1), FinetuneFiles(tmp_path))
    trained = dora.METHOD.collect(attachment, "base")
    start = Start(tmp_path, None, dora.METHOD, trained.settings)
    fresh = dora.METHOD.attach(load_backbone(BASE), LORA)
    untrained = dora.METHOD.collect(fresh, "base")
    moved = [name for name in trained.tensors if name.endswith(dora.MAGNITUDE)]
    assert any(not np.array_equal(untrained.tensors[name], trained.tensors[name]) for name in moved)
    start_from(start, trained, fresh)
    monkeypatch.setattr(dora.Dora, "restore", lora.Lora.restore)
    with pytest.raises(PocketGemmaError, match="magnitude differs when training starts"):
        start_from(start, trained, dora.METHOD.attach(load_backbone(BASE), LORA))


def test_rank_alpha_and_targets_are_those_of_the_adapter(earlier: Adapter) -> None:
    start = Start(Path("a"), Path("a/adapter.safetensors"), lora.METHOD, earlier.settings)
    assert settings_of(start, lora.METHOD, RECIPE, ()) == LORA
    same = replace(RECIPE, alpha=8.0, targets=("up", "value", "query"))
    assert settings_of(start, lora.METHOD, same, {"alpha", "targets"}) == LORA
    for key, message in (
        ("rank", "a/adapter.safetensors: has rank 4, but the recipe says 8; remove finetune.rank"),
        (
            "targets",
            "has targets query, value, up, but the recipe says query, value; remove finetune.targets",
        ),
    ):
        with pytest.raises(InputError, match=message):
            settings_of(start, lora.METHOD, RECIPE, {key})
    with pytest.raises(InputError, match="trained for convert.recipe: int4, not int8; set it to int4"):
        rounded = replace(start, settings={**start.settings, "recipe": "int4"})
        settings_of(rounded, lora.METHOD, replace(RECIPE, recipe="int8"), ())


def test_an_adapter_of_another_base_or_method_is_refused(earlier: Adapter, tmp_path: Path) -> None:
    earlier.save(tmp_path / "adapter.safetensors")
    shape = read_shape(BASE)
    start = find_start(tmp_path)
    assert read_start(start, shape, "base").tensors.keys() == earlier.tensors.keys()
    with pytest.raises(InputError, match=r"adapter\.safetensors: trained on another base; set model\.preset"):
        read_start(start, shape, "another")
    with pytest.raises(InputError, match="with the method lora, but the recipe uses quantization_aware"):
        settings_of(start, quantization_aware.METHOD, RECIPE, ())

    class Other(type(lora.METHOD)):  # type: ignore[misc]
        restore = None

    with pytest.raises(InputError, match="which cannot be continued; set model.preset to the merged folder"):
        settings_of(replace(start, method=Other()), lora.METHOD, RECIPE, ())


def test_a_run_folder_a_finetune_folder_and_a_file_are_found(earlier: Adapter, tmp_path: Path) -> None:
    file = tmp_path / "run/finetune/adapter.safetensors"
    file.parent.mkdir(parents=True)
    earlier.save(file)
    for path in (tmp_path / "run", file.parent, file):
        found = find_start(path)
        assert (found.folder, found.own, found.settings["rank"]) == (file.parent, file, 4)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match=str(file)):
        find_start(tmp_path / "run")
    with pytest.raises(InputError, match="no adapter in this folder"):
        find_start(tmp_path)
    with pytest.raises(InputError, match="missing"):
        find_start(tmp_path / "missing")


def peft(folder: Path, ranks: dict[str, int], *, layers: int = 6, wide: int = 0) -> Path:
    """A PEFT adapter with these ranks for the demo's base."""
    shape, random = read_shape(BASE), np.random.default_rng(0)
    modules = {}
    for layer in range(layers):
        for matrix in shape.family.matrices:
            if matrix.name not in ranks:
                continue
            outputs, inputs = matrix.shape(shape.in_layer(layer))
            rank = ranks[matrix.name]
            a = random.normal(0, 0.1, (rank, inputs + wide)).astype(np.float32)
            b = random.normal(0, 0.1, (outputs, rank)).astype(np.float32)
            modules[f"model.layers.{layer}.{matrix.module}"] = PeftFactors(a, b, 6.0)
    write_peft_folder(folder, lora_content(modules))
    return folder


def test_a_peft_adapter_is_continued_exactly(tmp_path: Path) -> None:
    """Also the matrices of one head: the demo has one key and value head."""
    from pipeline.tuning.peft import read_peft

    folder = peft(tmp_path / "peft", dict.fromkeys(("key", "value", "output", "gate", "up", "down"), 3))
    shape = read_shape(BASE)
    adapter = read_start(find_start(folder), shape, "base")
    assert (adapter.settings["rank"], adapter.settings["alpha"]) == (3, pytest.approx(6.0))
    theirs, ours = read_peft(folder), adapter.method.deltas(adapter)
    assert theirs.matrices.keys() == ours.matrices.keys()
    for name, ((rows, columns), _) in theirs.matrices.items():
        base = np.zeros((rows, columns), np.float32)
        wanted, found = (each.matrices[name][1]()(0, base) for each in (theirs, ours))
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8, err_msg=name)
    attachment = lora.METHOD.attach(
        load_backbone(BASE), settings_of(find_start(folder), lora.METHOD, RECIPE, ())
    )
    start_from(find_start(folder), adapter, attachment)


@pytest.mark.parametrize(
    ("ranks", "settings", "message"),
    [
        ({"query": 3}, {}, r"adapts self_attn\.q_proj, whose heads share one A in PEFT and one B here"),
        ({"up": 3, "down": 4}, {}, "different ranks or scales"),
        ({"up": 3}, {"layers": 5}, r"decoder_block_5\.up is only in the adapter or only in the base"),
        (
            {"up": 3},
            {"wide": 1},
            "up maps 129 values to 512, but in this base 128 to 512; the adapter belongs",
        ),
    ],
)
def test_a_peft_adapter_without_an_exact_form_is_refused(
    ranks: dict[str, int], settings: dict[str, int], message: str, tmp_path: Path
) -> None:
    folder = peft(tmp_path / "peft", ranks, **settings)
    with pytest.raises(InputError, match=message):
        read_start(find_start(folder), read_shape(BASE), "base")
