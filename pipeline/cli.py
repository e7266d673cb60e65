"""The command line: arguments and calls, nothing else.

Heavy packages are imported by the stages and commands that need them, never here: `--help` must be fast.
"""

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
    help="Fine-tune a Gemma on your examples and run it offline on an Android phone.",
    epilog="Exit codes: 0 success, 1 a stage or a check failed, 2 unusable input (a file, a key, an option), "
    "3 too few questions to decide, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help costs a third of a second
)

ConfigOption = Annotated[Path, typer.Option("--config", metavar="FILE", help="The recipe.")]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", metavar="DIR", help="The run folder; runs/<name of the recipe> by default."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Override a value of the recipe; repeatable."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Run this stage even if its result is up to date.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback if an error occurs.")]
DEFAULT_CONFIG = Path("configs/science.yaml")


class AdapterFormat(StrEnum):
    """What program an adapter is written for."""

    litert = "litert"
    peft = "peft"


class Content(StrEnum):
    """What can be published."""

    adapter = "adapter"
    merged = "merged"
    litertlm = "litertlm"


class Side(StrEnum):
    """Where a model answers."""

    keras = "keras"
    runtime = "runtime"


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
        from pipeline.runner import run_stages

        settings = _config(config, set_)
        run_stages(name, settings, _root(settings, run), force={name} if force else ())

    app.command(name, help=f"{summary} Runs earlier stages first if they are not up to date.")(command)


for _name, _summary in STAGES.items():
    _add_stage(_name, _summary)


