"""Sections of docs/measurements.md about training."""

import statistics
from typing import Any

from report_tables import source, table


def training(document: dict[str, Any]) -> list[str]:
    """Training steps beside other trainers."""
    lines = ["## Training steps", ""]
    for section in document["sections"]:
        lines += [
            f"### {ANSWERS[section['answers']]}",
            "",
            source(section | {"command": document["command"]}, section["machine"]),
            "",
            f"Gemma 3 270M; {section['prompt_tokens']:.0f} tokens of prompt and "
            f"{section['response_tokens']:.0f} of response on average; rank {section['rank']}, "
            f"{section['batch']} examples for each step, {section['steps']} steps of which the first is not "
            f"counted; rounds: {section['rounds']}. PocketGemma and TRL adapt all seven matrices of a layer; "
            "KerasHub's own choice is query and value. Float32 unless named otherwise. Tokens without "
            "padding: the median, the least and the most of the rounds. "
            f"{_peak(section)}; the weights are 1.07 GB in float32. The limit: each token takes "
            f"{section['operations_per_token'] / 1e9:.2f} billion operations that cannot be left out, and a "
            "product of two matrices reaches "
            + " and ".join(
                f"{rate / 1e9:,.0f} billion a second in {dtype}"
                for dtype, rate in section["products"].items()
            )
            + f".{_library(section)}",
            "",
        ]
        limits = {
            dtype: rate / section["operations_per_token"] for dtype, rate in section["products"].items()
        }
        rows = (_training_row(entry, limits) for entry in section["rows"])
        heads = ("", "tokens/s", "of the limit, %", "tokens for each step", "peak memory, GB")
        lines += table(heads, rows)
        if not section.get("start_token"):
            lines += ["TRL's examples had no start token in this run, which raises its loss.", ""]
    return [*lines, "![Loss of each training step](measurements/train.svg)", ""]


def _library(section: dict[str, Any]) -> str:
    """How fast PyTorch's own product is, where PocketGemma takes a faster one."""
    rate = section.get("pytorch_product", section["products"]["float32"])
    if section["products"]["float32"] < FASTER * rate:
        return ""
    return f" PyTorch's own product reaches {rate / 1e9:,.0f} billion in float32, PocketGemma's takes oneDNN."


FASTER = 1.1
"""Rate of a product beside another from which the difference is not noise."""


def _peak(section: dict[str, Any]) -> str:
    if "gpu" in section["machine"]:
        return "Peak memory is the largest total of PyTorch's tensors on the GPU"
    return "Peak memory is above that of the imports"


ANSWERS = {"short": "Short answers (banking77)", "long": "Long answers (word problems)"}


def _training_row(entry: dict[str, Any], limits: dict[str, float]) -> tuple[str, ...]:
    if entry.get("out_of_memory"):
        return (entry["name"], "–", "–", "–", "out of memory")
    speeds = entry["tokens_per_second"]
    dtype = "bfloat16" if "bfloat16" in entry["name"] else "float32"
    return (
        entry["name"],
        f"{statistics.median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f})",
        f"{100 * statistics.median(speeds) / limits[dtype]:.0f}",
        f"{entry['tokens_per_step']:,.0f}",
        f"{entry['peak_bytes'] / 1e9:.2f}",
    )


def larger_shapes(document: dict[str, Any]) -> list[str]:
    """Training steps in the shapes of larger Gemmas."""
    lines = ["## Training larger models", "", source(document, document["machine"]), ""]
    lines += [
        f"Random weights in the shapes of Gemma 3; questions of banking77, {document['batch']} for each "
        f"step, rank {document['rank']} on all seven matrices, {document['steps']} steps of which the first "
        "is not counted. Peak memory is above that of the imports.",
        "",
    ]
    rows = []
    for entry in document["rows"]:
        measured = (
            ("–", "out of memory")
            if entry.get("out_of_memory")
            else (f"{entry['tokens_per_second']:.1f}", f"{entry['peak_bytes'] / 1e9:.2f}")
        )
        base = f"matrices in {entry['quantize_base']}" if "quantize_base" in entry else "unrounded"
        rows.append(
            (
                f"Gemma 3 {entry['shape'].upper()}",
                f"{entry['parameters'] / 1e6:,.0f}",
                entry["dtype"],
                base,
                str(entry["micro_batch"]),
                *measured,
            )
        )
    heads = ("shape", "million parameters", "dtype", "base", "micro-batch", "tokens/s", "peak memory, GB")
    return [*lines, *table(heads, rows)]


