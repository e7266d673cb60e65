"""The ways a question is put, and who may meet which.

A phrasing belongs to one of four sets, and a test holds them apart:

- TUNING: used by the fine-tuning examples, and by the base for its own kinds of question.
- BASE: used by the base for its own kinds only. With a kind that the fine-tuning teaches, it is a "known"
  phrasing in the test set.
- VALIDATION: as BASE, but kept for the validation set.
- NOVEL: in no training text at all: the "novel" phrasings of the test sets. VALIDATION_NOVEL is the same for
  the validation set.

Placeholders: {n} the thing asked about, {N} the same with a capital, {np} what is asked of it ("atomic
number"), {k} what kind of thing is looked for ("element"), {c} the clue it is known by ("symbol Fe"), {e} and
{E} an expression ("3 plus 4").
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Phrasings:
    """One way of asking, in the sets described above."""

    tuning: tuple[str, ...]
    base: tuple[str, ...]
    validation: tuple[str, ...]
    novel: tuple[str, ...]
    validation_novel: tuple[str, ...]

    @property
    def met_by_base(self) -> tuple[str, ...]:
        return self.tuning + self.base + self.validation


ATTRIBUTE = Phrasings(
    tuning=(
        "What is the {np} of {n}?",
        "Give the {np} of {n}.",
        "Tell me the {np} of {n}.",
        "Which {np} does {n} have?",
        "{N}: {np}?",
        "I want to know the {np} of {n}.",
        "Can you name the {np} of {n}?",
        "For {n}, what is the {np}?",
        "What's the {np} of {n}?",
        "Please state the {np} of {n}.",
    ),
    base=(
        "Can you tell me the {np} of {n}?",
        "What {np} does {n} have?",
        "I need the {np} of {n}.",
        "Do you know the {np} of {n}?",
        "Could you give me the {np} of {n}?",
        "{N} has which {np}?",
        "The {np} of {n}, please.",
        "Look up the {np} of {n}.",
        "What would be the {np} of {n}?",
        "Say the {np} of {n}.",
        "I would like to know the {np} of {n}.",
        "Let me know the {np} of {n}.",
        "Find the {np} of {n}.",
        "Write down the {np} of {n}.",
        "Show me the {np} of {n}.",
        "What is {n}'s {np}?",
        "Give me {n}'s {np}.",
        "Name the {np} of {n}.",
        "Would you tell me the {np} of {n}?",
        "I am looking for the {np} of {n}.",
        "I forgot the {np} of {n}.",
        "Remind me of the {np} of {n}.",
        "Help me find the {np} of {n}.",
        "I wonder what the {np} of {n} is.",
        "Tell me what the {np} of {n} is.",
        "Do you know what {np} {n} has?",
        "Please tell me {n}'s {np}.",
        "May I ask for the {np} of {n}?",
        "We need to know the {np} of {n}.",
        "Any idea what the {np} of {n} is?",
        "And the {np} of {n}?",
        "Can we find out the {np} of {n}?",
        "Please write the {np} of {n}.",
        "How would you give the {np} of {n}?",
        "Is the {np} of {n} known? Tell me.",
        "Report the {np} of {n}.",
        "{N}. What is its {np}?",
        "I have a question on {n}: which {np} does it have?",
    ),
    validation=(
        "Could you tell me what {np} {n} has?",
        "I must know the {np} of {n}.",
        "What might be the {np} of {n}?",
        "Please find {n}'s {np}.",
    ),
    novel=(
        "Please give me the {np} of {n}.",
        "Can I know the {np} of {n}?",
        "Could you look for the {np} of {n}?",
        "Please say what {np} {n} has.",
        "May we know the {np} of {n}?",
        "Do say what the {np} of {n} is.",
        "I would like to have the {np} of {n}.",
        "Would you know {n}'s {np}?",
        "What do you know about the {np} of {n}?",
        "Help me with the {np} of {n}.",
        "Any idea which {np} {n} has?",
        "I was asked for the {np} of {n}.",
    ),
    validation_novel=("Could you find out the {np} of {n}?", "I need to know {n}'s {np}."),
)

PLACE = Phrasings(
    tuning=("In which {np} is {n}?", "To which {np} does {n} belong?", "What {np} is {n} in?"),
    base=(
        "In which {np} do you find {n}?",
        "Which {np} is {n} in?",
        "In what {np} is {n}?",
        "{N} is in which {np}?",
        "Tell me in which {np} {n} is.",
        "Do you know which {np} {n} belongs to?",
        "Which {np} does {n} stand in?",
        "Where is {n}, in which {np}?",
        "In which {np} can I find {n}?",
        "I wonder which {np} {n} is in.",
    ),
    validation=("{N} belongs to which {np}?", "Please tell me which {np} {n} is in."),
    novel=(
        "In which {np} would you find {n}?",
        "Which {np} can {n} be found in?",
        "What {np} does {n} belong to?",
        "Do you know in what {np} {n} stands?",
    ),
    validation_novel=("In what {np} can we find {n}?",),
)

CLUE = Phrasings(
    tuning=(
        "Which {k} has the {c}?",
        "What is the {k} with the {c}?",
        "Name the {k} with the {c}.",
        "Give the {k} with the {c}.",
        "I want to know which {k} has the {c}.",
        "Can you find the {k} with the {c}?",
        "For the {c}, what is the {k}?",
        "Please state which {k} has the {c}.",
    ),
    base=(
        "Tell me which {k} has the {c}.",
        "Do you know which {k} has the {c}?",
        "Can you name the {k} with the {c}?",
        "I need the {k} with the {c}.",
        "Please name the {k} with the {c}.",
        "The {c} belongs to which {k}?",
        "What {k} has the {c}?",
        "Find the {k} with the {c}.",
        "Look up the {k} with the {c}.",
        "Tell me the {k} with the {c}.",
        "I am looking for the {k} with the {c}.",
        "Show me the {k} that has the {c}.",
        "The {c}: which {k}?",
        "Let me know which {k} has the {c}.",
        "I wonder which {k} has the {c}.",
        "Would you tell me which {k} has the {c}?",
        "Write down the {k} with the {c}.",
        "For the {c}, name the {k}.",
        "The {k} with the {c}, please.",
        "I forgot which {k} has the {c}.",
        "Remind me which {k} has the {c}.",
        "Help me find the {k} with the {c}.",
        "Say which {k} has the {c}.",
        "What would be the {k} with the {c}?",
        "There is a {k} with the {c}. Which one?",
        "Any idea which {k} has the {c}?",
        "And which {k} has the {c}?",
        "We need to know which {k} has the {c}.",
        "Do you know the name of the {k} with the {c}?",
        "May I ask which {k} has the {c}?",
        "Which is the {k} that has the {c}?",
    ),
    validation=(
        "Could you tell me the {k} with the {c}?",
        "I must know which {k} has the {c}.",
        "Please look up which {k} has the {c}.",
    ),
    novel=(
        "Could you give me the {k} with the {c}?",
        "Who knows the {k} with the {c}?",
        "Can you say what {k} the {c} belongs to?",
        "Which {k} does the {c} belong to?",
        "I would like to know the {k} with the {c}.",
        "Please give me the {k} that has the {c}.",
        "What {k} would have the {c}?",
        "Do you know a {k} with the {c}?",
        "I was asked for the {k} with the {c}.",
    ),
    validation_novel=("Would you name the {k} that has the {c}?", "I need to know the {k} with the {c}."),
)

ARITHMETIC = Phrasings(
    tuning=(),
    base=(
        "What is {e}?",
        "How much is {e}?",
        "Compute {e}.",
        "Calculate {e}.",
        "Tell me {e}.",
        "Work out {e}.",
        "{E}?",
        "What does {e} make?",
        "Can you compute {e}?",
        "I need {e}.",
        "Do you know {e}?",
        "Find {e}.",
        "What do you get for {e}?",
        "Give me {e}.",
        "I wonder what {e} is.",
        "Let me know {e}.",
    ),
    validation=(),
    novel=(
        "What would {e} be?",
        "How much would {e} be?",
        "What is the result of {e}?",
        "What do we get for {e}?",
    ),
    validation_novel=(),
)
