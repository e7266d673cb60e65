"""Write docs/measurements.md and the table of figures in README.md from the JSON files of the other
benchmarks.

python benchmarks/report.py
"""

import json
import statistics
from collections.abc import Callable, Iterable
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
    cores = f"{machine['cores']} core{'s' * (machine['cores'] != 1)}"
    gpu = f"{machine['gpu']}, " if "gpu" in machine else ""
    return (
        f"`{document['command']}`, {document['date']}, {gpu}{machine['processor']}, {cores}, "
        f"{machine['system']}."
    )


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


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    """A table with the first column left-aligned and the others right-aligned."""
    return [row(*head), row("---", *("---:" for _ in head[1:])), *(row(*cells) for cells in rows), ""]


def int4(document: dict[str, Any]) -> list[str]:
    """One table per model: exact match, perplexity and size of each recipe, and the paired difference from
    fp32."""
    lines = ["## int4 accuracy", "", source(document, document["machine"]), ""]
    lines += [
        "Greedy answers in LiteRT-LM to every question of the demo's test set. The difference is paired, "
        "question by question, with the 95 % score "
        "interval of Tango (1998). The *quantization-aware* rows have an adapter of their own; the other "
        "rows share one.",
        "",
    ]
    for model in document["models"]:
        lines += [f"### {model['model']}: {model['parameters'] / 1e6:.1f} million parameters", ""]
        rows = []
        for entry in model["rows"]:
            interval = difference(entry.get("difference_to_fp32"))
            rows.append(
                (
                    entry["variant"],
                    f"{entry['bytes'] / 1e6:.2f}",
                    f"{entry['exact_match']:.2f}",
                    "" if entry["variant"] == "fp32" else interval,
                    f"{entry['perplexity']:.4f}",
                )
            )
        lines += table(
            ("", "MB", "exact match, %", "difference from fp32, points (95 %)", "perplexity"), rows
        )
    return lines


def difference(paired: dict[str, Any] | None) -> str:
    """A paired difference with its interval."""
    if not paired:
        return ""
    return f"{paired['difference']:+.2f} ({paired['low']:+.2f} to {paired['high']:+.2f})"


def real_gemma(document: dict[str, Any]) -> list[str]:
    """What each way of storing a real Gemma costs."""
    model, entries = document["model"], document["rows"]
    questions = entries[0]["questions"]
    lines = ["## A real Gemma", "", source(document, document["machine"]), ""]
    lines += [
        f"Gemma 3 270M, pretrained (from a 4-bit GGUF file), fine-tuned on {model['finetune']['examples']:,} "
        "examples of banking77 (Casanueva et al. 2020, arXiv:2003.04807) for one epoch, adapter "
        f"`{model['adapter_sha256'][:12]}`. Greedy answers to the {questions:,} questions of its test set, "
        "or to every tenth of them. The difference from Keras is paired, question by question, with the "
        "95 % score interval of Tango (1998). GPTQ calibrates on training examples. The converter runs once "
        "for a base and recipe; other integers than its own are then written into the file. Speeds are "
        "medians of replies to one prompt, with all files open.",
        "",
        "![Exact match against file size](measurements/real_gemma.svg)",
        "",
    ]

    def figure(entry: dict[str, Any], key: str, form: str) -> str:
        return format(entry[key], form) if entry.get(key) is not None else ""

    def conversion(entry: dict[str, Any]) -> tuple[str, str, str]:
        if "convert" not in entry:
            return "", "", ""
        details = entry["convert"]
        peak = max(entry["convert_peak_bytes"], details.get("peak_memory_bytes", 0)) / 1e9
        grafted = f"{details['seconds']:.0f}" if details["method"] == "graft" else ""
        return figure(details, "converter_seconds", ".0f"), grafted, f"{peak:.1f}"

    rows = (
        (
            entry["variant"],
            f"{entry['bytes'] / 1e6:.0f}" if "bytes" in entry else "",
            f"{entry['questions']:,}",
            f"{entry['exact_match']:.2f}",
            difference(entry.get("difference_to_keras")),
            figure(entry, "perplexity", ".4f"),
            *conversion(entry),
            figure(entry, "prefill_tokens_per_second", ".0f"),
            figure(entry, "decode_tokens_per_second", ".1f"),
        )
        for entry in entries
    )
    head = (
        *("", "MB", "questions", "exact match, %", "difference from Keras, points (95 %)", "perplexity"),
        *("converter, s", "rounding and writing, s", "peak, GB", "prefill, tokens/s", "decode, tokens/s"),
    )
    return lines + table(head, rows)


