"""The command line: one command a stage, and a few to look, ask and measure. Nothing but arguments and calls.

Heavy packages are imported by the stages that need them, never here: `--help` must come at once.
"""

import importlib
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipeline.run.stages import STAGES

if TYPE_CHECKING:
    from pipeline.recipe.schema import Config

app = typer.Typer(
    name="pocketgemma",
    help="From a file of examples to a fine-tuned Gemma on an Android phone, offline.",
    epilog="Exit codes: 0 done, 1 failed (a stage or a check), 2 bad input (a file, a key, an option).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help costs a third of a second
)

ConfigOption = Annotated[Path, typer.Option("--config", metavar="FILE", help="The recipe.")]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", metavar="DIR", help="The run folder; runs/<name of the recipe> if not given."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the recipe; repeatable."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Do this stage again even if its result still holds.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
DEFAULT_CONFIG = Path("configs/science.yaml")


class Rounding(StrEnum):
    """How a graft rounds."""

    nearest = "nearest"
    least_squares = "least_squares"


class Side(StrEnum):
    """Where a model answers."""

    keras = "keras"
    runtime = "runtime"


def _walk(
    until: str,
    config_path: Path,
    run_path: Path | None,
    overrides: list[str] | None,
    *,
    force: bool,
    force_all: bool = False,
) -> None:
    """Do the stages up to one; those whose result still holds are skipped, and say so."""
    from pipeline.run.folder import Run

    config = _config(config_path, overrides)
    with Run(_root(config, run_path)) as run:
        for name in STAGES:
            stage = importlib.import_module(f"pipeline.stages.{name}")
            stage.run(config, run, force=force_all or (force and name == until))
            if name == until:
                return


def _config(path: Path, overrides: list[str] | None) -> "Config":
    from pipeline.recipe.reading import load_config

    return load_config(path, overrides or [])


def _root(config: "Config", run_path: Path | None) -> Path:
    return run_path if run_path is not None else Path("runs") / config.name


def _add_stage(name: str, summary: str) -> None:
    def command(
        config: ConfigOption = DEFAULT_CONFIG,
        run: RunOption = None,
        set_: SetOption = None,
        force: ForceOption = False,
        debug: DebugOption = False,
    ) -> None:
        _walk(name, config, run, set_, force=force)

    app.command(name, help=f"{summary} Does the stages before it first, where they are not up to date.")(
        command
    )


for _name, _summary in STAGES.items():
    _add_stage(_name, _summary)


@app.command("run")
def run_all(
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    set_: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Do every stage again.")] = False,
    debug: DebugOption = False,
) -> None:
    """Walk the whole road, from download to deploy."""
    _walk("deploy", config, run, set_, force=False, force_all=force)


