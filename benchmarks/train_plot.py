"""Draw docs/measurements/train.svg: the loss of each training step of benchmarks/train.py.

python benchmarks/train_plot.py
"""

import json
from pathlib import Path
from typing import Any

from train import OUTPUT

PLOT = OUTPUT.with_suffix(".svg")
TITLES = {"short": "short answers (banking77)", "long": "long answers (word problems)"}
STYLES = ("-", "--", ":", "-.")


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw the sections of a document of benchmarks/train.py side by side."""
    import matplotlib

    matplotlib.use("svg")
    # The same document gives the same file.
    matplotlib.rcParams |= {"svg.hashsalt": "pocketgemma", "svg.fonttype": "none", "font.size": 9}
    from matplotlib import pyplot

    sections = document["sections"]
    figure, axes = pyplot.subplots(1, len(sections), figsize=(10, 4), layout="constrained", squeeze=False)
    for place, section in zip(axes[0], sections, strict=True):
        # KerasHub's loss is a mean over all positions, most of which have none.
        measured = [entry for entry in section["rows"] if "losses" in entry]
        comparable = [entry for entry in measured if not entry["name"].startswith("KerasHub")]
        for number, entry in enumerate(comparable):
            steps = range(1, len(entry["losses"]) + 1)
            place.plot(steps, entry["losses"], STYLES[number % len(STYLES)], label=entry["name"], marker=".")
        place.set(title=TITLES[section["answers"]], xlabel="step", ylabel="loss, nats per response token")
        place.grid(color="#e4e3de", linewidth=0.5)
        place.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    draw(json.loads(OUTPUT.read_text(encoding="utf-8")), PLOT)
