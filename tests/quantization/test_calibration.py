"""Promise: a model is rounded matrix by matrix for the inputs that each gets, in any family whose layers follow one another; one whose
layers do not is refused. The result lies in a file."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExample, EncodedExamples
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import EMBEDDING
from pipeline.quantization.calibration import quantize_calibrated
from pipeline.quantization.quantized_file import read_quantized
from pipeline.quantization.rounding import LARGEST, Quantized, least_squares, nearest
from pipeline.quantization.schemes import SCHEMES

if TYPE_CHECKING:
    import torch

RANDOM = np.random.default_rng(0)
LENGTHS = [24, 7, 16, 24, 11] * 12
EXAMPLES = [RANDOM.integers(3, 90, length).tolist() for length in LENGTHS]
SHAPE = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "sliding_window": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
FAMILIES = ["gemma", "gemma2", "gemma3_text"]


def make_model(family: str) -> Any:
    """A small model of a family with random weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **SHAPE)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Freshly made weights are so small that every output is alike.
            if parameter.ndim == 2:
                parameter.mul_(4)
    return model


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Any:
    return make_model(request.param)


def logits(model: Any) -> "torch.Tensor":
    import torch

    with torch.inference_mode():
        return torch.cat([model(input_ids=torch.tensor([ids])).logits[0] for ids in EXAMPLES])


def matrices(model: Any) -> dict[str, Any]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.ndim == 2}


def rounded(model: Any, rounding: Any) -> Any:
    """A copy with all matrices rounded to int4 alone."""
    import torch

    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in matrices(other).values():
            weight.copy_(torch.from_numpy(rounding(weight.numpy(), 4).dequantized()))
    return other


def test_a_calibrated_model_says_nearly_what_the_model_says(model: Any) -> None:
    from pipeline.quantization.calibrator import calibrate

    calibrated = copy.deepcopy(model)
    found, errors = calibrate(calibrated, EXAMPLES, SCHEMES["int4"])
    assert found.keys() == errors.keys() == matrices(model).keys()
    wanted = logits(model)

    def error(other: Any) -> float:
        return float((logits(other) - wanted).square().mean())

    assert error(calibrated) < 0.6 * error(rounded(model, nearest))
    assert error(calibrated) < 0.8 * error(rounded(model, least_squares))
    for name, weight in matrices(calibrated).items():
        assert np.array_equal(weight.detach().numpy(), found[name].dequantized())
        assert np.abs(found[name].values).max() <= LARGEST[4]


@pytest.mark.parametrize("recipe", ["int4_embedding_int8", "int4_block32", "int8"])
def test_matrices_have_the_recipes_bits_and_blocks(recipe: str) -> None:
    from pipeline.quantization.calibrator import calibrate

    scheme = SCHEMES[recipe]
    found, _ = calibrate(make_model("gemma3_text"), EXAMPLES, scheme)
    for name, matrix in found.items():
        rows, columns = matrix.values.shape
        assert matrix.bits == scheme.bits_of(name)
        assert matrix.scales.shape == (rows, columns // (scheme.block_of(name) or columns))


def test_padding_counts_for_nothing() -> None:
    """Beside a long example a short one is padded; its own tokens still give what they give alone."""
    import torch

    from pipeline.quantization import calibrator

    apart: list[Any] = []
    together: list[Any] = []
    for sequences, found in (([EXAMPLES[0]], apart), ([EXAMPLES[1]], apart), (EXAMPLES[:2], together)):
        inner = make_model("gemma3_text").model
        with torch.inference_mode():
            batches = [
                calibrator._start(inner, ids, real)[0] for ids, real in calibrator._batches(sequences, 0)
            ]
            found.append(
                calibrator._moments(inner.layers[0], inner.layers[0], "mlp.down_proj", batches, 0)[0]
            )
    assert np.allclose(sum(apart), together[0], rtol=1e-4)


def test_a_model_whose_layers_are_not_all_of_it_is_refused() -> None:
    from pipeline.quantization.calibrator import calibrate

    model = make_model("gemma3_text")

    def meddle(module: Any, args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state + 1
        return output

    model.model.register_forward_hook(meddle)
    with pytest.raises(PocketGemmaError, match="choose convert.rounding: least_squares"):
        calibrate(model, EXAMPLES, SCHEMES["int4"])


def encoded(examples: list[list[int]]) -> EncodedExamples:
    return EncodedExamples(tuple(EncodedExample(np.array(ids, np.int32), 2) for ids in examples), 0)


@pytest.mark.slow
def test_a_folder_is_rounded_in_a_process_of_its_own_into_a_file(tmp_path: Path) -> None:
    model = make_model("gemma3_text")
    model.save_pretrained(tmp_path / "model")
    output = tmp_path / "rounded.safetensors"
    facts = quantize_calibrated(
        tmp_path / "model", encoded(EXAMPLES), "int4", output, tmp_path / "log.txt", count=20
    )
    found: dict[str, Quantized] = dict(read_quantized(output))
    assert found.keys() == matrices(model).keys()
    assert EMBEDDING in found
    assert facts["examples"] == 20
    assert facts["peak_memory_bytes"] > 10**8
    assert 0 < max(facts["output_error"].values()) < 0.05


def test_without_examples_there_is_nothing_to_calibrate_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs examples"):
        quantize_calibrated(tmp_path, encoded([]), "int4", tmp_path / "out", tmp_path / "log")


def test_floats_have_no_integers_to_choose(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recipe fp16 has none"):
        quantize_calibrated(tmp_path, encoded(EXAMPLES), "fp16", tmp_path / "out", tmp_path / "log")
