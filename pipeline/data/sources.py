"""Where examples come from: files, patterns, folders, and data sets on Hugging Face."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pipeline.addresses import DATASETS
from pipeline.data.readers import READERS
from pipeline.data.rows import COMPRESSED, DataFile
from pipeline.errors import InputError
from pipeline.gemma.hugging_face_hub import fetch_dataset

Split = Literal["train", "validation", "test"]
SPLITS: dict[Split, re.Pattern[str]] = {
    "train": re.compile(r"(?<![a-z])(train|training)(?![a-z])"),
    "validation": re.compile(r"(?<![a-z])(validation|valid|val|dev)(?![a-z])"),
    "test": re.compile(r"(?<![a-z])(test|testing)(?![a-z])"),
}
"""Words in the path of a file that tell its split, as the Hugging Face datasets library recognizes them."""

DESCRIPTIONS = frozenset(("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"))
"""Files in the folder of a data set that hold no rows."""


def find_files(sources: Sequence[str], split: Split) -> list[Path]:
    """The files that hold the examples of some sources.

    Args:
        sources: paths of files or folders, patterns such as `part-*.jsonl`, or `hf://datasets/owner/name`,
            with `@revision` and a path inside behind it if wanted.
        split: which part of a folder with several splits is meant.

    Raises:
        InputError: a source has no files, or several data sets.
        PocketGemmaError: a data set cannot be downloaded.
    """
    files: list[Path] = []
    for source in sources:
        if source.startswith(DATASETS):
            files += _of_hub(source, split)
        elif "://" in source:
            raise InputError(
                f"{source}: unknown address; expected {DATASETS}owner/name or the path of a file"
            )
        else:
            files += _of_path(Path(source), split)
    return list(dict.fromkeys(files))


def _of_path(path: Path, split: Split) -> list[Path]:
    if path.is_dir():
        return _of_folder(path, split, str(path))
    if not path.exists() and re.search(r"[*?\[]", path.name):
        try:
            found = sorted(each for each in path.parent.glob(path.name) if each.is_file())
        except ValueError as error:
            raise InputError(f"{path}: invalid pattern: {error}") from None
        if not found:
            raise InputError(f"{path}: matches no file; check the data section of the recipe")
        return found
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the data section of the recipe")
    return [path]


def _of_hub(address: str, split: Split) -> list[Path]:
    parts = address.removeprefix(DATASETS).strip("/").split("/", 2)
    if len(parts) < 2 or not all(parts):
        raise InputError(f"{address}: expected {DATASETS}owner/name[@revision][/path]")
    owner, named, *inside = parts
    repository, _, revision = named.partition("@")
    patterns = [f"*{suffix}{packed}" for suffix in READERS for packed in ("", *COMPRESSED)]
    if inside:
        patterns = [f"{inside[0]}{rest}" for rest in ("", *(f"/{pattern}" for pattern in patterns))]
    folder = fetch_dataset(address, f"{owner}/{repository}", revision or None, patterns)
    chosen = folder / inside[0] if inside else folder
    if chosen.is_file():
        return [chosen]
    return _of_folder(chosen, split, address)


def _of_folder(folder: Path, split: Split, name: str) -> list[Path]:
    """The files of a split in a folder; all files, if none belongs to a split."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and DataFile(path).suffix in READERS
        and path.name not in DESCRIPTIONS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise InputError(f"{name}: contains no files with examples; expected {', '.join(READERS)}")
    splits = {path: _split(path.relative_to(folder)) for path in files}
    if any(splits.values()):
        wanted = [path for path in files if splits[path] == split]
        # Files of no split are training data, as the Hugging Face datasets library has it.
        files = wanted or [path for path in files if splits[path] is None and split == "train"]
        if not files:
            there = ", ".join(sorted({found for found in splits.values() if found}))
            raise InputError(f"{name}: has no files for {split}, only for {there}; name the files")
    sets = {path.parent for path in files}
    if len(sets) > 1 and any(splits.values()):
        names = ", ".join(sorted(path.relative_to(folder).as_posix() for path in sets))
        raise InputError(f"{name}: contains several data sets; add one of these to the path: {names}")
    kinds = sorted({DataFile(path).suffix for path in files})
    if len(kinds) > 1:
        raise InputError(
            f"{name}: contains files of several types ({', '.join(kinds)}); select files with a pattern"
        )
    return files


def _split(path: Path) -> Split | None:
    """The split that a path inside a data set belongs to: what its name says, else its folders from the
    inside out."""
    for part in reversed(path.parts):
        found = [split for split, words in SPLITS.items() if words.search(part.lower())]
        if len(found) == 1:
            return found[0]
    return None
