"""The app's own tests (android/app/src/test) on this machine's JVM, with the demo model as converted for the phone."""

import json
import os
import struct
from pathlib import Path

import pytest

from pipeline.apk.build import build_app
from pipeline.apk.manifest import AppManifest
from pipeline.apk.package import package_apk
from pipeline.apk.questions import answered_questions
from pipeline.digests import sha256_of_file
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
def properties(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tuned demo model, questions of its test set that it answers right, and the same model without an end."""
    folder = tmp_path_factory.mktemp("jvm")
    run = demo_run("verify")
    model = run / "convert" / "model.litertlm"
    write_endless(model, folder / "endless.litertlm")
    questions = answered_questions(run / "verify" / "answers.jsonl")
    lines = (run / "verify" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    expected = {answer["question"]: answer["expected"] for answer in map(json.loads, lines)}
    manifest = AppManifest(
        name="Pocket Science",
        model_bytes=model.stat().st_size,
        model_sha256=sha256_of_file(model),
        description="A tiny Gemma 3 that answers questions about the chemical elements.",
        remembers_conversation=False,
    )
    (folder / "manifest.json").write_text(json.dumps(manifest.document()), encoding="utf-8")
    (folder / "questions.json").write_text(json.dumps(questions), encoding="utf-8")
    return {
        "model": str(model),
        "endless": str(folder / "endless.litertlm"),
        "question": questions[0],
        "answer": expected[questions[0]],
        "manifest": str(folder / "manifest.json"),
        "questions": str(folder / "questions.json"),
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


def test_the_app_as_it_is_installed(properties: dict[str, str], tmp_path: Path) -> None:
    manifest, questions = (
        json.loads(Path(properties[name]).read_text(encoding="utf-8")) for name in ("manifest", "questions")
    )
    apk = tmp_path / "app.apk"
    package_apk(build_app([], "PocketGemma"), Path(properties["model"]), manifest, questions, apk)
    outcome = run_tests(["ui.InstalledAppTest"], properties, apk=apk)
    assert outcome.passed, outcome.report
    assert outcome.tests >= 3
