"""Printing of a report: plain tables of at most 100 columns that need no color, or JSON."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.console import styled
from pipeline.families.names import RUNTIME_PREFIXES, last_module_names
from pipeline.formats.tensor_names import natural, short_name
from pipeline.formats.tflite_matrices import Matrix
from pipeline.formats.tflite_model import KV_PREFIX
from pipeline.formats.tflite_types import bytes_of
from pipeline.formats.tokenizer_file import Token
from pipeline.inspect.facts import Adapter, App, Model, Report, Signature, Tensor
from pipeline.litert.memory_estimate import MemoryCost

WIDTH = 100

TITLES = {
    "litertlm": "LiteRT-LM model file (.litertlm)",
    "task": "MediaPipe model file (.task)",
    "tflite": "LiteRT model (.tflite)",
    "adapter": "Adapter",
    "apk": "Android app (.apk)",
}
FORMS = {
    "runtime": "run-time adapter for LiteRT-LM",
    "pocketgemma": "adapter.safetensors of the finetune stage",
    "peft": "folder of Hugging Face's PEFT",
}
SCALES = {
    "row": "one per output row",
    "column": "one per column",
    "tensor": "one per matrix",
    "none": "none",
}
ORDER = last_module_names()
"""Matrices are shown in the order in which a token passes through them."""


def size(count: int) -> str:
    """Bytes in decimal units."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.2f} {unit}" if unit == "GB" else f"{count / factor:.1f} {unit}"
    return f"{count} B"


def print_json(report: Report) -> None:
    """Print a report as JSON."""
    sys.stdout.write(json.dumps(report.document(), indent=1, ensure_ascii=False) + "\n")


