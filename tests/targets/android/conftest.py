"""Inputs of the app's tests on the JVM: the APK of the demo, and models and adapters to ask."""

import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.runtime_adapters import write_adapter
from pipeline.targets.android.assets import MANIFEST_ENTRY, MODEL_ENTRY, QUESTIONS_ENTRY
from pipeline.targets.android.build import AppBuild, build_app
from pipeline.targets.questions import answered_questions
from tests.support.demo_run import demo_run
from tests.support.lora import LORA, adapter_for, converted_base, merged_folder
from tests.support.tiny_gemma import ANSWERS, Reference, tiny_folder
from tests.targets.android.models import write_endless, write_without_system_turn
from tests.targets.android.workshop import ABI, Workshop

SCREENSHOTS = "POCKETGEMMA_SCREENSHOTS"
"""Names a folder for the screenshots of the tests, for the README."""


ANSWER_TOKENS = 24
"""Length of the longest answer with an adapter, in tokens."""


@pytest.fixture(scope="session")
def apk() -> Path:
    """The signed APK of the demo."""
    return next((demo_run("bundle") / "bundle").glob("*.apk"))


@pytest.fixture(scope="session")
def properties(
    apk: Path, adapters: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """System properties of the Kotlin tests: files of the APK, a question that its model answers correctly,
    test models, adapters."""
    folder, run = tmp_path_factory.mktemp("jvm"), apk.parent.parent
    with zipfile.ZipFile(apk) as archive:
        for name in (MODEL_ENTRY, MANIFEST_ENTRY, QUESTIONS_ENTRY):
            archive.extract(name, folder)
    write_endless(folder / MODEL_ENTRY, folder / "endless.litertlm")
    write_without_system_turn(folder / MODEL_ENTRY, folder / "no_system.litertlm")
    answers = run / "verify" / "answers.jsonl"
    expected = {
        line["question"]: line["expected"]
        for line in map(json.loads, answers.read_text(encoding="utf-8").splitlines())
    }
    question = answered_questions(answers)[0]
    return adapters | {
        "model": str(folder / MODEL_ENTRY),
        "endless": str(folder / "endless.litertlm"),
        "noSystem": str(folder / "no_system.litertlm"),
        "manifest": str(folder / MANIFEST_ENTRY),
        "questions": str(folder / QUESTIONS_ENTRY),
        "question": question,
        "answer": expected[question],
        "shots": os.environ.get(SCREENSHOTS) or str(folder / "screenshots"),
    }


@pytest.fixture(scope="session")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A base that takes adapters, two adapters, and the greedy answers of transformers with each of them
    merged."""
    place, source = tmp_path_factory.mktemp("adapters"), tiny_folder(tmp_path_factory)
    questions = [*ANSWERS, "And what of silver?"]
    answers = {"base": _answers(source, questions)}
    found = {"loraBase": str(converted_base(tmp_path_factory))}
    # Random adapters that change the answers; one does not touch every matrix.
    for name, adapter in {
        "A": adapter_for(source, 2, seed=1),
        "B": adapter_for(source, 8, seed=2, targets=("query", "value")),
    }.items():
        write_adapter(adapter, place / f"{name}.tflite", rank=LORA.lora_rank or 0)
        found[f"adapter{name}"] = str(place / f"{name}.tflite")
        answers[name] = _answers(merged_folder(source, adapter, place / name), questions)
    written = {"questions": questions, "tokens": ANSWER_TOKENS, "answers": answers}
    (place / "answers.json").write_text(json.dumps(written), encoding="utf-8")
    return found | {"adapterAnswers": str(place / "answers.json")}


def _answers(folder: Path, questions: list[str]) -> list[str]:
    reference, tokenizer = Reference(folder), Tokenizer.of_preset(folder)
    texts = []
    for question in questions:
        ids = reference.greedy(tokenizer.prompt_ids([{"role": "user", "content": question}]), ANSWER_TOKENS)
        end = next((place for place, token in enumerate(ids) if token in tokenizer.stop_ids), len(ids))
        texts.append(tokenizer.decode(ids[:end]).strip())
    return texts


@pytest.fixture(scope="session")
def built() -> AppBuild:
    return build_app([ABI], "PocketGemma")


@pytest.fixture
def workshop(built: AppBuild, tmp_path: Path) -> Workshop:
    # The runtime's library is 37 MB; a small one is enough for the checks.
    small = tmp_path / "liblitert-lm.so"
    shutil.copyfile(built.libraries[ABI][1], small)
    names = ("model.litertlm", "base.litertlm", "poet.tflite", "clerk.tflite")
    model, base, *adapters = (tmp_path / name for name in names)
    for number, path in enumerate((model, base, *adapters)):
        path.write_bytes(b"LITERTLM" + bytes([number]) + bytes(range(256)) * 64)
    app = replace(built, libraries={ABI: (small, built.libraries[ABI][1])})
    return Workshop(app, model, base, tuple(adapters), tmp_path)