def real_gemma_summary(document: dict[str, Any]) -> list[str]:
    """Model files that answered every question, and Keras."""
    entries = [entry for entry in document["rows"] if entry["questions"] == document["rows"][0]["questions"]]
    rows = (
        (
            entry["variant"],
            f"{entry['bytes'] / 1e6:.0f}" if "bytes" in entry else "",
            f"{entry['exact_match']:.2f}",
            difference(entry.get("difference_to_keras")),
        )
        for entry in entries
    )
    head = ("Gemma 3 270M on banking77", "MB", "exact match, %", "difference from Keras, points (95 %)")
    return table(head, rows)


def llama_cpp(document: dict[str, Any]) -> list[str]:
    """One merged model in two runtimes."""
    lines = ["## LiteRT-LM beside llama.cpp", "", source(document, document["machine"]), ""]
    lines += [
        f"Gemma 3 270M, fine-tuned on {document['examples']:,} examples of banking77, adapter "
        f"`{document['adapter_sha256'][:12]}`, merged once. llama.cpp (llama-cpp-python "
        f"{document['llama_cpp_python']}) quantizes with its own defaults. The same token IDs, greedy "
        f"answers. Speeds: a prompt of {document['prompt_tokens']} tokens, a reply of "
        f"{document['reply_tokens']}; the median of three turns, each in a process of its own, and the least "
        "and the most. Memory: resident after the replies, and the part of it that is no mapped file.",
        "",
    ]

    def spread(figures: dict[str, float]) -> str:
        return f"{figures['median']:.1f} ({figures['least']:.1f} to {figures['most']:.1f})"

    rows = (
        (
            f"{entry['runtime']}, {entry['model']}",
            f"{entry['bytes'] / 1e6:.0f}",
            f"{entry['exact_match']:.1f} ({entry['interval'][0]:.1f} to {entry['interval'][1]:.1f})",
            spread(entry["prefill_tokens_per_second"]),
            spread(entry["decode_tokens_per_second"]),
            f"{entry['resident_bytes'] / 1e6:.0f} / {entry['anonymous_bytes'] / 1e6:.0f}",
        )
        for entry in document["rows"]
    )
    questions = document["rows"][0]["questions"]
    head = (
        *("", "MB", f"exact match on {questions:,} questions, % (95 %)", "prefill, tokens/s"),
        *("decode, tokens/s", "memory, MB"),
    )
    return lines + table(head, rows)


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
    return lines + table(("file type", "MB", "tokens", "seconds", "peak memory, GB"), rows)


def calibration(document: dict[str, Any]) -> list[str]:
    """GPTQ in the shapes of real Gemmas."""
    lines = ["## GPTQ in larger shapes", "", source(document, document["machine"]), ""]
    lines += [
        f"Random weights in the shapes of Gemma 3, `{document['recipe']}`, with as many tokens of examples "
        "as `convert` takes. Seconds and peak memory are those of the process that rounds.",
        "",
    ]
    rows = (
        (
            f"Gemma 3 {entry['shape'].upper()}",
            f"{entry['parameters'] / 1e6:,.0f}",
            f"{entry['tokens']:,}",
            f"{entry['seconds']:.0f}",
            f"{entry['peak_memory_bytes'] / 1e9:.2f}",
        )
        for entry in document["rows"]
    )
    return lines + table(("shape", "million parameters", "tokens", "seconds", "peak memory, GB"), rows)


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
    return lines + table(heads, rows)


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
    return lines + table(heads, rows)


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
    return lines + table(head, rows)


def graft_facts(name: str) -> dict[str, Callable[[dict[str, Any]], str]]:
    """Rows about the graft of some matrices, each with how it is read from a shape's measurements."""
    return {
        f"graft of {name} (s, median)": lambda shape: (
            f"{statistics.median(shape['graft'][name]['warm_seconds']):.1f}"
        ),
        f"graft of {name}, cold page cache (s)": lambda shape: f"{shape['graft'][name]['cold_seconds']:.1f}",
        f"graft of {name}, peak memory (GB)": lambda shape: f"{shape['graft'][name]['peak_gb']:.2f}",
    }


