"""Sample questions for the empty chat: ones that the converted model is known to answer right, as different as can be."""

import json
import re
from collections import Counter
from pathlib import Path

COUNT = 4
"""As many as a phone's screen shows at once."""


def answered_questions(answers: Path, count: int = COUNT) -> list[str]:
    """Choose questions from what the verify stage wrote down.

    Args:
        answers: its answers.jsonl.
        count: at most so many.

    Returns:
        Questions that the runtime answered right. Each is the one with the fewest tags, then the fewest words in common with those
        before it, and then the shortest. Fewer, or none, when fewer were right.
    """
    lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
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
