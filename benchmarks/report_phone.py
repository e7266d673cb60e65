"""Sections of docs/measurements.md about what runs on a phone."""

import statistics
from collections.abc import Callable
from typing import Any

from report_tables import source, table


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
    return [*lines, *table(("", *(shape["shape"] for shape in shapes)), rows)]


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
    return [*lines, *table(head, rows)]


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
    return [*lines, *table(head, rows)]


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
