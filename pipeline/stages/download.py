"""Put the preset into the run folder: the included demo, a local folder, or a download from Kaggle or Hugging
Face."""

import os
import shutil
from importlib import resources
from pathlib import Path

from pipeline.console import console
from pipeline.errors import InputError
from pipeline.gemma.hubs import fetch
from pipeline.gemma.presets import check_preset, known_presets, preset_files
from pipeline.quantization.schemes import SCHEMES
from pipeline.quantization.size import weight_bytes
from pipeline.recipe.schema import Config
from pipeline.recipe.section import DEMO
from pipeline.run.files import DownloadFiles
from pipeline.run.folder import Run


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write preset/ and check that every stage supports it. Later runs need no network.

    Raises:
        InputError: there is no such preset, access was denied, or it is not a Gemma that the stages support.
        PocketGemmaError: the server or the network failed.
    """
    preset = config.model.preset
    local = None if "://" in preset else _local_folder(preset)
    # A folder is identified by the digests of its files, not by its path; a preset on a hub by its address.
    settings = {"preset": "local" if local else preset}
    with run.stage(
        "download", settings=settings, inputs={"preset": local} if local else {}, keep=True, force=force
    ) as work:
        if work.up_to_date:
            return
        if local:
            source, version = local, ""
        else:
            fetched = fetch(preset)
            source, version = fetched.folder, fetched.version
        shape = check_preset(source)
        preset_folder = DownloadFiles(work.folder).preset
        _publish(source, preset_folder)
        # Again, where the later stages read it.
        check_preset(preset_folder)
        work.details.update(
            preset=preset if "://" in preset or preset == DEMO else source.name,
            version=version,
            family=shape.family.name,
            parameters=shape.parameters,
            layers=shape.layers,
            hidden=shape.hidden,
            vocabulary=shape.vocabulary,
        )
        recipe = config.convert.recipe
        console.print(
            f"  {shape}: {shape.parameters / 1e6:,.1f} million parameters, "
            f"about {weight_bytes(shape, SCHEMES[recipe]) / 1e6:,.0f} MB as {recipe}",
            markup=False,
        )


def _local_folder(preset: str) -> Path:
    if preset == DEMO:
        return Path(str(resources.files("pipeline.demo") / "base"))
    folder = Path(preset)
    if folder.is_dir():
        return folder
    known = known_presets().get(folder.name)
    if known:
        raise InputError(f"{folder}: no such folder; for the KerasHub preset of that name, write {known}")
    raise InputError(
        f"{folder}: no such folder; set model.preset to {DEMO}, an existing folder, "
        "kaggle://owner/model/keras/variation or hf://owner/name"
    )


def _publish(source: Path, target: Path) -> None:
    """Put the files of a preset into target, as hard links if the file system allows it, else as copies."""
    for file in preset_files(source):
        published = target / file.relative_to(source)
        published.parent.mkdir(parents=True, exist_ok=True)
        real = file.resolve()  # The cache of Hugging Face contains symbolic links.
        try:
            os.link(real, published)
        except OSError:
            shutil.copyfile(real, published)
