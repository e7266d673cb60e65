"""Promise: the kind of a file follows from its content, whatever its name; other files and damaged ones give
one clear line."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.inspect.file import inspect_file
from tests.inspect.conftest import write_runtime_adapter, write_task

ROOT = Path(__file__).parents[2]


def test_a_name_proves_nothing(tmp_path: Path, bundle: Path, tflite: Path, tokenizer: bytes) -> None:
    task = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer)
    for source, kind in ((bundle, "litertlm"), (tflite, "tflite"), (task, "task")):
        renamed = source.rename(tmp_path / "something.bin")
        assert inspect_file(renamed).kind == kind


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"# a text\n", "unknown kind of file, it starts with"),
        (b"PK\x03\x04 no zip", r"truncated or damaged \.task or \.apk: file is not a zip file"),
        (b"LITERTLM", "truncated inside its header"),
        (b"\x10\0\0\0\0\0\0\0{no json at all}  ", "damaged, or not a safetensors file"),
        (b"\x10\0\0\0\0\0\0\0{", "unknown kind of file"),
        (b"\x1c\0\0\0TFL3", "damaged"),
    ],
)
def test_other_files_give_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        inspect_file(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_paths_without_a_file_give_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        inspect_file(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"adapter_config\.json is missing"):
        inspect_file(tmp_path)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(InputError, match=r"neither a \.task nor an \.apk: it contains 'a\.txt'"):
        inspect_file(tmp_path / "other.zip")


def test_the_converters_packages_are_not_needed(
    bundle: Path, tmp_path: Path, tflite: Path, tokenizer: bytes
) -> None:
    """The light set of packages, which grafts, inspects files too."""
    task = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer)
    adapter = write_runtime_adapter(tmp_path / "adapter.tflite")
    absent = [
        "ai_edge_litert",
        "litert_lm",
        "litert_lm_builder",
        "flatbuffers",
        "google.protobuf",
        "sentencepiece",
    ]
    absent += ["torch", "tensorflow", "keras", "jax", "transformers", "mediapipe", "litert_torch"]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
        "from pathlib import Path; from pipeline.inspect.file import inspect_file\n"
        "from pipeline.inspect.render import print_report\n"
        "for name in sys.argv[1:]: print_report(inspect_file(Path(name)))"
    )
    files = [str(path) for path in (bundle, task, tflite, adapter)]
    result = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("sha256") == len(files)
    assert "6 <end_of_turn>" in result.stdout
