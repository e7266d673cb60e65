"""A training that is killed again and again, as `kill -9` would, and one that is not.

Usage: python -m tests.tuning.killed_training FOLDER KILLS SEED METHOD

Trains the demo's base once to the end, then in processes that die at random points: in a step, between two
steps, or while a checkpoint is written; the last one comes to its end. Writes FOLDER/whole.safetensors and
FOLDER/killed.safetensors, and prints how many micro-batches the processes trained on as a JSON list.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.data.examples import Example
from pipeline.data.tokenize import encode
from pipeline.gemma.causal_lm import load_backbone, use_backend
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.run.files import FinetuneFiles
from pipeline.tuning import checkpoints as checkpoints_module
from pipeline.tuning.checkpoints import Checkpoints
from pipeline.tuning.loop import fit
from pipeline.tuning.method import Method, MethodSettings
from pipeline.tuning.registry import METHODS
from tests.tuning import conftest

SETTINGS = replace(
    conftest.SETTINGS,
    epochs=10,
    micro_batch_size=2,
    warmup_steps=5,
    weight_decay=0.01,
    monitor="exact_match",
    patience=10,
)
MICRO_BATCHES = 60
"""Of the whole training: 30 steps of two each."""

DROPOUT = 0.1
"""So that random numbers are part of the state."""


def train(folder: Path, output: Path, method: Method) -> None:
    """Train to the end, from the latest checkpoint in a folder."""
    import keras

    examples = encode(
        [
            Example(
                (
                    {"role": "user", "content": f"Greet {name}."},
                    {"role": "assistant", "content": f"Hi, {name}!"},
                )
            )
            for name in conftest.NAMES
        ],
        Tokenizer.of_preset(conftest.BASE),
    )
    keras.utils.set_random_seed(SETTINGS.seed)
    backbone = load_backbone(conftest.BASE, dropout=DROPOUT)
    attachment = method.attach(backbone, MethodSettings(4, 4.0, ("query", "up")))
    folder.mkdir(exist_ok=True)
    settings = SETTINGS if method.low_rank else replace(SETTINGS, learning_rate=0.1 * SETTINGS.learning_rate)
    fit(backbone, examples, examples, settings, FinetuneFiles(folder), Checkpoints(folder, "one", every=2))
    method.collect(attachment, "base").save(output)


def count_micro_batches(steps: Path) -> None:
    """Have each leave a byte in a file."""
    import keras

    plain = keras.Model.train_on_batch

    def counted(*args: Any, **kwargs: Any) -> Any:
        found = plain(*args, **kwargs)
        with steps.open("ab") as file:
            file.write(b".")
        return found

    keras.Model.train_on_batch = counted


def die_at(event: int) -> None:
    """End this process in the middle of the nth of the calls that change something."""
    import keras

    left = [event]

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                if function is save_file:  # half of a file
                    function(*args, **kwargs)
                    path = Path(args[1])
                    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    save_file = vars(checkpoints_module)["save_file"]
    vars(checkpoints_module)["save_file"] = deadly(save_file)
    for place, name in (
        (Path, "replace"),
        (Path, "unlink"),
        (keras.Optimizer, "apply"),
        (keras.Model, "evaluate"),
    ):
        setattr(place, name, deadly(getattr(place, name)))


def in_a_child(work: Callable[[], None]) -> int:
    """The exit code of a process that does some work."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    method = METHODS[sys.argv[4]]
    use_backend("torch")
    import torch

    # Forked processes have none of their parent's threads.
    torch.set_num_threads(1)
    whole, killed, steps = (folder / name for name in ("whole.safetensors", "killed.safetensors", "steps"))
    assert in_a_child(lambda: train(folder / "a", whole, method)) == 0
    events = random.Random(seed)
    done = []
    count_micro_batches(steps)
    for attempt in range(kills + 1):
        steps.write_bytes(b"")

        def work(last: bool = attempt == kills) -> None:
            if not last:
                die_at(events.randint(3, 12))
            train(folder / "b", killed, method)

        ended = in_a_child(work)
        events.random()  # the child's draw
        assert ended == (0 if attempt == kills else -signal.SIGKILL), ended
        done.append(steps.stat().st_size)
    print(json.dumps(done))


if __name__ == "__main__":
    main()
