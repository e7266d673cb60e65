"""The app's own tests (android/app/src/test) on this machine's JVM, with the demo model as converted for the phone."""

import struct
from pathlib import Path

import pytest

from tests.apk.jvm import run_tests

pytestmark = pytest.mark.slow

PICTURES = (
    "empty-light",
    "empty-dark",
    "chat-light",
    "chat-dark",
    "about-light",
    "about-dark",
    "chat-landscape",
    "chat-rtl",
)


def test_state_store_and_files() -> None:
    outcome = run_tests(
        ["chat.ChatEventTest", "chat.ChatStoreTest", "model.ModelFileTest", "model.ModelManifestTest"], {}
    )
    assert outcome.passed, outcome.report
    assert outcome.tests >= 30


def test_the_door_to_the_real_runtime(properties: dict[str, str]) -> None:
    outcome = run_tests(["runtime.LiteRtLmTest"], properties)
    assert outcome.passed, outcome.report
    assert outcome.tests >= 9


def test_the_real_screen_with_the_real_model(properties: dict[str, str]) -> None:
    outcome = run_tests(["ui.MainActivityTest", "ui.SavedChatTest"], properties)
    assert outcome.passed, outcome.report
    assert outcome.tests >= 16
    for name in PICTURES:
        picture = (Path(properties["shots"]) / f"{name}.png").read_bytes()
        width, height = struct.unpack(">II", picture[16:24])
        assert min(width, height) > 1000
        assert len(picture) > 20_000, f"{name}.png shows next to nothing"


def test_the_app_as_it_is_installed(properties: dict[str, str], apk: Path) -> None:
    outcome = run_tests(["ui.InstalledAppTest"], properties, apk=apk)
    assert outcome.passed, outcome.report
    assert outcome.tests >= 3
