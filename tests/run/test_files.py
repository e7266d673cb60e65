"""The names of the files in a run folder have one home."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pipeline.run.files import RunFiles, StageFiles
from pipeline.run.stages import STAGES

PACKAGE = Path(__file__).parents[2] / "pipeline"
HOME = PACKAGE / "run" / "files.py"

ELSEWHERE = {
    ("litert/model_files.py", "model.litertlm"): "a temporary file",
    ("litert/convert/export.py", "model.litertlm"): "the name that litert-torch gives to its result",
    ("litert/graft/base_cache.py", "model.litertlm"): "an entry of the cache",
    ("targets/android/assets.py", "model.litertlm"): "an entry of the APK",
    ("targets/android/assets.py", "base.litertlm"): "an entry of the APK",
    ("targets/android/assets.py", "manifest.json"): "an entry of the APK",
    ("commands/doctor.py", "huggingface"): "a folder of the Hugging Face libraries",
    ("demo/base.py", "preset"): "a temporary folder",
}
"""The same names in other containers: module, name, and what it names there."""


def names() -> set[str]:
    """Every name that RunFiles and what it leads to give to a file or folder below a stage."""
    root = Path("run")
    found = set()
    for part in ("logs", *STAGES):
        files = getattr(RunFiles(root), part)
        for attribute in dir(type(files)):
            value = getattr(files, attribute) if not attribute.startswith("_") else None
            if isinstance(value, StageFiles):
                value = value.folder
            if isinstance(value, Path) and attribute != "folder":
                found.add(value.name)
    return found


def spelled(source: str) -> Iterator[str]:
    """String literals that name a file: alone with an ending, as the last part of a path, or right of a
    `/`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)) if "." in text:
                yield text.rpartition("/")[2]
            case ast.BinOp(op=ast.Div(), right=ast.Constant(value=str(text))):
                yield text.rpartition("/")[2]


def test_no_other_module_spells_the_name_of_a_file_in_a_run_folder() -> None:
    own = names() | set(STAGES)
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        if path != HOME
        for name in spelled(path.read_text(encoding="utf-8"))
        if name in own
    }
    assert sorted(found - ELSEWHERE.keys()) == []
    assert sorted(ELSEWHERE.keys() - found) == [], "these exceptions are no longer needed"


def test_the_search_finds_names_alone_in_paths_and_after_a_slash() -> None:
    source = 'a = "model.litertlm"\nb = f"{run}/convert/model.task"\nc = run / "merge" / "keras"\nd = "keras"'
    assert sorted(spelled(source)) == ["keras", "merge", "model.litertlm", "model.task"]


def test_every_stage_has_files_in_a_folder_of_its_name() -> None:
    files = RunFiles(Path("run"))
    for stage in STAGES:
        assert getattr(files, stage).folder == files.stage(stage).folder == Path("run") / stage
    assert {"model.litertlm", "adapter.safetensors", "report.json", "INSTALL.txt", "convert.log"} < names()