def print_report(report: Report, *, everything: bool = False) -> None:
    """Print a report.

    Args:
        report: what was found.
        everything: print each matrix and each tensor on a line of its own, and the whole chat template.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    # Without a terminal rich would take 80 columns.
    console.width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    for part in _parts(report, everything):
        console.print(part)


def _parts(report: Report, everything: bool) -> Iterable[RenderableType]:
    yield styled((_plain(report.name), "bold"), f", {TITLES[report.kind]}, {size(report.bytes)}")
    system = {key: value for key, value in report.system.items() if key != "description"}
    rows = [("sha256", report.sha256)]
    if report.system.get("description"):
        rows.insert(0, ("description", report.system["description"]))
    yield _pairs([*rows, *system.items()])
    if report.app:
        yield from _app(report.app)
    if report.adapter:
        yield from _adapter(report.adapter, everything)
    if report.sections:
        yield from _sections(report)
    if report.start or report.stop or report.tokenizer:
        yield _title("Conversation")
        yield _pairs(_conversation(report, everything))
    for model in report.models:
        yield from _model(model, everything)
    if report.memory:
        yield _title("Memory on a phone")
        yield _pairs(_memory(report.memory))
    for part in (report.inside, report.base, *report.adapters):
        if part:
            yield ""
            yield from _parts(part, everything)
    if report.notes:
        yield _title("Notes")
        yield from (Padding(f"- {_plain(note)}", (0, 0, 0, 2)) for note in report.notes)


def _plain(text: str) -> str:
    """Text from a file, which may contain anything: made harmless for the terminal."""
    return "".join(each if each.isprintable() or each == "\n" else f"\\x{ord(each):02x}" for each in text)


def _title(text: str) -> Text:
    return styled("\n", (_plain(text), "bold"))


def _pairs(rows: Iterable[tuple[str, str]]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(no_wrap=True, min_width=13)
    table.add_column(overflow="fold")
    for key, value in rows:
        table.add_row(_plain(key), _plain(value))
    return Padding(table, (0, 0, 0, 2))


def _table(*columns: str, right: Sequence[str] = (), wide: Sequence[str] = ()) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(
            name, justify="right" if name in right else "left", no_wrap=name not in wide, overflow="fold"
        )
    return table


def _indented(table: Table) -> RenderableType:
    return Padding(table, (0, 0, 0, 2))


def _sections(report: Report) -> Iterable[RenderableType]:
    yield _title("Sections")
    table = _table(
        "kind",
        "from byte",
        "to byte",
        "size",
        "items",
        right=("from byte", "to byte", "size"),
        wide=("items",),
    )
    for section in report.sections:
        items = ", ".join(f"{key}: {value}" for key, value in section.items.items())
        table.add_row(
            _plain(section.kind), f"{section.begin:,}", f"{section.end:,}", size(section.bytes), _plain(items)
        )
    yield _indented(table)


def _conversation(report: Report, everything: bool) -> Iterable[tuple[str, str]]:
    yield "start token", _tokens(report.start) or "not set"
    yield "stop tokens", _tokens(report.stop) or "not set"
    template = report.chat_template
    if template and everything:
        yield "chat template", template
    elif template:
        yield "chat template", f"{len(template):,} characters of Jinja (--all shows them): {template[:40]}…"
    for role, turn in report.turns.items():
        yield f"{role} turn", f"{turn.prefix!r} … {turn.suffix!r}"
    if not template and not report.turns:
        yield "chat template", "not set"
    if report.sampler:
        sampler = report.sampler
        text = f"{sampler.type}, k {sampler.k}, p {sampler.p:g}, temperature {sampler.temperature:g}"
        yield "sampler", f"{text} (always the most likely token)" if sampler.k == 1 else text
    else:
        yield "sampler", "not set: the app chooses"
    if report.tokenizer:
        count = report.tokenizer.vocabulary
        pieces = "unreadable" if count is None else f"{count:,} pieces"
        yield "tokenizer", f"{report.tokenizer.kind}, {pieces}, {size(report.tokenizer.bytes)}"
    if report.max_tokens:
        yield "context", f"{report.max_tokens:,} tokens"


def _tokens(tokens: Sequence[Token]) -> str:
    return ", ".join(f"{' '.join(map(str, token.ids))} {token.text or '?'}".strip() for token in tokens)


def _model(model: Model, everything: bool) -> Iterable[RenderableType]:
    yield _title(f"Model: {model.name}, {size(model.bytes)}")
    rows = []
    if model.context_length:
        rows.append(("context", f"{model.context_length:,} tokens, {size(model.kv_cache_bytes)} of KV cache"))
    if model.prefill_lengths:
        rows.append(("prefill", f"prompt chunks of {_list(model.prefill_lengths)} tokens"))
    if model.lora_rank:
        rows.append(("adapters", f"LoRA inputs of rank {model.lora_rank}"))
    yield _pairs(rows)
    table = _table("signature", "", "tensors", wide=("tensors",))
    for signature in model.signatures:
        for index, (word, tensors) in enumerate(_sides(signature)):
            lines = _gathered(tensors)
            if index and lines and lines[-1] == _gathered(signature.inputs)[-1]:
                lines[-1] = f"{lines[-1].partition(':')[0]}, as in the inputs"
            table.add_row("" if index else _plain(signature.name), word, _plain("\n".join(lines)))
    if model.signatures:
        yield ""
        yield _indented(table)
    if model.matrices:
        yield ""
        yield _indented(_every(model.matrices) if everything else _groups(model.matrices))
    for total in model.totals:
        share = f", and {size(total.scale_bytes)} of scales" if total.scale_bytes else ""
        count = "1 matrix" if total.matrices == 1 else f"{total.matrices} matrices"
        yield Padding(f"{total.dtype}: {count}, {size(total.bytes)}{share}", (0, 0, 0, 2))
    rest = model.bytes - sum(total.bytes + total.scale_bytes for total in model.totals)
    if model.totals and rest > 0:
        yield Padding(f"other (graphs, norms, small constants): {size(rest)}", (0, 0, 0, 2))


def _memory(cost: MemoryCost) -> Iterable[tuple[str, str]]:
    yield "total", f"about {size(cost.total)} while the model answers"
    yield (
        "weights",
        f"{size(cost.weights)}, mapped from a file: the system can drop these pages and read them again",
    )
    yield "KV cache", f"{size(cost.kv_cache)} for {cost.context_length:,} tokens"
    if cost.prefill:
        lengths = ", ".join(f"{length} tokens: {size(peak)}" for length, peak in cost.prefill.items())
        yield "prefill", f"{lengths}{' (the largest counts)' * (len(cost.prefill) > 1)}"
    yield "tokenizer", size(cost.tokenizer)
    yield "runtime", size(cost.runtime)
    yield "first opening", f"{size(cost.first_opening)} more, to pack the weights"


def _list(numbers: Sequence[int]) -> str:
    *most, last = [f"{number:,}" for number in numbers]
    return f"{', '.join(most)} or {last}" if most else last


def _sides(signature: Signature) -> Iterable[tuple[str, Sequence[Tensor]]]:
    return (("inputs", signature.inputs), ("outputs", signature.outputs))


def _gathered(tensors: Sequence[Tensor]) -> list[str]:
    """A line for each tensor; KV caches and LoRA inputs in one line each."""
    caches = [each for each in tensors if each.name.startswith(KV_PREFIX)]
    lora = [each for each in tensors if each.name.startswith(RUNTIME_PREFIXES)]
    lines = [_tensor(each) for each in tensors if each not in caches and each not in lora]
    kinds = (("LoRA tensors", lora), ("KV caches", caches))
    return lines + [f"{len(found)} {what}: {_alike(found)}" for what, found in kinds if found]


def _alike(tensors: Sequence[Tensor]) -> str:
    shapes = dict.fromkeys(f"{_shape(each.shape)} {each.dtype}" for each in tensors)
    shown = list(shapes)[:4] + ["…"] * (len(shapes) > 4)
    return f"{', '.join(shown)}; {size(sum(bytes_of(each.shape, each.dtype) for each in tensors))}"


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name} {_shape(tensor.shape)} {tensor.dtype}"


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _groups(matrices: Sequence[Matrix]) -> Table:
    table = _table("", "matrix", "shape", "type", "scales", "size", right=("", "size"), wide=("matrix",))

    def alike(matrix: Matrix) -> tuple[object, ...]:
        short = short_name(matrix.name)
        place = ORDER.index(short) if short in ORDER else len(ORDER)
        return place, short, matrix.shape, matrix.dtype, _scales(matrix)

    for key, found in groupby(sorted(matrices, key=alike), alike):
        group = list(found)
        table.add_row(
            f"{len(group)} ×",
            _plain(str(key[1])),
            _shape(group[0].shape),
            group[0].dtype,
            _scales(group[0]),
            size(sum(each.bytes for each in group)),
        )
    return table


def _every(matrices: Sequence[Matrix]) -> Table:
    table = _table("matrix", "shape", "type", "scales", "size", right=("size",), wide=("matrix",))
    for each in matrices:
        table.add_row(_plain(each.name), _shape(each.shape), each.dtype, _scales(each), size(each.bytes))
    return table


def _scales(matrix: Matrix) -> str:
    return f"one per {matrix.block or '?'} of a row" if matrix.scales == "block" else SCALES[matrix.scales]


def _adapter(adapter: Adapter, everything: bool) -> Iterable[RenderableType]:
    yield _title("Adapter")
    rows = [("form", FORMS[adapter.form])]
    if adapter.name is not None:
        rows.insert(0, ("name", adapter.name))
    if adapter.method is not None:
        rows.append(("method", adapter.method))
    if adapter.rank is not None:
        alpha = "" if adapter.alpha is None else f", alpha {adapter.alpha:g}"
        rows.append(("rank", f"{adapter.rank}{alpha}"))
    if adapter.matrices:
        rows.append(("changes", f"{adapter.matrices} matrices ({', '.join(adapter.targets)})"))
    else:
        rows.append(("changes", f"{len(adapter.tensors)} weights"))
    rows.append(("parameters", f"{adapter.parameters:,}"))
    rows.append(("base", adapter.base or "not recorded"))
    yield _pairs(rows)
    yield ""
    table = _table("", "tensor", "shape", "type", right=("",), wide=("tensor",))
    if everything:
        for each in sorted(adapter.tensors, key=lambda tensor: natural(tensor.name)):
            table.add_row("1 ×", _plain(each.name), _shape(each.shape), each.dtype)
    else:

        def alike(tensor: Tensor) -> tuple[object, ...]:
            return _starred(tensor.name), tensor.shape, tensor.dtype

        for key, found in groupby(sorted(adapter.tensors, key=alike), alike):
            group = list(found)
            table.add_row(f"{len(group)} ×", _plain(str(key[0])), _shape(group[0].shape), group[0].dtype)
    yield _indented(table)


def _starred(name: str) -> str:
    """A tensor's name with * in place of numbers."""
    return re.sub(r"\d+", "*", name)