def graft(document: dict[str, Any]) -> list[str]:
    lines = ["## Graft compared with conversion", "", source(document, document["machine"]), ""]
    lines += [
        "Random weights in the shapes of Gemma 3, int8, adapters of rank 8. A graft is one `pocketgemma "
        "graft` command, including Python's "
        "start-up. The first graft onto a file also locates every matrix and saves the weight map; later "
        "grafts reuse it.",
        "",
    ]
    shapes = document["rows"]
    facts: dict[str, Callable[[dict[str, Any]], str]] = {
        "size (MB)": lambda shape: f"{shape['bytes'] / 1e6:.0f}",
        "conversion of the base (s)": lambda shape: f"{shape['conversion_of_base']['seconds']:.0f}",
        "conversion of the merged model (s)": lambda shape: f"{shape['conversion_of_merged']['seconds']:.0f}",
        "converter, peak memory (GB)": lambda shape: (
            f"{shape['conversion_of_base']['converter_peak_gb']:.2f}"
        ),
        "first graft, which locates the matrices (s)": lambda shape: (
            f"{shape['first_graft_with_search']['seconds']:.1f}"
        ),
    }
    for name in ("all seven", "query and value"):
        facts |= graft_facts(name)
    facts |= {
        "speed-up (all seven)": lambda shape: f"{shape['times_faster']}",
        "byte-identical to the conversion": lambda shape: "yes" if shape["equal_to_the_byte"] else "no",
    }
    rows = ((name, *(fact(shape) for shape in shapes)) for name, fact in facts.items())
    return lines + table(("", *(shape["shape"] for shape in shapes)), rows)


def adapters(document: dict[str, Any]) -> list[str]:
    lines = ["## Adapters at run time", "", source(document, document["machine"]), ""]
    for name, speed in document.items():
        if not name.startswith("speed"):
            continue
        swap, sizes, cores = speed["swap"], speed["adapter_bytes"], speed["cores_used"]
        lines += [
            f"Shapes of Gemma 3 270M, random weights, int8, on {cores} core{'s' * (cores > 1)}; each round "
            "runs all models in turn.",
            "",
        ]
        rows = [
            (
                inputs,
                f"{entry['decode_tokens_per_second']:.1f}",
                f"{entry['decode_share_of_plain']:.3f}",
                f"{entry['prefill_tokens_per_second']:.0f}",
                f"{entry['prefill_share_of_plain']:.3f}",
                f"{sizes[inputs] / 1e6:.1f}" if inputs in sizes else "",
            )
            for inputs, entry in speed["generation"].items()
        ]
        head = (
            "LoRA inputs",
            "decode, tokens/s",
            "share of plain",
            "prefill, tokens/s",
            "share of plain",
            "adapter file (MB)",
        )
        lines += table(head, rows)
        lines += [
            "A conversation with an adapter that was used before is ready in "
            f"{swap['conversation_ready_after_swap_ms']:.1f} ms, with a new adapter "
            f"(checked, copied, read) in {swap['conversation_ready_at_first_use_ms']:.1f} ms. Change in the "
            "time to the first token, compared with "
            f"the same adapter again ({swap['same_adapter_until_first_token_ms']:.0f} ms): swap "
            f"{swap['swap_ms']:+.1f} ms, first use "
            f"{swap['first_use_ms']:+.1f} ms, to no adapter and back {swap['swap_with_none_ms']:+.1f} ms "
            "(medians; negative values are noise; "
            f"rank {swap['rank']}).",
            "",
        ]
    if "accuracy" in document:
        accuracy = document["accuracy"]
        lines += [
            f"The demo with an attention-only adapter (one epoch; rank {accuracy['rank']}, "
            f"{accuracy['adapter_bytes'] / 1e3:.0f} kB), "
            "int8, merged into the model and as a separate file:",
            "",
        ]
        accuracies = [
            (
                data,
                f"{accuracy[data]['questions']:,}",
                f"{accuracy[data]['exact_match']['merged']:.2f}",
                f"{accuracy[data]['exact_match']['separate']:.2f}",
                "{difference:+.2f} ({low:+.2f} to {high:+.2f})".format(
                    **accuracy[data]["separate_minus_merged"]
                ),
            )
            for data in ("test", "skills")
        ]
        lines += table(("", "questions", "merged, %", "separate, %", "difference, points (95 %)"), accuracies)
    return lines


def formats(document: dict[str, Any]) -> list[str]:
    lines = ["## .task compared with .litertlm", "", source(document, document["machine"]), ""]
    rows = (
        (
            entry["recipe"],
            f"{entry['litertlm_bytes'] / 1e6:.2f}",
            f"{entry['task_bytes'] / 1e6:.2f}",
            f"{entry['conversations_with_the_same_token_ids']} of {entry['conversations']}",
            f"{entry['same_greedy_answers']} of {entry['questions']}",
            f"{entry['largest_logprob_difference_per_token']:.0e}",
        )
        for entry in document["rows"]
    )
    head = (
        "recipe",
        ".litertlm (MB)",
        ".task (MB)",
        "same token ids",
        "same answers",
        "largest difference in log-probability per token",
    )
    return lines + table(head, rows)


