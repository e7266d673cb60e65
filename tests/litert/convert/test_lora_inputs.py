"""Promise: with LoRA tensors as inputs, a model of any family computes what the merged model computes; with
zeros, what the base does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.families.names import runtime_name
from pipeline.families.turns import CHAT
from pipeline.litert.convert.export import export_litertlm
from pipeline.litert.convert.lora_inputs import _with_lora_inputs, projections
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime_adapters import lora_base, write_adapter
from tests.support.families import FAMILIES, LAYERS, SHARED_LAYERS, tiny_model, write_family
from tests.support.finished_run import shared
from tests.support.lora import BASE_DIGEST, adapter_for, merged_folder
from tests.support.tiny_gemma import SPEC

RANK = 16


def exportable(model: Any) -> Any:
    """The model with LoRA inputs, as the exporter would wrap it."""
    import torch

    class Plain(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def get_sample_inputs(self) -> dict[str, Any]:
            return {name: ({"tokens": torch.ones(1, 1)}, {}) for name in ("prefill_16", "decode")}

        def forward(self, tokens: Any) -> Any:
            return self.model(input_ids=tokens).logits

    return _with_lora_inputs(Plain, RANK)(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_lora_tensors_it_computes_what_the_merged_model_computes(family: str) -> None:
    import torch

    module = exportable(tiny_model(family))
    tokens = torch.arange(4, 40)[None]
    with torch.no_grad():
        plain = module.model(input_ids=tokens).logits
        inputs = module.get_sample_inputs()
        assert inputs["decode"][0].keys() == inputs["prefill_16"][0].keys()
        zeros = {name: tensor for name, tensor in inputs["decode"][0].items() if name != "tokens"}
        # A layer that shares keys and values has none of its own.
        shared_matrices = 2 * SHARED_LAYERS if family in ("gemma3n", "gemma4") else 0
        assert len(zeros) == 2 * (4 * LAYERS - shared_matrices)
        assert torch.equal(module(tokens=tokens, **zeros), plain)

        torch.manual_seed(1)
        factors = {name: torch.randn_like(tensor) * 0.1 for name, tensor in zeros.items()}
        found = module(tokens=tokens, **factors)
        assert torch.equal(module.model(input_ids=tokens).logits, plain)  # no hook is left behind
        for (target, layer), matrix in projections(module.model).items():
            a, b = (factors[runtime_name(target, part, layer)] for part in "ab")
            matrix.weight += (a @ b).T
        merged = module.model(input_ids=tokens).logits
    assert (merged - plain).abs().max() > 0.1
    torch.testing.assert_close(found, merged, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gemma", "gemma2"])
def test_other_families_take_adapters_in_the_runtime(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, family: str
) -> None:
    from transformers import AutoModelForCausalLM

    from tests.support.tiny_gemma import Reference

    def make(place: Path) -> None:
        write_family(family, place / "huggingface")
        bundle = replace(SPEC, lora_rank=RANK, base_digest=BASE_DIGEST)
        export_litertlm(place / "huggingface", place / "model.litertlm", bundle, place / "convert.log")

    place = shared(tmp_path_factory, f"lora_{family}", make)
    base, folder = place / "model.litertlm", place / "huggingface"
    found = lora_base(base)
    assert found is not None and len(found.shapes) == 2 * 4 * LAYERS
    adapter = adapter_for(folder, 2)
    write_adapter(adapter, tmp_path / "poet.tflite", rank=RANK)
    merged = merged_folder(folder, adapter, tmp_path / "merged")
    prompt, target = CHAT.render_question("What is the symbol of gold? " * 3), CHAT.render_answer("It is Au.")
    with Runtime(base) as runtime:
        for source, file in ((folder, None), (merged, tmp_path / "poet.tflite"), (folder, None)):
            expected = Reference(source, AutoModelForCausalLM).logprobs(prompt, target)
            assert runtime.logprobs(prompt, target, adapter=file) == pytest.approx(expected, abs=1e-3)