@app.command()
def chat(
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    set_: SetOption = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="Ask one question and end.")] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="FILE", help="A .litertlm or .task instead of the run folder's."),
    ] = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(
            "--adapter", metavar="FILE", help="An adapter (.tflite) for a base that takes one; repeatable."
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Talk to the converted model in the phone's own runtime."""
    from pipeline.commands.chat import chat_with
    from pipeline.run.folder import Run

    adapters = adapter or []
    if model is None:
        finished = Run(_root(_config(config, set_), run))
        finished.manifest("convert")
        converted = finished.files.convert
        model = converted.model
        adapters = adapters or [converted.adapter] * converted.adapter.is_file()
    chat_with(model, prompt, adapters)


@app.command("adapter")
def write_adapter(
    adapter: Annotated[
        Path,
        typer.Option("--adapter", metavar="FILE", help="An adapter.safetensors, or a PEFT adapter's folder."),
    ],
    base: Annotated[Path, typer.Option("--base", metavar="FILE", help="The .litertlm that is to take it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The adapter file (.tflite) to write.")],
    debug: DebugOption = False,
) -> None:
    """Write an adapter as a file that a base with LoRA inputs takes at run time."""
    from pipeline.console import console
    from pipeline.litert.runtime_adapters import write_for_base

    found = write_for_base(adapter, base, out)
    console.print(f"{out}: rank {found.rank}, {out.stat().st_size / 1e6:.2f} MB")


@app.command("eval")
def evaluate(
    data: Annotated[
        Path, typer.Option("--data", metavar="FILE", help="Questions with answers: .jsonl, .csv or .parquet.")
    ],
    on: Annotated[
        Side, typer.Option("--on", help="Keras as trained, or the phone's runtime as converted.")
    ] = Side.runtime,
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    set_: SetOption = None,
    base: Annotated[
        bool, typer.Option("--base", help="With --on keras: the base before fine-tuning.")
    ] = False,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="Write each answer to this JSONL file.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Ask every question of a file; print exact match and the perplexity of the expected answers."""
    from pipeline.commands.eval import ask_file
    from pipeline.run.folder import Run

    settings = _config(config, set_)
    ask_file(Run(_root(settings, run)), settings, data, on=on.value, base=base, output=answers)


@app.command()
def trace(
    file: Annotated[Path, typer.Argument(help="An APK, a bundle, an adapter or any file that a stage made.")],
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    debug: DebugOption = False,
) -> None:
    """Walk from a file back to the examples by digest, and say which link does not hold."""
    from pipeline.commands.trace import print_links
    from pipeline.commands.trace import trace as walk_back

    links = walk_back(file, run if run is not None else _root(_config(config, None), None))
    if not print_links(links):
        raise typer.Exit(1)


@app.command()
def inspect(
    file: Annotated[
        Path,
        typer.Argument(help="A .litertlm, .task, .tflite, .apk, an adapter file or a PEFT adapter's folder."),
    ],
    json: Annotated[
        bool, typer.Option("--json", help="Everything as JSON; docs/litert.md says what the keys mean.")
    ] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Each matrix and tensor on a line of its own, the template in full.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Look into a finished file: sections, signatures, how each matrix is stored, tokens, sizes."""
    from pipeline.inspect.file import inspect_file
    from pipeline.inspect.render import print_json, print_report

    report = inspect_file(file)
    if json:
        print_json(report)
    else:
        print_report(report, everything=all_)


@app.command()
def graft(
    base: Annotated[
        Path,
        typer.Option("--base", metavar="FILE", help="The converted base, ours or a published .litertlm."),
    ],
    adapter: Annotated[
        Path,
        typer.Option(
            "--adapter", metavar="PATH", help="Our adapter.safetensors, or a PEFT adapter's folder."
        ),
    ],
    preset: Annotated[
        Path,
        typer.Option(
            "--preset", metavar="DIR", help="The base's weights: a KerasHub preset or a Hugging Face folder."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The .litertlm to write.")],
    rounding: Annotated[
        Rounding, typer.Option("--rounding", help="How numbers become integers.")
    ] = Rounding.nearest,
    debug: DebugOption = False,
) -> None:
    """Merge an adapter into a converted base in seconds; needs no converter."""
    # Matrices are worked on side by side: a BLAS with threads of its own would only wait for itself. It looks here when it is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # The graft has threads of its own; beside them, those of the matrix products wait in a loop that takes the processors' time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from pipeline.console import console
    from pipeline.litert.graft.adapter import graft_adapter

    console.print(str(graft_adapter(base, adapter, preset, out, rounding.value)), markup=False)


@app.command()
def doctor(debug: DebugOption = False) -> None:
    """Look at this machine: what the road needs, what is missing, and how to get it."""
    from pipeline.commands.doctor import examine

    if not examine():
        raise typer.Exit(1)


def main() -> NoReturn:
    """Run the command line; a person sees one clear line for an error, a traceback only with --debug."""
    from pipeline.errors import PocketGemmaError

    debug = "--debug" in sys.argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        app()
    except PocketGemmaError as error:
        if debug:
            raise
        _say(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say("interrupted; finished stages are kept")
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        _say(f"unexpected {type(error).__name__}: {error}; add --debug for the whole story")
        sys.exit(1)
    sys.exit(0)


def _say(message: str) -> None:
    from pipeline.console import errors

    errors.print("[bold red]error:[/]", end=" ")
    errors.print(message, markup=False)