def _app(app: App) -> Iterable[RenderableType]:
    yield _title("App")
    unread = "not read"
    permissions = unread if app.permissions is None else ", ".join(app.permissions) or "none"
    signature = unread
    if app.signature_schemes is not None:
        signature = (
            f"valid, {', '.join(app.signature_schemes)}" if app.signature_schemes else "no valid signature"
        )
    rows = [
        ("package", app.package or unread),
        ("version", f"{app.version} (code {app.version_code})" if app.version else unread),
        ("Android", f"minimum SDK {app.min_sdk}, target SDK {app.target_sdk}" if app.min_sdk else unread),
        ("permissions", permissions),
        ("signature", signature),
        ("certificate", app.certificate_sha256 or unread),
        ("ABIs", ", ".join(app.abis) or "no native code"),
        ("code", size(app.dex_bytes)),
    ]
    if app.extracts_libraries is not None and app.installed_bytes is not None:
        how = "unpacked by the phone" if app.extracts_libraries else "mapped from the APK"
        rows.append(("installed", f"{size(app.installed_bytes)}, libraries {how}"))
    yield _pairs(rows)
    if app.libraries:
        yield ""
        table = _table("library", "size", "16 KiB pages", right=("size",), wide=("library",))
        for library in app.libraries:
            fits = "loads" if library.pages_16k else "does not load"
            why = "compressed" if library.offset is None else f"at byte {library.offset:,}"
            if library.offset is None and app.extracts_libraries:
                why = "unpacked"
            segments = (
                "" if library.segment_alignment is None else f", segments at {library.segment_alignment:,}"
            )
            table.add_row(_plain(library.name), size(library.bytes), f"{fits} ({why}{segments})")
        yield _indented(table)
    if app.manifest:
        yield _title("Manifest of the app")
        yield _pairs(_flat(app.manifest))
    if app.sample_questions:
        yield _title("Sample questions")
        yield from (Padding(_plain(question), (0, 0, 0, 2)) for question in app.sample_questions)


def _flat(document: dict[str, object], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", ", ".join(map(_word, value)) if isinstance(value, list) else str(value)


def _word(value: object) -> str:
    """An entry of a list in a manifest; for an adapter, its name and the beginning of its digest."""
    if not isinstance(value, dict):
        return str(value)
    return f"{value.get('name', 'unnamed')} ({str(value.get('sha256', ''))[:12]}…)"