def memory(document: dict[str, Any]) -> list[str]:
    lines = ["## Memory of an open model", "", source(document, document["machine"]), ""]
    rows = (
        (
            entry["name"],
            f"{entry['file_bytes'] / 1e6:.1f}",
            f"{entry['estimated']['kv_cache'] / 1e6:.1f}",
            f"{entry['estimated']['prefill'] / 1e6:.1f}",
            f"{entry['estimated']['total'] / 1e6:.0f}",
            f"{entry['measured']['total'] / 1e6:.0f}",
        )
        for entry in document["rows"]
    )
    head = ("", "file (MB)", "KV cache (MB)", "prefill (MB)", "estimated total (MB)", "measured total (MB)")
    return lines + table(head, rows)


def activation_rounding(document: dict[str, Any]) -> list[str]:
    lines = ["## Where quantization changes a model", "", source(document, document["machine"]), ""]
    lines += [
        f"{document['model']}, converted with recipe {document['recipe']}: how rounding changes the "
        f"log-probabilities of the expected answers to {document['questions']} test questions "
        f"({document['tokens']:,} tokens), in nats per token. For integer weights the runtime rounds the "
        "inputs of each product to 8 bits; Keras imitates that. Differences below the second digit are "
        "noise: a value at a rounding boundary changes all later layers.",
        "",
    ]
    rows = (
        (each["rounded"], f"{each['mean_absolute']:.4f}", f"{each['mean']:+.4f}") for each in document["rows"]
    )
    return [*lines, *table(("rounded", "mean absolute change", "mean change"), rows), ""]


def planted_faults(document: dict[str, Any]) -> list[str]:
    """Which check catches which fault, one table a stage."""
    models = document["models"]
    names = [model["name"] for model in models]
    lines = ["## Planted faults", "", source(document | models[0], models[0]["machine"]), ""]
    limits = models[0]["limits"]
    lines += [
        "`merge`: faults in the Hugging Face folder; difference of the logits as a multiple of the rounding "
        f"error of float32 (refused above {limits['max_logit_noise']:g}).",
        "",
    ]
    ratios = {
        fault["fault"]: [
            next(f"{each['ratio']:,.1f}" for each in model["merge"] if each["fault"] == fault["fault"])
            for model in models
        ]
        for fault in models[0]["merge"]
    }
    lines += table(("fault", *names), ((fault, *found) for fault, found in ratios.items()))
    lines += [
        "",
        f"`verify`: faults in the model file; which checks fail, with {models[0]['questions']} questions.",
        "",
    ]
    found_by = {
        fault["fault"]: [
            next(_failed(each) for each in model["verify"] if each["fault"] == fault["fault"])
            for model in models
            if model["verify"]
        ]
        for fault in models[0]["verify"]
    }
    names = [model["name"] for model in models if model["verify"]]
    lines += table(("fault", *names), ((fault, *found) for fault, found in found_by.items()))
    return [*lines, ""]


def _failed(result: dict[str, Any]) -> str:
    return "; ".join(result["failed"]) if result["refused"] else "accepted"


def families(document: dict[str, Any]) -> list[str]:
    """docs/families.md: what each family does in each step."""
    rows = document["rows"]
    steps = list(rows[0]["steps"])
    forms = {"keras": "KerasHub preset", "transformers": "Hugging Face folder"}
    lines = [
        "# Families",
        "",
        "Generated by `python benchmarks/report.py` from `measurements/families.json`.",
        "",
        source(document, document["machine"]),
        "",
        "Each supported family with its architecture scaled down (4 layers, hidden size 64) and random "
        "weights, int8: which steps of the pipeline pass. `merge` shows how far the logits of the Hugging "
        "Face folder are from Keras's, as a multiple of the rounding error of float32; `verify` and the "
        "run-time adapter show how far the runtime is from Keras with the numbers that the file stores (a "
        "multiple of the effect of rounding), and the share of identical greedy answers. `verify` refuses a "
        "multiple only if its 95 % interval lies above 2; with the 12 questions here, the interval is wide.",
        "",
    ]
    lines += table(
        ("family", "from", *steps),
        (
            (each["family"], forms[each["form"]], *(_step(each["steps"][step]) for step in steps))
            for each in rows
        ),
    )
    reasons = [
        f"- {each['family']}, {forms[each['form']]}, {step}: {found['reason']}"
        for each in rows
        for step, found in each["steps"].items()
        if not found["passed"]
    ]
    return [*lines, "", *reasons, *([""] if reasons else [])]


