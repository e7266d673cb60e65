"""Sections of docs/measurements.md about what quantization costs, and about what the checks find."""

from typing import Any

from report_tables import source, table


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
    return [*lines, *table(head, rows)]


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
    return [*table(head, rows)]


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
    return [*lines, *table(head, rows)]


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
    return [*lines, *table(("shape", "million parameters", "tokens", "seconds", "peak memory, GB"), rows)]


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
