"""Curves of a training as SVG for a page: matplotlib draws them, the page's style sheet colors them."""

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.report.training import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--line)",
    "#040404": "var(--first)",
    "#050505": "var(--second)",
}
"""Colors in matplotlib's output that stand for variables of the style sheet, which knows light and dark."""

INK, MUTED, LINE, FIRST, SECOND = COLORS

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine lays out alike
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "savefig.transparent": True,
}

SIZE = 4.2, 2.7
"""Inches; wide enough for a phone at full size, so that text stays readable."""

WIDE_RANGE = 20
"""A loss that falls by more than this factor is drawn on a logarithmic axis."""

MARKED = 20
"""With more epochs, they get no marker each."""


def loss_curve(history: Sequence[Epoch], best: int | None) -> str:
    """Loss by epoch as an SVG element; empty if there is nothing to draw.

    Args:
        history: by epoch.
        best: the epoch that is kept.
    """
    return _curve(
        "loss, nats per response token",
        history,
        best,
        lambda epoch: epoch.loss,
        lambda epoch: epoch.val_loss,
        logarithmic=True,
    )


def accuracy_curve(history: Sequence[Epoch], best: int | None) -> str:
    """Exact match by epoch, in percent, as an SVG element; empty if there is nothing to draw.

    Args:
        history: by epoch.
        best: the epoch that is kept.
    """
    return _curve(
        "exact match, %",
        history,
        best,
        lambda epoch: None if epoch.exact_match is None else 100 * epoch.exact_match,
        lambda epoch: None if epoch.val_exact_match is None else 100 * epoch.val_exact_match,
        logarithmic=False,
    )


Value = Callable[[Epoch], float | None]


def _curve(
    title: str,
    history: Sequence[Epoch],
    best: int | None,
    training: Value,
    validation: Value,
    *,
    logarithmic: bool,
) -> str:
    series = [
        ("training", FIRST, _points(history, training)),
        ("validation", SECOND, _points(history, validation)),
    ]
    series = [each for each in series if each[2]]
    if not series:
        return ""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    # The same history gives the same bytes; the title keeps the ids of two curves on a page apart.
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": title}):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for name, color, points in series:
            marker = "o" if len(points) <= MARKED else ""
            axes.plot(*zip(*points, strict=True), color=color, marker=marker, markersize=4, label=name)
        axes.set_title(title, loc="left", fontsize=9.5)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if logarithmic:
            _set_scale(axes, [value for _, _, points in series for _, value in points])
        else:
            axes.set_ylim(-2, 103)
        if best is not None:
            axes.axvline(
                best, color=MUTED, linewidth=0.9, linestyle=(0, (3, 3)), label="kept epoch", zorder=0
            )
        axes.legend(loc="best", fontsize=8)
        return _inline(figure.savefig, title)


def _points(history: Sequence[Epoch], value: Value) -> list[tuple[int, float]]:
    return [(epoch.number, found) for epoch in history if (found := value(epoch)) is not None]


def _set_scale(axes: "Axes", values: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    if min(values) > 0 and max(values) > WIDE_RANGE * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(10))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(LogLocator(10, "auto"))
        axes.yaxis.set_minor_formatter("")
    else:
        axes.set_ylim(bottom=0)


def _inline(save: Callable[..., None], title: str) -> str:
    """An SVG file as an element of a page."""
    buffer = io.StringIO()
    save(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # A style sheet in it would apply to the whole page.
    text = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # of no use, and the same in every figure
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        lambda found: (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{found[1]}" role="img" aria-label="{title} by epoch">'
        ),
        text,
        count=1,
    )
    for color, variable in COLORS.items():
        text = text.replace(color, variable)
    return text