def _step(found: dict[str, Any]) -> str:
    if not found["passed"]:
        return "no"
    if "logit_noise" in found:
        return f"{found['logit_noise']:.1f} x"
    if "runtime_noise" in found:
        return f"{found['runtime_noise']:.1f} x, {100 * found['same_answers']:.0f} %"
    return "yes" if found.get("method", "graft") == "graft" else "full conversion"


def app(document: dict[str, Any]) -> list[str]:
    """Sizes of the APK and of its parts, build times, and start-up time."""
    lines = ["## The app", "", source(document, document["machine"]), ""]
    variants = document["variants"]
    carried = ", ".join(document["models"]) or "no model"
    lines += [
        f"A signed APK of the run `{document['run']}` (includes {carried}), in MB. The phone keeps the APK "
        "and, if libraries are compressed, "
        "also the unpacked libraries of its ABI. At the first start the app copies each model out of the APK "
        "once, because the runtime opens "
        "files by path.",
        "",
    ]
    groups = list(variants[0]["in_the_apk"])
    rows = (
        (
            f"{' and '.join(entry['abis'])}, "
            f"{'compressed' if entry['compressed_libraries'] else 'uncompressed'} libraries",
            *(f"{entry[key] / 1e6:.1f}" for key in ("bytes", "installed_bytes")),
            *(f"{entry['in_the_apk'][group] / 1e6:.2f}" for group in groups),
        )
        for entry in variants
    )
    lines += table(("", "download", "installed", *(f"of which {group}" for group in groups)), rows)
    permissions = sorted({name for entry in variants for name in entry["permissions"]})
    lines += [
        f"The code is {variants[0]['dex_bytes'] / 1e3:.0f} kB of dex before compression. Requested "
        "permissions: "
        f"{', '.join(permissions) or 'none'}.",
        "",
        "Time of a build with the downloads (jars, LiteRT-LM's libraries) cached and nothing else:",
        "",
    ]
    steps = document["build_seconds"].items()
    lines += table(("", "seconds"), ((name, f"{seconds:.1f}") for name, seconds in steps))
    if document["activity"]:
        found = document["activity"]
        count = len(found["main_thread_violations"])
        watched = "File, database" if found["main_thread_files_watched"] else "Database"
        lines += [
            f"On the JVM (Robolectric), launch to first frame: {found['activity_start_ms_median']:.0f} ms "
            "(median of "
            f"{len(found['activity_start_ms'])}). {watched} and runtime calls on the main thread during the "
            f"journey tests: {count}.",
            "",
        ]
    return lines


def main() -> None:
    parts = {
        "science": science,
        "int4": int4,
        "real_gemma": real_gemma,
        "beside_llama_cpp": llama_cpp,
        "activation_rounding": activation_rounding,
        "planted_faults": planted_faults,
        "graft": graft,
        "adapters": adapters,
        "formats": formats,
        "memory": memory,
        "train": training,
        "train_shapes": larger_shapes,
        "methods": methods,
        "forgetting": forgetting,
        "prepare": prepare,
        "calibration": calibration,
        "clean_clone": pipeline,
        "app": app,
        "finetune_backends": backends,
    }
    lines = [
        "# Measurements",
        "",
        "Generated by `python benchmarks/report.py` from the files in `measurements/`. Each section names "
        "the script that measured it.",
        "",
    ]
    for name, write in parts.items():
        document = read(name)
        if document:
            lines += write(document)
    (ROOT / "docs" / "measurements.md").write_text("\n".join(lines), encoding="utf-8")
    document = read("families")
    if document:
        (ROOT / "docs" / "families.md").write_text("\n".join(families(document)), encoding="utf-8")

    document = read("science")
    if document:
        readme = ROOT / "README.md"
        text = readme.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        figures = [*accuracy(document), "", source(document, document["seeds"][0]["machine"])]
        real = read("real_gemma")
        if real:
            figures += ["", *real_gemma_summary(real), source(real, real["machine"])]
        readme.write_text("\n".join((before + BEGIN, *figures, END + after)), encoding="utf-8")


if __name__ == "__main__":
    main()
