"""Models that several tests share."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.model_spec import ModelSpec
from tests.support.converted_models import folder, model, reference
from tests.support.tiny_gemma import SPEC, converted

__all__ = ["folder", "model", "reference"]

QUANTIZED = ["fp16", "int8", "int4", "int4_embedding_int8", "int4_block32", "int4_block32_embedding_int8"]
"""The recipes that store a model in fewer bits than fp32."""


@pytest.fixture(scope="session", params=QUANTIZED)
def quantized(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ModelSpec]:
    """The tiny Gemma by each of these recipes, and its spec."""
    spec = replace(SPEC, recipe=request.param, prefill_lengths=(32,))
    return converted(tmp_path_factory, spec), spec


@pytest.fixture(scope="session")
def tokenizer(folder: Path) -> Tokenizer:
    """The tiny Gemma's."""
    return Tokenizer.of_preset(folder)
