"""Small random presets of families that differ in their norms, tables and shared matrices."""

from pathlib import Path

import pytest

from tests.support.random_presets import write_keras_preset

FAMILIES = ("gemma2", "gemma3", "gemma4")


@pytest.fixture(scope="session", params=FAMILIES)
def preset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keras_preset(request.param, tmp_path_factory.mktemp(request.param) / "preset")
