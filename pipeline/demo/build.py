"""Remake the committed files of the demo: `python -m pipeline.demo.build data|tokenizer|base|facts`.

data       science/*.jsonl, the sample questions and the data card; the same bytes each time
tokenizer  base's SentencePiece model; the same bytes each time
base       pretrain, about 16 minutes on one core, and write the KerasHub preset; can be stopped and
           continued
facts      read the periodic table again; needs the package mendeleev in an environment of its own
"""

import argparse
import datetime
import json
from collections import Counter
from pathlib import Path

from pipeline.demo.base_kinds import base_kinds
from pipeline.demo.examples import (
    Example,
    held_out_examples,
    replay_examples,
    sample_questions,
    skill_examples,
    split_facts,
    train_examples,
    write_examples,
)
from pipeline.demo.facts import ELEMENTS_FILE, read_elements
from pipeline.demo.tuning_kinds import tuning_kinds

ROOM = Path(__file__).parent
DATA_FOLDER = ROOM / "science"
BASE_FOLDER = ROOM / "base"
TOKENIZER_IN_BASE = Path("assets") / "tokenizer" / "vocabulary.spm"
"""Where KerasHub keeps a preset's SentencePiece model."""


def write_data(folder: Path) -> None:
    """Write the JSONL files, the sample questions and the data card."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "train": train_examples(),
        "replay": replay_examples(),
        "validation": held_out_examples("validation"),
        "test": held_out_examples("test"),
        "skills": skill_examples(),
    }
    for name, examples in files.items():
        write_examples(folder / f"{name}.jsonl", examples)
    questions = json.dumps(sample_questions(), indent=2, ensure_ascii=False)
    (folder / "sample_questions.json").write_text(questions + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_data_card(files), encoding="utf-8")


def _table(files: dict[str, list[Example]]) -> str:
    lines = ["| file | examples | phrasings | kinds |", "|---|---|---|---|"]
    for name, examples in files.items():
        phrasings = ", ".join(
            f"{count} {name}" for name, count in sorted(Counter(e.phrasing for e in examples).items())
        )
        kinds = ", ".join(
            f"{name} {count}" for name, count in Counter(sorted(e.kind for e in examples)).items()
        )
        lines.append(f"| {name}.jsonl | {len(examples)} | {phrasings} | {kinds} |")
    return "\n".join(lines)


def _data_card(files: dict[str, list[Example]]) -> str:
    header = {
        key: value
        for key, value in json.loads(ELEMENTS_FILE.read_text(encoding="utf-8")).items()
        if key != "elements"
    }
    facts = ", ".join(f"{len(part)} in {name}" for name, part in split_facts().items())
    shown = "\n".join(f"- *{e.prompt}* {e.response}" for e in files["test"][:: len(files["test"]) // 11])
    return CARD.format(
        table=_table(files),
        facts=facts,
        shown=shown,
        base=", ".join(kind.name for kind in base_kinds()),
        tuning=", ".join(kind.name for kind in tuning_kinds()),
        **header,
    )


CARD = """# Science questions

Questions about the chemical elements that teach the demo's tiny Gemma 3 a new skill. The base was pretrained on the facts as plain
sentences and answers some kinds of question. These examples teach it kinds of question that occur nowhere in its pretraining data.

Each line is a JSON object with the keys `prompt`, `response`, `kind` and `phrasing`. `phrasing` records where the wording of the question
occurs:

- `tuning`: in the fine-tuning data (and in the pretraining data, with other kinds of question).
- `base`: in the pretraining data.
- `known`: in the pretraining data; a wording of test.jsonl or validation.jsonl occurs there only with other kinds of question.
- `novel`: in neither pretraining nor fine-tuning data.

{table}

Kinds of question that the base answers: {base}, arithmetic. Kinds that the fine-tuning teaches: {tuning}.

Facts of the taught kinds: {facts}. The three sets share no fact. No phrasing of the test or validation set occurs in train, and no novel
phrasing occurs in any training text, including the pretraining data. The facts of the test set occur in the pretraining data as plain
sentences: the test measures whether fine-tuning makes the model answer questions about facts that it knows, in wordings that it was not
trained on. It does not measure whether fine-tuning can add facts.

## Examples from the test set

{shown}

## Sources

- Elements: {source}, version {version}, license {licence}; read on {read_on} into `../facts/elements.json`, which contains only the
  fields in use. Atomic masses are rounded to whole numbers, the category is the source's series, and the state at room temperature
  (298.15 K) follows from the melting and boiling points. Where the source has no value, there is no question.
- Planets, well-known moons, SI units and prefixes, sums, differences and products of 0 to 10: common knowledge, in `../facts.py`.
- Sentences and phrasings: written for this project, in `../kinds.py` and `../phrasings.py`, under Apache-2.0.
- `python -m pipeline.demo.build data` generates all files of this folder; the result is the same byte for byte.

## Limits

- The questions come from templates: about a hundred wordings, some with a greeting or a remark, some without capital letter and question
  mark. Users will find other wordings. English only.
- Each answer is one sentence in a fixed form, so that exact match is a strict measure. The model answers questions about facts that are
  not in the source, too: it never says that it does not know.
- The categories follow one source (definitions of metalloids and poor metals differ), and those of the newest elements are predictions.
  Look up anything that matters.
"""


def write_tokenizer(path: Path) -> None:
    """Train the tokenizer and write its SentencePiece model."""
    from pipeline.demo.tokenizer import train_tokenizer

    train_tokenizer(path)


def write_base(folder: Path, work: Path, steps: int | None, threads: int, bfloat16: bool) -> None:
    """Pretrain from where `work` stands and write the preset."""
    import torch

    from pipeline.demo.base import write_preset
    from pipeline.demo.pretrain import Schedule, pretrain

    tokenizer = work / "tokenizer.model"
    write_tokenizer(tokenizer)
    schedule = Schedule() if steps is None else Schedule(steps=steps)
    weights = pretrain(tokenizer, work, schedule, threads, bfloat16)
    deviation = write_preset(torch.load(weights, weights_only=True), tokenizer, folder)
    print(f"{folder}: logits within {deviation:.1e} of transformers'")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("data", "tokenizer", "base", "facts"))
    parser.add_argument(
        "--work", type=Path, default=Path("runs") / "demo-base", help="base: folder for what is under way"
    )
    parser.add_argument("--steps", type=int, help="base: fewer or more steps than the committed base had")
    parser.add_argument("--threads", type=int, default=1, help="base: processor cores")
    parser.add_argument(
        "--float32",
        action="store_true",
        help="base: no bfloat16 products, for processors that do not have them",
    )
    options = parser.parse_args()
    if options.what == "data":
        write_data(DATA_FOLDER)
    elif options.what == "tokenizer":
        write_tokenizer(BASE_FOLDER / TOKENIZER_IN_BASE)
    elif options.what == "base":
        write_base(BASE_FOLDER, options.work, options.steps, options.threads, not options.float32)
    else:
        read_elements(datetime.date.today().isoformat())


if __name__ == "__main__":
    main()
