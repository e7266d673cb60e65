"""The values of an adapter_config.json: which of them LoRA and DoRA have, and what each is for a module."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError

LORA_KEYS = frozenset(
    (
        "alpha_pattern", "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying",
        "eva_config",
        "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern",
        "layers_to_transform",
        "loftq_config", "lora_alpha", "lora_dropout", "lora_ga_config", "megatron_config", "megatron_core",
        "peft_type",
        "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config",
        "target_modules", "task_type",
        "use_dora", "use_rslora",
    )
)  # fmt: skip
"""Keys of a configuration that are read here, or that change nothing in how LoRA and DoRA are merged into
linear layers."""

NEUTRAL: tuple[Any, ...] = (None, False, "none", [], {}, "")
"""Values that ask for nothing."""

CHANGED_BASES = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Initializations (init_lora_weights) that take something out of the base: A and B then belong to that
residual, not to the base."""

PATTERNS = {"r": "rank_pattern", "lora_alpha": "alpha_pattern"}
"""Values that may differ from module to module, and the keys with the differences."""

MLX_KEYS = ("fine_tune_type", "lora_parameters")
"""Keys in the adapter_config.json of mlx-lm."""

MLX_ADVICE = (
    "an mlx-lm adapter; merge it into its model with mlx_lm.fuse, and set model.preset to the resulting "
    "folder"
)


def check_config(path: Path, config: Mapping[str, Any]) -> None:
    """Check that a configuration asks for LoRA or DoRA of linear layers, and says its rank and scale.

    Raises:
        InputError: it does not; names the key.
    """
    if any(key in config for key in MLX_KEYS):
        raise InputError(f"{path}: {MLX_ADVICE}")
    if config.get("peft_type") != "LORA":
        raise InputError(f"{path}: peft_type is {config.get('peft_type')!r}, expected 'LORA'")
    for key in beyond_lora(config):
        raise InputError(
            f"{path}: {key} is {config[key]!r:.60}: only LoRA and DoRA of linear layers are "
            "supported; merge the adapter "
            "with PEFT (merge_and_unload) and convert the merged model"
        )
    start = str(config.get("init_lora_weights", "")).lower()
    if start.startswith(CHANGED_BASES):
        raise InputError(
            f"{path}: init_lora_weights is {start!r}: the adapter was trained on a modified base; save "
            "it with PEFT's path_initial_model_for_weight_conversion, or merge it with PEFT"
        )
    for key in ("use_rslora", "use_dora"):
        asked = config.get(key)
        if asked is not None and not isinstance(asked, bool):
            raise InputError(
                f"{path}: {key} is {asked!r:.60}, expected true or false; set the value used in training"
            )
    for key, patterns in PATTERNS.items():
        _check_number(path, key, config.get(key), whole=key == "r")
        given = config.get(patterns)
        if given is not None and not isinstance(given, dict):
            raise InputError(f"{path}: {patterns} is {given!r:.60}, expected patterns and numbers")
        for pattern, value in (given or {}).items():
            _check_number(path, f"{patterns}[{pattern!r}]", value, whole=key == "r")
            try:
                re.compile(pattern)
            except re.error as error:
                raise InputError(
                    f"{path}: {patterns}: {pattern!r} is not a regular expression: {error}"
                ) from None


def beyond_lora(config: Mapping[str, Any]) -> list[str]:
    """Keys that ask for more than LoRA or DoRA of linear layers."""
    return [key for key, value in config.items() if key not in LORA_KEYS and value not in NEUTRAL]


def value_for(config: Mapping[str, Any], key: str, module: str) -> Any:
    """A value for a module: that of the first pattern that fits the end of its name, as PEFT looks them up.

    Args:
        config: checked.
        key: one of PATTERNS.
        module: by its name in the file.
    """
    for pattern, value in (config.get(PATTERNS[key]) or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return config[key]


def _check_number(path: Path, key: str, value: Any, *, whole: bool) -> None:
    kinds, wanted = (int, "a whole number, 1 or more") if whole else (int | float, "a number other than 0")
    usable = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or (value < 1 if whole else value == 0):
        found = "missing" if value is None else repr(value)[:60]
        raise InputError(f"{path}: {key} is {found}, expected {wanted}; set the value used in training")
