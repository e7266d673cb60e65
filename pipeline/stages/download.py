"""Put the preset into the run folder: the included demo, a local folder or GGUF file, or a download."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from pipeline.console import console
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.registry import known_presets, read_form
from pipeline.formats.gguf import shards
from pipeline.gemma.gguf_preset import SUFFIX as GGUF
from pipeline.gemma.gguf_preset import WrittenPreset, is_gguf, write_preset
from pipeline.gemma.hubs import Fetched, fetch
from pipeline.gemma.hugging_face_import import Imported, import_hugging_face
from pipeline.gemma.keras_text_part import write_text_part
from pipeline.gemma.presets import check_family, check_preset, check_weights, link_preset
from pipeline.quantization.schemes import SCHEMES
from pipeline.quantization.size import weight_bytes
from pipeline.recipe.schema import Config
from pipeline.recipe.section import DEMO
from pipeline.recipe.terms import terms_of_weights
from pipeline.run.files import DownloadFiles
from pipeline.run.folder import Run


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write preset/ and check that every stage supports it. Later runs need no network.

    Raises:
        InputError: there is no such preset, access was denied, or it is not a Gemma that the stages support.
        PocketGemmaError: the server or the network failed.
    """
    preset = config.model.preset
    local = None if "://" in preset else _local(preset)
    # Local files are identified by their digests, not by their path; a preset on a hub by its address.
    settings = {"preset": "local" if local else preset}
    with run.stage(
        "download", settings=settings, inputs=_inputs(local) if local else {}, keep=True, force=force
    ) as work:
        if work.up_to_date:
            return
        fetched = Fetched(local, "") if local else fetch(preset)
        preset_folder = DownloadFiles(work.folder).preset
        with _named_as_given(preset_folder, preset):
            if is_gguf(fetched.path):
                written = write_preset(fetched.path, preset_folder)
                work.details["gguf"] = {"file": fetched.path.name, "tensors": written.quantizations}
                console.print(f"  {_described(fetched.path.name, written)}")
            elif read_form(fetched.path) == "transformers":
                imported = import_hugging_face(fetched.path, preset_folder)
                for line in _import_notes(imported):
                    console.print(f"  {line}")
            elif check_family(fetched.path).vision:
                console.print(f"  {_text_only(write_text_part(fetched.path, preset_folder))}")
                check_weights(preset_folder)
            else:
                check_preset(fetched.path)
                check_weights(fetched.path)
                link_preset(fetched.path, preset_folder)
            # Where the later stages read it.
            shape = check_preset(preset_folder)
        terms = terms_of_weights(config, shape.family)
        work.details.update(
            terms=terms.name if terms else None,
            preset=preset if "://" in preset or preset == DEMO else fetched.path.name,
            version=fetched.version,
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
        )


@contextmanager
def _named_as_given(working: Path, preset: str) -> Iterator[None]:
    """Errors about files in the working folder name the preset of the recipe: that folder is removed."""

    def given(found: re.Match[str]) -> str:
        if not found[1]:
            return preset
        path = Path(preset) / found[1]
        return str(path) if path.exists() else f"{preset}: {found[1]}"

    try:
        yield
    except PocketGemmaError as error:
        message = re.sub(re.escape(str(working)) + r"(?:/([\w./-]+))?", given, str(error))
        raise type(error)(message) from error


def _import_notes(imported: Imported) -> Iterator[str]:
    if imported.left_out:
        yield _text_only(imported.left_out)
    if imported.rebuilt_tokenizer:
        yield "the SentencePiece tokenizer was made from tokenizer.json"


def _text_only(left_out: int) -> str:
    return f"multimodal: only the text decoder is used; {left_out} tensors for images or audio are ignored"


def _described(name: str, written: WrittenPreset) -> str:
    types = ", ".join(f"{count} {kind}" for kind, count in written.quantizations.items())
    if not written.quantized:
        return f"{name}: {types} tensors, read as float32"
    return (
        f"{name}: the base was quantized ({types} tensors) and is dequantized to float32; an "
        "unquantized base from Kaggle or Hugging Face is more accurate"
    )


def _inputs(local: Path) -> dict[str, Path]:
    """What the stage reads: a folder, or every shard of a GGUF file."""
    if not is_gguf(local):
        return {"preset": local}
    paths = shards(local)
    return {f"preset/{number}": path for number, path in enumerate(paths, 1)}


def _local(preset: str) -> Path:
    if preset == DEMO:
        return Path(str(resources.files("pipeline.demo") / "base"))
    path = Path(preset)
    if path.is_dir() and not (path / "config.json").is_file():
        raise InputError(
            f"{path}: no config.json in this folder; is it a KerasHub preset or a Hugging Face model?"
        )
    if path.is_dir() or (path.is_file() and is_gguf(path)):
        return path
    if path.is_file():
        raise InputError(f"{path}: a file, but not a GGUF; set model.preset to a folder or a {GGUF} file")
    close = get_close_matches(path.name, known_presets(), n=1)
    if close:
        raise InputError(f"{path}: no such folder; did you mean the KerasHub preset {close[0]}?")
    raise InputError(
        f"{path}: no such folder or file; set model.preset to {DEMO}, an existing folder, a {GGUF} file, "
        "the name of a KerasHub preset, kaggle://owner/model/keras/variation or hf://owner/name"
    )
