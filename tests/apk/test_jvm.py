"""The app's own tests (android/app/src/test) on this machine's JVM, with the demo model as converted for the phone."""

import json
import os
import struct
import zipfile
from pathlib import Path

import pytest

from pipeline.apk.package import MANIFEST_ENTRY, MODEL_ENTRY, QUESTIONS_ENTRY
from pipeline.apk.questions import answered_questions
from tests.apk.jvm import run_tests
from tests.apk.models import write_endless
from tests.support.demo_run import demo_run

pytestmark = pytest.mark.slow

SCREENSHOTS = "POCKETGEMMA_SCREENSHOTS"
"""Names a folder that keeps the pictures of the screen, for the README."""

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


@pytest.fixture(scope="module")
def apk() -> Path:
    """The demo, walked up to its signed APK."""
    return next((demo_run("bundle") / "bundle").glob("*.apk"))


@pytest.fixture(scope="module")
def properties(apk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the tests in Kotlin are told: the APK's files, a question that its model answers right, and a model without an end."""
    folder, run = tmp_path_factory.mktemp("jvm"), apk.parent.parent
    with zipfile.ZipFile(apk) as archive:
        for name in (MODEL_ENTRY, MANIFEST_ENTRY, QUESTIONS_ENTRY):
            archive.extract(name, folder)
    write_endless(folder / MODEL_ENTRY, folder / "endless.litertlm")
    answers = run / "verify" / "answers.jsonl"
    expected = {
        line["question"]: line["expected"]
        for line in map(json.loads, answers.read_text(encoding="utf-8").splitlines())
    }
    question = answered_questions(answers)[0]
    return {
        "model": str(folder / MODEL_ENTRY),
        "endless": str(folder / "endless.litertlm"),
        "manifest": str(folder / MANIFEST_ENTRY),
        "questions": str(folder / QUESTIONS_ENTRY),
        "question": question,
        "answer": expected[question],
        "shots": os.environ.get(SCREENSHOTS) or str(folder / "screenshots"),
    }


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
