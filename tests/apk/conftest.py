"""What the app's tests on the JVM are given: the demo walked up to its APK, and the models and adapters that they ask."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from pipeline.apk.package import MANIFEST_ENTRY, MODEL_ENTRY, QUESTIONS_ENTRY
from pipeline.apk.questions import answered_questions
from tests.apk.models import write_endless
from tests.support.demo_run import demo_run

SCREENSHOTS = "POCKETGEMMA_SCREENSHOTS"
"""Names a folder that keeps the pictures of the screen, for the README."""


@pytest.fixture(scope="session")
def apk() -> Path:
    """The demo, walked up to its signed APK."""
    return next((demo_run("bundle") / "bundle").glob("*.apk"))


@pytest.fixture(scope="session")
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
