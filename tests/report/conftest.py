from pathlib import Path

import pytest

from tests.support.reported_run import make_run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder up to verify; not to be changed."""
    return make_run(tmp_path_factory.mktemp("reported"))
