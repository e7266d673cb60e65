"""Promise: a converted model is stored as the recipe says, and declares to the runtime what training used."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PocketGemmaError
from pipeline.families.names import EMBEDDING
from pipeline.families.turns import CHAT
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.tflite_model import read_language_model
from pipeline.formats.tflite_weights import weight_matrices
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.convert.export import export_litertlm
from pipeline.litert.model_check import check_litertlm, model_differences
from pipeline.litert.model_spec import ModelSpec
from pipeline.litert.runtime.engine import Runtime
from pipeline.quantization.schemes import SCHEMES
from tests.support.litertlm import vendor_metadata
from tests.support.tiny_gemma import ANSWERS, SPEC, Reference

pytestmark = pytest.mark.slow
LOSSES = {"fp16": 0.002, "int8": 0.05} | {name: 1.0 for name in SCHEMES if name.startswith("int4")}
"""How much a learned answer's log-probability may differ from fp32's, per token, in nats."""


def test_the_file_declares_what_training_used(model: Path, tokenizer: Tokenizer, folder: Path) -> None:
    assert model_differences(model, tokenizer, SPEC, folder) == []
    metadata = vendor_metadata(read_container(model))
    assert [list(stop.token_ids.ids) for stop in metadata.stop_tokens] == [[1], [tokenizer.stop_ids[1]]]
    assert metadata.jinja_prompt_template == CHAT.template
    assert (metadata.sampler_params.k, metadata.max_num_tokens) == (40, 160)
    assert read_container(model).system["description"] == "Grüße from a test"
    assert read_language_model(read_container(model).read(MODEL), "model").prefill_lengths == (16, 32)


def test_the_runtime_has_both_stop_tokens(model: Path, tokenizer: Tokenizer) -> None:
    with Runtime(model) as runtime:
        assert runtime.stop_ids == [[stop] for stop in tokenizer.stop_ids]
        assert runtime.start_id == tokenizer.bos_id


def test_matrices_are_stored_as_the_recipe_says(
    quantized: tuple[Path, ModelSpec], model: Path, tokenizer: Tokenizer, folder: Path
) -> None:
    path, spec = quantized
    check_litertlm(path, tokenizer, spec, folder)
    scheme, matrices = SCHEMES[spec.recipe], PresetMatrices(folder)
    bits = sum(scheme.bits_of(name) * int(np.prod(matrices.shape(name))) for name in matrices.names())
    stored = sum(read_language_model(read_container(path).read(MODEL), spec.recipe).matrix_bytes.values())
    assert stored == pytest.approx(bits / 8, rel=0.01)


def test_the_embedding_is_stored_once_for_both_its_uses(
    quantized: tuple[Path, ModelSpec], folder: Path
) -> None:
    path, spec = quantized
    scheme, shape = SCHEMES[spec.recipe], PresetMatrices(folder).shape(EMBEDDING)
    found = [weight for weight in weight_matrices(path) if weight.shape == shape]
    assert [(weight.bits, weight.block) for weight in found] == [
        (scheme.bits_of(EMBEDDING), scheme.block_of(EMBEDDING))
    ]


def test_a_quantized_model_is_close_to_the_framework(
    quantized: tuple[Path, ModelSpec], reference: Reference
) -> None:
    path, spec = quantized
    with Runtime(path) as runtime:
        for question, answer in ANSWERS.items():
            prompt, target = CHAT.render_question(question), CHAT.render_answer(answer)
            expected, found = reference.logprobs(prompt, target), runtime.logprobs(prompt, target)
            assert abs(sum(expected) - sum(found)) / len(found) < LOSSES[spec.recipe]


def test_a_converter_that_fails_gives_one_line_and_a_log(folder: Path, tmp_path: Path) -> None:
    for name in ("tokenizer.model", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "gemma3_text"}')
    with pytest.raises(PocketGemmaError, match="converting to fp32 failed") as caught:
        export_litertlm(tmp_path, tmp_path / "model.litertlm", SPEC, tmp_path / "convert.log")
    assert "\n" not in str(caught.value)
    assert "Traceback" in (tmp_path / "convert.log").read_text()
    assert not (tmp_path / "model.litertlm").exists()
