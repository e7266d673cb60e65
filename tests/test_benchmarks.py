"""Each benchmark starts as its documentation says."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_no_script_hides_a_package(script: Path) -> None:
    """Python looks for modules beside a script first."""
    assert importlib.util.find_spec(script.stem) is None


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_it_starts(script: Path) -> None:
    if "argparse" not in script.read_text(encoding="utf-8"):
        pytest.skip("takes no options, and would run")
    command = [sys.executable, str(script), "--help"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-1000:]
    assert "usage:" in result.stdout
