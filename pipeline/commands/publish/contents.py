"""The files of a run that are published, with the model card and the notice that must go with them."""

import shutil
from pathlib import Path
from typing import Literal

from pipeline.errors import InputError
from pipeline.families.terms import Terms
from pipeline.report.write import write_report
from pipeline.run.folder import Run
from pipeline.tuning.load import load_adapter
from pipeline.tuning.peft import write_peft

README, NOTICE = "README.md", "NOTICE"

CHANGED = "The files in this folder were modified: the model was fine-tuned with PocketGemma."


Content = Literal["adapter", "merged", "litertlm"]
"""What is published."""

NEEDS: dict[Content, str] = {"adapter": "merge", "merged": "merge", "litertlm": "verify"}
"""The stage that comes before. A merge proves the adapter, and a converted model is published only once it is
verified."""


def collect(content: Content, run: Run, terms: Terms | None, folder: Path) -> None:
    """Put the files to publish into a folder; large ones as hard links where possible.

    Args:
        content: what to publish.
        run: the run folder, in which the stage of NEEDS is up to date.
        terms: of the weights; None: Apache License 2.0.
        folder: empty.

    Raises:
        InputError: the report, of which the model card is a part, cannot be written.
    """
    if content == "adapter":
        _adapter(run, folder)
    elif content == "merged":
        for path in sorted(run.files.merge.huggingface.iterdir()):
            _link(path, folder)
    else:
        for path in (run.files.convert.model, run.files.convert.adapter, run.files.convert.task):
            if path.exists():
                _link(path, folder)
    write_report(run.root)
    shutil.copyfile(run.files.model_card, folder / README)
    notice = [CHANGED, *([terms.notice] if terms else [])]
    (folder / NOTICE).write_text("\n".join(notice) + "\n", encoding="utf-8")


def _adapter(run: Run, folder: Path) -> None:
    """The adapter, and in PEFT's form if it has one."""
    _link(run.files.finetune.adapter, folder)
    try:
        write_peft(load_adapter(run.files.finetune.adapter), folder / "peft")
    except InputError:
        shutil.rmtree(folder / "peft", ignore_errors=True)


def _link(path: Path, folder: Path) -> None:
    try:
        (folder / path.name).hardlink_to(path)
    except OSError:
        shutil.copyfile(path, folder / path.name)
