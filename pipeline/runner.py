"""Runs stages one after the other, and keeps the report up to date."""

import importlib
from collections.abc import Collection
from pathlib import Path

from pipeline.errors import Interrupted
from pipeline.recipe.files import check_files
from pipeline.recipe.schema import Config
from pipeline.report.write import refresh
from pipeline.run.folder import Run
from pipeline.run.stages import STAGES


def run_stages(until: str, config: Config, root: Path, force: Collection[str] = ()) -> None:
    """Run the stages up to one; those that are up to date are skipped.

    Args:
        until: the last stage.
        config: the recipe.
        root: the run folder.
        force: stages to run even if they are up to date.

    Raises:
        PocketGemmaError: the recipe's files or a stage, as they say.
    """
    check_files(config, until)
    stages = list(STAGES)[: list(STAGES).index(until) + 1]
    with Run(root) as run:
        for name in stages:
            stage = importlib.import_module(f"pipeline.stages.{name}")
            try:
                stage.run(config, run, force=name in force)
            except Interrupted:
                raise
            except Exception:
                # The report shows the training before it, and which check of verify refused the model.
                if "finetune" in stages[: stages.index(name)]:
                    refresh(run.root)
                raise
        if "finetune" in stages:
            refresh(run.root)
