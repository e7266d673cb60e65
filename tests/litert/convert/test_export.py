"""Promise: a converted model is stored as the recipe says and tells the runtime what training used; anything else is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pipeline.errors import PocketGemmaError
from pipeline.families.gemma3 import CHAT
from pipeline.families.names import EMBEDDING
from pipeline.formats.litertlm import MODEL, TOKENIZER, read_container, rewrite
from pipeline.formats.tflite_summary import read_model
from pipeline.formats.tflite_weights import stored_weights
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.convert.export import Bundle, check_litertlm, describe, differences, export_litertlm
from pipeline.litert.runtime.engine import Runtime
from pipeline.quantization.schemes import SCHEMES
from tests.support.litertlm import with_metadata
from tests.support.tiny_gemma import ANSWERS, BUNDLE, Reference, converted

pytestmark = pytest.mark.slow
LOSSES = {"fp16": 0.002, "int8": 0.05, "int4": 1.0, "int4_embedding_int8": 1.0, "int4_block32": 1.0}
"""How far a learnt answer's log-probability may be from fp32's, per token, in nats."""


@pytest.fixture(scope="session", params=list(LOSSES))
def quantised(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Bundle]:
    bundle = replace(BUNDLE, recipe=request.param, prefill_lengths=(32,))
    return converted(tmp_path_factory, bundle), bundle


@pytest.fixture(scope="session")
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.of_preset(folder)


def test_the_bundle_says_what_training_used(model: Path, tokenizer: Tokenizer, folder: Path) -> None:
    assert differences(model, tokenizer, BUNDLE, folder) == []
    metadata = read_container(model).metadata()
    assert [list(stop.token_ids.ids) for stop in metadata.stop_tokens] == [[1], [tokenizer.stop_ids[1]]]
    assert metadata.jinja_prompt_template == CHAT.template
    assert (metadata.sampler_params.k, metadata.max_num_tokens) == (40, 160)
    assert read_container(model).system["description"] == "Grüße from a test"
    assert read_model(read_container(model).read(MODEL), "model").prefill_lengths == (16, 32)


def test_the_runtime_has_both_stop_tokens(model: Path, tokenizer: Tokenizer) -> None:
    with Runtime(model) as runtime:
        assert runtime.stop_ids == [[stop] for stop in tokenizer.stop_ids]
        assert runtime.start_id == tokenizer.bos_id


def test_matrices_are_stored_as_the_recipe_says(
    quantised: tuple[Path, Bundle], model: Path, tokenizer: Tokenizer, folder: Path
) -> None:
    path, bundle = quantised
    check_litertlm(path, tokenizer, bundle, folder)
    scheme, matrices = SCHEMES[bundle.recipe], PresetMatrices(folder)
    bits = sum(scheme.bits_of(name) * int(np.prod(matrices.shape(name))) for name in matrices.names())
    stored = sum(read_model(read_container(path).read(MODEL), bundle.recipe).matrix_bytes.values())
    assert stored == pytest.approx(bits / 8, rel=0.01)


def test_the_embedding_is_stored_once_for_both_its_uses(quantised: tuple[Path, Bundle], folder: Path) -> None:
    path, bundle = quantised
    scheme, shape = SCHEMES[bundle.recipe], PresetMatrices(folder).shape(EMBEDDING)
    found = [weight for weight in stored_weights(path) if weight.shape == shape]
    assert [(weight.bits, weight.block) for weight in found] == [
        (scheme.bits_of(EMBEDDING), scheme.block_of(EMBEDDING))
    ]


def test_a_quantised_model_is_close_to_the_framework(
    quantised: tuple[Path, Bundle], reference: Reference
) -> None:
    path, bundle = quantised
    with Runtime(path) as runtime:
        for question, answer in ANSWERS.items():
            prompt, target = CHAT.render_question(question), CHAT.render_answer(answer)
            expected, found = reference.logprobs(prompt, target), runtime.logprobs(prompt, target)
            assert abs(sum(expected) - sum(found)) / len(found) < LOSSES[bundle.recipe]


@pytest.mark.parametrize("recipe", list(LOSSES))
def test_a_float_file_is_not_taken_for_a_quantised_one(
    model: Path, tokenizer: Tokenizer, folder: Path, recipe: str
) -> None:
    with pytest.raises(PocketGemmaError, match=f"recipe {recipe} means"):
        check_litertlm(model, tokenizer, replace(BUNDLE, recipe=recipe), folder)


@pytest.mark.parametrize("recipe", list(LOSSES))
def test_no_recipe_is_taken_for_another(
    quantised: tuple[Path, Bundle], tokenizer: Tokenizer, folder: Path, recipe: str
) -> None:
    path, bundle = quantised
    if recipe == bundle.recipe:
        pytest.skip("this one it is")
    with pytest.raises(PocketGemmaError, match="matrices are"):
        check_litertlm(path, tokenizer, replace(bundle, recipe=recipe), folder)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (replace(BUNDLE, context_length=256), "KV cache length is 160, expected 256"),
        (replace(BUNDLE, prefill_lengths=(32,)), r"list of prefill lengths is \[16, 32\]"),
        (replace(BUNDLE, description="another"), "description is Grüße from a test"),
    ],
)
def test_another_bundle_than_asked_for_is_refused(
    model: Path, tokenizer: Tokenizer, folder: Path, wanted: Bundle, said: str
) -> None:
    with pytest.raises(PocketGemmaError, match=said):
        check_litertlm(model, tokenizer, wanted, folder)


def without_a_stop(metadata: object) -> None:
    del metadata.stop_tokens[1:]  # type: ignore[attr-defined]


def with_a_stop_as_text(metadata: object) -> None:
    metadata.stop_tokens[1].token_str = "<end_of_turn>\n"  # type: ignore[attr-defined]


def with_another_template(metadata: object) -> None:
    metadata.jinja_prompt_template = CHAT.template.replace("model", "assistant")  # type: ignore[attr-defined]


def with_another_start(metadata: object) -> None:
    metadata.start_token.token_ids.ids[:] = [1]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_a_stop, "list of stop tokens"),
        (with_a_stop_as_text, "list of stop tokens"),
        (with_another_template, "chat template differs"),
        (with_another_start, "start token"),
    ],
)
def test_metadata_that_says_otherwise_is_refused(
    model: Path, tokenizer: Tokenizer, folder: Path, tmp_path: Path, change: object, said: str
) -> None:
    damaged = with_metadata(model, tmp_path / "model.litertlm", change)  # type: ignore[arg-type]
    with pytest.raises(PocketGemmaError, match=said):
        check_litertlm(damaged, tokenizer, BUNDLE, folder)


def test_another_tokenizer_is_refused(
    model: Path, tokenizer: Tokenizer, folder: Path, tmp_path: Path
) -> None:
    content = read_container(model).read(TOKENIZER)
    rewrite(
        read_container(model), tmp_path / "model.litertlm", replace={TOKENIZER: content.replace(b"Au", b"Ag")}
    )
    with pytest.raises(PocketGemmaError, match="tokenizer differs"):
        check_litertlm(tmp_path / "model.litertlm", tokenizer, BUNDLE, folder)


def test_the_matrices_of_another_model_are_refused(
    model: Path, tokenizer: Tokenizer, folder: Path, tmp_path: Path
) -> None:
    matrices = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    save_file(matrices | {name: matrices[name] * 1.001}, tmp_path / "model.safetensors")
    with pytest.raises(PocketGemmaError, match=f"1 matrices are not those that were converted .{name}"):
        check_litertlm(model, tokenizer, BUNDLE, tmp_path)


def test_greedy_can_be_the_bundles_sampler(model: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    greedy = with_metadata(
        model,
        tmp_path / "model.litertlm",
        lambda metadata: describe(metadata, tokenizer, replace(BUNDLE, temperature=0.0)),
    )
    question = "And what of silver?"
    with (
        Runtime(greedy) as runtime,
        runtime.chat(max_new_tokens=12) as chat,
        runtime.chat(greedy=True, max_new_tokens=12) as other,
    ):
        assert list(chat.stream(question)) == list(other.stream(question))


def test_a_converter_that_fails_leaves_one_line_and_its_log(folder: Path, tmp_path: Path) -> None:
    for name in ("tokenizer.model", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "gemma3_text"}')
    with pytest.raises(PocketGemmaError, match="converting to fp32 failed") as caught:
        export_litertlm(tmp_path, tmp_path / "model.litertlm", BUNDLE, tmp_path / "convert.log")
    assert "\n" not in str(caught.value)
    assert "Traceback" in (tmp_path / "convert.log").read_text()
    assert not (tmp_path / "model.litertlm").exists()
