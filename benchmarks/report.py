"""Write docs/measurements.md, and the table of figures in the README, from the JSON files that the other benchmarks saved.

python benchmarks/report.py
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "measurements"
BEGIN, END = "<!-- figures: begin (benchmarks/report.py) -->", "<!-- figures: end -->"


def read(name: str) -> dict[str, Any] | None:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def source(document: dict[str, Any], machine: dict[str, Any]) -> str:
    return f"`{document['command']}`, {document['date']}, {machine['processor']}, {machine['cores']} cores, {machine['system']}."


def accuracy(document: dict[str, Any]) -> list[str]:
    """Exact match of base, tuned and converted model, the seeds side by side."""
    seeds = document["seeds"]
    base = seeds[0]["base"]
    names = " / ".join(str(seed["seed"]) for seed in seeds)
    lines = [
        row("exact match, %", "base", f"tuned in Keras, seeds {names}", f"int8 in LiteRT-LM, seeds {names}"),
        row("---", "---:", "---:", "---:"),
    ]
    sets = (("test", "new kinds of question"), ("skills", "what the base could do"))
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
    lines = ["## The embedded default", "", source(document, first["machine"]), "", *accuracy(document), ""]
    lines += [
        row("", *(f"seed {seed['seed']}" for seed in document["seeds"])),
        row("---", *("---:" for _ in document["seeds"])),
    ]
    figures = {
        "`pocketgemma finetune`, start to end (s)": lambda seed: f"{seed['finetune_command_seconds']:.0f}",
        "merge (s)": lambda seed: f"{seed['stage_seconds']['merge']:.0f}",
        "convert (s)": lambda seed: f"{seed['stage_seconds']['convert']:.0f}",
        "verify (s)": lambda seed: f"{seed['stage_seconds']['verify']:.0f}",
        "trained numbers": lambda seed: f"{seed['finetune']['trainable_parameters']:,}",
        "matrices merged": lambda seed: seed["merge"]["matrices"],
        "largest deviation of W − W0 from α/r·A·B, relative to the largest weight": lambda seed: (
            f"{seed['merge']['largest_relative_deviation']:.1e}"
        ),
        "other weights, unchanged to the bit": lambda seed: seed["merge"]["other_weights_unchanged"],
        "largest logit difference, Keras and Hugging Face": lambda seed: (
            f"{seed['merge']['largest_logit_difference']:.1e}"
        ),
        "converted model (MB)": lambda seed: f"{seed['converted_bytes'] / 1e6:.2f}",
        "replies that did not stop, of both sets in the runtime": lambda seed: sum(
            part["not_stopped"] for part in seed["runtime"].values()
        ),
        "replies that show a marker": lambda seed: sum(
            part["markers_shown"] for part in seed["runtime"].values()
        ),
    }
    lines += [row(name, *(figure(seed) for seed in document["seeds"])) for name, figure in figures.items()]
    notes = [f"Seed {seed['seed']}: {seed['note']}" for seed in document["seeds"] if "note" in seed]
    return [*lines, "", *notes, ""]


def backends(document: dict[str, Any]) -> list[str]:
    lines = ["## Keras backends on a processor", "", source(document, document["machine"]), ""]
    lines += [
        "The demo's base, rank 8 on all matrices, batches of 32 examples of 48 tokens. A first step compiles on JAX, once for each batch length.",
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


def road(document: dict[str, Any]) -> list[str]:
    lines = [
        "## The whole road",
        "",
        source(document, document["machine"]),
        "",
        row("", "seconds"),
        row("---", "---:"),
    ]
    lines += [row(name, f"{seconds:.1f}") for name, seconds in document["seconds"].items()]
    report = document["apk_report"]
    lines += ["", "The APK, as its check found it:", "", row("", ""), row("---", "---")]
    lines += [
        row("size", f"{report['bytes'] / 1e6:.1f} MB, of which code {report['dex_bytes'] / 1e3:.0f} kB"),
        row("ABIs", ", ".join(report["abis"])),
        row("permissions", ", ".join(report["permissions"]) or "none"),
        row("signatures", ", ".join(report["signature_schemes"])),
        row("Android", f"API {report['min_sdk']} to {report['target_sdk']}"),
    ]
    return [*lines, ""]


def main() -> None:
    parts = {"science": science, "road": road, "finetune_backends": backends}
    lines = [
        "# Measurements",
        "",
        "Written by `python benchmarks/report.py` from the files in `measurements/`; each names its script.",
        "",
    ]
    for name, write in parts.items():
        document = read(name)
        if document:
            lines += write(document)
    (ROOT / "docs" / "measurements.md").write_text("\n".join(lines), encoding="utf-8")

    document = read("science")
    if document:
        readme = ROOT / "README.md"
        text = readme.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        table = "\n".join(accuracy(document))
        note = source(document, document["seeds"][0]["machine"])
        readme.write_text(f"{before}{BEGIN}\n{table}\n\n{note}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
