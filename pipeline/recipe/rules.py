"""Rules that connect several keys of a recipe. The docstring of each is its text in docs/configuration.md."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pipeline.families.names import RUNTIME_TARGETS
from pipeline.quantization.roundings import ROUNDINGS
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.sections.finetune import LORA
from pipeline.tuning.method import Method
from pipeline.tuning.registry import METHODS

if TYPE_CHECKING:
    from pipeline.recipe.schema import Config

LARGEST_INTEGER_BITS = 8

OF_FACTORS = ("rank", "alpha", "scaling", "targets", "lora_plus_ratio")
"""Keys of `finetune` that say which low-rank factors are trained."""


def prefill_fits_the_context(config: "Config") -> str | None:
    """No length in `convert.prefill_lengths` exceeds `convert.context_length`."""
    convert = config.convert
    longer = [length for length in convert.prefill_lengths if length > convert.context_length]
    if not longer:
        return None
    return (
        f"convert.prefill_lengths: {_listed(longer)} exceeds convert.context_length: "
        f"{convert.context_length}; "
        "shorten the chunks or raise the context length"
    )


def examples_fit_the_context(config: "Config") -> str | None:
    """`data.max_length` is at most `convert.context_length`."""
    longest, context = config.data.max_length, config.convert.context_length
    if longest <= context:
        return None
    return (
        f"data.max_length: {longest} exceeds convert.context_length: {context}; the converted model cannot "
        f"read such examples: set data.max_length to at most {context}, or raise convert.context_length"
    )


def rounding_needs_integers(config: "Config") -> str | None:
    """A `convert.rounding` other than `nearest` needs an integer `convert.recipe`."""
    convert = config.convert
    if not ROUNDINGS[convert.rounding].needs_grafting or _has_integers(convert.recipe):
        return None
    return (
        f"convert.rounding: {convert.rounding} requires an integer recipe, but convert.recipe is "
        f"{convert.recipe}; use rounding: nearest, or a recipe such as int8"
    )


def rounding_needs_grafting(config: "Config") -> str | None:
    """A `convert.rounding` other than `nearest` needs `convert.graft: true`."""
    convert = config.convert
    if not ROUNDINGS[convert.rounding].needs_grafting or convert.graft:
        return None
    return f"convert.rounding: {convert.rounding} requires grafting; set convert.graft: true"


def task_has_no_separate_adapter(config: "Config") -> str | None:
    """`convert.adapters: runtime` needs a .litertlm file, so `convert.formats` must not contain `task`."""
    if config.convert.adapters != "runtime" or "task" not in config.convert.formats:
        return None
    return "convert.adapters: runtime works with .litertlm files only; remove task from convert.formats"


def separate_adapter_is_not_calibrated(config: "Config") -> str | None:
    """`convert.adapters: runtime` cannot be combined with `convert.rounding: gptq`, which calibrates the
    merged model."""
    convert = config.convert
    if convert.adapters != "runtime" or not ROUNDINGS[convert.rounding].needs_calibration:
        return None
    plain = [name for name, rounding in ROUNDINGS.items() if not rounding.needs_calibration]
    return (
        f"convert.rounding: {convert.rounding} calibrates the merged model, but convert.adapters: runtime "
        "does not merge; "
        f"use rounding: {' or '.join(plain)}"
    )


def separate_adapter_is_of_attention(config: "Config") -> str | None:
    """With `convert.adapters: runtime`, `finetune.targets` must be set, unless `finetune.start` brings them,
    and can contain `query`, `key`, `value` and `output` only: the runtime's limit."""
    others = [target for target in config.finetune.targets if target not in RUNTIME_TARGETS]
    if config.convert.adapters != "runtime" or not others or not _method(config).low_rank:
        return None
    if "targets" not in config.finetune.explicit:
        if config.finetune.start:
            return None
        return (
            f"finetune.targets: is not set and defaults to {_listed(config.finetune.targets)}, but "
            f"convert.adapters: runtime supports {_listed(RUNTIME_TARGETS)} only; set finetune.targets: "
            f"[{_listed(RUNTIME_TARGETS)}], or use convert.adapters: merged"
        )
    return (
        f"finetune.targets: convert.adapters: runtime supports {_listed(RUNTIME_TARGETS)} only; remove "
        f"{_listed(others)}, "
        "or use convert.adapters: merged"
    )


def more_adapters_need_a_base_with_inputs(config: "Config") -> str | None:
    """`bundle.adapters` needs `convert.adapters: runtime`."""
    if config.convert.adapters == "runtime" or not config.bundle.adapters:
        return None
    return (
        "bundle.adapters: this model does not accept adapters at run time; set convert.adapters: runtime, or "
        "remove bundle.adapters"
    )


