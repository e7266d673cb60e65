from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.recipe import rules
from pipeline.recipe.reading import load_config
from pipeline.recipe.rules import RULES
from tests.support.recipes import SMALL, recipe, refused

RUNTIME, AWARE = "convert.adapters=runtime", "finetune.quantization_aware=true"
ATTENTION = "finetune.targets=[query, key, value, output]"

BROKEN: dict[str, tuple[Sequence[str], str]] = {
    "prefill_fits_the_context": (
        ["convert.prefill_lengths=[64, 4096]"],
        "convert.prefill_lengths: 4096 exceeds convert.context_length: 1280",
    ),
    "examples_fit_the_context": (
        ["data.max_length=1024", "convert.context_length=512"],
        "data.max_length: 1024 exceeds convert.context_length: 512; the converted model cannot read such "
        "examples: set data.max_length to at most 512, or raise convert.context_length",
    ),
    "rounding_needs_integers": (
        ["convert.recipe=fp32", "convert.rounding=gptq"],
        "convert.rounding: gptq requires an integer recipe, but convert.recipe is fp32; use "
        "rounding: nearest",
    ),
    "rounding_needs_grafting": (
        ["convert.recipe=int4", "convert.rounding=gptq", "convert.graft=false"],
        "convert.rounding: gptq requires grafting; set convert.graft: true",
    ),
    "task_has_no_separate_adapter": (
        ["convert.formats=[litertlm, task]", RUNTIME, ATTENTION],
        "remove task from convert.formats",
    ),
    "separate_adapter_is_not_calibrated": (
        ["convert.rounding=gptq", RUNTIME, ATTENTION],
        "convert.rounding: gptq calibrates the merged model, but convert.adapters: runtime does not merge; "
        "use rounding: nearest or least_squares",
    ),
    "separate_adapter_is_of_attention": (
        ["finetune.targets=[query,up]", RUNTIME],
        "finetune.targets: convert.adapters: runtime supports query, key, value, output only; remove up",
    ),
    "more_adapters_need_a_base_with_inputs": (
        ["bundle.adapters=[poet.tflite]"],
        "bundle.adapters: this model does not accept adapters at run time; set convert.adapters: runtime",
    ),
    "quantization_aware_needs_integers": (
        [AWARE, "convert.recipe=fp16"],
        "requires an integer recipe, but convert.recipe is fp16",
    ),
    "quantization_aware_is_rounded_as_trained": (
        [AWARE, "convert.recipe=int4", "convert.rounding=gptq"],
        "convert.rounding: gptq would round the trained integers again",
    ),
    "quantization_aware_needs_grafting": (
        [AWARE, "convert.graft=false"],
        "finetune.quantization_aware: requires grafting; set convert.graft: true",
    ),
    "separate_adapter_has_a_runtime_form": (
        [AWARE, RUNTIME, ATTENTION],
        "the runtime cannot load adapters of finetune.method: quantization_aware; set "
        "convert.adapters: merged, or choose another method",
    ),
    "one_tuning_method": (
        [AWARE, "finetune.method=lora"],
        "finetune.method: lora conflicts with quantization_aware: true; remove one of the keys",
    ),
    "factors_are_trained": (
        ["finetune.method=norms", "finetune.rank=4", "finetune.targets=[query]"],
        "finetune.rank: finetune.method: norms has no low-rank factors; remove rank, targets",
    ),
    "rounding_needs_matrices": (
        ["finetune.method=full", "convert.recipe=int4", "convert.rounding=gptq"],
        "convert.rounding: gptq requires grafting, which changes only matrices, but "
        "finetune.method: full trains norms; use rounding: nearest, or choose another method",
    ),
    "quantized_base_needs_lora": (
        ["finetune.quantize_base=int8", AWARE],
        "finetune.quantize_base: quantization_aware needs the matrices of the base as floats; remove "
        "quantize_base, or remove quantization_aware",
    ),
    "rematerialization_needs_no_dropout": (
        ["finetune.rematerialize=true", "finetune.dropout=0.1"],
        "finetune.rematerialize: with dropout: 0.1, recomputing a layer would drop other values; "
        "remove one of the keys",
    ),
}
"""Settings that break each rule, and what is said."""


@pytest.mark.parametrize("rule", BROKEN)
def test_settings_that_break_a_rule_are_refused(tmp_path: Path, rule: str) -> None:
    overrides, message = BROKEN[rule]
    assert message in refused(tmp_path, SMALL, *overrides)


@pytest.mark.parametrize("rule", BROKEN)
def test_no_other_rule_refuses_them(tmp_path: Path, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides, message = BROKEN[rule]
    monkeypatch.setattr("pipeline.recipe.schema.RULES", (getattr(rules, rule),))
    assert message in refused(tmp_path, SMALL, *overrides)
    others = tuple(other for other in RULES if other.__name__ != rule)
    monkeypatch.setattr("pipeline.recipe.schema.RULES", others)
    load_config(recipe(tmp_path, SMALL), overrides)


def test_targets_that_a_method_does_not_use_are_refused_once(tmp_path: Path) -> None:
    lines = refused(tmp_path, SMALL, "finetune.method=full", "finetune.targets=[up]", RUNTIME)
    assert "cannot load adapters of finetune.method: full" in lines
    assert "has no low-rank factors; remove targets" in lines
    assert "remove up" not in lines


def test_every_rule_is_broken_by_a_test_and_documented() -> None:
    assert [rule.__name__ for rule in RULES] == list(BROKEN)
    assert [rule.__name__ for rule in RULES if not rule.__doc__] == []


def test_settings_that_go_together_are_taken(tmp_path: Path) -> None:
    path = recipe(tmp_path, SMALL)
    for overrides in (
        ["convert.recipe=int4", "convert.rounding=gptq"],
        ["convert.recipe=int4", "finetune.quantization_aware=true"],
        ["finetune.targets=[query,output]", "convert.adapters=runtime", "convert.recipe=fp32"],
        ["finetune.method=full", "convert.recipe=int4"],
    ):
        load_config(path, overrides)


def test_a_separate_adapter_needs_targets_and_the_message_says_which(tmp_path: Path) -> None:
    assert refused(tmp_path, SMALL, RUNTIME).endswith(
        "finetune.targets: is not set and defaults to query, key, value, output, gate, up, down, but "
        "convert.adapters: runtime supports query, key, value, output only; set finetune.targets: "
        "[query, key, value, output], or use convert.adapters: merged"
    )
    load_config(recipe(tmp_path, SMALL), [RUNTIME, ATTENTION])
    load_config(recipe(tmp_path, SMALL), [RUNTIME, f"finetune.start={tmp_path}"])
    assert "remove up" in refused(
        tmp_path, SMALL, RUNTIME, "finetune.targets=[up]", f"finetune.start={tmp_path}"
    )


def test_a_separate_adapter_of_a_method_without_a_runtime_form_is_refused(tmp_path: Path) -> None:
    assert (
        "the runtime cannot load adapters of finetune.method: dora; set convert.adapters: merged"
        in refused(tmp_path, SMALL, RUNTIME, ATTENTION, "finetune.method=dora")
    )
