"""Which examples are learned and which only measured, and the share of replay among the learned ones."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pipeline.data.examples import Example
from pipeline.families.chat import ChatFormat

REPLAY_TAG = {"replay": "yes"}
"""Marks an example of what the base could do before."""


def split_validation(
    examples: Sequence[Example],
    share: float,
    seed: int,
    chat: ChatFormat,
    train_prompts: Collection[str] = (),
) -> tuple[list[Example], list[Example]]:
    """Set a share of the examples aside for validation.

    All examples with the same prompt stay on one side. Which side is decided by a hash of seed and prompt, so that adding
    examples moves few of the others.

    Args:
        examples: what there is; both sides keep its order.
        share: wanted share of validation, 0 to below 1. When above 0, at least one prompt is set aside and one is left.
        seed: another seed, another choice.
        chat: the chat format in which prompts are compared.
        train_prompts: prompts that are in the training data anyway (replay) and so cannot be set aside.

    Returns:
        The examples to learn, and those to validate with (none when there is no second prompt).
    """
    sizes: dict[str, int] = defaultdict(int)
    for example in examples:
        sizes[example.prompt(chat)] += 1
    order = sorted(sizes, key=lambda prompt: hashlib.sha256(f"{seed}\n{prompt}".encode()).digest())
    chosen: set[str] = set()
    count = 0
    for prompt in [prompt for prompt in order[:-1] if prompt not in train_prompts]:
        # Half a group beyond the wanted number is as near as half a group short of it.
        if share == 0 or (chosen and count + sizes[prompt] / 2 > share * len(examples)):
            break
        chosen.add(prompt)
        count += sizes[prompt]
    train = [example for example in examples if example.prompt(chat) not in chosen]
    return train, [example for example in examples if example.prompt(chat) in chosen]


@dataclass(frozen=True)
class Mix:
    """The examples to learn with replay among them.

    Attributes:
        examples: both, in one order.
        replay: how many of them are replay.
        times: how often the most used replay example occurs; above 1 the file was too small for the share.
    """

    examples: list[Example]
    replay: int
    times: int

    @property
    def share(self) -> float:
        return self.replay / len(self.examples) if self.examples else 0.0


def mix_replay(examples: Sequence[Example], replay: Sequence[Example], share: float, seed: int) -> Mix:
    """Mix replay among the examples so that it makes up `share` of all.

    A replay file that is too small is gone through again and again: what keeps a model from forgetting is how often it
    meets the old, not how many different examples of it.

    Args:
        examples: what is to be learned.
        replay: examples of what the base could do before.
        share: wanted share of replay among all, 0 to below 1.
        seed: decides which replay is taken and the order of all.
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
