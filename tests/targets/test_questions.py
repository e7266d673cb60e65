import json
from pathlib import Path

from pipeline.targets.questions import answered_questions


def write(path: Path, *answers: tuple[str, str, bool]) -> Path:
    lines = [
        json.dumps(
            {"question": question, "tags": {"kind": kind} if kind else {}, "runtime": {"correct": correct}}
        )
        for question, kind, correct in answers
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_only_right_answers_are_offered(tmp_path: Path) -> None:
    answers = write(tmp_path / "a.jsonl", ("What is Fe?", "symbol", True), ("What is Au?", "symbol", False))
    assert answered_questions(answers) == ["What is Fe?"]


def test_kinds_differ_first_then_words(tmp_path: Path) -> None:
    answers = write(
        tmp_path / "a.jsonl",
        ("What is Fe?", "symbol", True),
        ("What is Au?", "symbol", True),
        ("Name number 7.", "symbol", True),
        ("What is the mass of Fe?", "mass", True),
    )
    assert answered_questions(answers, 3) == ["What is Fe?", "What is the mass of Fe?", "Name number 7."]


def test_questions_without_tags_differ_in_their_words(tmp_path: Path) -> None:
    answers = write(
        tmp_path / "a.jsonl",
        ("Who are you?", "", True),
        ("Who are they?", "", True),
        ("Sing a song of it.", "", True),
    )
    assert answered_questions(answers, 2) == ["Who are you?", "Sing a song of it."]


def test_the_same_question_is_offered_once(tmp_path: Path) -> None:
    answers = write(tmp_path / "a.jsonl", ("Why?", "", True), ("Why?", "", True))
    assert answered_questions(answers) == ["Why?"]


def test_a_model_that_is_never_right_offers_none(tmp_path: Path) -> None:
    assert answered_questions(write(tmp_path / "a.jsonl", ("Why?", "", False))) == []


def test_answers_with_line_separators_of_unicode_are_whole(tmp_path: Path) -> None:
    line = {"question": "What\u2028is Fe?", "tags": {}, "runtime": {"correct": True}}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")  # as verify writes it
    assert answered_questions(path) == ["What\u2028is Fe?"]
