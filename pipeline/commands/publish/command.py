"""Publish the results of a run."""

import tempfile
from pathlib import Path

from pipeline.commands.publish.contents import Content, collect
from pipeline.commands.publish.hubs import find_hub
from pipeline.console import console
from pipeline.families.registry import read_family
from pipeline.gemma.hubs import show_no_bars
from pipeline.gemma.kaggle_hub import KAGGLE
from pipeline.recipe.schema import Config
from pipeline.recipe.terms import terms_of_weights
from pipeline.run.folder import Run


def publish(config: Config, root: Path, content: Content, address: str, *, public: bool) -> None:
    """Upload an adapter, a merged model or a converted model, with its model card.

    Args:
        config: the recipe.
        root: the run folder, in which the stage of NEEDS is up to date.
        content: what to publish.
        address: where to: hf://owner/name or kaggle://owner/model/framework/variation.
        public: whether everybody may see it.

    Raises:
        InputError: no such address, or access was denied.
        PocketGemmaError: the hub or the network failed.
    """
    show_no_bars()
    with Run(root) as run, tempfile.TemporaryDirectory(prefix=".publish-", dir=root) as temporary:
        folder = Path(temporary, content)
        folder.mkdir()
        terms = terms_of_weights(config, read_family(run.files.download.preset))
        upload = find_hub(address, content, terms, public=public)
        collect(content, run, terms, folder)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        for path in files:
            size = path.stat().st_size
            console.print(f"  {path.relative_to(folder)}: {size / 1e6:,.2f} MB")
        seen_by = "for everybody" if public else "for its owner only"
        if address.startswith(KAGGLE):
            seen_by = "for its owner only if the model is new"
        console.print(f"uploading to {address}, {seen_by}")
        console.print(f"published: {upload(folder)}")


def check_address(address: str, content: Content, *, public: bool) -> None:
    """Refuse an address before the stages run.

    Raises:
        InputError: as `publish`.
    """
    find_hub(address, content, None, public=public)
