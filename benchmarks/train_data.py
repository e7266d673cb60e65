"""The examples of benchmarks/train.py: questions with short answers, and word problems with long ones."""

import csv
import random
from pathlib import Path

PEOPLE = ("Amara", "Jonas", "Mei", "Rafael", "Ingrid", "Tariq", "Lucia", "Owen", "Sana", "Pieter")
TRADES = (
    ("bakery", "loaves of bread", "oven"),
    ("nursery", "tomato seedlings", "greenhouse"),
    ("print shop", "posters", "press"),
    ("orchard", "crates of apples", "barn"),
    ("pottery", "glazed bowls", "kiln"),
    ("dairy", "wheels of cheese", "cellar"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def short_answers(path: Path, count: int) -> list[dict[str, str]]:
    """Questions and intents from a file of banking77, in no order."""
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    random.Random(0).shuffle(found)
    return [
        {"question": row["text"].strip(), "answer": row["category"].replace("_", " ")}
        for row in found[:count]
    ]


def long_answers(count: int) -> list[dict[str, str]]:
    """Word problems and their solutions step by step: with Gemma's tokenizer, about 100 tokens of question
    and 120 of answer, as in GSM8K (Cobbe et al. 2021, arXiv:2110.14168)."""
    numbers = random.Random(0)
    return [_problem(numbers) for _ in range(count)]


def _problem(numbers: random.Random) -> dict[str, str]:
    person, day = numbers.choice(PEOPLE), numbers.choice(DAYS)
    shop, goods, place = numbers.choice(TRADES)
    start, batches, size = numbers.randint(20, 90), numbers.randint(3, 9), numbers.randint(4, 12)
    broken, price = numbers.randint(1, 9), numbers.randint(2, 9)
    friends = numbers.randint(2, 5)
    question = (
        f"{person} runs a small {shop}. On {day} morning there are {start} {goods} left from the day before. "
        f"During the day, {person} takes {batches} batches out of the {place}, and each batch has {size} "
        f"{goods}. In the evening {broken} of them turn out to be damaged and cannot be sold. {person} sells "
        f"all the others for {price} coins each, and shares what the {shop} earned equally with {friends} "
        "friends who helped. How many coins does each of them get, and how many are left over?"
    )
    made = batches * size
    good = start + made - broken
    coins, people = good * price, friends + 1
    answer = (
        f"First, count what was made on {day}: {batches} batches of {size} are {batches} * {size} = {made} "
        f"{goods}. Together with the {start} from the day before, there are {start} + {made} = "
        f"{start + made}. Then take away the {broken} damaged ones: {start + made} - {broken} = {good} can "
        f"be sold. At {price} coins each, they bring {good} * {price} = {coins} coins. {person} and "
        f"{friends} friends are {people} people, so divide: {coins} / {people} = {coins // people}, and "
        f"{coins % people} coins are left over. Each gets {coins // people} coins."
    )
    return {"question": question, "answer": answer}
