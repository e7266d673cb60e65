"""Run the app's tests (android/app/src/test) on this machine's JVM, with the demo model as it was converted
for the phone.

Each function here runs one process. A new test class in that folder is found and runs in one of them.
"""

import os
import struct
from pathlib import Path

import pytest

from tests.targets.android.jvm import JOURNEYS, PLAIN, ROBOLECTRIC, Outcome, Suite, find_suites, run_tests

pytestmark = pytest.mark.slow

SCREENS = ("empty", "chat", "chats", "models", "settings", "about", "compare", "benchmark")
VARIANTS = ("light", "dark", "large", "landscape", "rtl", "german")

FIGURES = "POCKETGEMMA_FIGURES"
"""Names a file for the measurements of the tests, which benchmarks/app.py reads."""


def all_ran(suite: Suite, outcome: Outcome) -> None:
    """Fail unless every test of a suite ran and passed."""
    assert outcome.passed, outcome.report
    assert outcome.tests == suite.tests, f"{outcome.tests} of {suite.tests} tests ran:\n{outcome.report}"


def test_stores_files_and_the_real_runtime(properties: dict[str, str]) -> None:
    suite = find_suites()[PLAIN]
    all_ran(suite, run_tests(suite.classes, properties))


def test_screens_and_storage(properties: dict[str, str]) -> None:
    suite = find_suites()[ROBOLECTRIC]
    all_ran(suite, run_tests(suite.classes, properties))


@pytest.mark.parametrize("shrunk", [False, True], ids=["as_compiled", "as_shrunk_for_the_phone"])
def test_the_app_as_it_is_installed(
    properties: dict[str, str], apk: Path, tmp_path: Path, shrunk: bool
) -> None:
    suite = find_suites()[JOURNEYS]
    figures = {"figures": os.environ.get(FIGURES) or str(tmp_path / "figures.json")}
    all_ran(suite, run_tests(suite.classes, properties | figures, apk, shrunk=shrunk))
    for name in (f"{screen}-{variant}.png" for screen in SCREENS for variant in VARIANTS):
        picture = (Path(properties["shots"]) / name).read_bytes()
        width, height = struct.unpack(">II", picture[16:24])
        assert min(width, height) > 500, f"{name} is {width} x {height}"
        assert len(picture) > 15_000, f"{name} is almost empty"