@app.command("run")
def run_all(
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    set_: SetOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run every stage, even those that are up to date.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Run the whole pipeline, from download to deploy."""
    from pipeline.runner import run_stages

    settings = _config(config, set_)
    run_stages("deploy", settings, _root(settings, run), force=STAGES if force else ())


@app.command()
def plan(
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    set_: SetOption = None,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="MACHINE",
            help="Where training will run: this, t4, kaggle-t4x2, l4, a100, h100, v5e-1 or v5e-8.",
        ),
    ] = "this",
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Do not measure the speed of this machine.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Show what a recipe will take: memory, time, disk, and the speed on a phone."""
    from pipeline.commands.plan.command import plan

    settings = _config(config, set_)
    if not plan(settings, _root(settings, run), on, probe=not no_probe):
        raise typer.Exit(1)


@app.command()
def chat(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    set_: SetOption = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="Ask one question and exit.")] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="FILE", help="A .litertlm or .task file instead of the run folder's."
        ),
    ] = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(
            "--adapter",
            metavar="FILE",
            help="An adapter file (.tflite) for a model that accepts adapters; repeatable. The first one is "
            "active at startup.",
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="A system prompt for the model.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", help="Sampling temperature; 0 is greedy. Default: the model file's."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Seed of the sampler; random by default."),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Maximum length of a reply, in tokens.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Chat with the converted model in the phone's runtime."""
    from pipeline.commands.chat.command import Options, chat_with
    from pipeline.commands.chat.models import choose_model

    # The default recipe describes neither another run folder nor a file from elsewhere.
    named = any(_is_given(context, name) for name in ("config", "set_"))
    recipe = _config(config, set_) if named or not (run or model) else None
    chosen = choose_model(model, _root(recipe, run) if recipe else run, recipe)
    options = Options(system, temperature, seed, max_tokens, chosen.remembers_conversation)
    raise typer.Exit(chat_with(chosen.file, prompt, adapter or chosen.adapters, options))


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option is on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


@app.command("adapter")
def write_adapter(
    adapter: Annotated[
        Path,
        typer.Option(
            "--adapter", metavar="FILE", help="An adapter.safetensors, or the folder of a PEFT adapter."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="PATH", help="The adapter file (.tflite) to write, or the folder for PEFT."
        ),
    ],
    base: Annotated[
        Path | None,
        typer.Option(
            "--base", metavar="FILE", help="With --format litert: the .litertlm that the adapter is for."
        ),
    ] = None,
    form: Annotated[
        AdapterFormat,
        typer.Option(
            "--format",
            help="litert: a file that a base with LoRA inputs loads. peft: a folder that Hugging Face's PEFT "
            "loads for the Hugging Face model.",
        ),
    ] = AdapterFormat.litert,
    debug: DebugOption = False,
) -> None:
    """Write an adapter for the runtime, or for Hugging Face's PEFT."""
    from pipeline.commands.adapter import adapter_file, peft_folder

    write = peft_folder if form is AdapterFormat.peft else adapter_file
    write(adapter, base, out)


@app.command("eval")
def evaluate(
    data: Annotated[
        str,  # a Path would make hf:/ of hf://
        typer.Option(
            "--data", metavar="FILE", help="Questions with answers, in any form that data.test accepts."
        ),
    ],
    on: Annotated[
        Side,
        typer.Option("--on", help="keras: the model as trained; runtime: the converted model in LiteRT-LM."),
    ] = Side.runtime,
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    set_: SetOption = None,
    base: Annotated[
        bool, typer.Option("--base", help="With --on keras: the base without the adapter.")
    ] = False,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", metavar="FILE", help="Write the answers to this file, one JSON object per line."
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Ask every question in a file; print exact match and perplexity."""
    from pipeline.commands.eval import ask_file
    from pipeline.run.folder import Run

    settings = _config(config, set_)
    ask_file(Run(_root(settings, run)), settings, data, on=on.value, base=base, output=answers, recipe=config)


@app.command()
def report(
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in the browser.")] = False,
    debug: DebugOption = False,
) -> None:
    """Write report.html about a run, and the model card, and open the page."""
    from pipeline.commands.report import report

    report(run or _root(_config(config, None), None), open_page=not no_open)


@app.command()
def publish(
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="ADDRESS", help="hf://owner/name or kaggle://owner/model/framework/variation."
        ),
    ],
    what: Annotated[
        Content,
        typer.Option(
            "--what",
            help="adapter: also in PEFT's form; merged: the Hugging Face model; litertlm: the verified model "
            "for phones.",
        ),
    ] = Content.adapter,
    public: Annotated[
        bool,
        typer.Option("--public", help="Let everybody see a new repository; by default, only its owner does."),
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    set_: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Upload an adapter, a merged or a converted model, with its model card. Runs earlier stages first."""
    from pipeline.commands.publish.command import check_address, publish
    from pipeline.commands.publish.contents import NEEDS
    from pipeline.runner import run_stages

    check_address(to, what.value, public=public)
    settings = _config(config, set_)
    root = _root(settings, run)
    run_stages(NEEDS[what.value], settings, root)
    publish(settings, root, what.value, to, public=public)


@app.command()
def trace(
    file: Annotated[
        Path, typer.Argument(help="An app, a .litertlm, an adapter or any other file that a stage wrote.")
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    run: RunOption = None,
    debug: DebugOption = False,
) -> None:
    """Trace a file back to the examples, and report broken links."""
    from pipeline.commands import trace as command

    links = command.trace(file, run or command.run_of(file) or _root(_config(config, None), None))
    if not command.print_links(links):
        raise typer.Exit(1)


@app.command()
def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .litertlm, .task, .tflite, .apk, an adapter file or the folder of a PEFT adapter."
        ),
    ],
    json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON; docs/litert.md describes the keys.")
    ] = False,
    all_: Annotated[
        bool,
        typer.Option("--all", help="Print one line per matrix and tensor, and the full chat template."),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Show a file's sections, signatures, matrices, tokens and sizes."""
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
        typer.Option(
            "--base", metavar="FILE", help="A base that PocketGemma converted, or a published .litertlm."
        ),
    ],
    adapter: Annotated[
        Path,
        typer.Option(
            "--adapter", metavar="PATH", help="An adapter.safetensors, or the folder of a PEFT adapter."
        ),
    ],
    preset: Annotated[
        Path,
        typer.Option(
            "--preset",
            metavar="DIR",
            help="The weights of the base: a KerasHub preset or a Hugging Face folder.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The .litertlm to write.")],
    rounding: Annotated[
        str | None,
        typer.Option(
            "--rounding", metavar="NAME", help="How values are rounded to integers; nearest by default."
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Merge an adapter into a converted base, without the converter."""
    from pipeline.commands.graft import graft_file

    graft_file(base, adapter, preset, out, rounding)


@app.command()
def doctor(
    online: Annotated[
        bool, typer.Option("--online", help="Also ask the hub whether it gives you the recipe's preset.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    set_: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Check this machine for everything that the pipeline needs."""
    from pipeline.commands.doctor import examine

    if not examine(_config(config, set_).model.preset if online else None):
        raise typer.Exit(1)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"pocketgemma {version('pocketgemma')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line. An error is one line, with a traceback only if --debug is given."""
    from pipeline.errors import PocketGemmaError

    debug = "--debug" in sys.argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        app()
    except PocketGemmaError as error:
        if debug:
            raise
        _report(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            raise
        _report(f"unexpected {type(error).__name__}: {error}; run again with --debug for the traceback")
        sys.exit(1)
    sys.exit(0)


def _report(message: str) -> None:
    from pipeline.console import errors

    errors.print("error:", style="bold red", end=" ")
    errors.print(message)