def quantization_aware_needs_integers(config: "Config") -> str | None:
    """`finetune.quantization_aware` needs an integer `convert.recipe`."""
    if not config.finetune.rounds_in_training or _has_integers(config.convert.recipe):
        return None
    return (
        "finetune.quantization_aware: requires an integer recipe, but convert.recipe is "
        f"{config.convert.recipe}; use a recipe such as int8 or int4"
    )


def quantization_aware_is_rounded_as_trained(config: "Config") -> str | None:
    """`finetune.quantization_aware` cannot be combined with `convert.rounding: gptq`: training chooses the
    integers."""
    convert = config.convert
    if not config.finetune.rounds_in_training or not ROUNDINGS[convert.rounding].needs_calibration:
        return None
    return (
        f"finetune.quantization_aware: convert.rounding: {convert.rounding} would round the trained "
        "integers again; remove convert.rounding"
    )


def quantization_aware_needs_grafting(config: "Config") -> str | None:
    """`finetune.quantization_aware` needs `convert.graft: true`."""
    if not config.finetune.rounds_in_training or config.convert.graft:
        return None
    return "finetune.quantization_aware: requires grafting; set convert.graft: true"


def separate_adapter_has_a_runtime_form(config: "Config") -> str | None:
    """`convert.adapters: runtime` needs a `finetune.method` whose adapters the runtime can load: `lora`."""
    method = _method(config)
    if config.convert.adapters == "merged" or method.has_runtime_form:
        return None
    return (
        f"convert.adapters: the runtime cannot load adapters of finetune.method: {method.name}; set "
        "convert.adapters: merged, or choose another method"
    )


def one_tuning_method(config: "Config") -> str | None:
    """`finetune.quantization_aware: true` cannot be combined with another `finetune.method`."""
    finetune = config.finetune
    if not finetune.quantization_aware or finetune.rounds_in_training:
        return None
    return (
        f"finetune.method: {finetune.method} conflicts with quantization_aware: true; remove one of the keys"
    )


def factors_are_trained(config: "Config") -> str | None:
    """`finetune.rank`, `alpha`, `scaling`, `targets` and `lora_plus_ratio` cannot be set with a
    `finetune.method` that trains weights of the base: `full` and `norms`."""
    finetune = config.finetune
    given = [key for key in OF_FACTORS if key in finetune.explicit]
    if _method(config).low_rank or not given:
        return None
    return (
        f"finetune.{given[0]}: finetune.method: {finetune.tuning_method} has no low-rank factors; remove "
        f"{_listed(given)}"
    )


def rounding_needs_matrices(config: "Config") -> str | None:
    """A `convert.rounding` other than `nearest` cannot be combined with `finetune.method: full` or `norms`:
    it is written by grafting, which changes matrices only."""
    convert, method = config.convert, _method(config)
    if method.low_rank or not ROUNDINGS[convert.rounding].needs_grafting:
        return None
    return (
        f"convert.rounding: {convert.rounding} requires grafting, which changes only matrices, but "
        f"finetune.method: {method.name} trains norms; use rounding: nearest, or choose another method"
    )


def quantized_base_needs_lora(config: "Config") -> str | None:
    """`finetune.quantize_base` needs `finetune.method: lora`: other methods need the matrices of the base as
    floats."""
    finetune = config.finetune
    if finetune.quantize_base is None or finetune.tuning_method == LORA:
        return None
    way_out = "remove quantization_aware" if finetune.quantization_aware else f"set method: {LORA}"
    return (
        f"finetune.quantize_base: {finetune.tuning_method} needs the matrices of the base as floats; remove "
        f"quantize_base, or {way_out}"
    )


def rematerialization_needs_no_dropout(config: "Config") -> str | None:
    """`finetune.rematerialize` cannot be combined with `finetune.dropout`: the second computation would drop
    other values."""
    finetune = config.finetune
    if not finetune.rematerialize or not finetune.dropout:
        return None
    return (
        f"finetune.rematerialize: with dropout: {finetune.dropout:g}, recomputing a layer would drop "
        "other values; remove one of the keys"
    )


RULES: tuple[Callable[["Config"], str | None], ...] = (
    prefill_fits_the_context,
    examples_fit_the_context,
    rounding_needs_integers,
    rounding_needs_grafting,
    task_has_no_separate_adapter,
    separate_adapter_is_not_calibrated,
    separate_adapter_is_of_attention,
    more_adapters_need_a_base_with_inputs,
    quantization_aware_needs_integers,
    quantization_aware_is_rounded_as_trained,
    quantization_aware_needs_grafting,
    separate_adapter_has_a_runtime_form,
    one_tuning_method,
    factors_are_trained,
    rounding_needs_matrices,
    quantized_base_needs_lora,
    rematerialization_needs_no_dropout,
)
"""Each returns an error message, or None if the recipe keeps it."""


def _method(config: "Config") -> Method:
    return METHODS[config.finetune.tuning_method]


def _has_integers(recipe: str) -> bool:
    return SCHEMES[recipe].bits <= LARGEST_INTEGER_BITS


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))
