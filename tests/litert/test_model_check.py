"""Promise: a model file whose matrices, metadata or tokenizer differ from the spec or from training is
refused, and the difference named."""

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from pipeline.errors import PocketGemmaError
from pipeline.families.turns import CHAT
from pipeline.formats.litertlm import TOKENIZER, read_container
from pipeline.formats.litertlm_writer import rewrite
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.model_check import check_litertlm
from pipeline.litert.model_spec import ModelSpec
from tests.litert.conftest import QUANTIZED
from tests.support.litertlm import with_metadata
from tests.support.tiny_gemma import SPEC

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("recipe", QUANTIZED)
def test_a_float_file_is_not_accepted_as_a_quantized_one(
    model: Path, tokenizer: Tokenizer, folder: Path, recipe: str
) -> None:
    with pytest.raises(PocketGemmaError, match=f"recipe {recipe} requires"):
        check_litertlm(model, tokenizer, replace(SPEC, recipe=recipe), folder)


@pytest.mark.parametrize("recipe", QUANTIZED)
def test_no_recipe_is_accepted_as_another(
    quantized: tuple[Path, ModelSpec], tokenizer: Tokenizer, folder: Path, recipe: str
) -> None:
    path, spec = quantized
    if recipe == spec.recipe:
        pytest.skip("this one it is")
    with pytest.raises(PocketGemmaError, match="matrices are"):
        check_litertlm(path, tokenizer, replace(spec, recipe=recipe), folder)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (replace(SPEC, context_length=256), "KV cache length is 160, expected 256"),
        (replace(SPEC, prefill_lengths=(32,)), r"list of prefill lengths is \[16, 32\]"),
        (replace(SPEC, description="another"), "description is Grüße from a test"),
    ],
)
def test_a_file_that_differs_from_its_spec_is_refused(
    model: Path, tokenizer: Tokenizer, folder: Path, wanted: ModelSpec, message: str
) -> None:
    with pytest.raises(PocketGemmaError, match=message):
        check_litertlm(model, tokenizer, wanted, folder)


def without_a_stop(metadata: object) -> None:
    del metadata.stop_tokens[1:]  # type: ignore[attr-defined]


def with_a_stop_as_text(metadata: object) -> None:
    metadata.stop_tokens[1].token_str = "<end_of_turn>\n"  # type: ignore[attr-defined]


def with_another_template(metadata: object) -> None:
    metadata.jinja_prompt_template = CHAT.template.replace("model", "assistant")  # type: ignore[attr-defined]


def with_another_start(metadata: object) -> None:
    metadata.start_token.token_ids.ids[:] = [1]  # type: ignore[attr-defined]


def with_another_sampler(metadata: object) -> None:
    metadata.sampler_params.temperature += 0.1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_another_sampler, "the sampler is "),
        (without_a_stop, "list of stop tokens"),
        (with_a_stop_as_text, "list of stop tokens"),
        (with_another_template, "chat template differs"),
        (with_another_start, "start token"),
    ],
)
def test_metadata_that_differs_from_training_is_refused(
    model: Path, tokenizer: Tokenizer, folder: Path, tmp_path: Path, change: object, message: str
) -> None:
    damaged = with_metadata(model, tmp_path / "model.litertlm", change)  # type: ignore[arg-type]
    with pytest.raises(PocketGemmaError, match=message):
        check_litertlm(damaged, tokenizer, SPEC, folder)


def test_another_tokenizer_is_refused(
    model: Path, tokenizer: Tokenizer, folder: Path, tmp_path: Path
) -> None:
    content = read_container(model).read(TOKENIZER)
    rewrite(
        read_container(model), tmp_path / "model.litertlm", replace={TOKENIZER: content.replace(b"Au", b"Ag")}
    )
    with pytest.raises(PocketGemmaError, match="tokenizer differs"):
        check_litertlm(tmp_path / "model.litertlm", tokenizer, SPEC, folder)


def test_the_matrices_of_another_model_are_refused(
    model: Path, tokenizer: Tokenizer, folder: Path, tmp_path: Path
) -> None:
    matrices = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    save_file(matrices | {name: matrices[name] * 1.001}, tmp_path / "model.safetensors")
    with pytest.raises(PocketGemmaError, match=f"1 matrices are not those of the converted model .{name}"):
        check_litertlm(model, tokenizer, SPEC, tmp_path)
