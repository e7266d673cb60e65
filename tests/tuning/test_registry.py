"""Every file in methods/ is a method under its own name, found without loading a model library; files of
other methods are refused."""

import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.formats.adapter_safetensors import read_adapter_safetensors, write_adapter_safetensors
from pipeline.recipe.sections.finetune import FinetuneSection
from pipeline.tuning import methods
from pipeline.tuning.registry import METHODS, method_of


def test_every_module_is_a_method_of_its_name() -> None:
    assert set(METHODS) == {module.name for module in pkgutil.iter_modules(methods.__path__)}


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({}, "lora"),
        ({"quantization_aware": True}, "quantization_aware"),
        *(({"method": name}, name) for name in METHODS),
    ],
)
def test_a_recipe_can_choose_every_method(keys: dict[str, Any], name: str) -> None:
    section = FinetuneSection(**keys)
    assert section.tuning_method == name
    assert section.rounds_in_training == (name == "quantization_aware")


@pytest.mark.parametrize(("settings", "name"), [({}, "lora"), ({"recipe": "int4"}, "quantization_aware")])
def test_a_file_leads_to_its_method(tmp_path: Path, settings: dict[str, str], name: str) -> None:
    write_adapter_safetensors(tmp_path / "a", "pocketgemma-lora-1", "base", settings, {})
    assert method_of(read_adapter_safetensors(tmp_path / "a")).name == name


def test_a_file_of_an_unknown_method_is_refused(tmp_path: Path) -> None:
    write_adapter_safetensors(
        tmp_path / "a", "pocketgemma-future-7", "base", {}, {"x": np.ones(1, np.float32)}
    )
    with pytest.raises(
        InputError, match="unknown format 'pocketgemma-future-7', expected .*pocketgemma-lora-1"
    ):
        method_of(read_adapter_safetensors(tmp_path / "a"))


def test_the_registry_loads_no_model_library() -> None:
    script = "import sys, pipeline.tuning.registry; sys.exit(bool({'torch', 'keras'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
