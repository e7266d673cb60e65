"""The app's tests are found in their sources, and a test that does not run is noticed."""

from pathlib import Path

import pytest

from tests.targets.android.jvm import JOURNEYS, PLAIN, ROBOLECTRIC, find_suites
from tests.targets.android.test_jvm import all_ran


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    root = tmp_path / "kotlin" / "io" / "pocketgemma" / "chat"
    for name, text in {
        "StoreTest.kt": "class StoreTest {\n    @Test\n    fun `one`() = Unit\n\n    @Test fun two() = "
        "Unit\n}",
        "ui/PageTest.kt": "@RunWith(RobolectricTestRunner::class)\nclass PageTest {\n    @Test(timeout = "
        "9)\n    fun one() = Unit\n}",
        "journey/WalkTest.kt": "@RunWith(RobolectricTestRunner::class)\nclass WalkTest {\n    @Test\n    fun "
        "one() = Unit\n}",
        "journey/Phone.kt": "// A class without a @Test of its own.\nclass Phone",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return tmp_path / "kotlin"


def test_every_class_is_found_with_its_number_of_tests(sources: Path) -> None:
    suites = find_suites(sources)
    assert (suites[PLAIN].classes, suites[PLAIN].tests) == (("StoreTest",), 2)
    assert (suites[ROBOLECTRIC].classes, suites[ROBOLECTRIC].tests) == (("ui.PageTest",), 1)
    assert (suites[JOURNEYS].classes, suites[JOURNEYS].tests) == (("journey.WalkTest",), 1)


def test_tests_in_a_class_of_another_name_are_refused(sources: Path) -> None:
    path = next(sources.rglob("StoreTest.kt"))
    path.rename(path.with_name("ShopTest.kt"))
    with pytest.raises(ValueError, match=r"ShopTest\.kt: has tests, but no class ShopTest"):
        find_suites(sources)


def test_a_test_that_did_not_run_is_noticed(sources: Path) -> None:
    from tests.targets.android.jvm import Outcome

    suite = find_suites(sources)[PLAIN]
    all_ran(suite, Outcome(tests=2, passed=True, report=""))
    with pytest.raises(AssertionError, match="1 of 2 tests ran"):
        all_ran(suite, Outcome(tests=1, passed=True, report=""))
    with pytest.raises(AssertionError, match="why"):
        all_ran(suite, Outcome(tests=2, passed=False, report="why"))
