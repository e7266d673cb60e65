"""Pretrain a larger variant of the demo's base, with 10.4 million parameters, for measurements at a second
size.

    python benchmarks/larger_base.py

The text, the tokenizer and the training method are those of the committed base (pipeline/demo/pretrain.py);
each step has half as many rows, and the learning rate is lower, as suits a wider model. Writes the KerasHub
preset runs/larger-base/preset, which is not committed: about 25 minutes on one core with bfloat16 products.
You can interrupt and resume it; `--steps 0` writes the preset from the last checkpoint.
"""

import argparse
import os
from pathlib import Path

from pipeline.demo.build import BASE_FOLDER, TOKENIZER_IN_BASE
from pipeline.demo.pretrain import Schedule, Size, pretrain

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "runs" / "larger-base"
SIZE = Size(layers=7, hidden=320, heads=4, head_dim=64, feed_forward=1280)
SCHEDULE = Schedule(steps=1_800, warmup=150, rate=1.5e-3, rows=32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=WORK, help="folder for checkpoints and the preset")
    parser.add_argument("--steps", type=int, default=SCHEDULE.steps)
    parser.add_argument("--rate", type=float, default=SCHEDULE.rate)
    parser.add_argument("--rows", type=int, default=SCHEDULE.rows)
    parser.add_argument("--threads", type=int, default=1, help="processor cores")
    options = parser.parse_args()
    schedule = Schedule(options.steps, SCHEDULE.warmup, options.rate, rows=options.rows)
    tokenizer = BASE_FOLDER / TOKENIZER_IN_BASE
    weights = pretrain(tokenizer, options.work, schedule, options.threads, True, SIZE, keep_every=200)

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import torch

    from pipeline.demo.base import write_preset

    deviation = write_preset(torch.load(weights, weights_only=True), tokenizer, options.work / "preset", SIZE)
    print(f"{options.work / 'preset'}: logits within {deviation:.1e} of transformers'")


if __name__ == "__main__":
    main()
