"""The demo's data files: fine-tuning, replay, validation, test and skill questions."""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.demo.base_kinds import base_kinds
from pipeline.demo.dressing import dress, dress_novel
from pipeline.demo.kinds import Kind, Values, render
from pipeline.demo.phrasings import ARITHMETIC, Phrasings
from pipeline.demo.text import arithmetic_question, base_question
from pipeline.demo.tuning_kinds import tuning_kinds

SEED = 2026
TRAIN_SHARE, VALIDATION_SHARE = 0.7, 0.06
"""Of the facts of each tuning kind; the rest are the test's."""

PHRASINGS_PER_FACT = {"train": 9, "validation": 3, "test": 7}
"""For validation and test: as many of the known and as many of the novel phrasings."""

REPLAY_EXAMPLES = 3_200
ARITHMETIC_SKILL_QUESTIONS = 60
DRESSED_SHARE = 0.25
"""How often a question has words around it that mean nothing for the answer."""

Select = Callable[[Phrasings], Sequence[str]]


@dataclass(frozen=True)
class Example:
    """One line of a data file."""

    prompt: str
    response: str
    kind: str
    phrasing: str
    """Where the wording occurs. tuning: in the fine-tuning data; base and known: in the pretraining data;
    novel: in neither."""


Fact = tuple[Kind, Values]


def split_facts() -> dict[str, list[Fact]]:
    """The facts of the tuning kinds, dealt out to train, validation and test within each kind."""
    split: dict[str, list[Fact]] = {"train": [], "validation": [], "test": []}
    for kind in tuning_kinds():
        facts: list[Fact] = [(kind, values) for values in kind.values]
        random.Random(f"{SEED}:{kind.name}").shuffle(facts)
        train_end = round(len(facts) * TRAIN_SHARE)
        validation_end = train_end + round(len(facts) * VALIDATION_SHARE)
        split["train"] += facts[:train_end]
        split["validation"] += facts[train_end:validation_end]
        split["test"] += facts[validation_end:]
    return split


def bare(prompt: str) -> str:
    """A prompt without what typing in haste leaves out; two prompts with the same bare form are the same
    question."""
    return prompt.lower().rstrip("?.")


def _ask(
    rng: random.Random, fact: Fact, select: Select, phrasing: str, count: int, taken: set[str]
) -> list[Example]:
    """Different questions about one fact, none of them taken before."""
    kind, values = fact
    put_around = dress_novel if phrasing == "novel" else dress
    examples: list[Example] = []
    while len(examples) < count:
        prompt = put_around(rng, render(kind.question(rng, select), values), DRESSED_SHARE)
        if bare(prompt) not in taken:
            taken.add(bare(prompt))
            examples.append(Example(prompt, render(kind.answer, values), kind.name, phrasing))
    return examples


def train_examples() -> list[Example]:
    """Questions of the tuning kinds in the tuning phrasings."""
    rng, taken = random.Random(f"{SEED}:train"), set[str]()
    out = []
    for fact in split_facts()["train"]:
        out += _ask(rng, fact, lambda p: p.tuning, "tuning", PHRASINGS_PER_FACT["train"], taken)
    rng.shuffle(out)
    return out


def held_out_examples(part: str) -> list[Example]:
    """The validation or the test set: facts and phrasings that the fine-tuning never sees, half of the
    phrasings novel."""
    known: Select = (lambda p: p.base) if part == "test" else (lambda p: p.validation)
    novel: Select = (lambda p: p.novel) if part == "test" else (lambda p: p.validation_novel)
    rng, taken = random.Random(f"{SEED}:{part}"), set[str]()
    out = []
    for fact in split_facts()[part]:
        out += _ask(rng, fact, known, "known", PHRASINGS_PER_FACT[part], taken)
        out += _ask(rng, fact, novel, "novel", PHRASINGS_PER_FACT[part], taken)
    return out


def skill_examples() -> list[Example]:
    """What the base can do before fine-tuning: each of its facts asked once in a known and once in a novel
    phrasing."""
    rng, taken = random.Random(f"{SEED}:skills"), set[str]()
    out = []
    for kind in base_kinds():
        for values in kind.values:
            out += _ask(rng, (kind, values), lambda p: p.met_by_base, "known", 1, taken)
            out += _ask(rng, (kind, values), lambda p: p.novel, "novel", 1, taken)
    for phrasing, templates in (("known", ARITHMETIC.met_by_base), ("novel", ARITHMETIC.novel)):
        count = 0
        while count < ARITHMETIC_SKILL_QUESTIONS:
            question = arithmetic_question(rng, templates)
            if bare(question.prompt) not in taken:
                taken.add(bare(question.prompt))
                out.append(Example(question.prompt, question.response, question.kind, phrasing))
                count += 1
    return out


def replay_examples() -> list[Example]:
    """Questions that the base already answers, so that fine-tuning does not unlearn them; none of the skill
    test's."""
    rng = random.Random(f"{SEED}:replay")
    taken = {bare(example.prompt) for example in skill_examples()}
    out: list[Example] = []
    while len(out) < REPLAY_EXAMPLES:
        question = base_question(rng)
        if bare(question.prompt) not in taken:
            taken.add(bare(question.prompt))
            out.append(Example(question.prompt, question.response, question.kind, "base"))
    return out


def sample_questions() -> list[str]:
    """What the app offers to be tapped: two questions of each tuning kind, then some that the base could
    always answer."""
    return [
        "How heavy is gold?",
        "What is the atomic mass of carbon?",
        "To which group does oxygen belong?",
        "In which group is neon?",
        "What kind of element is chlorine?",
        "What is the block of iron?",
        "Which element has the symbol Hg?",
        "What does Na stand for?",
        "Which element has the atomic number 92?",
        "What is element number 79?",
        "When was helium discovered?",
        "What is 7 plus 5?",
    ]


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """One JSON object a line: prompt, response, kind, phrasing."""
    lines = [
        json.dumps(
            {"prompt": e.prompt, "response": e.response, "kind": e.kind, "phrasing": e.phrasing},
            ensure_ascii=False,
        )
        for e in examples
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
