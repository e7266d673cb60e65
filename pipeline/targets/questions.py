"""Choose sample questions for the empty chat: different ones that the converted model answers correctly."""

import json
import re
from collections import Counter
from pathlib import Path

COUNT = 4
"""As many as fit on a phone's screen."""


def answered_questions(answers: Path, count: int = COUNT) -> list[str]:
    """Choose questions from the answers that the verify stage recorded.

    Args:
        answers: the answers.jsonl of that stage.
        count: largest number of questions.

    Returns:
        Questions that the runtime answered correctly. Each shares the fewest tags with those before it; among
        equal ones it shares the fewest words, and then it is the shortest. Fewer than `count` if fewer
        answers were correct.
    """
    # Not splitlines: texts may contain other line separators, such as U+2028.
    lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").split("\n") if line]
    left = {line["question"]: set(line["tags"].values()) for line in lines if line["runtime"]["correct"]}
    chosen: list[str] = []
    tags: Counter[str] = Counter()
    words: Counter[str] = Counter()

    def likeness(question: str) -> tuple[int, int, int]:
        return (
            sum(tags[tag] for tag in left[question]),
            sum(words[word] for word in _words(question)),
            len(question),
        )

    while left and len(chosen) < count:
        question = min(left, key=likeness)
        tags.update(left.pop(question))
        words.update(_words(question))
        chosen.append(question)
    return chosen


def _words(question: str) -> set[str]:
    return set(re.findall(r"\w+", question.lower()))
