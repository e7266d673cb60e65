"""Sections of docs/measurements.md about the demo."""

from collections.abc import Callable
from typing import Any

from report_tables import row, source


def accuracy(document: dict[str, Any]) -> list[str]:
    """Exact match of the base, the fine-tuned and the converted model, one value per seed."""
    seeds = document["seeds"]
    base = seeds[0]["base"]
    names = " / ".join(str(seed["seed"]) for seed in seeds)
    lines = [
        row(
            "exact match, %",
            "base",
            f"fine-tuned in Keras, seeds {names}",
            f"int8 in LiteRT-LM, seeds {names}",
        ),
        row("---", "---:", "---:", "---:"),
    ]
    sets = (("test", "new kinds of question"), ("skills", "kinds that the base can answer"))
    parts = (("exact_match", ""), ("known", ", known phrasings"), ("novel", ", novel phrasings"))
    for data, title in sets:
        for part, addition in parts:
            label = title + (addition or f", all {base[data]['questions']:,}")
            sides = (
                " / ".join(f"{seed[side][data][part]:.1f}" for seed in seeds) for side in ("keras", "runtime")
            )
            lines.append(row(label, f"{base[data][part]:.1f}", *sides))
    return lines


def science(document: dict[str, Any]) -> list[str]:
    first = document["seeds"][0]
    lines = ["## The demo", "", source(document, first["machine"]), "", *accuracy(document), ""]
    lines += [
        row("", *(f"seed {seed['seed']}" for seed in document["seeds"])),
        row("---", *("---:" for _ in document["seeds"])),
    ]
    figures: dict[str, Callable[[dict[str, Any]], object]] = {
        "`pocketgemma finetune`, wall time (s)": lambda seed: f"{seed['finetune_command_seconds']:.0f}",
        "merge (s)": lambda seed: f"{seed['stage_seconds']['merge']:.0f}",
        "convert (s)": lambda seed: f"{seed['stage_seconds']['convert']:.0f}",
        "verify (s)": lambda seed: f"{seed['stage_seconds']['verify']:.0f}",
        "trainable parameters": lambda seed: f"{seed['finetune']['trainable_parameters']:,}",
        "merged matrices": lambda seed: seed["merge"]["matrices"],
        "largest deviation of W − W0 from α/r·A·B, relative to the largest weight": lambda seed: (
            f"{seed['merge']['largest_relative_deviation']:.1e}"
        ),
        "other weights, bitwise unchanged": lambda seed: seed["merge"]["other_weights_unchanged"],
        "largest logit difference, Keras and Hugging Face": lambda seed: (
            f"{seed['merge'].get('logit_difference', seed['merge'].get('largest_logit_difference')):.1e}"
        ),
        "converted model (MB)": lambda seed: f"{seed['converted_bytes'] / 1e6:.2f}",
        "replies that did not stop, both sets in the runtime": lambda seed: sum(
            part["not_stopped"] for part in seed["runtime"].values()
        ),
        "replies that contain a turn marker": lambda seed: sum(
            part["markers_shown"] for part in seed["runtime"].values()
        ),
    }
    lines += [row(name, *(figure(seed) for seed in document["seeds"])) for name, figure in figures.items()]
    notes = [f"Seed {seed['seed']}: {seed['note']}" for seed in document["seeds"] if "note" in seed]
    return [*lines, "", *notes, ""]


def backends(document: dict[str, Any]) -> list[str]:
    lines = ["## Keras backends on a CPU", "", source(document, document["machine"]), ""]
    lines += [
        "The demo's base, rank 8 on all seven target matrices, batches of 32 examples of 48 tokens. On JAX, "
        "the first step of each batch length compiles.",
        "",
    ]
    lines += [
        row("backend", "dtype", "first step (s)", "later steps, median (s)", "tokens/s"),
        row("---", "---", "---:", "---:", "---:"),
    ]
    lines += [
        row(
            entry["backend"],
            entry["dtype"],
            f"{entry['first_step_seconds']:.1f}",
            f"{entry['step_seconds_median']:.3f}",
            f"{entry['tokens_per_second']:,}",
        )
        for entry in document["rows"]
    ]
    return [*lines, ""]


def pipeline(document: dict[str, Any]) -> list[str]:
    lines = [
        "## The whole pipeline",
        "",
        source(document, document["machine"]),
        "",
        row("", "seconds"),
        row("---", "---:"),
    ]
    lines += [row(name, f"{seconds:.1f}") for name, seconds in document["seconds"].items()]
    report = document["apk_report"]
    lines += ["", "The APK, as the bundle stage reports it:", "", row("", ""), row("---", "---")]
    lines += [
        row("size", f"{report['bytes'] / 1e6:.1f} MB, of which code {report['dex_bytes'] / 1e3:.0f} kB"),
        row("ABIs", ", ".join(report["abis"])),
        row("permissions", ", ".join(report["permissions"]) or "none"),
        row("signatures", ", ".join(report["signature_schemes"])),
        row("Android", f"API {report['min_sdk']} to {report['target_sdk']}"),
    ]
    return [*lines, ""]
