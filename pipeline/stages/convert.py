"""From the merged model to the files that phones run."""

from pipeline import prompts
from pipeline.config import Config
from pipeline.console import console
from pipeline.litert.export import Bundle, export_litertlm
from pipeline.litert.runtime import probe
from pipeline.litert.task import bundle_task
from pipeline.run import Run


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write model.litertlm, and model.task if asked for; read them back and open them in the runtime.

    Raises:
        PocketGemmaError: the converter failed, or its result is not what was asked for.
    """
    bundle = Bundle.of(config.convert, config.name)
    settings = config.convert.model_dump() | {
        "description": bundle.description,
        "chat_template": prompts.CHAT_TEMPLATE,
    }
    with run.stage("convert", settings=settings, after=("merge",), force=force) as work:
        if work.up_to_date:
            return
        model = work.folder / "model.litertlm"
        facts = export_litertlm(run.folder("merge") / "huggingface", model, bundle, run.logs / "convert.log")
        probe(model)
        if "task" in config.convert.formats:
            bundle_task(model, work.folder / "model.task", run.logs / "task.log")
            probe(work.folder / "model.task")
        work.details.update(facts, recipe=bundle.recipe)
        console.print(
            f"  {model.name}: {facts['bytes'] / 1e6:.1f} MB, {bundle.recipe}, {bundle.context_length} tokens of context; "
            f"the converter took {facts['seconds']:.0f} s and {facts['peak_memory_bytes'] / 1e9:.1f} GB"
        )
