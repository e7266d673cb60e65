"""Requests to a help desk and their categories, written for these tests: what a person with a few hundred
examples might bring."""

import itertools
import random

PHRASINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "parcel_late": (
        ("My parcel", "The package I ordered", "My delivery", "The box from your shop", "Order {n}"),
        ("has not arrived yet.", "is two days late.", "was due on Monday.", "is still on its way."),
    ),
    "refund_status": (
        ("My refund", "The money for order {n}", "The repayment", "The amount I am owed", "My money"),
        ("has not come back yet.", "is still missing.", "was promised last week.", "is late."),
    ),
    "password_reset": (
        ("My password", "The login code", "The reset link", "My secret word", "The sign-in page"),
        ("does not work any more.", "is no longer accepted.", "was forgotten.", "never reaches my inbox."),
    ),
    "broken_item": (
        ("The lamp I bought", "My new kettle", "The chair from order {n}", "The radio", "One of the glasses"),
        ("arrived in pieces.", "has a crack.", "stopped working after a day.", "came with a missing part."),
    ),
    "change_address": (
        ("I have moved and", "We live elsewhere now, so", "My street has changed and", "After moving house,"),
        ("need a new delivery address.", "want to update where you ship.", "would like to edit my address.",
         "must correct the postal code."),
    ),
    "cancel_order": (
        ("Order {n}", "The purchase I made today", "What I bought this morning", "My last order"),
        ("is no longer wanted.", "should be cancelled.", "was a mistake, stop it.", "must not be sent."),
    ),
    "opening_hours": (
        ("Your shop in town:", "The counter:", "The service desk:", "The branch near the station:"),
        ("when does it open?", "how late is it open?", "is it open on Sunday?", "when does it close?"),
    ),
    "invoice_copy": (
        ("For order {n}", "For my tax return", "For my employer", "For last month's purchase"),
        ("I need the invoice again.", "please send another bill.", "a copy of the receipt is missing.",
         "could I have the invoice as a PDF?"),
    ),
}  # fmt: skip
"""By category: beginnings and endings, each of which fits each."""

GREETINGS = ("", "Hello. ", "Hi there, ", "Good morning. ", "Sorry to bother you. ", "Quick question. ")
THANKS = ("", " Thanks!", " Please help.", " What now?", " Can you look into it?")


def requests(seed: int = 0) -> tuple[list[dict[str, str]], list[dict[str, str]], list[dict[str, str]]]:
    """Rows with `prompt` and `response` for training (320), validation (32) and test (200); no prompt occurs
    twice."""
    random_numbers = random.Random(seed)
    rows = []
    for category, (starts, ends) in PHRASINGS.items():
        pieces = list(itertools.product(GREETINGS, starts, ends, THANKS))
        for greeting, start, end, thanks in random_numbers.sample(pieces, 69):
            sentence = f"{start.format(n=random_numbers.randint(1000, 9999))} {end}"
            rows.append({"prompt": f"{greeting}{sentence}{thanks}", "response": category})
    random_numbers.shuffle(rows)
    return rows[:320], rows[320:352], rows[352:552]
