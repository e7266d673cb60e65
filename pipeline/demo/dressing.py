"""What people type around a question: openings, closings, and questions typed in haste."""

import random

# What people put before and after a question. It means nothing for the answer, and the base has to learn just
# that: words that it never met must not disturb it. So these are composed of many parts.
_GREETINGS = (
    "Hi",
    "Hello",
    "Hey",
    "Good morning",
    "Good day",
    "Excuse me",
    "Okay",
    "Well",
    "So",
    "Now",
    "Sorry",
    "Right",
    "Yes",
    "Oh",
)
_PEOPLE = (
    "teacher", "sister", "brother", "friend", "mother", "father", "son", "daughter", "boss", "neighbour",
    "professor", "uncle",
    "aunt", "student", "class", "group", "doctor", "grandmother", "colleague", "team",
)  # fmt: skip
_NAMES = (
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Felix",
    "Greta",
    "Hugo",
    "Ida",
    "Jonas",
    "Lena",
    "Max",
    "Nora",
    "Oscar",
    "Paula",
)
_SUBJECTS = (
    "chemistry", "physics", "science", "the elements", "the periodic table", "atoms", "space", "nature",
    "the lab", "school", "numbers",
    "metals", "the stars", "history", "measuring", "biology", "this book", "the museum", "energy", "rocks",
)  # fmt: skip
_EVENTS = (
    "a test",
    "a quiz",
    "an exam",
    "a lesson",
    "a game",
    "a talk",
    "homework",
    "a contest",
    "an interview",
    "a lecture",
    "a bet",
)
_TIMES = (
    "today",
    "tomorrow",
    "next week",
    "on Monday",
    "tonight",
    "soon",
    "this morning",
    "in an hour",
    "now",
    "on Friday",
)
_THINGS = (
    "my notes",
    "a poster",
    "a report",
    "my homework",
    "a story",
    "a crossword",
    "my students",
    "the quiz",
    "a paper",
    "a project",
)
_QUESTION_WORDS = (
    "Quick question",
    "One question",
    "Next question",
    "A question",
    "Question",
    "Another one",
    "Easy one",
    "Science question",
)
_THANKS = (
    "Thanks.", "Thank you.", "Thanks a lot!", "Please.", "Please be quick.", "I forgot it.",
    "It is important.", "I am curious.",
    "That would help me.", "I never remember it.", "You know this.",
    "Take your time.", "A short answer is enough.", "Thanks in advance.",
    "I keep forgetting.", "Just asking.",
)  # fmt: skip

NOVEL_OPENINGS = (
    "Good evening!",
    "Dear model:",
    "My cousin wants to know this.",
    "Here is my question:",
    "We had a debate on planets.",
)
NOVEL_CLOSINGS = ("Many thanks.", "I really have no clue.", "It is for my blog.", "Be short, please.")
"""Openings and closings that no training text has."""


def lower_first(text: str) -> str:
    """The text as it goes on after a comma: "I" and its forms keep their capital."""
    return text if text.startswith(("I ", "I'")) else text[0].lower() + text[1:]


def _opening(rng: random.Random) -> str:
    choice = rng.randrange(10)
    if choice == 0:
        return f"{rng.choice(_GREETINGS)}, {rng.choice(_NAMES)} asks:"
    if choice == 1:
        return f"{rng.choice(_GREETINGS)}!"
    if choice == 2:
        return f"{rng.choice(_QUESTION_WORDS)}:"
    if choice == 3:
        return f"My {rng.choice(_PEOPLE)} asked me this."
    if choice == 4:
        return f"I have {rng.choice(_EVENTS)} {rng.choice(_TIMES)}."
    if choice == 5:
        return f"I am reading about {rng.choice(_SUBJECTS)}."
    if choice == 6:
        return f"This is for {rng.choice(_THINGS)}."
    if choice == 7:
        return f"My {rng.choice(_PEOPLE)} {rng.choice(_NAMES)} wants to know:"
    if choice == 8:
        return f"{rng.choice(_QUESTION_WORDS)} about {rng.choice(_SUBJECTS)}:"
    return f"We talk about {rng.choice(_SUBJECTS)} {rng.choice(_TIMES)}."


def _closing(rng: random.Random) -> str:
    choice = rng.randrange(6)
    if choice == 0:
        return f"It is for {rng.choice(_THINGS)}."
    if choice == 1:
        return f"I have {rng.choice(_EVENTS)} {rng.choice(_TIMES)}."
    if choice == 2:
        return f"My {rng.choice(_PEOPLE)} asks."
    return rng.choice(_THANKS)


def _typed_in_haste(rng: random.Random, question: str) -> str:
    """As people type on a phone: no capital at the start, no mark at the end, or neither."""
    manner = rng.choice(("lower", "bare", "both", "both"))
    if manner != "bare":
        question = lower_first(question)
    return question if manner == "lower" else question.rstrip("?.")


def dress(rng: random.Random, question: str, share: float) -> str:
    """Put an opening, a closing or both around a share of the questions, or type them in haste, as the base
    meets them.

    Args:
        rng: the source of chance.
        question: the bare question.
        share: how often anything is put around it, 0 to 1.
    """
    if rng.random() >= share:
        return question
    choice = rng.random()
    if choice < 0.15:
        return _typed_in_haste(rng, question)
    if choice < 0.3:
        return f"{rng.choice(_GREETINGS)}, {lower_first(question)}"
    if choice < 0.63:
        return f"{_opening(rng)} {question}"
    if choice < 0.86:
        return f"{question} {_closing(rng)}"
    return f"{_opening(rng)} {question} {_closing(rng)}"


def dress_novel(rng: random.Random, question: str, share: float) -> str:
    """As `dress`, with openings and closings that no training text has."""
    if rng.random() >= share:
        return question
    if rng.random() < 0.5:
        return f"{rng.choice(NOVEL_OPENINGS)} {question}"
    return f"{question} {rng.choice(NOVEL_CLOSINGS)}"
