"""Draw docs/measurements/real_gemma.svg: exact match against file size, with 95 % intervals.

python benchmarks/real_gemma_plot.py
"""

import json
from pathlib import Path
from typing import Any

from real_gemma import KERAS, OUTPUT, VARIANTS

from pipeline.evaluation.interval import wilson_interval

PLOT = OUTPUT.with_suffix(".svg")
ROUNDINGS = {"gptq": "o", "nearest": "X", "least_squares": "s", "quantization-aware": "D", "": "P"}
"""A marker for each way of rounding; integers of 8 bits and floating point have only one."""

COLORS = {
    "fp16": "#52514e",
    "int8": "#2a78d6",
    "int4_embedding_int8": "#1baf7a",
    "int4_block32": "#eb6834",
    "int4_block32_embedding_int8": "#e34948",
    "int4": "#4a3aa7",
}


def interval(entry: dict[str, Any]) -> tuple[float, float]:
    """Distances from exact match down and up to the ends of its 95 % interval, in points."""
    share = entry["exact_match"] / 100
    low, high = wilson_interval(round(share * entry["questions"]), entry["questions"])
    return 100 * (share - low), 100 * (high - share)


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw all variants of a document of benchmarks/real_gemma.py."""
    import matplotlib

    matplotlib.use("svg")
    # The same document gives the same file.
    matplotlib.rcParams |= {"svg.hashsalt": "pocketgemma", "svg.fonttype": "none", "font.size": 9}
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    figure, axes = pyplot.subplots(figsize=(9, 4.4), layout="constrained")
    used: dict[str, str] = {}
    shown: set[str] = set()
    for entry in document["rows"]:
        if entry["variant"] == KERAS:
            axes.axhline(entry["exact_match"], color="#8a8984", linewidth=1, linestyle="--")
            axes.annotate(
                KERAS,
                (1, entry["exact_match"]),
                xycoords=("axes fraction", "data"),
                xytext=(-4, 3),
                textcoords="offset points",
                ha="right",
                color="#52514e",
            )
            continue
        variant = VARIANTS[entry["variant"]]
        rounding = entry["variant"].partition(", ")[2]
        used[rounding] = ROUNDINGS[rounding]
        shown.add(variant.recipe)
        axes.errorbar(
            entry["bytes"] / 1e6,
            entry["exact_match"],
            yerr=[[side] for side in interval(entry)],
            marker=ROUNDINGS[rounding],
            color=COLORS[variant.recipe],
            markersize=7,
            linewidth=1.2,
            capsize=2,
        )
    axes.set(xlabel="file size, MB", ylabel="exact match on banking77, %", ylim=(0, 100), xlim=(100, None))
    axes.grid(color="#e4e3de", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    lines = ((name, color) for name, color in COLORS.items() if name in shown)
    recipes = [Line2D([], [], color=color, linewidth=4, label=name) for name, color in lines]
    kinds = ((name.replace("_", " "), marker) for name, marker in used.items() if name)
    markers = [Line2D([], [], color="#52514e", ls="", marker=marker, label=name) for name, marker in kinds]
    figure.legend(handles=recipes, loc="outside right upper", frameon=False, title="recipe")
    figure.legend(handles=markers, loc="outside right lower", frameon=False, title="rounding")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.loads(OUTPUT.read_text(encoding="utf-8")), PLOT)
