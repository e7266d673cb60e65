"""Promise: each matrix is rounded for the inputs that it gets, in any family whose layers follow one another;
other models are refused."""

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.errors import PocketGemmaError
from pipeline.quantization.rounding import LARGEST, least_squares, nearest
from pipeline.quantization.roundings import ROUNDINGS
from pipeline.quantization.schemes import SCHEMES
from tests.quantization.random_models import EXAMPLES, make_model, matrices

if TYPE_CHECKING:
    import torch

FAMILIES = ["gemma", "gemma2", "gemma3_text"]
GPTQ = ROUNDINGS["gptq"]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Any:
    return make_model(request.param)


def logits(model: Any) -> "torch.Tensor":
    import torch

    with torch.inference_mode():
        return torch.cat([model(input_ids=torch.tensor([ids])).logits[0] for ids in EXAMPLES])


def rounded(model: Any, rounding: Any) -> Any:
    """A copy with all matrices rounded to int4 alone."""
    import torch

    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in matrices(other).values():
            weight.copy_(torch.from_numpy(rounding(weight.numpy(), 4).dequantized()))
    return other


@pytest.mark.slow
def test_a_calibrated_model_says_nearly_what_the_model_says(model: Any) -> None:
    from pipeline.quantization.calibrator import calibrate

    calibrated = copy.deepcopy(model)
    found = calibrate(calibrated, EXAMPLES, SCHEMES["int4"], GPTQ)
    assert found.keys() == matrices(model).keys()
    wanted = logits(model)

    def error(other: Any) -> float:
        return float((logits(other) - wanted).square().mean())

    assert error(calibrated) < 0.6 * error(rounded(model, nearest))
    assert error(calibrated) < 0.8 * error(rounded(model, least_squares))
    for name, weight in matrices(calibrated).items():
        assert np.array_equal(weight.detach().numpy(), found[name].dequantized())
        assert np.abs(found[name].values).max() <= LARGEST[4]


@pytest.mark.parametrize(
    "recipe", ["int4_embedding_int8", "int4_block32", "int4_block32_embedding_int8", "int8"]
)
def test_matrices_have_the_recipes_bits_and_blocks(recipe: str) -> None:
    from pipeline.quantization.calibrator import calibrate

    scheme = SCHEMES[recipe]
    found = calibrate(make_model("gemma3_text"), EXAMPLES, scheme, GPTQ)
    for name, matrix in found.items():
        rows, columns = matrix.values.shape
        assert matrix.bits == scheme.bits_of(name)
        assert matrix.scales.shape == (rows, columns // (scheme.block_of(name) or columns))


def test_reused_outputs_change_no_integer(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.quantization import calibrator

    found = calibrator.calibrate(make_model("gemma3_text"), EXAMPLES, SCHEMES["int4"], GPTQ)
    monkeypatch.setattr(calibrator, "reused", lambda *_: contextlib.nullcontext())
    again = calibrator.calibrate(make_model("gemma3_text"), EXAMPLES, SCHEMES["int4"], GPTQ)
    assert all(np.array_equal(found[name].values, again[name].values) for name in found)


def test_padding_counts_for_nothing() -> None:
    """Beside a long example a short one is padded; its own tokens still give what they give alone."""
    import torch

    from pipeline.quantization import calibrator, streams

    separate: list[Any] = []
    together: list[Any] = []
    for sequences, found in (([EXAMPLES[0]], separate), ([EXAMPLES[1]], separate), (EXAMPLES[:2], together)):
        model = make_model("gemma3_text")
        with torch.inference_mode():
            batches = [
                calibrator._start(model, ids, real) for ids, real in streams.make_batches(sequences, 0)
            ]
            layer, name = model.model.layers[0], "mlp.down_proj"
            exact = [streams.watch(layer, batch, 0) for batch in batches]
            found.append(calibrator._moments(layer, name, batches, exact, 0, [])[0].numpy())
    assert np.allclose(sum(separate), together[0], rtol=1e-4)


def test_a_model_whose_layers_are_not_all_of_it_is_refused() -> None:
    from pipeline.quantization.calibrator import calibrate

    model = make_model("gemma3_text")

    def meddle(module: Any, args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state + 1
        return output

    model.model.register_forward_hook(meddle)
    with pytest.raises(PocketGemmaError, match="set convert.rounding: least_squares"):
        calibrate(model, EXAMPLES, SCHEMES["int4"], GPTQ)