def methods(document: dict[str, Any]) -> list[str]:
    """Accuracy and cost of tuning methods."""
    lines = ["## Tuning methods", "", source(document, document["machine"]), ""]
    lines += [
        f"Gemma 3 270M on banking77: {document['rows_trained']:,} training questions, one epoch, batches of "
        f"{document['batch']}, the default learning rate of each method, rank 16 unless named otherwise. "
        f"Exact match on {document['questions']:,} test questions in Keras, with 95 % intervals. Products in "
        "bfloat16. Peak memory is above that of the imports.",
        "",
    ]
    rows = []
    for entry in document["rows"]:
        for kind in ("trained", "unrounded"):
            if kind in entry:
                low, high = entry[kind]["interval"]
                first = kind == "trained"
                rows.append(
                    (
                        entry["name"] if first else f"{entry['name']}, merged into the unrounded base",
                        f"{100 * entry[kind]['exact_match']:.1f} ({100 * low:.1f} to {100 * high:.1f})",
                        f"{entry[kind]['loss']:.3f}",
                        f"{entry['learning_rate']:.2g}" if first else "",
                        f"{entry['parameters']:,}" if first else "",
                        f"{entry['seconds']:.0f}" if first else "",
                        f"{entry['peak_bytes'] / 1e9:.2f}" if first else "",
                    )
                )
    heads = ("", "exact match, %", "loss", "learning rate", "parameters", "seconds", "peak memory, GB")
    return [*lines, *table(heads, rows)]


def forgetting(document: dict[str, Any]) -> list[str]:
    """What a fine-tune changes beside the new skill."""
    lines = ["## Forgetting", "", source(document, document["machine"]), ""]
    lines += [
        "Gemma 3 270M fine-tuned on banking77, as it is and with replay: passages of Python's language "
        f"reference as {document['replay_share']:.0%} of the training examples. General text: "
        f"{document['rows'][0]['tokens']:,} "
        "tokens of other topics of the reference, as plain text. All in Keras.",
        "",
    ]
    rows = (
        (
            entry["model"],
            f"{entry['examples']:,}" if "examples" in entry else "",
            f"{entry['perplexity']:.2f}",
            f"{entry['next_token_right']:.1f}",
            f"{entry['exact_match']:.1f} ({entry['interval'][0]:.1f} to {entry['interval'][1]:.1f})",
        )
        for entry in document["rows"]
    )
    questions = document["rows"][0]["questions"]
    head = (
        *("", "training examples", "general text, perplexity", "general text, next token right, %"),
        f"new skill, exact match on {questions:,} questions, % (95 %)",
    )
    return [*lines, *table(head, rows)]


def prepare(document: dict[str, Any]) -> list[str]:
    """The prepare stage on many examples."""
    lines = ["## Preparing examples", "", source(document, document["machine"]), ""]
    lines += [f"{document['examples']:,} examples of random words, tokenizer of `{document['preset']}`.", ""]
    rows = (
        (
            entry["type"],
            f"{entry['bytes'] / 1e6:.0f}",
            f"{entry['tokens']:,}",
            f"{entry['seconds']:.1f}",
            f"{entry['peak_memory_bytes'] / 1e9:.2f}",
        )
        for entry in document["rows"]
    )
    return [*lines, *table(("file type", "MB", "tokens", "seconds", "peak memory, GB"), rows)]


def plan(document: dict[str, Any]) -> list[str]:
    """What a plan says beside what the stages take."""
    lines = ["## Plan and measurement", "", source(document, document["machine"]), ""]
    lines += [
        "What `pocketgemma plan` says before a run, and what each stage takes in a process of its own. The "
        "1B has random weights, and is not verified. For later stages, the plan gives only memory. The "
        "constants for these stages were fitted to these rows, and those of training to the demo and the "
        "270M; the training of the 1B is the only row of memory that tests the plan.",
        "",
    ]
    rows = []
    for entry in document["rows"]:
        said, found = entry["planned"], entry["measured"]
        row = [PLANNED_MODELS[entry["model"]], entry["stage"]]
        for key, unit, digits in (("peak_bytes", 1e9, 2), ("seconds", 1, 0)):
            if key in said and found:
                off = f"{100 * (said[key] / found[key] - 1):+.0f}"
                row += [f"{said[key] / unit:.{digits}f}", f"{found[key] / unit:.{digits}f}", off]
            else:
                row += ["", f"{found[key] / unit:.{digits}f}" if found else "failed", ""]
        rows.append(tuple(row))
    heads: tuple[str, ...] = ("model", "stage")
    heads += tuple(f"{what}, {word}" for what in ("peak memory, GB", "seconds") for word in WORDS)
    return [*lines, *table(heads, rows)]


PLANNED_MODELS = {"demo": "demo", "270m": "Gemma 3 270M", "1b": "shape of Gemma 3 1B"}

WORDS = ("planned", "measured", "difference, %")
