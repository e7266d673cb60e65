"""Splitting off validation examples, and mixing replay into the training examples."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.data.examples import Example
from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat

REPLAY_TAG = {"replay": "yes"}
"""Tags an example of what the base could already do."""


def split_validation(
    examples: Sequence[Example],
    share: float,
    seed: int,
    chat: ChatFormat,
    train_prompts: Collection[str] = (),
) -> tuple[list[Example], list[Example]]:
    """Split off a share of the examples for validation.

    All examples with the same prompt stay on the same side. A hash of seed and prompt decides which, so that
    adding examples moves few of the others. A prompt that is also trained on as an earlier turn of
    another example is not set aside.

    Args:
        examples: all examples; both sides keep their order.
        share: target share of validation, in [0, 1). Above 0, at least one prompt goes to each side.
        seed: another seed gives another split.
        chat: the chat format in which prompts are compared.
        train_prompts: prompts that are in the training data anyway (replay) and so cannot be set aside.

    Returns:
        The training and the validation examples; no validation examples if the share is 0, or if there
        are no examples.

    Raises:
        InputError: no prompt can be set aside: there is only one, or replay or longer conversations train on
            the others.
    """
    if share == 0 or not examples:
        return list(examples), []
    sizes: dict[str, int] = defaultdict(int)
    earlier: set[str] = set()
    for example in examples:
        sizes[example.prompt(chat)] += 1
        earlier.update(example.earlier_prompts(chat))
    order = sorted(sizes, key=lambda prompt: hashlib.sha256(f"{seed}\n{prompt}".encode()).digest())
    chosen: set[str] = set()
    count = 0
    for prompt in [prompt for prompt in order[:-1] if prompt not in train_prompts and prompt not in earlier]:
        # Half a group above the target is as close as half a group below it.
        if chosen and count + sizes[prompt] / 2 > share * len(examples):
            break
        chosen.add(prompt)
        count += sizes[prompt]
    if not chosen:
        where = "replay or a longer conversation trains" if earlier else "replay trains"
        why = "there is only one prompt" if len(order) == 1 else f"{where} on too many of the prompts"
        raise InputError(
            f"data.train: {why}, so no example can be set aside for validation; add examples with other "
            "prompts, set data.validation to a file, or set data.validation_share: 0 to train without "
            "validation"
        )
    train = [example for example in examples if example.prompt(chat) not in chosen]
    return train, [example for example in examples if example.prompt(chat) in chosen]


@dataclass(frozen=True)
class Mix:
    """Training examples with replay mixed in.

    Attributes:
        examples: both, shuffled together.
        replay: how many of them are replay.
        times: how often the most frequent replay example occurs; above 1, the file was too small for the
            share.
    """

    examples: list[Example]
    replay: int
    times: int

    @property
    def share(self) -> float:
        return self.replay / len(self.examples) if self.examples else 0.0


def mix_replay(examples: Sequence[Example], replay: Sequence[Example], share: float, seed: int) -> Mix:
    """Mix in replay so that it makes up `share` of all examples.

    A replay file that is too small is repeated: what keeps a model from forgetting is how often it sees old
    examples, not how many different ones.

    Args:
        examples: the new training examples.
        replay: examples of what the base can already do.
        share: target share of replay, in [0, 1).
        seed: decides which replay examples are used, and the order.
    """
    import numpy as np

    wanted = round(len(examples) * share / (1 - share)) if replay else 0
    random = np.random.default_rng(seed)
    taken: list[Example] = []
    while len(taken) < wanted:
        order = random.permutation(len(replay))[: wanted - len(taken)]
        taken += [replay[place] for place in order]
    everything = [*examples, *(replace(example, tags=example.tags | REPLAY_TAG) for example in taken)]
    times = -(-wanted // len(replay)) if replay else 0
    return Mix([everything[place] for place in random.permutation(len(everything))], len(taken), times)


def prompts_of(examples: Iterable[Example], chat: ChatFormat) -> set[str]:
    """Every prompt of some conversations, those of earlier turns included."""
    return {
        prompt for example in examples for prompt in (example.prompt(chat), *example.earlier_prompts(chat))
    }
