"""Print the plan of a recipe."""

from pathlib import Path

import psutil
from rich.table import Table

from pipeline.commands.plan.reading import Planned, read
from pipeline.console import console
from pipeline.errors import InputError, PocketGemmaError
from pipeline.plan.machines import MACHINES, THIS, Machine
from pipeline.plan.phones import PHONES, on_phone
from pipeline.plan.stage_costs import stage_costs
from pipeline.plan.training_memory import TrainingMemory, training_memory
from pipeline.plan.training_time import Time, measured_time, time_on
from pipeline.plan.wording import PART_NAMES, named_parts, ways_out
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.schema import Config
from pipeline.tuning.devices import choose_compute, find_accelerator

MINUTE, HOUR = 60, 3600

MOST_SPEED = 100
"""Tokens per second of a phone, beyond which the weights no longer decide."""


def plan(config: Config, root: Path, on: str, *, probe: bool) -> bool:
    """Print what a recipe takes; returns whether training fits into memory.

    Args:
        config: the recipe.
        root: its run folder.
        on: `this`, or one of MACHINES.
        probe: whether to measure the speed of this machine, which takes up to a minute.

    Raises:
        InputError: an unknown machine; or the base or the examples are unusable.
        PocketGemmaError: a hub did not respond.
    """
    if on != THIS and on not in MACHINES:
        raise InputError(f"--on {on}: unknown machine; expected {THIS}, {', '.join(MACHINES)}")
    if root.exists() and not root.is_dir():
        raise InputError(f"{root}: is a file; --run expects a folder")
    machine = MACHINES.get(on)
    planned = read(config, root, on_accelerator=machine is not None)
    accelerator = machine is not None or find_accelerator() is not None
    memory = training_memory(planned.work, accelerator=accelerator)
    available = machine.memory if machine else None if accelerator else psutil.virtual_memory().available
    _print_work(config, planned)
    _print_memory(memory, planned, accelerator=accelerator)
    if machine:
        time: Time | None = time_on(machine, planned.work)
    else:
        possible = probe and available is not None and memory.total <= available
        time = _measured(config, planned) if possible else None
    _print_stages(config, planned, memory, time)
    _print_phone(config, planned)
    return _print_verdict(planned, memory, available, machine, accelerator=accelerator)


def _measured(config: Config, planned: Planned) -> Time | None:
    """The speed of this machine; None for a family whose layers differ, and if it cannot be measured."""
    if planned.shape.layer_sizes:
        return None
    backend = choose_compute(config.finetune.backend, config.finetune.dtype, 0).backend
    try:
        return measured_time(planned.preset, planned.work, backend)
    except PocketGemmaError as error:
        reason = str(error).partition("; see its output")[0]
        console.print(f"warning: the speed is unknown: {reason}", style="yellow")
        return None


def _print_work(config: Config, planned: Planned) -> None:
    work, cost = planned.work, planned.work.cost
    console.print(f"{config.model.preset}: {planned.shape}")
    console.print(
        f"  {planned.shape.parameters / 1e6:,.1f} million parameters; {work.method} trains "
        f"{cost.parameters / 1e6:,.2f} million of them in {work.dtype}, adapter of "
        f"{_size(cost.adapter_bytes)}"
    )
    console.print(
        f"  {len(work.lengths):,} training examples of {work.lengths.mean():.0f} tokens on average and "
        f"{work.lengths.max()} at most, {planned.validation:,} for validation; {work.steps:,} steps in "
        f"each epoch, {work.epochs} at most"
    )


def _print_memory(memory: TrainingMemory, planned: Planned, *, accelerator: bool) -> None:
    rows = planned.work.rows(accelerator=accelerator)
    examples = "1 example" if rows == 1 else f"{rows} examples"
    table = _table("memory of training", "GB")
    for name, size in named_parts(memory).items():
        note = f" of {examples} at once" if name == PART_NAMES["activations"] else ""
        table.add_row(f"  {name}{note}", f"{size / 1e9:.2f}")
    table.add_row("  together", f"{memory.total / 1e9:.2f}")
    console.print(table)


def _print_stages(config: Config, planned: Planned, memory: TrainingMemory, time: Time | None) -> None:
    table = _table("stage", "peak memory, GB", "disk, GB", "time")
    table.add_row(
        "  finetune",
        f"{memory.total / 1e9:.1f}",
        f"{planned.work.cost.adapter_bytes / 1e9:.2f}",
        _span(time) if time else "",
    )
    costs = stage_costs(
        planned.shape, SCHEMES[config.convert.recipe], planned.tokenizer_bytes, 1 + config.carries_base
    )
    for name, cost in costs.items():
        memory_text = f"{cost.memory / 1e9:.1f}" if cost.memory else ""
        table.add_row(f"  {name}", memory_text, f"{cost.disk / 1e9:.2f}", "")
    console.print(table)
    if time:
        slow, fast = time.tokens_per_second
        speed = f"{fast:,.0f}" if slow == fast else f"{slow:,.0f} to {fast:,.0f}"
        console.print(f"  {speed} tokens per second: {time.basis}")


def _print_phone(config: Config, planned: Planned) -> None:
    settings = config.convert
    found = on_phone(
        planned.shape,
        SCHEMES[settings.recipe],
        settings.context_length,
        max(settings.prefill_lengths),
        planned.tokenizer_bytes,
    )
    console.print(
        f"on a phone as {settings.recipe}: a model of {_size(found.model)}, {_size(found.memory)} of memory "
        "while it answers"
    )
    for phone in PHONES:
        console.print(
            f"  {phone.title}: {_speed(phone.speed(found.read))} tokens per second ({phone.source})"
        )


def _print_verdict(
    planned: Planned,
    memory: TrainingMemory,
    available: int | None,
    machine: Machine | None,
    *,
    accelerator: bool,
) -> bool:
    where = machine.title if machine else "this machine"
    if machine and machine.chips > 1:
        console.print(f"  training uses one of the {machine.chips} chips")
    if available is None:
        console.print("the memory of this machine's accelerator is unknown; plan for one with --on")
        return True
    if memory.total <= available:
        console.print(
            f"training fits: {memory.total / 1e9:.1f} of {available / 1e9:.1f} GB on {where}", style="green"
        )
        return True
    console.print(
        f"training does not fit: {memory.total / 1e9:.1f} GB, but {where} has {available / 1e9:.1f} GB",
        style="red",
    )
    for line in ways_out(planned.work, available, accelerator=accelerator):
        console.print(f"  {line}")
    return False


def _table(*columns: str) -> Table:
    table = Table(*columns, box=None, padding=(0, 2), header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _speed(tokens_per_second: float) -> str:
    """Of a phone; a small model takes as long for everything around its weights."""
    if tokens_per_second > MOST_SPEED:
        return f"more than {MOST_SPEED}"
    return f"about {tokens_per_second:.0f}"


def _span(time: Time) -> str:
    low, high = time.seconds
    return _duration(low) if low == high else f"{_duration(low)} to {_duration(high)}"


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
